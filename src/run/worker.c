#include "run/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/group.h"

enum frame_kind {
    FRAME_READY,   /* text: the model's description */
    FRAME_FAILED,  /* text: why the model does not load */
    FRAME_ABORT,   /* text: ggml's last words, or why the model cannot go on */
    FRAME_STOPPED, /* text: why the model asks no more */
    FRAME_ANSWER,
    FRAME_ALIVE, /* a step is done, and no answer with it */
};

#define MAX_TEXT (16u << 20)
#define N_STRINGS 3
#define ALIVE_EVERY_S 0.5

struct frame {
    enum frame_kind kind;
    uint32_t n_bytes; /* of the strings that follow, each with its NUL: text, reason, server */
    int64_t trial_id;
    union {
        struct model_answer answer; /* its pointers do not travel */
        struct model_facts facts;   /* FRAME_READY */
    };
};

struct waiting {
    uint32_t n;
    struct worker_task tasks[WORKER_MAX_GROUP];
};

/* In the child: where ggml's last words go; whether the parent asked to begin nothing new. */
static int abort_fd;
static volatile sig_atomic_t is_draining;

static void on_drain(int signal_number)
{
    (void)signal_number;
    is_draining = 1;
}

static void send_frame(int fd, struct frame f, const char *text)
{
    const char *const strings[N_STRINGS] = {text, f.kind == FRAME_ANSWER ? f.answer.reason : NULL,
                                            f.kind == FRAME_ANSWER ? f.answer.server : NULL};
    struct buf b = {0};
    for (int i = 0; i < N_STRINGS; i++) {
        size_t n = strings[i] ? strlen(strings[i]) : 0;
        buf_add(&b, strings[i] ? strings[i] : "", n < MAX_TEXT ? n : MAX_TEXT);
        buf_add(&b, "", 1);
    }
    f.n_bytes = (uint32_t)b.len;
    if (fs_write_all(fd, &f, sizeof f) != 0 || fs_write_all(fd, b.data, b.len) != 0) {
        _exit(1); /* the parent is gone */
    }
    buf_release(&b);
}

static void on_abort(const char *message)
{
    send_frame(abort_fd, (struct frame){.kind = FRAME_ABORT}, message);
}

struct child {
    const struct worker_params *params;
    struct model *model;
    struct model_facts facts;
    struct renderer renderer;
    int in, out;
    double said_s;          /* when the parent last heard something */
    struct waiting waiting; /* .n > 0: read, but not yet submitted */
    bool is_steered;
    bool is_at_end; /* the parent sends no more */
};

static size_t n_pending(const struct child *c)
{
    return c->model->class->n_pending(c->model);
}

static void send_error(struct child *c, int64_t trial_id, const char *message)
{
    c->said_s = clock_s();
    struct frame f = {.kind = FRAME_ANSWER, .trial_id = trial_id};
    f.answer = (struct model_answer){.outcome = MODEL_FAILED, .cost = -1};
    send_frame(c->out, f, message);
}

static void take_answer(int64_t id, const struct model_answer *answer, void *user)
{
    struct child *c = user;
    c->said_s = clock_s();
    send_frame(c->out, (struct frame){.kind = FRAME_ANSWER, .trial_id = id, .answer = *answer},
               answer->text);
}

/* Give the model the waiting group. */
static int submit(struct child *c, struct err *err)
{
    const struct waiting *w = &c->waiting;
    struct group g = {0};
    int ok = group_fill(c->params, &c->renderer, w->tasks, w->n, c->facts.sample_rate, &g, err);
    if (ok == 0) {
        ok =
            c->model->class->submit(c->model, g.has_audio ? &g.audio : NULL, g.questions, g.n, err);
    }
    group_release(&g);
    return ok;
}

/* Submit the waiting group, unless the model must first finish what is steered otherwise. */
static void submit_waiting(struct child *c)
{
    bool is_steered = c->params->plan->prompts[c->waiting.tasks[0].prompt].is_steered;
    if (is_steered != c->is_steered && n_pending(c) > 0) {
        return;
    }
    c->is_steered = is_steered;
    struct err err = {0};
    if (submit(c, &err) != 0) {
        for (size_t i = 0; i < c->waiting.n; i++) {
            send_error(c, c->waiting.tasks[i].trial_id, err.msg);
        }
    }
    c->waiting.n = 0;
}

/* Read a group, if one is there or there is nothing else to do. */
static void read_group(struct child *c)
{
    struct pollfd p = {.fd = c->in, .events = POLLIN};
    bool is_idle = n_pending(c) == 0;
    if (poll(&p, 1, is_idle ? -1 : 0) <= 0) {
        return;
    }
    uint32_t n;
    if (fs_read_all(c->in, &n, sizeof n) != 0 || n > WORKER_MAX_GROUP ||
        fs_read_all(c->in, c->waiting.tasks, n * sizeof *c->waiting.tasks) != 0) {
        c->is_at_end = true;
        return;
    }
    c->waiting.n = n;
}

static void fill_model(struct child *c)
{
    while (c->model->class->has_room(c->model)) {
        if (c->waiting.n == 0 && !c->is_at_end) {
            read_group(c);
        }
        if (c->waiting.n == 0) {
            return;
        }
        submit_waiting(c);
        if (c->waiting.n > 0) {
            return;
        }
    }
}

/* The model stops: what it has not taken over is as it was. */
static void drop_waiting(struct child *c)
{
    for (size_t i = 0; i < c->waiting.n; i++) {
        struct model_answer dropped = {.outcome = MODEL_DROPPED, .text = ""};
        take_answer(c->waiting.tasks[i].trial_id, &dropped, c);
    }
}

/* Many answers at once may all be long: that steps are done shows that the model works. */
static void say_alive(struct child *c)
{
    if (n_pending(c) > 0 && clock_s() - c->said_s > ALIVE_EVERY_S) {
        c->said_s = clock_s();
        send_frame(c->out, (struct frame){.kind = FRAME_ALIVE}, "");
    }
}

static int open_model(struct child *c, struct err *err)
{
    const struct worker_params *p = c->params;
    const struct plan *plan = p->plan;
    if ((p->remote ? remote_open(p->remote, &c->model, err)
                   : local_open(p->local, &c->model, err)) != 0) {
        return -1;
    }
    c->facts = c->model->class->facts(c->model);
    for (size_t i = 0; i < plan->n_prompts; i++) {
        struct model_question q = group_question(&plan->prompts[i]);
        if (c->model->class->check(c->model, &q, err) != 0) {
            return err_wrap(err, "prompt %s", plan->prompts[i].name);
        }
    }
    return 0;
}

static void run_child(const struct worker_params *p, int in, int out)
{
    struct child c = {.params = p, .in = in, .out = out};
    struct err err = {0};
    abort_fd = out;
    local_on_abort(on_abort);
    if (open_model(&c, &err) != 0) {
        send_frame(out, (struct frame){.kind = FRAME_FAILED}, err.msg);
        _exit(1);
    }
    send_frame(out, (struct frame){.kind = FRAME_READY, .facts = c.facts},
               c.model->class->description(c.model));
    c.renderer = renderer_init(&p->dataset->bench, p->dataset->stems_dir, NULL);
    do {
        if (is_draining && c.model->class->drain) {
            c.model->class->drain(c.model);
        }
        fill_model(&c);
        int status = c.model->class->step(c.model, c.is_at_end ? -1 : in, take_answer, &c, &err);
        if (status != 0) {
            drop_waiting(&c);
            send_frame(out, (struct frame){.kind = status < 0 ? FRAME_ABORT : FRAME_STOPPED},
                       err.msg);
            _exit(1);
        }
        say_alive(&c);
    } while (!c.is_at_end || c.waiting.n > 0 || n_pending(&c) > 0);
    renderer_release(&c.renderer);
    c.model->class->free(c.model);
    _exit(0);
}

/* Read n bytes, within the worker's time. */
static int read_timely(const struct worker *w, void *data, size_t n, double timeout_s)
{
    double deadline = clock_s() + timeout_s;
    for (char *p = data; n > 0;) {
        struct pollfd ready = {.fd = w->from_child, .events = POLLIN};
        int status = poll(&ready, 1, 500);
        if (status == 0 && timeout_s > 0 && clock_s() > deadline) {
            return -1;
        }
        if (status <= 0) {
            continue;
        }
        ssize_t got = read(w->from_child, p, n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return -1;
        }
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

/* 0, or -1 at the end of the pipe (the child is gone). *ret_text is the caller's. */
static int receive_frame(const struct worker *w, double timeout_s, struct frame *f, char **ret_text)
{
    if (read_timely(w, f, sizeof *f, timeout_s) != 0 || f->n_bytes > N_STRINGS * (MAX_TEXT + 1) ||
        f->n_bytes < N_STRINGS) {
        return -1;
    }
    char *text = xmalloc(f->n_bytes);
    if (read_timely(w, text, f->n_bytes, timeout_s) != 0) {
        free(text);
        return -1;
    }
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

static int wait_until_loaded(struct worker *w, struct worker_model *ret, struct err *err)
{
    struct pollfd ready = {.fd = w->from_child, .events = POLLIN};
    while (!cancel_requested() && poll(&ready, 1, 500) <= 0) {
    }
    if (cancel_requested()) {
        return err_set(err, ERR_CANCELLED,
                       "stopped by a signal; the same command goes on from here");
    }
    struct frame f;
    char *text = NULL;
    if (receive_frame(w, 0, &f, &text) != 0) {
        describe_death(w, NULL, err);
        return err_wrap(err, "loading %s",
                        w->params->remote ? "the model" : w->params->local->text_path);
    }
    int ok = 0;
    if (f.kind == FRAME_READY) {
        snprintf(ret->description, sizeof ret->description, "%s", text);
        ret->facts = f.facts;
    } else {
        ok = err_set(err, ERR_MODEL, "%s%s", f.kind == FRAME_ABORT ? "loading the model: " : "",
                     text);
    }
    free(text);
    return ok;
}

/*
 * All that a child is given at a time fits into its pipe, so that the two never wait for each
 * other's. No more is asked for than that: what a user's pipes may take together is limited.
 */
static int make_room(const struct worker *w, const struct model_facts *facts, struct err *err)
{
    int n_tasks = facts->n_parallel + WORKER_MAX_AHEAD;
    /* Half of it may be lost, as pages are not filled. */
    int n_bytes = 2 * n_tasks * (int)(sizeof(uint32_t) + sizeof(struct worker_task));
    return fcntl(w->to_child, F_GETPIPE_SZ) >= n_bytes ||
                   fcntl(w->to_child, F_SETPIPE_SZ, n_bytes) >= n_bytes
               ? 0
               : err_errno(err, "a pipe of %d bytes to the model's process", n_bytes);
}

int worker_start(struct worker *w, const struct worker_params *params, struct worker_model *ret,
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
        signal(SIGTERM, SIG_IGN);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, on_drain);
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
    *w = (struct worker){params, pid, in[1], out[0], clock_s()};
    if (wait_until_loaded(w, ret, err) != 0 || make_room(w, &ret->facts, err) != 0) {
        worker_stop(w);
        return -1;
    }
    w->heard_s = clock_s();
    return 0;
}

void worker_send(struct worker *w, const struct worker_task *tasks, size_t n)
{
    struct waiting g = {.n = (uint32_t)n};
    w->heard_s = clock_s();
    memcpy(g.tasks, tasks, n * sizeof *tasks);
    (void)!fs_write_all(w->to_child, &g.n, sizeof g.n);
    (void)!fs_write_all(w->to_child, g.tasks, n * sizeof *tasks);
}

void worker_drain(struct worker *w)
{
    if (w->pid > 0) {
        kill(w->pid, SIGUSR2);
    }
}

int worker_receive(struct worker *w, struct worker_reply *ret, struct err *err)
{
    struct frame f;
    char *text = NULL;
    struct pollfd ready = {.fd = w->from_child, .events = POLLIN};
    bool is_late = poll(&ready, 1, 0) <= 0 && worker_is_late(w);
    double started = clock_s();
    if (is_late || receive_frame(w, w->params->timeout_s, &f, &text) != 0) {
        is_late = is_late || clock_s() - started > w->params->timeout_s;
        if (is_late) {
            kill(w->pid, SIGKILL);
        }
        describe_death(w, NULL, err);
        return is_late ? err_set(err, ERR_MODEL, "no answer within %.0f s", w->params->timeout_s)
                       : -1;
    }
    w->heard_s = clock_s();
    if (f.kind == FRAME_ABORT) {
        describe_death(w, text, err);
        free(text);
        return -1;
    }
    *ret = (struct worker_reply){.trial_id = f.trial_id,
                                 .kind = f.kind == FRAME_ALIVE     ? WORKER_IS_ALIVE
                                         : f.kind == FRAME_STOPPED ? WORKER_STOPPED
                                                                   : WORKER_ANSWERED,
                                 .strings = text};
    if (f.kind == FRAME_ANSWER) {
        ret->answer = f.answer;
    }
    const char *reason = text + strlen(text) + 1;
    const char *server = reason + strlen(reason) + 1;
    ret->answer.text = text;
    ret->answer.reason = *reason ? reason : NULL;
    ret->answer.server = *server ? server : NULL;
    return 0;
}

bool worker_is_alive(const struct worker *w)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

bool worker_is_late(const struct worker *w)
{
    return clock_s() - w->heard_s > w->params->timeout_s;
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
