/*
 * download.h - a large file from a hub that answers as Hugging Face's does.
 *
 * Blocks until it is over. libcurl is initialised here; certificates are verified, by the file or
 * folder that CURL_CA_BUNDLE, SSL_CERT_DIR or SSL_CERT_FILE names, as curl does it; proxies are
 * taken from the environment.
 */
#ifndef AOR_BASE_DOWNLOAD_H
#define AOR_BASE_DOWNLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fs.h"

struct download_request {
    const char *url;   /* on the hub */
    const char *token; /* goes to the scheme, host and port of url alone; NULL: none */
    const char *path;  /* where the file shall be; its folder is there */
};

struct download_result {
    bool was_there;   /* nothing was fetched */
    bool is_verified; /* the hub named a SHA-256, and it is that */
    uint64_t n_bytes;
    char sha256[SHA256_HEX_SIZE];
};

/* True for http:// or https:// and a server, without user, query, fragment and blanks. */
bool download_is_base_url(const char *url);

/*
 * Fetch the file. What arrives stands in "<path>.part", and "<path>.part.entity" says of which
 * entity it is (X-Linked-Etag or a strong ETag), so that the next call goes on there after any
 * death of the process, and begins anew where the hub has another file by then. It is renamed to
 * path when it is whole: of the size (X-Linked-Size) and the SHA-256 (X-Linked-Etag) that the hub
 * states; what has another hash is removed. "<path>.sha256" then holds its hash as sha256sum
 * writes it. A file that is there stays where the hub's hash is its own; or, where the hub states
 * none, the hash in "<path>.sha256", and the size is the hub's.
 *
 * Redirects are followed, at most DOWNLOAD_MAX_HOPS, but never from https to http. Broken
 * connections, what is slower than 100 bytes/s for 30 s, and the statuses 408, 429 and 5xx are
 * tried again after a growing wait, or Retry-After: at most DOWNLOAD_MAX_IDLE_TRIES in a row that
 * bring nothing new, DOWNLOAD_MAX_TRIES in all. "<path>.lock" keeps a second caller off.
 * SIGINT and SIGTERM (base/cancel.h) end it with ERR_CANCELLED; what arrived stays.
 */
#define DOWNLOAD_MAX_HOPS 5
#define DOWNLOAD_MAX_IDLE_TRIES 5
#define DOWNLOAD_MAX_TRIES 100
int download_file(const struct download_request *request, struct download_result *ret,
                  struct err *err);

#endif
