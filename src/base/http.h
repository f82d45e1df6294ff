/*
 * http.h - one HTTP POST and its answer, tried again where trying again may help.
 *
 * Blocks until it is over. libcurl is initialised here, so call it only in a child process that
 * ends afterwards: the parent stays free to fork. Only http and https; certificates are verified;
 * redirects are not followed; no more is read than max_reply bytes. Proxies are taken from the
 * environment as curl does it.
 */
#ifndef AOR_BASE_HTTP_H
#define AOR_BASE_HTTP_H

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define HTTP_MAX_WAIT_MS 60000 /* more than that a server cannot ask us to wait */

struct http_request {
    const char *url;
    const char *const *headers; /* "Name: value", ended by NULL */
    const char *body;           /* text */
    size_t max_reply;           /* bytes */
    int max_tries;              /* 1: once only */
    long try_ms;                /* for one try, from connecting to the last byte */
    long total_ms;              /* for all tries and the waiting between them */
};

struct http_reply {
    int status; /* any: 200, 404, ... */
    int n_tries;
    struct buf body; /* owned */
};

/*
 * POST. Tried again after failed and broken connections, timeouts, and the statuses 408, 429, 500,
 * 502, 503 and 504: after the wait that the server asks for (retry-after-ms, Retry-After), or else
 * a random one from 0 to 0.5 s, 1 s, 2 s, ... (exponential backoff with full jitter). What no time
 * is left for is not tried. Returns 0 with the last answer, whatever its status; or -1 when the
 * last try gave none, and *err names URL and reason.
 */
int http_post(const struct http_request *request, struct http_reply *ret, struct err *err);
void http_reply_release(struct http_reply *reply);

#endif
