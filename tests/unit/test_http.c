/* The POST and the speech engine on it, against tests/e2e/speech_server.py. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/level.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "speech/voices.h"

#define KEY "sk-planted-4711"

static pid_t server_pid;
static char base_url[64];   /* http://127.0.0.1:PORT */
static char speech_url[96]; /* of the engine's requests */

static int start_server(void **state)
{
    (void)state;
    int ends[2];
    if (pipe(ends) != 0 || (server_pid = fork()) < 0) {
        return -1;
    }
    if (server_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        execlp("python3", "python3", TEST_SPEECH_SERVER, "/dev/null", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    char port[16] = "";
    ssize_t n = read(ends[0], port, sizeof port - 1);
    close(ends[0]);
    snprintf(base_url, sizeof base_url, "http://127.0.0.1:%ld", strtol(port, NULL, 10));
    snprintf(speech_url, sizeof speech_url, "%s/v1/audio/speech", base_url);
    setenv("no_proxy", "127.0.0.1", 1);
    return n > 0 ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    kill(server_pid, SIGKILL);
    return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

/* One POST to path for a voice; the text makes the request one that was not there before. */
static int post(const char *path, const char *voice, int max_tries, long try_ms, long total_ms,
                struct http_reply *ret, struct err *err)
{
    static int n_texts;
    static const char *const headers[] = {"Content-Type: application/json", "X-Test: yes", NULL};
    char *url = xasprintf("%s%s", base_url, path);
    char *body =
        xasprintf("{\"voice\": \"%s\", \"input\": \"text %d\", \"speed\": 1}", voice, ++n_texts);
    struct http_request r = {url, headers, body, 1 << 20, max_tries, try_ms, total_ms};
    int ok = http_post(&r, ret, err);
    free(body);
    free(url);
    return ok;
}

static void test_request_arrives(void **state)
{
    (void)state;
    struct http_reply reply;
    struct err err = {0};
    assert_int_equal(post("/echo", "caf\xc3\xa9", 1, 9000, 9000, &reply, &err), 0);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.n_tries, 1);
    json_t *echo, *body, *headers;
    const char *text;
    assert_int_equal(json_parse(reply.body.data, reply.body.len, "echo", &echo, &err), 0);
    headers = json_object_get(echo, "headers");
    body = json_object_get(echo, "body");
    assert_int_equal(json_get_str(headers, "X-Test", &text, &err), 0);
    assert_string_equal(text, "yes");
    assert_int_equal(json_get_str(headers, "Content-Type", &text, &err), 0);
    assert_string_equal(text, "application/json");
    assert_int_equal(json_get_str(body, "voice", &text, &err), 0);
    assert_string_equal(text, "caf\xc3\xa9");
    json_decref(echo);
    http_reply_release(&reply);
}

static void test_tries(void **state)
{
    (void)state;
    static const struct {
        const char *voice;
        int max_tries;
        long total_ms;
        int status, n_tries;
        double least_s, most_s;
    } cases[] = {
        {"ok", 6, 9000, 200, 1, 0, 9},       {"busy", 6, 9000, 200, 2, 1, 9}, /* Retry-After: 1 */
        {"hurry", 6, 9000, 200, 2, 0.3, 9},  /* retry-after-ms: 300 goes before 60 s */
        {"busy", 1, 9000, 429, 1, 0, 1},     /* one try */
        {"busy", 6, 900, 429, 1, 0, 1},      /* no time for what is asked */
        {"patience", 6, 9000, 503, 1, 0, 5}, /* nor for the minute that an hour is cut to */
        {"flaky", 6, 9000, 200, 3, 0, 9},    /* at most 0.5 s + 1 s of backoff */
        {"flaky", 2, 9000, 500, 2, 0, 9},    {"denied", 6, 9000, 401, 1, 0, 5},
        {"moved", 6, 9000, 302, 1, 0, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_reply reply;
        struct err err = {0};
        double started = clock_s();
        if (post("/v1/audio/speech", cases[i].voice, cases[i].max_tries, 9000, cases[i].total_ms,
                 &reply, &err) != 0) {
            fail_msg("%s", err.msg);
        }
        double took = clock_s() - started;
        assert_int_equal(reply.status, cases[i].status);
        assert_int_equal(reply.n_tries, cases[i].n_tries);
        if (took < cases[i].least_s || took > cases[i].most_s) {
            fail_msg("%s, %d tries: took %.3f s", cases[i].voice, cases[i].max_tries, took);
        }
        http_reply_release(&reply);
    }
}

static void assert_post_fails(const char *voice, long try_ms, const char *end)
{
    struct http_reply reply;
    struct err err = {0};
    double started = clock_s();
    assert_int_equal(post("/v1/audio/speech", voice, 2, try_ms, 20000, &reply, &err), -1);
    assert_true(clock_s() - started < 10);
    assert_memory_equal(err.msg, speech_url, strlen(speech_url));
    if (!strstr(err.msg, end)) {
        fail_msg("%s", err.msg);
    }
}

static void test_no_answer(void **state)
{
    (void)state;
    assert_post_fails("never", 300, " (2 tries)");
    assert_post_fails("broken", 9000, " (2 tries)");
    assert_post_fails("huge", 9000, ": answers with more than 1048576 bytes");
    static const char *const no_headers[] = {NULL};
    static const char *const urls[] = {"http://127.0.0.1:1/", "file:///etc/passwd",
                                       "ftp://127.0.0.1/"};
    static const char *const ends[] = {" (2 tries)", " (1 try)", " (1 try)"};
    for (int i = 0; i < 3; i++) {
        struct http_request r = {urls[i], no_headers, "", 100, 2, 300, 5000};
        struct http_reply reply;
        struct err err = {0};
        assert_int_equal(http_post(&r, &reply, &err), -1);
        assert_non_null(strstr(err.msg, ends[i]));
    }
}

static int speak(const char *voice, const char *instructions, struct audio *ret, struct err *err)
{
    static char model[] = "tone";
    char url[80];
    snprintf(url, sizeof url, "%s/v1", base_url);
    struct speech_server server = {url, model};
    struct tts_request r = {
        .engine = "http",
        .voice = voice,
        .text = "Where should I stand?",
        .speed = 1.25,
        .range = 1,
        .server = &server,
        .instructions = instructions,
    };
    return tts_render(&r, ret, err);
}

static void test_speech(void **state)
{
    (void)state;
    static const char *const voices[] = {"ok", "stream", "zero", "flaky"};
    for (int i = 0; i < 4; i++) {
        struct audio a = {0}, sad = {0};
        struct err err = {0};
        if (speak(voices[i], NULL, &a, &err) != 0 || speak(voices[i], "Be sad.", &sad, &err) != 0) {
            fail_msg("%s", err.msg);
        }
        assert_int_equal(a.rate, 24000);
        assert_int_equal(a.n_frames, (size_t)(24000 * (0.5 + 0.02 * 21) / 1.25));
        assert_true(level_rms_db(&a) > -30);
        assert_int_equal(a.n_frames, sad.n_frames);
        assert_memory_not_equal(a.pcm, sad.pcm, a.n_frames * sizeof *a.pcm);
        audio_release(&a);
        audio_release(&sad);
    }
}

static void test_speech_errors(void **state)
{
    (void)state;
    static const struct {
        const char *voice, *message;
    } cases[] = {
        {"json", "answered 200 without sound: no voice?[31m for this"},
        {"empty", "answered 200 without sound"},
        {"truncated", "broken off after 9955 of 35328 bytes of sound"},
        {"text", "Format not recognised."},
        {"huge", "answers with more than 33554432 bytes"},
        {"moved", "answered 302"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct audio a = {0};
        struct err err = {0};
        char expected[512];
        assert_int_equal(speak(cases[i].voice, NULL, &a, &err), -1);
        snprintf(expected, sizeof expected, "http, voice %s: %s: %s", cases[i].voice, speech_url,
                 cases[i].message);
        assert_string_equal(err.msg, expected);
        assert_null(a.pcm);
    }
}

/* The server quotes the key in its error; a message is cut to 200 bytes. */
static void test_key_stays_secret(void **state)
{
    (void)state;
    struct audio a = {0};
    struct err err = {0};
    setenv("AOR_SPEECH_KEY", KEY, 1);
    assert_int_equal(speak("denied", NULL, &a, &err), -1);
    assert_null(strstr(err.msg, "sk-"));
    const char *words = strstr(err.msg, "answered 401: ");
    assert_non_null(words);
    words += strlen("answered 401: ");
    assert_memory_equal(words, "Incorrect API key: Bearer .... xxx", 34);
    assert_int_equal(strlen(words), 200);
    setenv("AOR_SPEECH_KEY", KEY "\r\nX-More: 1", 1);
    assert_int_equal(speak("ok", NULL, &a, &err), -1);
    assert_string_equal(err.msg, "http, voice ok: AOR_SPEECH_KEY holds what is no part of a key");
    unsetenv("AOR_SPEECH_KEY");
}

/* A voice of http: levels as of others, nothing else done to it. */
static void test_voice(void **state)
{
    (void)state;
    static char id[] = "v", engine[] = "http", name[] = "ok", model[] = "tone";
    char url[80];
    snprintf(url, sizeof url, "%s/v1", base_url);
    struct speech_server server = {url, model};
    struct voice v = {.id = id, .engine = engine, .voice = name, .server = &server};
    struct emotion plain = {.range = 1};
    struct emotion shaky = {
        .pitch = 3, .range = 2, .tilt_db = 5, .tremor_hz = 7, .tremor_cents = 40, .tremor_db = 2};
    struct rate rate = {.speed = 1};
    struct audio a, b;
    struct err err;
    assert_int_equal(voice_render(&v, &plain, &rate, "Hello.", 1, &a, &err), 0);
    assert_int_equal(voice_render(&v, &shaky, &rate, "Hello.", 2, &b, &err), 0);
    assert_int_equal(a.rate, AUDIO_RATE);
    assert_true(fabs(level_active_db(&a, NULL) - VOICE_LEVEL_DB) < 0.01);
    assert_int_equal(a.n_frames, b.n_frames);
    assert_memory_equal(a.pcm, b.pcm, a.n_frames * sizeof *a.pcm);
    audio_release(&a);
    audio_release(&b);
}

/* A socket that listens, and its port. */
static int listen_at(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

/* Answers one request with these bytes. */
static pid_t serve_once(int fd, const char *bytes)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char request[4096];
        int peer = accept(fd, NULL, NULL);
        if (read(peer, request, sizeof request) > 0 &&
            write(peer, bytes, strlen(bytes)) == (ssize_t)strlen(bytes)) {
            shutdown(peer, SHUT_WR);
        }
        while (read(peer, request, sizeof request) > 0) {
        }
        _exit(0);
    }
    return pid;
}

struct seen {
    int n;
    enum http_fault fault;
    int status;
    double wait_s;
};

static void look(const struct http_done *d, void *user)
{
    struct seen *seen = user;
    assert_ptr_equal(d->user, seen);
    seen->n++;
    seen->fault = d->fault;
    seen->status = d->status;
    seen->wait_s = d->fault == HTTP_NO_FAULT ? http_asked_wait_s(d) : -1;
}

static struct seen get(int port, long timeout_ms)
{
    static const char *const headers[] = {NULL};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    struct seen seen = {0};
    struct http_send send = {.url = url,
                             .headers = headers,
                             .max_reply = 1000,
                             .timeout_ms = timeout_ms,
                             .ends_with = "the end",
                             .user = &seen};
    struct http_client *c;
    assert_int_equal(http_client_open(&c, NULL), 0);
    assert_int_equal(http_client_send(c, &send, NULL), 0);
    while (http_client_n_in_flight(c) > 0) {
        http_client_poll(c, -1, 1000, look, &seen);
    }
    http_client_free(c);
    assert_int_equal(seen.n, 1);
    return seen;
}

/* What can pass is told from what cannot. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum http_fault fault;
        double wait_s;
    } cases[] = {
        {"", HTTP_BROKEN, -1},
        {"garbage\r\n", HTTP_BROKEN, -1},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", HTTP_BROKEN, -1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", HTTP_BROKEN, -1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\na\nthe en", HTTP_BROKEN, -1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\na\nthe end\n", HTTP_NO_FAULT, -1},
        {"HTTP/1.1 429 No\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n", HTTP_NO_FAULT, 2},
        {"HTTP/1.1 429 No\r\nretry-after-ms: 90000\r\nContent-Length: 0\r\n\r\n", HTTP_NO_FAULT,
         90},
        {"HTTP/1.1 429 No\r\nretry-after-ms: x\r\nRetry-After: 2\r\n\r\n", HTTP_NO_FAULT, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int port;
        int fd = listen_at(&port);
        pid_t pid = serve_once(fd, cases[i].bytes);
        struct seen seen = get(port, 5000);
        assert_int_equal(seen.fault, cases[i].fault);
        assert_true(cases[i].wait_s < 0 ? seen.wait_s < 0 : seen.wait_s == cases[i].wait_s);
        close(fd);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

/* Nobody takes connections: that is no broken answer. */
static void test_full_queue_is_not_reached(void **state)
{
    (void)state;
    int port, peers[4];
    int fd = listen_at(&port);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (int i = 0; i < 4; i++) {
        peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(peers[i], (struct sockaddr *)&at, sizeof at);
    }
    assert_int_equal(get(port, 400).fault, HTTP_UNREACHED);
    for (int i = 0; i < 4; i++) {
        close(peers[i]);
    }
    close(fd);
}

static void test_break_off(void **state)
{
    (void)state;
    static const char *const headers[] = {NULL};
    int users[3], port;
    int fd = listen_at(&port);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    struct http_client *c;
    assert_int_equal(http_client_open(&c, NULL), 0);
    for (int i = 0; i < 3; i++) {
        struct http_send send = {
            .url = url, .headers = headers, .max_reply = 9, .timeout_ms = 9000, .user = &users[i]};
        assert_int_equal(http_client_send(c, &send, NULL), 0);
    }
    http_client_poll(c, -1, 0, look, NULL);
    unsigned seen = 0;
    for (int *user; (user = http_client_break_off(c));) {
        seen |= 1U << (user - users);
    }
    assert_int_equal(seen, 7);
    assert_int_equal(http_client_n_in_flight(c), 0);
    http_client_free(c);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_arrives),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_speech),
        cmocka_unit_test(test_speech_errors),
        cmocka_unit_test(test_key_stays_secret),
        cmocka_unit_test(test_voice),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_full_queue_is_not_reached),
        cmocka_unit_test(test_break_off),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
