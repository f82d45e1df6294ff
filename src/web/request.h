/*
 * request.h - what a browser asks for, taken apart without a network: nothing that comes in is
 * trusted.
 */
#ifndef AOR_WEB_REQUEST_H
#define AOR_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/render.h"

#define REQUEST_MAX_PATH 512
#define REQUEST_MAX_NAME 160
#define REQUEST_MAX_LABELLER 40

enum request_kind {
    REQUEST_FILE,         /* name: of page.h */
    REQUEST_PIECE,        /* name */
    REQUEST_SOUND,        /* name: a sample; condition */
    REQUEST_STATE,        /* how far the runs are */
    REQUEST_LISTEN,       /* the next sample for a listener */
    REQUEST_LISTEN_SOUND, /* item: its number in the draw */
    REQUEST_LABEL,        /* POST: a label */
    REQUEST_LABELS_JSONL,
    REQUEST_LABELS_CSV,
};

struct request {
    enum request_kind kind;
    char name[REQUEST_MAX_NAME];
    enum condition condition;
    size_t item;
};

/*
 * The HTTP status: 200 and *ret filled, or 404 (there is no such address), 405 (not by this method;
 * HEAD is GET) or 414 (too long). path is without its query.
 */
int request_parse(const char *method, const char *path, struct request *ret);

/* A listener's name: letters, digits, hyphens and underscores. */
bool request_is_labeller(const char *name);

/*
 * Does the Host header name this machine itself, by any port? A page elsewhere whose name was
 * pointed here says its own.
 */
bool request_is_loopback_host(const char *host);

/* Does the Origin header say the same host as the Host header? */
bool request_is_own_origin(const char *origin, const char *host);

/*
 * One range of bytes of size (RFC 9110, 14.1.2) from a Range header. Returns 206 and fills *ret_at
 * and *ret_n, 416 where it lies outside, or 200: no header (NULL), other units, several ranges.
 */
int request_parse_range(const char *range, size_t size, size_t *ret_at, size_t *ret_n);

/* Both texts are the same; takes as long wherever they differ. */
bool request_is_secret(const char *secret, const char *given);

#endif
