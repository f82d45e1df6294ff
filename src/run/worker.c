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

enum frame_kind {
    FRAME_READY,  /* text: the model's description */
    FRAME_FAILED, /* text: why the model does not load */
    FRAME_ABORT,  /* text: ggml's last words, or why the model cannot go on */
    FRAME_ANSWER,
    FRAME_ERROR, /* text: why this trial has no answer */
    FRAME_ALIVE, /* a step is done, and no answer with it */
};

#define MAX_TEXT (16u << 20)
#define ALIVE_EVERY_S 0.5

struct frame {
    enum frame_kind kind;
    uint32_t text_len;
    int64_t trial_id;
    union {
        struct model_answer answer; /* what it points to does not travel */
        struct model_facts facts;   /* FRAME_READY */
    };
};

struct group {
    uint32_t n;
    struct worker_task tasks[WORKER_MAX_GROUP];
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

struct child {
    const struct worker_params *params;
    struct local_model *model;
    struct renderer renderer;
    int in, out;
    double said_s;        /* when the parent last heard something */
    struct group waiting; /* .n > 0: read, but not yet submitted */
    bool is_steered;
    bool is_at_end; /* the parent sends no more */
};

static void send_error(struct child *c, int64_t trial_id, const char *message)
{
    c->said_s = clock_s();
    send_frame(c->out, (struct frame){.kind = FRAME_ERROR, .trial_id = trial_id}, message);
}

static void take_answer(int64_t id, const struct model_answer *answer, void *user)
{
    struct child *c = user;
    if (answer->error) {
        send_error(c, id, answer->error);
        return;
    }
    c->said_s = clock_s();
    send_frame(c->out, (struct frame){.kind = FRAME_ANSWER, .trial_id = id, .answer = *answer},
               answer->text);
}

/* The seed of one trial's random choice: whatever runs beside it. */
static uint32_t trial_seed(uint64_t seed, const struct sample *s, const struct worker_task *t,
                           const char *prompt)
{
    char hex[SHA256_HEX_SIZE];
    char *key = xasprintf("%llu\n%s\n%s\n%s\n%d", (unsigned long long)seed, s->id,
                          condition_names[t->condition], prompt, t->repeat);
    sha256_hex(key, strlen(key), hex);
    free(key);
    hex[8] = '\0';
    return (uint32_t)strtoul(hex, NULL, 16);
}

static struct model_question make_question(const struct prompt *p)
{
    return (struct model_question){
        .system = p->system,
        .instruction = p->instruction,
        .audio_last = p->audio_last,
        .max_tokens = p->max_tokens,
        .is_steered = p->is_steered,
    };
}

/* Give the model the waiting group. */
static int submit(struct child *c, struct err *err)
{
    const struct worker_params *p = c->params;
    const struct group *g = &c->waiting;
    const struct sample *s = &p->dataset->bench.samples[g->tasks[0].sample];
    enum condition condition = (enum condition)g->tasks[0].condition;
    bool has_audio = condition_has_audio(condition);
    const struct scene *scene = render_scene_of(s, condition);
    struct model_question questions[WORKER_MAX_GROUP];
    char *texts[WORKER_MAX_GROUP] = {0};
    struct audio a = {0};
    int ok = 0;
    if (has_audio &&
        (dataset_audio(p->dataset, &c->renderer, g->tasks[0].sample, condition, &a, err) != 0 ||
         audio_resample(&a, local_sample_rate(c->model), err) != 0)) {
        ok = -1;
    }
    for (size_t i = 0; ok == 0 && i < g->n; i++) {
        const struct worker_task *t = &g->tasks[i];
        const struct prompt *prompt = &p->plan->prompts[t->prompt];
        struct model_question q = make_question(prompt);
        q.id = t->trial_id;
        q.temperature = p->temperature;
        q.seed = trial_seed(p->seed, s, t, prompt->name);
        if (!has_audio) {
            texts[i] = prompt_fill(prompt, condition == CONDITION_TEXT_SCENE, s->item->text,
                                   scene ? scene_words(scene) : NULL, err);
            ok = texts[i] ? 0 : -1;
            q.text = texts[i];
        }
        questions[i] = q;
    }
    if (ok == 0) {
        ok = local_submit(c->model, has_audio ? &a : NULL, questions, g->n, err);
    }
    for (size_t i = 0; i < g->n; i++) {
        free(texts[i]);
    }
    audio_release(&a);
    return ok;
}

/* Submit the waiting group, unless the model must first finish what is steered otherwise. */
static void submit_waiting(struct child *c)
{
    bool is_steered = c->params->plan->prompts[c->waiting.tasks[0].prompt].is_steered;
    if (is_steered != c->is_steered && local_n_pending(c->model) > 0) {
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
    bool is_idle = local_n_pending(c->model) == 0;
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
    while (local_has_room(c->model)) {
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

/* Many answers at once may all be long: that steps are done shows that the model works. */
static void say_alive(struct child *c)
{
    if (local_n_pending(c->model) > 0 && clock_s() - c->said_s > ALIVE_EVERY_S) {
        c->said_s = clock_s();
        send_frame(c->out, (struct frame){.kind = FRAME_ALIVE}, "");
    }
}

static int open_model(struct child *c, struct err *err)
{
    const struct plan *plan = c->params->plan;
    if (local_open(&c->params->model, &c->model, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < plan->n_prompts; i++) {
        struct model_question q = make_question(&plan->prompts[i]);
        if (local_check_question(c->model, &q, err) != 0) {
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
    send_frame(out, (struct frame){.kind = FRAME_READY, .facts = local_facts(c.model)},
               local_description(c.model));
    c.renderer = renderer_init(&p->dataset->bench, p->dataset->stems_dir, NULL);
    do {
        fill_model(&c);
        if (local_step(c.model, take_answer, &c, &err) != 0) {
            send_frame(out, (struct frame){.kind = FRAME_ABORT}, err.msg);
            _exit(1);
        }
        say_alive(&c);
    } while (!c.is_at_end || c.waiting.n > 0 || local_n_pending(c.model) > 0);
    renderer_release(&c.renderer);
    local_free(c.model);
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
    if (read_timely(w, f, sizeof *f, timeout_s) != 0 || f->text_len > MAX_TEXT) {
        return -1;
    }
    char *text = xmalloc((size_t)f->text_len + 1);
    if (read_timely(w, text, f->text_len, timeout_s) != 0) {
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
        return err_wrap(err, "loading %s", w->params->model.text_path);
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
    if (wait_until_loaded(w, ret, err) != 0) {
        worker_stop(w);
        return -1;
    }
    w->heard_s = clock_s();
    return 0;
}

void worker_send(struct worker *w, const struct worker_task *tasks, size_t n)
{
    struct group g = {.n = (uint32_t)n};
    w->heard_s = clock_s();
    memcpy(g.tasks, tasks, n * sizeof *tasks);
    (void)!fs_write_all(w->to_child, &g.n, sizeof g.n);
    (void)!fs_write_all(w->to_child, g.tasks, n * sizeof *tasks);
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
                                 .is_alive = f.kind == FRAME_ALIVE,
                                 .is_error = f.kind == FRAME_ERROR,
                                 .text = text};
    if (f.kind == FRAME_ANSWER) {
        ret->answer = f.answer;
    }
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
