/* Models behind servers, against tests/e2e/chaos_server.py; what it saw is asked of itself. */
#include <arpa/inet.h>
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

#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "model/remote.h"

#define KEY "sk-planted-4711"
#define KEY_VARIABLE "AOR_TEST_KEY"
#define MAX_RESULTS 400

/* -- the server */

struct server {
    pid_t pid;
    int port;
    char url[64]; /* http://127.0.0.1:PORT/v1 */
};

/* With these options; port 0: any. */
static struct server start_server(int port, const char *a, const char *b, const char *c,
                                  const char *d)
{
    int ends[2];
    char number[16], line[16] = "";
    struct server s;
    snprintf(number, sizeof number, "%d", port);
    assert_int_equal(pipe(ends), 0);
    s.pid = fork();
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        execlp("python3", "python3", TEST_CHAOS_SERVER, "--port", number, a, b, c, d, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    s.port = (int)strtol(line, NULL, 10);
    snprintf(s.url, sizeof s.url, "http://127.0.0.1:%d/v1", s.port);
    return s;
}

static void stop_server(const struct server *s)
{
    kill(s->pid, SIGKILL);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

static void take_json(const struct http_done *d, void *user)
{
    (void)user;
    json_t **ret = d->user;
    assert_int_equal(d->fault, HTTP_NO_FAULT);
    assert_int_equal(json_parse(d->body->data, d->body->len, "truth", ret, NULL), 0);
}

/* What it did; the caller's. */
static json_t *truth_of(const struct server *s)
{
    static const char *const headers[] = {NULL};
    json_t *truth = NULL;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/truth", s->port);
    struct http_send send = {.url = url,
                             .headers = headers,
                             .max_reply = (size_t)16 << 20,
                             .timeout_ms = 9000,
                             .user = &truth};
    struct http_client *c;
    assert_int_equal(http_client_open(&c, NULL), 0);
    assert_int_equal(http_client_send(c, &send, NULL), 0);
    while (http_client_n_in_flight(c) > 0) {
        http_client_poll(c, -1, 1000, take_json, NULL);
    }
    http_client_free(c);
    if (json_array_size(json_object_get(truth, "bad")) > 0) {
        fail_msg("%s", json_string_value(json_array_get(json_object_get(truth, "bad"), 0)));
    }
    return truth;
}

static int n_requests(const struct server *s)
{
    json_t *truth = truth_of(s);
    int n = (int)json_integer_value(json_object_get(truth, "n_requests"));
    json_decref(truth);
    return n;
}

/* -- questions and what came of them */

struct result {
    int n; /* how often it ended */
    enum model_outcome outcome;
    char *text, *reason, *server; /* owned */
    int n_tries;
    double cost;
};

struct results {
    struct result of[MAX_RESULTS];
    int n_done;
};

static char *copy(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

static void take(int64_t id, const struct model_answer *answer, void *user)
{
    struct results *all = user;
    struct result *r = &all->of[id];
    assert_int_equal(r->n, 0);
    assert_non_null(answer->text);
    *r = (struct result){1,
                         answer->outcome,
                         copy(answer->text),
                         copy(answer->reason),
                         copy(answer->server),
                         answer->n_tries,
                         answer->cost};
    all->n_done++;
}

static void release(struct results *all)
{
    for (int i = 0; i < MAX_RESULTS; i++) {
        free(all->of[i].text);
        free(all->of[i].reason);
        free(all->of[i].server);
    }
    *all = (struct results){0};
}

static int count(const struct results *all, enum model_outcome outcome)
{
    int n = 0;
    for (int i = 0; i < MAX_RESULTS; i++) {
        n += all->of[i].n > 0 && all->of[i].outcome == outcome;
    }
    return n;
}

static struct audio make_tone(void)
{
    struct audio a = audio_silence(3200, AUDIO_RATE);
    for (size_t i = 0; i < a.n_frames; i++) {
        a.pcm[i] = (float)(0.3 * sin(0.2 * (double)i));
    }
    return a;
}

static void submit(struct model *m, int id, const struct audio *audio)
{
    char name[32];
    snprintf(name, sizeof name, "t-%d", id);
    struct model_question q = {.id = id,
                               .name = name,
                               .system = "Be brief.",
                               .instruction = "Answer the speaker.",
                               .text = "Where should I stand?",
                               .max_tokens = 32};
    assert_int_equal(m->class->submit(m, audio, &q, 1, NULL), 0);
}

/* Can always be read: there is more to ask. */
static int more_fd(void)
{
    static int ends[2];
    if (ends[1] == 0) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "x", 1), 1);
    }
    return ends[0];
}

/* Until n questions ended or the model stops; what step() returned last. */
static int run(struct model *m, int n, const struct audio *audio, struct results *all,
               struct err *err)
{
    double deadline = clock_s() + 60;
    int n_submitted = 0;
    int ok = 0;
    while (ok == 0 && all->n_done < n) {
        if (n_submitted < n && m->class->has_room(m)) {
            submit(m, n_submitted++, audio);
        }
        ok = m->class->step(m, n_submitted < n ? more_fd() : -1, take, all, err);
        assert_true(clock_s() < deadline);
    }
    assert_int_equal(m->class->n_pending(m), 0);
    return ok;
}

static char model_name[] = "chaos", no_body[] = "{}", key_variable[] = KEY_VARIABLE;

static struct preset_api make_api(void)
{
    return (struct preset_api){
        .model = model_name,
        .takes_temperature = true,
        .max_tokens_key = "max_tokens",
        .has_system = true,
        .body = no_body,
    };
}

static struct model *open_model(const struct remote_params *p)
{
    struct model *m = NULL;
    struct err err = {0};
    if (remote_open(p, &m, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return m;
}

/* -- tests */

static void test_every_form(void **state)
{
    (void)state;
    static const struct {
        enum preset_protocol protocol;
        enum preset_audio audio;
        enum preset_format format;
        bool is_streamed, has_sound;
    } cases[] = {
        {PRESET_OPENAI, PRESET_INPUT_AUDIO, PRESET_WAV, false, true},
        {PRESET_OPENAI, PRESET_INPUT_AUDIO_URI, PRESET_WAV, true, true},
        {PRESET_OPENAI, PRESET_AUDIO_URL, PRESET_WAV, true, true},
        {PRESET_OPENAI, PRESET_AUDIO_URL, PRESET_WAV, true, false},
        {PRESET_GEMINI, PRESET_INPUT_AUDIO, PRESET_WAV, false, true},
        {PRESET_GEMINI, PRESET_INPUT_AUDIO, PRESET_WAV, false, false},
    };
    struct server s = start_server(0, "--faults", "none", "--is", "vllm");
    struct audio tone = make_tone();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct preset_api api = make_api();
        api.protocol = cases[i].protocol;
        api.audio = cases[i].audio;
        api.format = cases[i].format;
        api.is_streamed = cases[i].is_streamed;
        char *urls[] = {s.url};
        struct remote_params p = {
            .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 4, .timeout_s = 20};
        struct model *m = open_model(&p);
        struct results all = {0};
        assert_int_equal(run(m, 10, cases[i].has_sound ? &tone : NULL, &all, NULL), 0);
        for (int k = 0; k < 10; k++) {
            char *id = xasprintf("aor-t-%d ", k);
            assert_int_equal(all.of[k].outcome, MODEL_ANSWERED);
            assert_non_null(strstr(all.of[k].text, id));
            assert_null(all.of[k].reason);
            assert_int_equal(all.of[k].n_tries, 1);
            assert_true(all.of[k].cost < 0);
            free(id);
        }
        release(&all);
        m->class->free(m);
        /* The next form is another body for the same trial: to a server that has not seen it. */
        json_decref(truth_of(&s));
        stop_server(&s);
        s = start_server(0, "--faults", "none", "--is", "vllm");
    }
    audio_release(&tone);
    stop_server(&s);
}

/* Each question ends once; a try is one request, under the same name and with the same body. */
static void test_faults(void **state)
{
    (void)state;
    struct server s =
        start_server(0, "--faults",
                     "error_500=100,error_502=50,hint_ms=200,bad_json=50,reset_first="
                     "50,half=50,error_4xx=50,content_filter=50,refusal=50,no_done=50",
                     "--seed", "7");
    struct audio tone = make_tone();
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 16, .timeout_s = 20};
    for (int is_streamed = 0; is_streamed < 2; is_streamed++) {
        api.is_streamed = is_streamed;
        struct model *m = open_model(&p);
        struct results all = {0};
        assert_int_equal(run(m, 80, &tone, &all, NULL), 0);
        json_t *truth = truth_of(&s);
        const json_t *trials = json_object_get(truth, "trials");
        assert_int_equal(json_object_size(trials), 80);
        int n_asked = 0;
        for (int k = 0; k < 80; k++) {
            char *id = xasprintf("aor-t-%d", k);
            const struct result *r = &all.of[k];
            const json_t *trial = json_object_get(trials, id);
            const json_t *met = json_object_get(trial, "met");
            size_t n = json_array_size(met);
            const char *last = json_string_value(json_array_get(met, n - 1));
            assert_int_equal(r->n_tries, n);
            n_asked += (int)n;
            bool is_block = strcmp(last, "content_filter") == 0 || strcmp(last, "refusal") == 0;
            bool is_answer = strcmp(last, "good") == 0 || strcmp(last, "no_done") == 0;
            assert_int_equal(r->outcome, is_block    ? MODEL_BLOCKED
                                         : is_answer ? MODEL_ANSWERED
                                                     : MODEL_FAILED);
            assert_true(is_block == (r->reason != NULL));
            char *nth = xasprintf("%s %zu: ", id, n);
            assert_true(!is_answer || strstr(r->text, nth));
            free(nth);
            free(id);
        }
        assert_true(n_asked > 100);
        assert_true(count(&all, MODEL_BLOCKED) > 0 && count(&all, MODEL_ANSWERED) > 40);
        json_decref(truth);
        release(&all);
        m->class->free(m);
        stop_server(&s);
        s = start_server(0, "--faults", "error_500=200,hint_reset=100,no_finish=50,refusal=50",
                         "--seed", "8");
    }
    audio_release(&tone);
    stop_server(&s);
}

/* A key that is refused ends it all at once, and is not shown. */
static void test_stop(void **state)
{
    (void)state;
    struct server s = start_server(0, "--key", "another", "--latency-ms", "50");
    struct preset_api api = make_api();
    api.key_variable = key_variable;
    api.needs_key = true;
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 2, .timeout_s = 20};
    struct err err = {0};
    struct model *m;
    unsetenv(KEY_VARIABLE);
    assert_int_equal(remote_check_key(&api, &err), -1);
    assert_int_equal(remote_open(&p, &m, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.msg, "put the key into the environment variable " KEY_VARIABLE);

    setenv(KEY_VARIABLE, KEY, 1);
    assert_int_equal(remote_check_key(&api, NULL), 0);
    m = open_model(&p);
    struct results all = {0};
    for (int i = 0; i < 20; i++) {
        submit(m, i, NULL);
    }
    int ok = 0;
    while (ok == 0) {
        ok = m->class->step(m, -1, take, &all, &err);
    }
    assert_int_equal(ok, MODEL_STOPPED);
    assert_int_equal(m->class->n_pending(m), 0);
    assert_int_equal(count(&all, MODEL_DROPPED), 20);
    assert_in_range(n_requests(&s), 1, 2);
    char *expected =
        xasprintf("%s: 401: Incorrect API key provided: .... Find yours?[2J elsewhere.", s.url);
    assert_string_equal(err.msg, expected);
    free(expected);
    release(&all);

    setenv(KEY_VARIABLE, "another", 1);
    struct model *good = open_model(&p);
    assert_int_equal(run(good, 4, NULL, &all, NULL), 0);
    assert_int_equal(count(&all, MODEL_ANSWERED), 4);
    unsetenv(KEY_VARIABLE);
    release(&all);
    good->class->free(good);
    m->class->free(m);
    stop_server(&s);
}

static void test_drain(void **state)
{
    (void)state;
    struct server s = start_server(0, "--latency-ms", "400", "--faults", "none");
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 3, .timeout_s = 20};
    struct model *m = open_model(&p);
    struct results all = {0};
    for (int i = 0; i < 10; i++) {
        submit(m, i, NULL);
    }
    assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0);
    m->class->drain(m);
    while (m->class->n_pending(m) > 0) {
        assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0);
    }
    assert_int_equal(count(&all, MODEL_ANSWERED), 3);
    assert_int_equal(count(&all, MODEL_DROPPED), 7);
    assert_int_equal(n_requests(&s), 3);
    assert_int_equal(all.of[9].n_tries, 0);
    release(&all);
    m->class->free(m);
    stop_server(&s);
}

static void test_request_budget(void **state)
{
    (void)state;
    struct server s = start_server(0, "--faults", "none", "--seed", "1");
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 3, .timeout_s = 20};
    static const struct {
        int64_t max;
        int n, n_answered, ok;
    } cases[] = {{5, 12, 5, MODEL_STOPPED}, {-1, 3, 0, MODEL_STOPPED}, {5, 5, 5, 0}};
    for (size_t i = 0; i < 3; i++) {
        struct results all = {0};
        struct err err = {0};
        int n_before = n_requests(&s);
        p.max_requests = cases[i].max;
        struct model *m = open_model(&p);
        assert_int_equal(run(m, cases[i].n, NULL, &all, &err), cases[i].ok);
        assert_int_equal(count(&all, MODEL_ANSWERED), cases[i].n_answered);
        assert_int_equal(n_requests(&s) - n_before, cases[i].n_answered);
        assert_int_equal(m->class->n_pending(m), 0);
        assert_string_equal(
            err.msg,
            cases[i].ok == 0
                ? ""
                : "the requests of --max-requests are used up: with more the same command goes on");
        release(&all);
        m->class->free(m);
    }
    stop_server(&s);
}

/* 100 tokens of the prompt, 60 of them sound, and 20 of the answer. */
static void test_costs(void **state)
{
    (void)state;
    struct server s = start_server(0, "--faults", "none", "--seed", "1");
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 1, .timeout_s = 20};
    static const struct {
        struct preset_price price;
        double cost;
    } cases[] = {
        {{1, 2, 3, NULL}, 220e-6},
        {{1, 0, 3, NULL}, 100e-6},
        {{0, 0, 3, NULL}, 60e-6},
    };
    for (size_t i = 0; i < 3; i++) {
        struct results all = {0};
        struct err err = {0};
        api.price = cases[i].price;
        p.max_cost = 5.5 * cases[i].cost;
        struct model *m = open_model(&p);
        assert_int_equal(run(m, 20, NULL, &all, &err), MODEL_STOPPED);
        assert_string_equal(
            err.msg, "the money of --max-cost is used up: with more the same command goes on");
        assert_int_equal(count(&all, MODEL_ANSWERED), 6);
        assert_true(fabs(all.of[0].cost - cases[i].cost) < 1e-12);
        release(&all);
        m->class->free(m);
    }
    /* What is in flight counts as what was answered did. */
    struct results all = {0};
    struct err err;
    p.n_parallel = 4;
    p.max_cost = 20.5 * cases[2].cost;
    struct model *m = open_model(&p);
    assert_int_equal(run(m, 60, NULL, &all, &err), MODEL_STOPPED);
    assert_in_range(count(&all, MODEL_ANSWERED), 18, 21);
    release(&all);
    p.max_cost = -1;
    m->class->free(m);
    m = open_model(&p);
    assert_int_equal(run(m, 2, NULL, &all, &err), MODEL_STOPPED);
    assert_int_equal(count(&all, MODEL_ANSWERED), 0);
    release(&all);
    m->class->free(m);
    stop_server(&s);
}

/* Requests in flight fall to what the server takes, and rise to it again. */
static void test_limit_adapts(void **state)
{
    (void)state;
    static const struct {
        const char *limit, *latency_ms;
        int n;
        double least, most; /* in flight on average, in the second half */
    } cases[] = {{"4", "100", 150, 2, 5}, {"16", "200", 300, 5, 17}};
    for (size_t i = 0; i < 2; i++) {
        struct server s =
            start_server(0, "--limit", cases[i].limit, "--latency-ms", cases[i].latency_ms);
        struct preset_api api = make_api();
        char *urls[] = {s.url};
        struct remote_params p = {
            .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 32, .timeout_s = 20};
        struct model *m = open_model(&p);
        struct results all = {0};
        assert_int_equal(run(m, cases[i].n, NULL, &all, NULL), 0);
        assert_int_equal(count(&all, MODEL_ANSWERED), cases[i].n);
        json_t *truth = truth_of(&s);
        const json_t *seen = json_object_get(truth, "in_flight");
        size_t n = json_array_size(seen);
        double sum = 0;
        for (size_t k = n / 2; k < n; k++) {
            sum += json_number_value(json_array_get(seen, k));
        }
        double mean = sum / (double)(n - n / 2);
        if (mean < cases[i].least || mean > cases[i].most) {
            fail_msg("limit %s: %g in flight on average", cases[i].limit, mean);
        }
        assert_true(json_integer_value(json_object_get(truth, "max_in_flight")) >
                    strtol(cases[i].limit, NULL, 10));
        json_decref(truth);
        release(&all);
        m->class->free(m);
        stop_server(&s);
    }
}

static void test_rate_limit(void **state)
{
    (void)state;
    struct server s = start_server(0, "--faults", "none", "--seed", "1");
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {.api = &api,
                              .urls = urls,
                              .n_urls = 1,
                              .n_parallel = 8,
                              .per_minute = 1200,
                              .timeout_s = 20};
    struct model *m = open_model(&p);
    struct results all = {0};
    double started = clock_s();
    assert_int_equal(run(m, 21, NULL, &all, NULL), 0);
    double took = clock_s() - started;
    assert_true(took >= 1 && took < 6); /* 20 gaps of 50 ms */
    json_t *truth = truth_of(&s);
    const json_t *times = json_object_get(truth, "times");
    assert_int_equal(json_array_size(times), 21);
    assert_true(json_number_value(json_array_get(times, 20)) -
                    json_number_value(json_array_get(times, 0)) >
                0.7);
    json_decref(truth);
    release(&all);
    m->class->free(m);
    stop_server(&s);
}

/* The URL of a port where nobody listens while *ret_fd is open. */
static void find_dead_url(char *ret, size_t size, int *ret_fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&at, &n), 0);
    snprintf(ret, size, "http://127.0.0.1:%d/v1", ntohs(at.sin_port));
}

static const char *url_in(json_t *facts)
{
    return json_string_value(json_object_get(facts, "url"));
}

static void test_endpoints(void **state)
{
    (void)state;
    struct server a = start_server(0, "--latency-ms", "10", "--is", "vllm");
    struct server b = start_server(0, "--latency-ms", "10", "--is", "vllm");
    char dead[64];
    int fd;
    find_dead_url(dead, sizeof dead, &fd);
    struct preset_api api = make_api();
    char *pairs[][2] = {{dead, a.url}, {a.url, dead}, {a.url, b.url}};
    for (int i = 0; i < 3; i++) {
        struct remote_params p = {
            .api = &api, .urls = pairs[i], .n_urls = 2, .n_parallel = 8, .timeout_s = 20};
        struct model *m = open_model(&p);
        struct results all = {0};
        assert_int_equal(run(m, 60, NULL, &all, NULL), 0);
        int n_of_a = 0;
        for (int k = 0; k < 60; k++) {
            json_t *facts = json_loads(all.of[k].server, 0, NULL);
            assert_int_equal(all.of[k].outcome, MODEL_ANSWERED);
            assert_int_equal(all.of[k].n_tries, 1);
            n_of_a += strcmp(url_in(facts), a.url) == 0;
            assert_string_not_equal(url_in(facts), dead);
            json_decref(facts);
        }
        assert_in_range(n_of_a, i < 2 ? 60 : 15, i < 2 ? 60 : 45);
        release(&all);
        m->class->free(m);
    }
    char *none[] = {dead};
    struct remote_params p = {
        .api = &api, .urls = none, .n_urls = 1, .n_parallel = 8, .timeout_s = 20};
    struct model *m;
    struct err err = {0};
    assert_int_equal(remote_open(&p, &m, &err), -1);
    assert_int_equal(err.code, ERR_MODEL);
    assert_memory_equal(err.msg, dead, strlen(dead));
    close(fd);
    stop_server(&a);
    stop_server(&b);
}

/* It was away for a second: all that were in flight together count as one failure. */
static void test_restart(void **state)
{
    (void)state;
    struct server s = start_server(0, "--faults", "none", "--seed", "1");
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 64, .timeout_s = 20};
    struct model *m = open_model(&p);
    struct results all = {0};
    stop_server(&s);
    for (int i = 0; i < 64; i++) {
        submit(m, i, NULL);
    }
    double end = clock_s() + 1;
    while (clock_s() < end) {
        assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0);
    }
    assert_int_equal(all.n_done, 0);
    s = start_server(s.port, "--faults", "none", "--seed", "1");
    double started = clock_s();
    while (m->class->n_pending(m) > 0) {
        assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0);
    }
    assert_int_equal(count(&all, MODEL_ANSWERED), 64);
    assert_int_equal(all.of[63].n_tries, 1);
    assert_true(clock_s() - started < 10);
    release(&all);
    m->class->free(m);
    stop_server(&s);
}

static void test_server_facts(void **state)
{
    (void)state;
    static const struct {
        const char *brand, *software, *version;
    } cases[] = {
        {"vllm", "vllm", "0.11.0+chaos"},
        {"sglang", "sglang", "0.5.4+chaos"},
        {"llamacpp", "llamacpp", "b7000-chaos"},
        {"none", NULL, NULL},
    };
    static char other[] = "gone";
    for (size_t i = 0; i < 4; i++) {
        struct server s = start_server(0, "--faults", "none", "--is", cases[i].brand);
        struct preset_api api = make_api();
        char *urls[] = {s.url};
        struct remote_params p = {
            .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 2, .timeout_s = 20};
        struct model *m = open_model(&p);
        struct results all = {0};
        assert_int_equal(run(m, 1, NULL, &all, NULL), 0);
        json_t *facts = json_loads(all.of[0].server, 0, NULL);
        json_t *expected =
            json_pack("{s:s, s:s*, s:s*, s:s}", "url", s.url, "software", cases[i].software,
                      "version", cases[i].version, "model", "chaos");
        assert_true(json_equal(facts, expected));
        char *description = cases[i].software ? xasprintf("chaos at %s, %s %s", s.url,
                                                          cases[i].software, cases[i].version)
                                              : xasprintf("chaos at %s", s.url);
        assert_string_equal(m->class->description(m), description);
        struct model_question steered = {.steering = 1};
        assert_int_equal(m->class->check(m, &steered, NULL), -1);
        free(description);
        json_decref(expected);
        json_decref(facts);
        release(&all);
        m->class->free(m);

        struct err err = {0};
        api.model = other;
        int ok = remote_open(&p, &m, &err);
        if (i < 2) { /* these list what they serve */
            assert_int_equal(ok, -1);
            assert_int_equal(err.code, ERR_USAGE);
            assert_non_null(strstr(err.msg, ": serves no model gone, but chaos"));
        } else {
            assert_int_equal(ok, 0);
            m->class->free(m);
        }
        stop_server(&s);
    }
}

/* Answers GETs: of a list of models with the first of these, of all else with the second. */
static pid_t serve_canned(int fd, int status, const char *models, const char *other)
{
    pid_t pid = fork();
    while (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char request[4096] = "", head[128];
        int peer = accept(fd, NULL, NULL);
        if (read(peer, request, sizeof request - 1) > 0) {
            const char *body = strstr(request, "/models") ? models : other;
            snprintf(head, sizeof head,
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
                     strlen(body));
            if (write(peer, head, strlen(head)) < 0 || write(peer, body, strlen(body)) < 0) {
                _exit(1);
            }
        }
        close(peer);
    }
    return pid;
}

/* What a server says of itself is hostile, too. */
static void test_strange_servers(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *models, *other, *error, *description; /* after the URL */
    } cases[] = {
        {200, "{\"data\":[{\"id\":\"chaos\",\"owned_by\":\"vllm\"}]}",
         "{\"version\":\"1\\u001b[2J\\n\\u202e2\"}", NULL, ", vllm 1?[2J??2"},
        {200, "{\"data\":[{\"id\":\"chaos\",\"owned_by\":\"vllm\"}]}", "[7", NULL, ", vllm"},
        {200, "{\"data\":[{\"id\":\"chaos\",\"owned_by\":\"vllm\"}]}", "{\"version\":7}", NULL,
         ", vllm"},
        {200, "{\"data\":[{\"id\":7,\"owned_by\":\"vllm\"},7,{\"id\":\"a\\u001b\"}]}", "{}",
         ": serves no model chaos, but ?, ?, a?", NULL},
        {200, "{\"data\":[{\"owned_by\":\"\\u001b\"}]}", "{}", NULL, ""},
        {200, "{\"data\":{\"owned_by\":\"vllm\"}}", "{}", NULL, ""},
        {200, "{\"data\":[]}", "{}", NULL, ""},
        {200, "<html>", "", NULL, ""},
        {200, "", "", NULL, ""},
        {404, "{\"detail\":\"Not Found\"}", "", NULL, ""},
        {500, "", "", NULL, ""},
        {401, "{\"error\":{\"message\":\"who is " KEY "?\\u001b\"}}", "", ": 401: who is ...??",
         NULL},
        {403, "", "", ": 403: ", NULL},
    };
    setenv(KEY_VARIABLE, KEY, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[64];
        int fd;
        find_dead_url(url, sizeof url, &fd);
        assert_int_equal(listen(fd, 8), 0);
        pid_t pid = serve_canned(fd, cases[i].status, cases[i].models, cases[i].other);
        struct preset_api api = make_api();
        api.key_variable = key_variable;
        char *urls[] = {url};
        struct remote_params p = {
            .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 1, .timeout_s = 20};
        struct model *m;
        struct err err = {0};
        int ok = remote_open(&p, &m, &err);
        char *expected = xasprintf("%s%s%s", cases[i].error ? "" : "chaos at ", url,
                                   cases[i].error ? cases[i].error : cases[i].description);
        assert_int_equal(ok, cases[i].error ? -1 : 0);
        assert_string_equal(ok == 0 ? m->class->description(m) : err.msg, expected);
        if (ok == 0) {
            m->class->free(m);
        }
        free(expected);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(fd);
    }
    unsetenv(KEY_VARIABLE);
}

/* Nothing is lost of questions in flight, waiting and ready; nor does a free wait for them. */
static void test_free_early(void **state)
{
    (void)state;
    struct server s = start_server(0, "--latency-ms", "300", "--faults", "hint_long=500");
    struct audio tone = make_tone();
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 4, .timeout_s = 20};
    struct model *m = open_model(&p);
    struct results all = {0};
    for (int i = 0; i < 12; i++) {
        submit(m, i, &tone);
    }
    for (double end = clock_s() + 0.45; clock_s() < end;) {
        assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0);
    }
    double started = clock_s();
    m->class->free(m);
    assert_true(clock_s() - started < 0.2);
    assert_true(all.n_done < 12);
    release(&all);
    audio_release(&tone);
    stop_server(&s);
}

/* With room for more, a step comes back when there is more. */
static void test_wake(void **state)
{
    (void)state;
    struct server s = start_server(0, "--latency-ms", "1000", "--faults", "none");
    struct preset_api api = make_api();
    char *urls[] = {s.url};
    struct remote_params p = {
        .api = &api, .urls = urls, .n_urls = 1, .n_parallel = 4, .timeout_s = 20};
    struct model *m = open_model(&p);
    struct results all = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    submit(m, 0, NULL);
    assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0); /* sent */
    assert_int_equal(write(ends[1], "x", 1), 1);
    double started = clock_s();
    assert_int_equal(m->class->step(m, ends[0], take, &all, NULL), 0);
    assert_true(clock_s() - started < 0.4); /* 0.5 s without */
    while (m->class->n_pending(m) > 0) {
        assert_int_equal(m->class->step(m, -1, take, &all, NULL), 0);
    }
    close(ends[0]);
    close(ends[1]);
    release(&all);
    m->class->free(m);
    stop_server(&s);
}

static void test_preview(void **state)
{
    (void)state;
    static char url[] = "http://127.0.0.1:1/v1";
    char *urls[] = {url};
    struct audio tone = make_tone();
    struct preset_api api = make_api();
    api.key_variable = key_variable;
    struct remote_params p = {.api = &api, .urls = urls, .n_urls = 1, .n_parallel = 1};
    struct model_question q = {.name = "t-1", .instruction = "I", .text = "T", .max_tokens = 9};
    setenv(KEY_VARIABLE, KEY, 1);
    char *text = remote_preview(&p, NULL, &q, NULL);
    assert_string_equal(text, "POST http://127.0.0.1:1/v1/chat/completions\n"
                              "Content-Type: application/json\n"
                              "X-Client-Request-Id: aor-t-1\n"
                              "Authorization: Bearer ...\n"
                              "\n"
                              "{\"model\":\"chaos\",\"messages\":[{\"role\":\"user\",\"content\":"
                              "\"TI\"}],\"max_tokens\":9,\"temperature\":0.0}\n");
    free(text);
    api.protocol = PRESET_GEMINI;
    text = remote_preview(&p, &tone, &q, NULL);
    assert_non_null(strstr(text, "\nx-goog-api-key: ...\n"));
    assert_null(strstr(text, KEY));
    const char *data = strstr(text, "\"data\":\"UklGR");
    assert_non_null(data);
    assert_non_null(strstr(data, "... (8592 characters)\"}}")); /* 44 + 2 * 3200 bytes */
    assert_true(strlen(text) < 600);
    free(text);

    unsetenv(KEY_VARIABLE);
    text = remote_preview(&p, NULL, &q, NULL);
    assert_null(strstr(text, "api-key"));
    free(text);
    struct err err = {0};
    setenv(KEY_VARIABLE, KEY " ", 1);
    assert_null(remote_preview(&p, NULL, &q, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_null(strstr(err.msg, "sk-"));
    unsetenv(KEY_VARIABLE);
    audio_release(&tone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form),     cmocka_unit_test(test_faults),
        cmocka_unit_test(test_stop),           cmocka_unit_test(test_drain),
        cmocka_unit_test(test_request_budget), cmocka_unit_test(test_costs),
        cmocka_unit_test(test_limit_adapts),   cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_endpoints),      cmocka_unit_test(test_restart),
        cmocka_unit_test(test_server_facts),   cmocka_unit_test(test_strange_servers),
        cmocka_unit_test(test_free_early),     cmocka_unit_test(test_wake),
        cmocka_unit_test(test_preview),
    };
    setenv("no_proxy", "127.0.0.1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
