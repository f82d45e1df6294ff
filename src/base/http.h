/*
 * http.h - HTTP by libcurl: one POST that is tried again where that may help, and many requests in
 * flight in one thread.
 *
 * libcurl is initialised here, so call it only in a child process that ends afterwards: the parent
 * stays free to fork. Only http and https; HTTP/2 where an https server offers it; certificates are
 * verified, as http_set_certificates() says; redirects are not followed;
 * no more is read than max_reply bytes. Proxies are taken from the environment as curl does it.
 */
#ifndef AOR_BASE_HTTP_H
#define AOR_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define HTTP_MAX_WAIT_S 60.0 /* more than that http_post does not wait at a server's word */

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
 * a random one (retry.h). What no time is left for is not tried. Returns 0 with the last answer,
 * whatever its status; or -1 when the last try gave none, and *err names URL and reason.
 */
int http_post(const struct http_request *request, struct http_reply *ret, struct err *err);
void http_reply_release(struct http_reply *reply);

/*
 * Certificates to verify by, as the curl program finds them: $CURL_CA_BUNDLE, or else $SSL_CERT_DIR
 * and $SSL_CERT_FILE, where they are set. curl: a CURL handle.
 */
bool http_set_certificates(void *curl);

/* Many at once. */
struct http_client; /* opaque */
int http_client_open(struct http_client **ret, struct err *err);

/* Ends what is in flight without a word. NULL is fine. */
void http_client_free(struct http_client *c);

#define HTTP_MAX_PARTS 3
struct http_part {
    const char *data;
    size_t n;
};

/* Borrowed, but for url and headers, until it is done. */
struct http_send {
    const char *url;
    const char *const *headers;             /* "Name: value", ended by NULL */
    struct http_part parts[HTTP_MAX_PARTS]; /* of the body, one after the other; none: GET */
    size_t n_parts;
    size_t max_reply;      /* bytes */
    long timeout_ms;       /* from connecting to the last byte */
    const char *ends_with; /* the body's last line, after which the server may leave the connection
                              open or break it: a moment later the request is done. NULL */
    void *user;
};
int http_client_send(struct http_client *c, const struct http_send *send, struct err *err);
size_t http_client_n_in_flight(const struct http_client *c);

/* Break one off that is in flight; returns its user, or NULL: there is none. */
void *http_client_break_off(struct http_client *c);

/* What failed before there was an answer. */
enum http_fault {
    HTTP_NO_FAULT,
    HTTP_UNREACHED, /* no connection came about */
    HTTP_BROKEN,    /* reset, cut off, timed out */
    HTTP_TOO_LONG,  /* more than max_reply */
    HTTP_REFUSED,   /* will fail the same way again: certificate, protocol, URL */
};

struct http_done {
    void *user;
    enum http_fault fault;
    const char *reason;     /* of a fault; borrowed, as is body */
    int status;             /* 0 where there is none */
    const struct buf *body; /* what came */
    double seconds;         /* from the start to the last byte */
    const void *handle;     /* for http_header() */
};

/* The value of the answer's header (in any case); NULL: it has none. Borrowed until done returns.
 */
const char *http_header(const struct http_done *d, const char *name);

/* Seconds that the answer's headers ask to wait before another try (retry-after-ms, Retry-After);
 * negative: nothing. */
double http_asked_wait_s(const struct http_done *d);

/*
 * Move bytes, wait at most timeout_ms for more (less when wake_fd, unless -1, can be read), and
 * call done for each request that ended. done may send.
 */
typedef void (*http_done_fn)(const struct http_done *d, void *user);
void http_client_poll(struct http_client *c, int wake_fd, int timeout_ms, http_done_fn done,
                      void *user);

/*
 * What an answer says of an error, in one printable line of at most 200 bytes, with secret (may be
 * NULL) replaced: the message of {"error": {"message": ...}}, {"detail": ...} and their kin, or all
 * of it. The caller's.
 */
char *http_words(const char *body, size_t n, const char *secret);

/* A copy of text in which "..." stands for secret (may be NULL). The caller's. */
char *http_without(const char *text, const char *secret);

/*
 * The key in this environment variable; *ret is borrowed from there, NULL where it is not set or
 * empty. What cannot stand in a header is an error, which does not quote it.
 */
int http_key(const char *variable, const char **ret, struct err *err);

/* "libcurl/7.88.1 OpenSSL/3.0.17 ..."; borrowed. */
const char *http_library_version(void);

#endif
