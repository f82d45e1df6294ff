#include "model/remote.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/http.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/retry.h"
#include "model/request.h"
#include "model/server.h"
#include "model/wire.h"

#define MAX_REPLY ((size_t)16 << 20)
#define MAX_WAIT_S 300.0 /* at a server's word */
#define RESTING_S 60.0   /* without any connection to any endpoint: then it stops */
#define MAX_READY 32     /* questions whose sounds are held ahead of those in flight */
#define SPARE_FILES 64
#define N_SHOWN 40 /* characters of a sound that a preview shows */

struct endpoint {
    const char *url;
    char *request_url; /* owned */
    struct server server;
    double limit; /* of requests in flight */
    int n_in_flight;
    double reduced_s; /* when the limit was reduced last */
    int n_unreached;  /* in a row */
    double resting_s; /* until then nothing is sent there */
};

/* A question that is pending. */
struct ask {
    struct ask *next; /* in its list */
    int64_t id;
    char *name, *system, *instruction, *text; /* owned */
    bool audio_last;
    int max_tokens;
    double temperature;
    uint32_t seed;
    struct sound *sound; /* NULL: none */
    int n_tries, n_faults, n_limits;
    double due_s; /* waiting: when it may be sent again */

    /* In flight. */
    struct endpoint *endpoint;
    struct request request;
    double sent_s;
};

struct list {
    struct ask *first, **end;
    size_t n;
};

struct remote {
    struct model base;
    struct remote_params params;
    const char *key;     /* in the environment; NULL: none */
    char *authorization; /* header; NULL: none */
    struct http_client *client;
    struct endpoint *endpoints; /* [params.n_urls] */
    struct list ready, waiting;
    size_t n_pending, n_in_flight;
    struct rng rng;
    double next_send_s; /* by the rate limit */
    int64_t n_sent;
    double cost; /* of answers so far */
    int64_t n_priced;
    double heard_s;   /* when something other than a 429 came, or the start */
    double reached_s; /* when an endpoint was reached last, or the start */
    bool took_group;  /* since the last step */
    bool is_draining;
    bool is_stopping;
    struct err why; /* it stops */
    char description[128];
    model_done_fn done; /* of the step that runs */
    void *user;
};

static void list_add(struct list *l, struct ask *a)
{
    if (!l->first) {
        l->end = &l->first;
    }
    a->next = NULL;
    *l->end = a;
    l->end = &a->next;
    l->n++;
}

static struct ask *list_take(struct list *l)
{
    struct ask *a = l->first;
    if (a) {
        l->first = a->next;
        l->n--;
    }
    return a;
}

static void ask_free(struct ask *a)
{
    sound_release(a->sound);
    free(a->name);
    free(a->system);
    free(a->instruction);
    free(a->text);
    request_release(&a->request);
    free(a);
}

static void stop(struct remote *r, const char *why)
{
    if (!r->is_stopping) {
        r->is_stopping = true;
        err_set(&r->why, ERR_MODEL, "%s", why);
    }
}

/* It has come to its end: tell what came of it. */
static void end(struct remote *r, struct ask *a, struct model_answer *answer)
{
    answer->n_tries = a->n_tries;
    r->n_pending--;
    r->done(a->id, answer, r->user);
    ask_free(a);
}

static void end_failed(struct remote *r, struct ask *a, const char *text, const char *server)
{
    struct model_answer failed = {
        .outcome = MODEL_FAILED, .text = text, .server = server, .margin = -1, .cost = -1};
    end(r, a, &failed);
}

static void drop_all(struct remote *r, struct list *l)
{
    for (struct ask *a; (a = list_take(l));) {
        struct model_answer dropped = {.outcome = MODEL_DROPPED, .text = "", .cost = -1};
        end(r, a, &dropped);
    }
}

static void wait_for(struct remote *r, struct ask *a, double s)
{
    a->due_s = clock_s() + fmin(s, MAX_WAIT_S);
    list_add(&r->waiting, a);
}

/* For as long as the server asked, or else for a random time. */
static void wait_longer(struct remote *r, struct ask *a, double asked_s)
{
    wait_for(r, a,
             asked_s >= 0 ? asked_s + rng_range(&r->rng, 0, 0.1)
                          : retry_backoff_s(&r->rng, a->n_faults + a->n_limits));
}

/* Something went wrong that may go well another time. */
static void take_fault(struct remote *r, struct ask *a, const char *text, double asked_s,
                       const char *server)
{
    if (++a->n_faults < REMOTE_MAX_TRIES) {
        wait_longer(r, a, asked_s);
        return;
    }
    char *message = xasprintf("%s (%d tries)", text, a->n_tries);
    end_failed(r, a, message, server);
    free(message);
}

/* Too many requests for this endpoint: fewer at a time, but only once for those sent together. */
static void take_limit(struct remote *r, struct ask *a, const char *text, double asked_s,
                       const char *server)
{
    struct endpoint *e = a->endpoint;
    double now = clock_s();
    if (a->sent_s > e->reduced_s) {
        e->limit = fmax(1, e->limit / 2);
        e->reduced_s = now;
    }
    if (now - r->heard_s > REMOTE_PATIENCE_S) {
        char *why = xasprintf("too many requests for a quarter of an hour: %s", text);
        stop(r, why);
        free(why);
    }
    if (++a->n_limits < REMOTE_MAX_LIMITS) {
        wait_longer(r, a, asked_s);
    } else { /* others get through: it is this one that is too much */
        end_failed(r, a, text, server);
    }
}

/* Nobody there: no fault of this question's. */
static void take_unreached(struct remote *r, struct ask *a, const char *text)
{
    struct endpoint *e = a->endpoint;
    double now = clock_s();
    if (a->sent_s >= e->resting_s) { /* once for those sent together */
        e->resting_s = now + retry_backoff_s(&r->rng, ++e->n_unreached);
    }
    if (r->n_in_flight == 0 && now - r->reached_s > RESTING_S) {
        stop(r, text);
    }
    a->n_tries--; /* the server got nothing */
    r->n_sent--;
    list_add(&r->ready, a);
}

static double price(const struct remote *r, const struct wire_reply *w)
{
    const struct preset_price *p = &r->params.api->price;
    bool is_known = (p->input > 0 || p->output > 0) && w->n_prompt_tokens > 0;
    double n_text = (double)(w->n_prompt_tokens - w->n_audio_tokens);
    return !is_known ? -1
                     : (fmax(0, n_text) * p->input + (double)w->n_audio_tokens * p->audio +
                        (double)w->n_answer_tokens * p->output) /
                           1e6;
}

/* The model answered, or its provider refused. */
static void take_answer(struct remote *r, struct ask *a, const struct http_done *d,
                        const struct wire_reply *w, const char *server)
{
    struct endpoint *e = a->endpoint;
    e->limit = fmin(r->params.n_parallel, e->limit + 1 / e->limit);
    struct model_answer answer = {
        .outcome = w->outcome == WIRE_BLOCK ? MODEL_BLOCKED : MODEL_ANSWERED,
        .text = w->text,
        .reason = w->reason,
        .server = server,
        .finish = w->finish,
        .n_prompt_tokens = (int)w->n_prompt_tokens,
        .n_answer_tokens = (int)w->n_answer_tokens,
        .decode_s = d->seconds,
        .margin = -1,
        .cost = price(r, w),
    };
    if (answer.cost >= 0) {
        r->cost += answer.cost;
        r->n_priced++;
    }
    end(r, a, &answer);
}

/* Seconds that a rate limit's headers ask to wait where something is used up; negative: nothing. */
static double asked_by_limits(const struct http_done *d)
{
    static const char *const kinds[] = {"requests", "tokens"};
    double wait = -1;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[40];
        snprintf(name, sizeof name, "x-ratelimit-remaining-%s", kinds[i]);
        const char *left = http_header(d, name);
        snprintf(name, sizeof name, "x-ratelimit-reset-%s", kinds[i]);
        const char *reset = http_header(d, name);
        if (reset && (!left || strtod(left, NULL) <= 0)) {
            wait = fmax(wait, retry_duration_s(reset));
        }
    }
    return wait;
}

static double asked_wait(const struct http_done *d, const struct wire_reply *w)
{
    double wait = http_asked_wait_s(d);
    wait = wait >= 0 ? wait : w->wait_s;
    return wait >= 0 ? wait : asked_by_limits(d);
}

/* Nothing there, or nothing that takes a POST: mostly "/v1" is forgotten. */
static void stop_at(struct remote *r, int status, const char *text)
{
    bool is_lost = status == 404 || status == 405;
    char *why = xasprintf("%s%s", text,
                          is_lost ? " (--url wants the base address, mostly with /v1 at its end, "
                                    "and -m the model's name there)"
                                  : "");
    stop(r, why);
    free(why);
}

static void take_reply(struct remote *r, struct ask *a, const struct http_done *d)
{
    struct endpoint *e = a->endpoint;
    struct wire_reply w;
    wire_parse(r->params.api, d->status, d->body->data, d->body->len, r->key, &w);
    char *server =
        server_facts(&e->server, e->url, http_header(d, "server"), w.model, w.fingerprint);
    char *text = xasprintf("%s: %s", e->url, w.text);
    r->reached_s = clock_s();
    e->n_unreached = 0;
    if (w.outcome != WIRE_LIMIT) {
        r->heard_s = r->reached_s;
    }
    switch (w.outcome) {
    case WIRE_ANSWER:
    case WIRE_BLOCK:
        take_answer(r, a, d, &w, server);
        break;
    case WIRE_BAD:
        end_failed(r, a, text, server);
        break;
    case WIRE_FAULT:
        take_fault(r, a, text, asked_wait(d, &w), server);
        break;
    case WIRE_LIMIT:
        take_limit(r, a, text, asked_wait(d, &w), server);
        break;
    case WIRE_STOP:
        stop_at(r, d->status, text);
        list_add(&r->ready, a); /* to be dropped */
        break;
    }
    free(text);
    free(server);
    wire_reply_release(&w);
}

static void on_done(const struct http_done *d, void *user)
{
    struct remote *r = user;
    struct ask *a = d->user;
    a->endpoint->n_in_flight--;
    r->n_in_flight--;
    request_release(&a->request);
    char *text = xasprintf("%s: %s", a->endpoint->url, d->reason);
    switch (d->fault) {
    case HTTP_NO_FAULT:
        take_reply(r, a, d);
        break;
    case HTTP_UNREACHED:
        take_unreached(r, a, text);
        break;
    case HTTP_BROKEN:
        take_fault(r, a, text, -1, NULL);
        break;
    case HTTP_TOO_LONG:
        end_failed(r, a, "the answer is longer than 16 MiB", NULL);
        break;
    case HTTP_REFUSED:
        stop(r, text);
        list_add(&r->ready, a);
        break;
    }
    free(text);
}

static struct model_question question_of(const struct ask *a)
{
    return (struct model_question){
        .id = a->id,
        .name = a->name,
        .system = a->system,
        .instruction = a->instruction,
        .text = a->text,
        .audio_last = a->audio_last,
        .max_tokens = a->max_tokens,
        .temperature = a->temperature,
        .seed = a->seed,
    };
}

static int send_ask(struct remote *r, struct ask *a, struct endpoint *e, struct err *err)
{
    struct model_question q = question_of(a);
    request_make(r->params.api, &q, a->sound, &a->request);
    const char *headers[] = {"Content-Type: application/json", a->request.id, r->authorization,
                             NULL};
    struct http_send send = {
        .url = e->request_url,
        .headers = headers,
        .n_parts = a->request.n_parts,
        .max_reply = MAX_REPLY,
        .timeout_ms = (long)(1000 * r->params.timeout_s),
        .ends_with = r->params.api->is_streamed ? "data: [DONE]" : NULL,
        .user = a,
    };
    memcpy(send.parts, a->request.parts, sizeof send.parts);
    if (http_client_send(r->client, &send, err) != 0) {
        return -1;
    }
    a->endpoint = e;
    a->sent_s = clock_s();
    a->n_tries++;
    e->n_in_flight++;
    r->n_in_flight++;
    r->n_sent++;
    return 0;
}

/* The endpoint with most room, or NULL. */
static struct endpoint *choose_endpoint(struct remote *r, double now)
{
    struct endpoint *best = NULL;
    double best_room = 0;
    for (size_t i = 0; i < r->params.n_urls; i++) {
        struct endpoint *e = &r->endpoints[i];
        double room = 1 - e->n_in_flight / floor(e->limit);
        if (e->resting_s <= now && room > best_room) {
            best = e;
            best_room = room;
        }
    }
    return best;
}

/* What the requests in flight will cost, as those before them did. */
static double expected_cost(const struct remote *r)
{
    return r->n_priced > 0 ? r->cost + (double)r->n_in_flight * r->cost / (double)r->n_priced
                           : r->cost;
}

static void check_budgets(struct remote *r)
{
    const struct remote_params *p = &r->params;
    if (p->max_requests != 0 && r->n_sent >= p->max_requests) {
        stop(r, "the requests of --max-requests are used up: with more the same command goes on");
    }
    if (p->max_cost != 0 && expected_cost(r) >= p->max_cost) {
        stop(r, "the money of --max-cost is used up: with more the same command goes on");
    }
}

static void send_ready(struct remote *r)
{
    double now = clock_s();
    while (r->ready.n > 0 && !r->is_draining) {
        check_budgets(r);
        struct endpoint *e = NULL;
        if (r->is_stopping || r->n_in_flight >= (size_t)r->params.n_parallel ||
            now < r->next_send_s || !(e = choose_endpoint(r, now))) {
            return;
        }
        struct ask *a = list_take(&r->ready);
        struct err err = {0};
        if (send_ask(r, a, e, &err) != 0) {
            end_failed(r, a, err.msg, NULL);
        } else if (r->params.per_minute > 0) {
            r->next_send_s = fmax(now, r->next_send_s) + 60 / r->params.per_minute;
        }
    }
}

/* Move what is due to the ready ones; returns when the next is, or INFINITY. */
static double wake_waiting(struct remote *r)
{
    double now = clock_s();
    double next = INFINITY;
    struct list all = r->waiting;
    r->waiting = (struct list){0};
    for (struct ask *a; (a = list_take(&all));) {
        bool is_due = a->due_s <= now;
        list_add(is_due ? &r->ready : &r->waiting, a);
        next = is_due ? next : fmin(next, a->due_s);
    }
    return next;
}

/* Milliseconds until something is to be done that no socket tells of. */
static int idle_ms(const struct remote *r, double next_due_s)
{
    double now = clock_s();
    double next = fmin(now + 0.5, next_due_s);
    if (r->ready.n > 0) {
        next = r->next_send_s > now ? fmin(next, r->next_send_s) : next;
        for (size_t i = 0; i < r->params.n_urls; i++) {
            double rested = r->endpoints[i].resting_s;
            next = rested > now ? fmin(next, rested) : next;
        }
    }
    return (int)ceil(1000 * fmax(0, next - now));
}

static bool has_room(const struct model *m)
{
    const struct remote *r = (const struct remote *)m;
    size_t n_free = (size_t)r->params.n_parallel - r->n_in_flight;
    return r->is_stopping || r->is_draining ||
           (!r->took_group && r->ready.n < (n_free > MAX_READY ? n_free : MAX_READY) &&
            r->waiting.n < (size_t)r->params.n_parallel + MAX_READY);
}

static int step(struct model *m, int wake_fd, model_done_fn done, void *user, struct err *err)
{
    struct remote *r = (struct remote *)m;
    r->done = done;
    r->user = user;
    r->took_group = false;
    double next_due_s = wake_waiting(r);
    send_ready(r);
    if (r->is_stopping || r->is_draining) {
        drop_all(r, &r->ready);
        drop_all(r, &r->waiting);
    }
    if (r->n_pending > 0) {
        http_client_poll(r->client, has_room(m) ? wake_fd : -1, idle_ms(r, next_due_s), on_done, r);
    }
    if (r->is_stopping && r->n_pending == 0) {
        *err = r->why;
        return MODEL_STOPPED;
    }
    return 0;
}

static int submit(struct model *m, const struct audio *audio, const struct model_question *q,
                  size_t n, struct err *err)
{
    struct remote *r = (struct remote *)m;
    struct sound *sound = NULL;
    r->took_group = true;
    if (audio && sound_encode(r->params.api, audio, &sound, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        struct ask *a = xcalloc(1, sizeof *a);
        a->id = q[i].id;
        a->name = xstrdup(q[i].name);
        a->system = xstrdup(q[i].system);
        a->instruction = xstrdup(q[i].instruction);
        a->text = xstrdup(q[i].text);
        a->audio_last = q[i].audio_last;
        a->max_tokens = q[i].max_tokens;
        a->temperature = q[i].temperature;
        a->seed = q[i].seed;
        a->sound = sound;
        if (sound) {
            sound->n_users++;
        }
        list_add(&r->ready, a);
        r->n_pending++;
    }
    return 0;
}

static const char *description(const struct model *m)
{
    return ((const struct remote *)m)->description;
}

static struct model_facts facts(const struct model *m)
{
    const struct remote *r = (const struct remote *)m;
    return (struct model_facts){.n_parallel = 2 * (r->params.n_parallel + MAX_READY),
                                .sample_rate = AUDIO_RATE};
}

static int check(struct model *m, const struct model_question *q, struct err *err)
{
    (void)m;
    return q->steering > 0 ? err_set(err, ERR_USAGE, "a served model cannot be steered") : 0;
}

static size_t n_pending(const struct model *m)
{
    return ((const struct remote *)m)->n_pending;
}

static void drain(struct model *m)
{
    ((struct remote *)m)->is_draining = true;
}

static void free_remote(struct model *m)
{
    struct remote *r = (struct remote *)m;
    if (!r) {
        return;
    }
    struct ask *a;
    while ((a = list_take(&r->ready)) || (a = list_take(&r->waiting)) ||
           (a = r->client ? http_client_break_off(r->client) : NULL)) {
        ask_free(a);
    }
    http_client_free(r->client);
    for (size_t i = 0; r->endpoints && i < r->params.n_urls; i++) {
        free(r->endpoints[i].request_url);
        server_release(&r->endpoints[i].server);
    }
    free(r->endpoints);
    free(r->authorization);
    free(r);
}

static const struct model_class remote_class = {
    .description = description,
    .facts = facts,
    .check = check,
    .has_room = has_room,
    .n_pending = n_pending,
    .submit = submit,
    .step = step,
    .drain = drain,
    .free = free_remote,
};

static int identify_all(struct remote *r, struct err *err)
{
    struct err first = {0};
    size_t n_reached = 0;
    for (size_t i = 0; i < r->params.n_urls; i++) {
        struct endpoint *e = &r->endpoints[i];
        struct err why = {0};
        if (server_identify(r->client, r->params.api, e->url, r->authorization, r->key, &e->server,
                            &why, err) != 0) {
            return -1;
        }
        n_reached += why.msg[0] == '\0';
        e->n_unreached = why.msg[0] != '\0';
        first = i == 0 ? why : first;
    }
    if (n_reached == 0) {
        *err = first;
    }
    return n_reached > 0 ? 0 : -1;
}

int remote_check_key(const struct preset_api *api, struct err *err)
{
    const char *key;
    return request_key(api, &key, err);
}

/* Each request in flight is an open file, and sounds want some too. */
static int want_files(int n_parallel, struct err *err)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)n_parallel + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return 0;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur >= wanted
               ? 0
               : err_set(err, ERR_USAGE, "--parallel %d wants %llu open files (ulimit -Hn: %llu)",
                         n_parallel, (unsigned long long)wanted,
                         (unsigned long long)limit.rlim_max);
}

int remote_open(const struct remote_params *params, struct model **ret, struct err *err)
{
    if (want_files(params->n_parallel, err) != 0) {
        return -1;
    }
    struct remote *r = xcalloc(1, sizeof *r);
    r->base.class = &remote_class;
    r->params = *params;
    r->rng = retry_rng();
    r->heard_s = r->reached_s = clock_s();
    r->endpoints = xcalloc(params->n_urls, sizeof *r->endpoints);
    for (size_t i = 0; i < params->n_urls; i++) {
        r->endpoints[i] = (struct endpoint){
            .url = params->urls[i],
            .request_url = wire_url(params->api, params->urls[i]),
            .limit = params->n_parallel,
        };
    }
    if (request_key(params->api, &r->key, err) != 0 || http_client_open(&r->client, err) != 0) {
        free_remote(&r->base);
        return -1;
    }
    r->authorization = request_authorization(params->api, r->key);
    if (identify_all(r, err) != 0) {
        free_remote(&r->base);
        return -1;
    }
    const struct server *s = &r->endpoints[0].server;
    snprintf(r->description, sizeof r->description, "%s at %s%s%s%s%s", params->api->model,
             r->endpoints[0].url, s->software ? ", " : "", s->software ? s->software : "",
             s->version ? " " : "", s->version ? s->version : "");
    *ret = &r->base;
    return 0;
}

char *remote_preview(const struct remote_params *params, const struct audio *audio,
                     const struct model_question *q, struct err *err)
{
    const struct preset_api *api = params->api;
    const char *key = NULL;
    struct sound *sound = NULL;
    if ((api->key_variable && http_key(api->key_variable, &key, err) != 0) ||
        (audio && sound_encode(api, audio, &sound, err) != 0)) {
        return NULL;
    }
    struct request request;
    request_make(api, q, sound, &request);
    char *url = wire_url(api, params->urls[0]);
    char *authorization = request_authorization(api, key || api->needs_key ? "..." : NULL);
    struct buf out = {0};
    buf_addf(&out, "POST %s\nContent-Type: application/json\n%s\n", url, request.id);
    if (authorization) {
        buf_addf(&out, "%s\n", authorization);
    }
    buf_adds(&out, "\n");
    for (size_t i = 0; i < request.n_parts; i++) {
        const struct http_part *p = &request.parts[i];
        bool is_sound = i == 1;
        buf_add(&out, p->data, is_sound && p->n > N_SHOWN ? N_SHOWN : p->n);
        if (is_sound) {
            buf_addf(&out, "... (%zu characters)", p->n);
        }
    }
    buf_adds(&out, "\n");
    free(authorization);
    free(url);
    request_release(&request);
    if (sound) {
        sound->n_users = 1;
        sound_release(sound);
    }
    return buf_detach(&out);
}

const char *remote_library_version(void)
{
    return http_library_version();
}
