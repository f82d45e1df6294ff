#include "base/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "base/retry.h"
#include "base/text.h"

#define CONNECT_MS 10000L
#define LINGER_S 0.5 /* for a server to end what is complete */
#define MAX_WORDS 200
#define MAX_BLANKS 64

struct transfer {
    struct http_client *client;
    CURL *curl;
    struct curl_slist *headers;
    struct http_send send;
    size_t n_sent; /* bytes of the body that curl took */
    struct buf body;
    bool is_too_long, is_complete;
    double started_s, complete_s;
    char reason[CURL_ERROR_SIZE];
    struct transfer *next, *previous; /* among those in flight */
};

struct http_client {
    CURLM *multi;
    struct transfer *first;
    struct transfer *idle; /* handles that were used, by next */
    size_t n_in_flight, n_complete;
};

static int start_curl(struct err *err)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? 0
               : err_set(err, ERR_MODEL, "libcurl does not start");
}

int http_client_open(struct http_client **ret, struct err *err)
{
    if (start_curl(err) != 0) {
        return -1;
    }
    struct http_client *c = xcalloc(1, sizeof *c);
    c->multi = curl_multi_init();
    if (!c->multi) {
        http_client_free(c);
        return err_set(err, ERR_MODEL, "libcurl does not start");
    }
    *ret = c;
    return 0;
}

static void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(t->headers);
    buf_release(&t->body);
    free(t);
}

/* Take it from those in flight; its handle may serve again. */
static void leave(struct http_client *c, struct transfer *t)
{
    curl_multi_remove_handle(c->multi, t->curl);
    *(t->previous ? &t->previous->next : &c->first) = t->next;
    if (t->next) {
        t->next->previous = t->previous;
    }
    c->n_in_flight--;
    c->n_complete -= t->is_complete;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    buf_release(&t->body);
    t->next = c->idle;
    c->idle = t;
}

void http_client_free(struct http_client *c)
{
    if (!c) {
        return;
    }
    for (struct transfer *t = c->first, *next; t; t = next) {
        next = t->next;
        curl_multi_remove_handle(c->multi, t->curl);
        transfer_free(t);
    }
    for (struct transfer *t = c->idle, *next; t; t = next) {
        next = t->next;
        transfer_free(t);
    }
    curl_multi_cleanup(c->multi);
    curl_global_cleanup();
    free(c);
}

/* The body's last line, without the few blanks at its end, is this. */
static bool ends_with(const struct buf *body, const char *line)
{
    size_t end = body->len;
    size_t least = end > MAX_BLANKS ? end - MAX_BLANKS : 0; /* a body of blanks is asked often */
    while (end > least && isspace((unsigned char)body->data[end - 1])) {
        end--;
    }
    size_t n = strlen(line);
    return end >= n && memcmp(body->data + end - n, line, n) == 0 &&
           (end == n || body->data[end - n - 1] == '\n');
}

static size_t on_bytes(char *data, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    t->is_too_long = size * n > t->send.max_reply - t->body.len;
    if (t->is_too_long) {
        return 0; /* an error to curl */
    }
    buf_add(&t->body, data, size * n);
    if (t->send.ends_with && !t->is_complete && ends_with(&t->body, t->send.ends_with)) {
        t->is_complete = true;
        t->complete_s = clock_s();
        t->client->n_complete++;
    }
    return size * n;
}

/*
 * There is no way back in the body, so that libcurl does not send it a second time by itself where
 * a kept connection turns out to be closed: who asked counts the tries.
 */
static size_t on_body_wanted(char *data, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    size_t room = size * n;
    size_t done = 0;
    size_t at = t->n_sent;
    for (size_t i = 0; i < t->send.n_parts && done < room; i++) {
        size_t n_part = t->send.parts[i].n;
        if (at < n_part) {
            size_t take = n_part - at < room - done ? n_part - at : room - done;
            memcpy(data + done, t->send.parts[i].data + at, take);
            done += take;
            at = 0;
        } else {
            at -= n_part;
        }
    }
    t->n_sent += done;
    return done;
}

static bool set_headers(struct transfer *t)
{
    for (const char *const *h = t->send.headers; *h; h++) {
        struct curl_slist *longer = curl_slist_append(t->headers, *h);
        if (!longer) {
            return false;
        }
        t->headers = longer;
    }
    struct curl_slist *longer = curl_slist_append(t->headers, "Expect:"); /* do not ask first */
    t->headers = longer ? longer : t->headers;
    return longer && curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

bool http_set_certificates(void *curl)
{
    const char *bundle = getenv("CURL_CA_BUNDLE");
    const char *file = getenv("SSL_CERT_FILE");
    const char *dir = getenv("SSL_CERT_DIR");
    bool has_bundle = bundle && *bundle;
    file = has_bundle ? bundle : file;
    return (has_bundle || !dir || !*dir ||
            curl_easy_setopt((CURL *)curl, CURLOPT_CAPATH, dir) == CURLE_OK) &&
           (!file || !*file || curl_easy_setopt((CURL *)curl, CURLOPT_CAINFO, file) == CURLE_OK);
}

static bool set_body(struct transfer *t)
{
    CURL *c = t->curl;
    size_t n = 0;
    for (size_t i = 0; i < t->send.n_parts; i++) {
        n += t->send.parts[i].n;
    }
    return t->send.n_parts == 0 ||
           (curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n) == CURLE_OK &&
            curl_easy_setopt(c, CURLOPT_READFUNCTION, on_body_wanted) == CURLE_OK &&
            curl_easy_setopt(c, CURLOPT_READDATA, t) == CURLE_OK);
}

static bool set_up(struct transfer *t)
{
    CURL *c = t->curl;
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_URL, t->send.url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "aor") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, t->send.timeout_ms) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK && http_set_certificates(c) &&
           set_body(t) && set_headers(t);
}

int http_client_send(struct http_client *c, const struct http_send *send, struct err *err)
{
    struct transfer *t = c->idle;
    if (t) {
        c->idle = t->next;
        curl_easy_reset(t->curl);
        *t = (struct transfer){.curl = t->curl};
    } else {
        t = xcalloc(1, sizeof *t);
        t->curl = curl_easy_init();
    }
    t->client = c;
    t->send = *send;
    t->started_s = clock_s();
    if (!t->curl || !set_up(t) || curl_multi_add_handle(c->multi, t->curl) != CURLM_OK) {
        transfer_free(t);
        return err_set(err, ERR_MODEL, "%s: libcurl does not take the request", send->url);
    }
    t->next = c->first;
    if (t->next) {
        t->next->previous = t;
    }
    c->first = t;
    c->n_in_flight++;
    return 0;
}

size_t http_client_n_in_flight(const struct http_client *c)
{
    return c->n_in_flight;
}

void *http_client_break_off(struct http_client *c)
{
    struct transfer *t = c->first;
    if (!t) {
        return NULL;
    }
    leave(c, t);
    return t->send.user;
}

/* The connection stood, and the request went out. */
static bool was_connected(const struct transfer *t)
{
    curl_off_t us = 0;
    curl_easy_getinfo(t->curl, CURLINFO_PRETRANSFER_TIME_T, &us);
    return us > 0;
}

static enum http_fault fault_of(const struct transfer *t, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_NO_FAULT;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return HTTP_UNREACHED;
    case CURLE_WRITE_ERROR:
        return t->is_too_long ? HTTP_TOO_LONG : HTTP_BROKEN;
    case CURLE_OPERATION_TIMEDOUT:
        return was_connected(t) ? HTTP_BROKEN : HTTP_UNREACHED;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        return HTTP_BROKEN;
    default: /* once connected, what is said there: it can pass */
        return was_connected(t) ? HTTP_BROKEN : HTTP_REFUSED;
    }
}

static void finish(struct http_client *c, struct transfer *t, CURLcode code, http_done_fn done,
                   void *user)
{
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    struct http_done d = {
        .user = t->send.user,
        .fault = fault_of(t, code),
        .reason = t->reason[0] ? t->reason : curl_easy_strerror(code),
        .status = (int)status,
        .body = &t->body,
        .seconds = clock_s() - t->started_s,
        .handle = t->curl,
    };
    done(&d, user);
    leave(c, t);
}

/* What ended as far as its body says, but not by its connection. */
static void finish_complete(struct http_client *c, http_done_fn done, void *user)
{
    double now = clock_s();
    for (struct transfer *t = c->first, *next; t && c->n_complete > 0; t = next) {
        next = t->next;
        if (t->is_complete && now - t->complete_s > LINGER_S) {
            finish(c, t, CURLE_OK, done, user);
        }
    }
}

void http_client_poll(struct http_client *c, int wake_fd, int timeout_ms, http_done_fn done,
                      void *user)
{
    struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
    int n_running;
    if (c->n_complete > 0 && timeout_ms > 1000 * LINGER_S) {
        timeout_ms = (int)(1000 * LINGER_S);
    }
    curl_multi_perform(c->multi, &n_running);
    if ((size_t)n_running < c->n_in_flight) {
        timeout_ms = 0; /* one has ended already, and no socket would tell of it */
    }
    curl_multi_poll(c->multi, &wake, wake_fd >= 0 ? 1 : 0, timeout_ms, NULL);
    curl_multi_perform(c->multi, &n_running);
    int n_left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &n_left));) {
        if (m->msg == CURLMSG_DONE) {
            struct transfer *t = NULL;
            CURLcode code = m->data.result;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
            finish(c, t, t->is_complete ? CURLE_OK : code, done, user);
        }
    }
    finish_complete(c, done, user);
}

const char *http_header(const struct http_done *d, const char *name)
{
    struct curl_header *h;
    CURL *curl = (CURL *)d->handle;
    return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

double http_asked_wait_s(const struct http_done *d)
{
    const char *ms = http_header(d, "retry-after-ms");
    double wait = ms ? retry_after_ms(ms) : -1;
    const char *s = http_header(d, "retry-after");
    return wait >= 0 ? wait : s ? retry_after_s(s, time(NULL)) : -1;
}

/* One try of http_post. */
struct outcome {
    enum http_fault fault;
    int status;
    double wait_s;
    char reason[256];
    struct buf body;
};

static void take_outcome(const struct http_done *d, void *user)
{
    (void)user;
    struct outcome *o = d->user;
    o->fault = d->fault;
    o->status = d->status;
    o->wait_s = d->fault == HTTP_NO_FAULT ? http_asked_wait_s(d) : -1;
    snprintf(o->reason, sizeof o->reason, "%s", d->reason);
    o->body.len = 0;
    buf_add(&o->body, d->body->data ? d->body->data : "", d->body->len);
}

/* Whether the same request may fare better later. */
static bool is_passing(const struct outcome *o)
{
    int s = o->status;
    return o->fault == HTTP_UNREACHED || o->fault == HTTP_BROKEN ||
           (o->fault == HTTP_NO_FAULT &&
            (s == 408 || s == 429 || s == 500 || s == 502 || s == 503 || s == 504));
}

static void sleep_s(double s)
{
    struct timespec left = {.tv_sec = (time_t)s, .tv_nsec = (long)(fmod(s, 1) * 1e9)};
    while (nanosleep(&left, &left) != 0) {
    }
}

static int try_once(struct http_client *c, const struct http_request *r, double left_s,
                    struct outcome *ret, struct err *err)
{
    struct http_send send = {
        .url = r->url,
        .headers = r->headers,
        .parts = {{r->body, strlen(r->body)}},
        .n_parts = 1,
        .max_reply = r->max_reply,
        .timeout_ms = (long)fmax(1, fmin((double)r->try_ms, 1000 * left_s)),
        .user = ret,
    };
    if (http_client_send(c, &send, err) != 0) {
        return -1;
    }
    while (http_client_n_in_flight(c) > 0) {
        http_client_poll(c, -1, 1000, take_outcome, NULL);
    }
    return 0;
}

static int post(struct http_client *c, const struct http_request *r, struct outcome *o,
                int *ret_n_tries, struct err *err)
{
    struct rng rng = retry_rng();
    double deadline = clock_s() + (double)r->total_ms / 1000;
    for (int n_tries = 1;; n_tries++) {
        if (try_once(c, r, deadline - clock_s(), o, err) != 0) {
            return -1;
        }
        double wait =
            o->wait_s >= 0 ? fmin(o->wait_s, HTTP_MAX_WAIT_S) : retry_backoff_s(&rng, n_tries);
        if (is_passing(o) && n_tries < r->max_tries && wait < deadline - clock_s()) {
            sleep_s(wait);
            continue;
        }
        *ret_n_tries = n_tries;
        if (o->fault == HTTP_TOO_LONG) {
            return err_set(err, ERR_MODEL, "%s: answers with more than %zu bytes", r->url,
                           r->max_reply);
        }
        if (o->fault != HTTP_NO_FAULT) {
            return err_set(err, ERR_MODEL, "%s: %s (%d %s)", r->url, o->reason, n_tries,
                           n_tries == 1 ? "try" : "tries");
        }
        return 0;
    }
}

int http_post(const struct http_request *request, struct http_reply *ret, struct err *err)
{
    struct http_client *c = NULL;
    struct outcome o = {0};
    int n_tries;
    if (http_client_open(&c, err) != 0) {
        return -1;
    }
    int ok = post(c, request, &o, &n_tries, err);
    if (ok == 0) {
        *ret = (struct http_reply){o.status, n_tries, o.body};
        o.body = (struct buf){0};
    }
    buf_release(&o.body);
    http_client_free(c);
    return ok;
}

void http_reply_release(struct http_reply *reply)
{
    buf_release(&reply->body);
    *reply = (struct http_reply){0};
}

static const char *words_of(const json_t *o)
{
    static const char *const members[] = {"error", "detail", "message"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *v = json_object_get(o, members[i]);
        const char *words = json_is_object(v) ? words_of(v) : json_string_value(v);
        if (words) {
            return words;
        }
    }
    return NULL;
}

char *http_without(const char *text, const char *secret)
{
    struct buf out = {0};
    for (const char *found; secret && *secret && (found = strstr(text, secret));
         text = found + strlen(secret)) {
        buf_add(&out, text, (size_t)(found - text));
        buf_adds(&out, "...");
    }
    buf_adds(&out, text);
    return buf_detach(&out);
}

char *http_words(const char *body, size_t n, const char *secret)
{
    char *raw = text_to_utf8(n > 0 ? body : "", n);
    json_t *json = NULL;
    json_parse(raw, strlen(raw), "", &json, NULL);
    const char *words = words_of(json_is_array(json) ? json_array_get(json, 0) : json);
    char *message = http_without(words ? words : raw, secret);
    if (strlen(message) > MAX_WORDS) {
        message[MAX_WORDS] = '\0';
    }
    for (char *p = message; *p; p++) {
        *p = isspace((unsigned char)*p) ? ' ' : *p;
    }
    text_make_printable(message);
    json_decref(json);
    free(raw);
    return message;
}

int http_key(const char *variable, const char **ret, struct err *err)
{
    const char *key = getenv(variable);
    for (const char *p = key; p && *p; p++) {
        if (!isgraph((unsigned char)*p)) {
            return err_set(err, ERR_USAGE, "%s holds what is no part of a key", variable);
        }
    }
    *ret = key && key[0] != '\0' ? key : NULL;
    return 0;
}

const char *http_library_version(void)
{
    return curl_version();
}
