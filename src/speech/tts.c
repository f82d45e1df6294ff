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
#define MAX_REPLY ((size_t)64 << 20) /* some ten minutes of speech */

static const struct {
    const char *name;
    int (*speak)(const struct tts_request *request, struct audio *ret, struct err *err);
    const char *(*version)(void);
    double deadline_s; /* http: its own 120 s end with a better message */
} engines[] = {
    {"espeak", espeak_speak, espeak_version, 30},
    {"flite", flite_speak, flite_version, 30},
    {"http", http_speak, http_speech_version, 130},
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

/* All that comes from fd until its end, in time. */
static int read_reply(int fd, double deadline_s, struct buf *ret, struct err *err)
{
    double deadline = clock_s() + deadline_s;
    for (;;) {
        double left = deadline - clock_s();
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&waited, 1, (int)ceil(left * 1000)) : 0;
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready < 0) {
            return err_errno(err, "poll");
        }
        if (ready == 0) {
            return err_set(err, ERR_MODEL, "gave no answer within %g s", deadline_s);
        }
        char chunk[65536];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return err_errno(err, "read");
        }
        if (n == 0) {
            return 0;
        }
        if (ret->len + (size_t)n > MAX_REPLY) {
            return err_set(err, ERR_MODEL, "does not stop speaking");
        }
        buf_add(ret, chunk, (size_t)n);
    }
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

static int unpack(const struct buf *bytes, struct audio *ret, struct err *err)
{
    struct reply reply;
    if (bytes->len < sizeof reply) {
        return err_set(err, ERR_MODEL, "ended without an answer");
    }
    memcpy(&reply, bytes->data, sizeof reply);
    if (reply.rate == 0) {
        if (err) {
            *err = reply.err;
        }
        return -1;
    }
    if (reply.n_frames == 0 || bytes->len - sizeof reply != reply.n_frames * sizeof(float)) {
        return err_set(err, ERR_MODEL, "gave no sound");
    }
    struct audio a = audio_silence(reply.n_frames, reply.rate);
    memcpy(a.pcm, bytes->data + sizeof reply, a.n_frames * sizeof *a.pcm);
    *ret = a;
    return 0;
}

static int render_in_child(int engine, const struct tts_request *request, struct audio *ret,
                           struct err *err)
{
    int ends[2];
    struct buf bytes = {0};
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
    int got = read_reply(ends[0], engines[engine].deadline_s, &bytes, err);
    if (got != 0) {
        kill(child, SIGKILL);
    }
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (got == 0 && check_status(status, err) == 0 && unpack(&bytes, ret, err) == 0) {
        ok = 0;
    }
    buf_release(&bytes);
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
    if (check_request(request, err) != 0 || render_in_child(engine, request, ret, err) != 0) {
        return err_wrap(err, "%s, voice %s", request->engine, request->voice);
    }
    return 0;
}
