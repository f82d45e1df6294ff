#include "speech/tts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/text.h"
#include "speech/engine.h"

#define MAX_TEXT 1000
#define MAX_FRAMES ((size_t)16 << 20) /* some ten minutes of speech */

static const struct {
    const char *name;
    int (*prepare)(struct err *err); /* may be NULL */
    int (*speak)(const struct tts_request *request, struct audio *ret, struct err *err);
    const char *(*version)(void);
    double deadline_s; /* http: its own 120 s end with a better message */
} engines[] = {
    {"espeak", espeak_prepare, espeak_speak, espeak_version, 30},
    {"flite", NULL, flite_speak, flite_version, 30},
    {"http", NULL, http_speak, http_speech_version, 130},
};

static int find_engine(const char *name)
{
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        if (strcmp(name, engines[i].name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *tts_engine_version(const char *engine)
{
    int i = find_engine(engine);
    return i < 0 ? NULL : engines[i].version();
}

const char *const *tts_engines(void)
{
    static const char *const names[] = {"espeak", "flite", "http", NULL};
    return names;
}

size_t tts_syllables(const char *text)
{
    return flite_syllables(text);
}

/* What a child writes first; then follow the samples, or nothing after an error. */
struct reply {
    int rate; /* 0: *err says why */
    size_t n_frames;
    struct err err;
};

static _Noreturn void run_child(int engine, const struct tts_request *request, int fd, pid_t parent)
{
    cancel_uninstall();
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "aor-speech"); /* tells the engines' time from ours */
    if (getppid() != parent) {
        _exit(1);
    }
    struct audio a = {0};
    struct reply reply = {0};
    if (engines[engine].speak(request, &a, &reply.err) == 0) {
        reply.rate = a.rate;
        reply.n_frames = a.n_frames;
    }
    bool sent = fs_write_all(fd, &reply, sizeof reply) == 0 &&
                fs_write_all(fd, a.pcm, a.n_frames * sizeof *a.pcm) == 0;
    _exit(sent ? 0 : 1);
}

/* What came: an answer that ended early has no rate or fewer samples than it says. */
struct received {
    struct reply reply;
    struct audio audio;
    bool is_whole;
};

/* Up to n bytes, fewer at the end of fd; all before the deadline (clock_s). */
static int read_some(int fd, double deadline, void *data, size_t n, size_t *ret_n, struct err *err)
{
    size_t n_read = 0;
    while (n_read < n) {
        double left = deadline - clock_s();
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&waited, 1, (int)ceil(left * 1000)) : 0;
        if (ready == 0) {
            return err_set(err, ERR_MODEL, "gave no answer in time");
        }
        ssize_t got = ready > 0 ? read(fd, (char *)data + n_read, n - n_read) : -1;
        if (got < 0 && errno != EINTR) {
            return err_errno(err, "read");
        }
        if (got == 0) {
            break;
        }
        n_read += got > 0 ? (size_t)got : 0;
    }
    *ret_n = n_read;
    return 0;
}

static int receive(int fd, double deadline_s, struct received *ret, struct err *err)
{
    double deadline = clock_s() + deadline_s;
    struct reply *reply = &ret->reply;
    size_t n;
    if (read_some(fd, deadline, reply, sizeof *reply, &n, err) != 0) {
        return -1;
    }
    if (n < sizeof *reply || reply->rate == 0) {
        ret->is_whole = n == sizeof *reply;
        return 0;
    }
    if (reply->n_frames > MAX_FRAMES) {
        return err_set(err, ERR_MODEL, "does not stop speaking");
    }
    ret->audio = audio_silence(reply->n_frames, reply->rate);
    if (read_some(fd, deadline, ret->audio.pcm, reply->n_frames * sizeof(float), &n, err) != 0) {
        return -1;
    }
    ret->is_whole = n == reply->n_frames * sizeof(float);
    return 0;
}

static int check_status(int status, struct err *err)
{
    if (status != 0 && cancel_requested()) {
        return err_set(err, ERR_CANCELLED, "interrupted");
    }
    if (WIFSIGNALED(status)) {
        return err_set(err, ERR_MODEL, "died: %s", strsignal(WTERMSIG(status)));
    }
    if (status != 0) {
        return err_set(err, ERR_MODEL, "ended with status %d", WEXITSTATUS(status));
    }
    return 0;
}

static int check_received(const struct received *r, struct err *err)
{
    if (!r->is_whole) {
        return err_set(err, ERR_MODEL, "ended without an answer");
    }
    if (r->reply.rate == 0) {
        if (err) {
            *err = r->reply.err;
        }
        return -1;
    }
    return r->reply.n_frames > 0 ? 0 : err_set(err, ERR_MODEL, "gave no sound");
}

static int render_in_child(int engine, const struct tts_request *request, struct audio *ret,
                           struct err *err)
{
    int ends[2];
    struct received received = {0};
    int ok = -1;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return err_errno(err, "pipe");
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        err_errno(err, "fork");
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (child == 0) {
        close(ends[0]);
        run_child(engine, request, ends[1], parent);
    }
    close(ends[1]);
    int status = 0;
    int got = receive(ends[0], engines[engine].deadline_s, &received, err);
    if (got != 0) {
        kill(child, SIGKILL);
    }
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (got == 0 && check_status(status, err) == 0 && check_received(&received, err) == 0) {
        *ret = received.audio;
        received.audio = (struct audio){0};
        ok = 0;
    }
    audio_release(&received.audio);
    return ok;
}

static int check_request(const struct tts_request *r, struct err *err)
{
    size_t n = strlen(r->text);
    if (n == 0 || n > MAX_TEXT) {
        return err_set(err, ERR_USAGE, "the text has %zu bytes, not 1..%d", n, MAX_TEXT);
    }
    uint32_t code_point;
    for (size_t i = 0, step; i < n; i += step) {
        step = text_utf8_decode(r->text + i, n - i, &code_point);
        if (step == 0) {
            return err_set(err, ERR_USAGE, "the text is no UTF-8");
        }
    }
    if (!(r->speed >= 0.5 && r->speed <= 2) || !(r->pitch >= -12 && r->pitch <= 12) ||
        !(r->range >= 0 && r->range <= 3)) {
        return err_set(err, ERR_USAGE, "speed %g, pitch %g, range %g: out of range", r->speed,
                       r->pitch, r->range);
    }
    return 0;
}

int tts_render(const struct tts_request *request, struct audio *ret, struct err *err)
{
    int engine = find_engine(request->engine);
    if (engine < 0) {
        return err_set(err, ERR_USAGE, "there is no speech engine \"%s\"", request->engine);
    }
    if (check_request(request, err) != 0 ||
        (engines[engine].prepare && engines[engine].prepare(err) != 0) ||
        render_in_child(engine, request, ret, err) != 0) {
        return err_wrap(err, "%s, voice %s", request->engine, request->voice);
    }
    return 0;
}
