#include "run/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

enum frame_kind {
    FRAME_READY,  /* text: the model's description */
    FRAME_FAILED, /* text: why the model does not load */
    FRAME_ABORT,  /* text: ggml's last words */
    FRAME_ANSWER,
    FRAME_ERROR, /* text: why this trial has no answer */
};

#define MAX_TEXT (16u << 20)

struct frame {
    enum frame_kind kind;
    uint32_t text_len;
    int64_t trial_id;
    struct local_answer answer; /* .text does not travel */
};

/* In the child: where ggml's last words go. */
static int abort_fd;

static void send_frame(int fd, struct frame f, const char *text)
{
    size_t n = strlen(text);
    f.text_len = (uint32_t)(n < MAX_TEXT ? n : MAX_TEXT);
    if (fs_write_all(fd, &f, sizeof f) != 0 || fs_write_all(fd, text, f.text_len) != 0) {
        _exit(1); /* the parent is gone */
    }
}

static void on_abort(const char *message)
{
    send_frame(abort_fd, (struct frame){.kind = FRAME_ABORT}, message);
}

static struct local_prompt make_prompt(const struct prompt *p, const struct audio *a)
{
    return (struct local_prompt){
        .system = p->system && p->system[0] ? p->system : NULL,
        .instruction = p->instruction,
        .audio = a,
        .audio_last = p->audio_last,
    };
}

static int answer_task(const struct worker_params *p, struct local_model *model,
                       struct renderer *renderer, const struct worker_task *task,
                       struct local_answer *ret, struct err *err)
{
    struct audio a = {0};
    int ok = -1;
    if (dataset_audio(p->dataset, renderer, task->sample, (enum condition)task->condition, &a,
                      err) == 0 &&
        audio_resample(&a, local_sample_rate(model), err) == 0) {
        struct local_prompt prompt = make_prompt(p->prompt, &a);
        ok = local_answer(model, &prompt, p->prompt->max_tokens, ret, err);
    }
    audio_release(&a);
    return ok;
}

static void run_child(const struct worker_params *p, int in, int out)
{
    struct local_model *model = NULL;
    struct err err = {0};
    abort_fd = out;
    local_on_abort(on_abort);
    struct local_prompt prompt = make_prompt(p->prompt, NULL);
    if (local_open(&p->model, &model, &err) != 0 || local_check_prompt(model, &prompt, &err) != 0) {
        send_frame(out, (struct frame){.kind = FRAME_FAILED}, err.msg);
        _exit(1);
    }
    send_frame(out, (struct frame){.kind = FRAME_READY}, local_description(model));
    struct renderer renderer = renderer_init(&p->dataset->bench, p->dataset->stems_dir, NULL);
    for (struct worker_task task; fs_read_all(in, &task, sizeof task) == 0;) {
        struct frame f = {.kind = FRAME_ANSWER, .trial_id = task.trial_id};
        if (answer_task(p, model, &renderer, &task, &f.answer, &err) == 0) {
            send_frame(out, f, f.answer.text);
            local_answer_release(&f.answer);
        } else {
            f.kind = FRAME_ERROR;
            send_frame(out, f, err.msg);
        }
    }
    renderer_release(&renderer);
    local_free(model);
    _exit(0);
}

/*
 * Wait until fd can be read; timeout_s 0: for ever. False at the deadline and at a cancel signal.
 */
static bool wait_readable(int fd, double timeout_s)
{
    double deadline = clock_s() + timeout_s;
    while (!cancel_requested() && (timeout_s <= 0 || clock_s() < deadline)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 500) > 0) {
            return true;
        }
    }
    return false;
}

/* 0, or -1 at the end of the pipe (the child is gone). *ret_text is the caller's. */
static int receive_frame(int fd, struct frame *f, char **ret_text)
{
    if (fs_read_all(fd, f, sizeof *f) != 0 || f->text_len > MAX_TEXT) {
        return -1;
    }
    char *text = xmalloc((size_t)f->text_len + 1);
    if (fs_read_all(fd, text, f->text_len) != 0) {
        free(text);
        return -1;
    }
    text[f->text_len] = '\0';
    *ret_text = text;
    return 0;
}

/* Wait for the dead child and say how it died; words: what it said last, or NULL. */
static int describe_death(struct worker *w, const char *words, struct err *err)
{
    int status = 0;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) {
    }
    w->pid = 0;
    const char *comma = words ? ": " : "";
    if (WIFSIGNALED(status)) {
        return err_set(err, ERR_MODEL, "the model's process died (%s)%s%s",
                       strsignal(WTERMSIG(status)), comma, words ? words : "");
    }
    return err_set(err, ERR_MODEL, "the model's process ended with code %d%s%s",
                   WEXITSTATUS(status), comma, words ? words : "");
}

int worker_start(struct worker *w, const struct worker_params *params, char **ret_description,
                 struct err *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0) {
        return err_errno(err, "starting the model's process");
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        err_errno(err, "starting the model's process");
        close(in[0]);
        close(in[1]);
        return -1;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        signal(SIGINT, SIG_IGN); /* the parent decides when to end */
        signal(SIGTERM, SIG_DFL);
        close(in[1]);
        close(out[0]);
        run_child(params, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    if (pid < 0) {
        err_errno(err, "starting the model's process");
        close(in[1]);
        close(out[0]);
        return -1;
    }
    *w = (struct worker){params, pid, in[1], out[0]};
    struct frame f;
    char *text = NULL;
    if (!wait_readable(w->from_child, 0) || receive_frame(w->from_child, &f, &text) != 0) {
        if (cancel_requested()) {
            err_set(err, ERR_CANCELLED, "stopped by a signal; the same command goes on from here");
        } else {
            describe_death(w, NULL, err);
            err_wrap(err, "loading %s", params->model.text_path);
        }
        worker_stop(w);
        return -1;
    }
    if (f.kind != FRAME_READY) {
        err_set(err, ERR_MODEL, "%s%s", f.kind == FRAME_ABORT ? "loading the model: " : "", text);
        free(text);
        worker_stop(w);
        return -1;
    }
    *ret_description = text;
    return 0;
}

int worker_send(struct worker *w, const struct worker_task *task)
{
    return fs_write_all(w->to_child, task, sizeof *task);
}

int worker_receive(struct worker *w, struct worker_reply *ret, struct err *err)
{
    struct frame f;
    char *text = NULL;
    bool is_ready = wait_readable(w->from_child, w->params->timeout_s);
    if (!is_ready || receive_frame(w->from_child, &f, &text) != 0) {
        if (cancel_requested()) {
            err_set(err, ERR_CANCELLED, "stopped by a signal; the same command goes on from here");
        } else if (is_ready) {
            describe_death(w, NULL, err);
        } else {
            kill(w->pid, SIGKILL);
            describe_death(w, NULL, err);
            err_set(err, ERR_MODEL, "no answer within %.0f s", w->params->timeout_s);
        }
        return 1;
    }
    if (f.kind == FRAME_ABORT) {
        describe_death(w, text, err);
        free(text);
        return 1;
    }
    *ret = (struct worker_reply){f.trial_id, f.kind == FRAME_ERROR, f.answer};
    ret->answer.text = text;
    return 0;
}

void worker_stop(struct worker *w)
{
    if (w->params) {
        close(w->to_child);
        close(w->from_child);
    }
    if (w->pid > 0) {
        /* It holds nothing that must be saved. */
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    *w = (struct worker){0};
}
