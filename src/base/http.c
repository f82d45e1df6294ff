#include "base/http.h"

#include <curl/curl.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rng.h"

#define CONNECT_MS 10000L
#define FIRST_WAIT_MS 500.0

struct transfer {
    CURL *curl;
    const struct http_request *request;
    struct buf body;
    bool is_too_long;
    char reason[CURL_ERROR_SIZE];
};

static size_t on_bytes(char *data, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    t->is_too_long = size * n > t->request->max_reply - t->body.len;
    if (t->is_too_long) {
        return 0; /* an error to curl */
    }
    buf_add(&t->body, data, size * n);
    return size * n;
}

static bool set_up(struct transfer *t, struct curl_slist *headers)
{
    CURL *c = t->curl;
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_URL, t->request->url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "aor") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->request->body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

/* Whether the same request may fare better later. */
static bool is_passing(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
               status == 504;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

/* What the server asks us to wait, in ms; negative: nothing. */
static double asked_wait_ms(CURL *curl)
{
    struct curl_header *header;
    if (curl_easy_header(curl, "retry-after-ms", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        char *end;
        double ms = strtod(header->value, &end);
        if (end != header->value && *end == '\0' && ms >= 0) {
            return fmin(ms, HTTP_MAX_WAIT_MS);
        }
    }
    curl_off_t s = 0; /* stays so without the header */
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &s);
    return s > 0 ? fmin(1000 * (double)s, HTTP_MAX_WAIT_MS) : -1;
}

static void sleep_ms(double ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(fmod(ms, 1000) * 1e6)};
    while (nanosleep(&left, &left) != 0) {
    }
}

static double left_ms(double deadline_s)
{
    return 1000 * (deadline_s - clock_s());
}

static int post(struct transfer *t, struct http_reply *ret, struct err *err)
{
    const struct http_request *r = t->request;
    uint64_t seed;
    if (getentropy(&seed, sizeof seed) != 0) {
        seed = (uint64_t)getpid();
    }
    struct rng rng = rng_init(seed, "backoff");
    double deadline = clock_s() + (double)r->total_ms / 1000;
    double backoff = FIRST_WAIT_MS;
    for (int n_tries = 1;; n_tries++) {
        t->body.len = 0;
        t->reason[0] = '\0';
        long try_ms = (long)fmax(1, fmin((double)r->try_ms, left_ms(deadline)));
        curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, try_ms);
        CURLcode code = curl_easy_perform(t->curl);
        long status = 0;
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        double wait = code == CURLE_OK ? asked_wait_ms(t->curl) : -1;
        wait = wait >= 0 ? wait : rng_range(&rng, 0, backoff);
        backoff = fmin(2 * backoff, HTTP_MAX_WAIT_MS);
        if (is_passing(code, status) && n_tries < r->max_tries && wait < left_ms(deadline)) {
            sleep_ms(wait);
            continue;
        }
        if (t->is_too_long) {
            return err_set(err, ERR_MODEL, "%s: answers with more than %zu bytes", r->url,
                           r->max_reply);
        }
        if (code != CURLE_OK) {
            return err_set(err, ERR_MODEL, "%s: %s (%d %s)", r->url,
                           t->reason[0] ? t->reason : curl_easy_strerror(code), n_tries,
                           n_tries == 1 ? "try" : "tries");
        }
        *ret = (struct http_reply){(int)status, n_tries, t->body};
        t->body = (struct buf){0};
        return 0;
    }
}

int http_post(const struct http_request *request, struct http_reply *ret, struct err *err)
{
    struct transfer t = {.request = request};
    struct curl_slist *headers = NULL;
    int ok = -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(t.curl = curl_easy_init())) {
        return err_set(err, ERR_MODEL, "libcurl does not start");
    }
    bool is_ready = true;
    for (const char *const *h = request->headers; *h && is_ready; h++) {
        struct curl_slist *longer = curl_slist_append(headers, *h);
        is_ready = longer != NULL;
        headers = longer ? longer : headers;
    }
    if (is_ready && set_up(&t, headers)) {
        ok = post(&t, ret, err);
    } else {
        err_set(err, ERR_MODEL, "%s: libcurl does not take the request", request->url);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(t.curl);
    curl_global_cleanup();
    buf_release(&t.body);
    return ok;
}

void http_reply_release(struct http_reply *reply)
{
    buf_release(&reply->body);
    *reply = (struct http_reply){0};
}
