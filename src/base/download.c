#include "base/download.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/http.h"
#include "base/log.h"
#include "base/mem.h"

#define CONNECT_MS 15000L
#define SLOW_BYTES_S 100L
#define SLOW_S 30L
#define FIRST_WAIT_S 0.5
#define MAX_WAIT_S 60.0
#define MAX_ENTITY ((size_t)512)
#define MAX_REDIRECT_BODY ((uint64_t)1 << 20) /* of an answer that is not the file */
#define MEGABYTE 1000000

/* What the hub says of the file. */
struct facts {
    char *entity;                 /* NULL: nothing that a part of it could be known by */
    char sha256[SHA256_HEX_SIZE]; /* "": not stated */
    uint64_t n_bytes;
    bool has_size;
};

struct fetch {
    const struct download_request *request;
    CURL *curl;
    char *part_path, *entity_path;
    int fd;             /* of the part; -1: not open */
    uint64_t n_have;    /* bytes in it */
    struct facts facts; /* of the last look */
    bool is_there;      /* the file itself is, and is the hub's */
    /* of the request that runs */
    char *url;
    bool is_on_hub;
    bool has_begun;     /* the file's bytes arrive */
    bool is_misplaced;  /* they are not those that were asked for */
    uint64_t n_ignored; /* bytes of an answer that is not the file */
    struct err fatal;   /* the disk's error, which no other try helps */
    char reason[CURL_ERROR_SIZE];
    struct progress progress;
    bool has_progress;
};

enum outcome { DONE, TRY_AGAIN, FAILED };

bool download_is_base_url(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    for (const char *c = url; *c; c++) {
        if (!isgraph((unsigned char)*c) || strchr("@?#\\", *c)) {
            return false;
        }
    }
    return scheme > 0 && (isalnum((unsigned char)url[scheme]) || url[scheme] == '[');
}

static void release_facts(struct facts *f)
{
    free(f->entity);
    *f = (struct facts){0};
}

/* A header's value of the last answer, without quotes; borrowed until *ret_copy is freed. */
static const char *header(struct fetch *f, const char *name, char **ret_copy)
{
    struct curl_header *h;
    *ret_copy = NULL;
    if (curl_easy_header(f->curl, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK) {
        return NULL;
    }
    const char *value = h->value;
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
        value++;
        n -= 2;
    }
    *ret_copy = xasprintf("%.*s", (int)(n < MAX_ENTITY ? n : MAX_ENTITY), value);
    return *ret_copy;
}

static bool parse_size(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    if (!text || !isdigit((unsigned char)*text)) {
        return false;
    }
    uint64_t n = strtoull(text, &end, 10);
    if (*end != '\0' || errno != 0 || n > INT64_MAX) {
        return false;
    }
    *ret = n;
    return true;
}

/* What an answer of the hub says of the file: to its own bytes, or to a redirect to them. */
static void take_facts(struct fetch *f, bool is_file)
{
    struct facts *facts = &f->facts;
    char *copy;
    release_facts(facts);
    const char *linked = header(f, "x-linked-etag", &copy);
    if (linked && strlen(linked) == SHA256_HEX_SIZE - 1 &&
        strspn(linked, "0123456789abcdef") == SHA256_HEX_SIZE - 1) {
        memcpy(facts->sha256, linked, SHA256_HEX_SIZE);
    }
    facts->entity = copy;
    facts->has_size = parse_size(header(f, "x-linked-size", &copy), &facts->n_bytes);
    free(copy);
    if (is_file && !facts->entity) {
        const char *own = header(f, "etag", &copy);
        facts->entity = own && strncmp(own, "W/", 2) != 0 ? xstrdup(own) : NULL;
        free(copy);
    }
    if (is_file && !facts->has_size) {
        facts->has_size = parse_size(header(f, "content-length", &copy), &facts->n_bytes);
        free(copy);
    }
    if (facts->entity && (facts->entity[0] == '\0' || strpbrk(facts->entity, "\r\n"))) {
        free(facts->entity);
        facts->entity = NULL;
    }
}

/* Begin anew: the part is emptied before its entity is, so that the two never belie each other. */
static int empty_part(struct fetch *f, struct err *err)
{
    f->n_have = 0;
    if (ftruncate(f->fd, 0) != 0) {
        return err_errno(err, "%s", f->part_path);
    }
    if (unlink(f->entity_path) != 0 && errno != ENOENT) {
        return err_errno(err, "%s", f->entity_path);
    }
    const char *entity = f->facts.entity;
    return entity ? fs_write_unsynced(f->entity_path, entity, strlen(entity), err) : 0;
}

static bool is_part_of(struct fetch *f, const struct facts *facts)
{
    struct buf recorded = {0};
    bool is_same = facts->entity && fs_read(f->entity_path, MAX_ENTITY, &recorded, NULL) == 0 &&
                   recorded.data && strcmp(recorded.data, facts->entity) == 0;
    buf_release(&recorded);
    return is_same && !(facts->has_size && f->n_have > facts->n_bytes);
}

/* Whether the answer brings the bytes that are wanted: all, or those after the part. */
static bool begin_file(struct fetch *f)
{
    long status = 0;
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) {
        if (f->n_have > 0 && empty_part(f, &f->fatal) != 0) {
            return false;
        }
    } else {
        char *copy, *etag;
        char wanted[64];
        snprintf(wanted, sizeof wanted, "bytes %" PRIu64 "-", f->n_have);
        const char *range = header(f, "content-range", &copy);
        bool is_wanted = range && strncmp(range, wanted, strlen(wanted)) == 0;
        /* What another host calls it is no matter, and the hash decides then. */
        const char *own = f->is_on_hub && !f->facts.sha256[0] ? header(f, "etag", &etag) : NULL;
        if (own) {
            is_wanted = is_wanted && f->facts.entity && strcmp(own, f->facts.entity) == 0;
            free(etag);
        }
        free(copy);
        if (!is_wanted) {
            f->is_misplaced = true;
            return false;
        }
    }
    f->has_begun = true;
    if (f->facts.has_size && f->facts.n_bytes >= MEGABYTE) {
        f->has_progress = true;
        progress_start(&f->progress, "pull, MB", (long)(f->facts.n_bytes / MEGABYTE),
                       (long)(f->n_have / MEGABYTE));
    }
    return true;
}

static size_t on_bytes(char *data, size_t size, size_t n, void *user)
{
    struct fetch *f = user;
    long status = 0;
    n *= size;
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206) {
        f->n_ignored += n;
        return f->n_ignored > MAX_REDIRECT_BODY ? 0 : n;
    }
    if (!f->has_begun && !begin_file(f)) {
        return 0; /* an error to curl */
    }
    if (f->facts.has_size && n > f->facts.n_bytes - f->n_have) {
        err_set(&f->fatal, ERR_MODEL,
                "%s: is longer than the %" PRIu64 " bytes that the hub states", f->request->url,
                f->facts.n_bytes);
        return 0;
    }
    if (fs_write_all(f->fd, data, n) != 0) {
        err_errno(&f->fatal, "%s", f->part_path);
        return 0;
    }
    f->n_have += n;
    if (f->has_progress) {
        progress_update(&f->progress, (long)(f->n_have / MEGABYTE), fs_basename(f->request->path));
    }
    return n;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)user, (void)a, (void)b, (void)c, (void)d;
    return cancel_requested() ? 1 : 0;
}

static bool set_up(struct fetch *f)
{
    CURL *c = f->curl;
    return http_set_certificates(c) &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "aor") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_S) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SLOW_S) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->reason) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK;
}

/* "https host 443" of a URL; NULL where it is none that is followed. The caller's. */
static char *origin_of(const char *url)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;
    if (u && curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        origin = xasprintf("%s %s %s", scheme, host, port);
        for (char *c = origin; *c; c++) {
            *c = (char)tolower((unsigned char)*c);
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return origin;
}

static bool is_same_origin(const char *a, const char *b)
{
    char *x = origin_of(a), *y = origin_of(b);
    bool is_same = x && y && strcmp(x, y) == 0;
    free(x);
    free(y);
    return is_same;
}

/* Where a redirect leads, into f->url. Its query may be a secret: it stands in no message. */
static int follow(struct fetch *f, struct err *err)
{
    char *location = NULL;
    curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_URL, &location);
    char *origin = location ? origin_of(location) : NULL;
    bool was_secure = strncmp(f->url, "https:", 6) == 0;
    int ok = -1;
    if (!origin || (strncmp(origin, "https ", 6) != 0 && strncmp(origin, "http ", 5) != 0)) {
        err_set(err, ERR_MODEL, "%s: redirects to what is no URL", f->request->url);
    } else if (was_secure && strncmp(origin, "https ", 6) != 0) {
        err_set(err, ERR_MODEL, "%s: redirects from https to http, which is refused",
                f->request->url);
    } else {
        free(f->url);
        f->url = xstrdup(location);
        ok = 0;
    }
    free(origin);
    return ok;
}

static void sleep_s(double seconds)
{
    static const struct timespec slice = {.tv_nsec = 50000000};
    for (double end = clock_s() + seconds; clock_s() < end && !cancel_requested();) {
        nanosleep(&slice, NULL);
    }
}

static bool is_passing_code(CURLcode code)
{
    switch (code) {
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

/* A status that is neither the file nor a redirect. */
static enum outcome judge_status(const struct fetch *f, long status, struct err *err)
{
    const char *url = f->request->url;
    if (f->is_on_hub && (status == 401 || status == 403)) {
        err_set(err, ERR_MODEL, "%s: answered %ld: gated: accept its licence and set HF_TOKEN%s",
                url, status, f->request->token ? " (the one that is set was not enough)" : "");
        return FAILED;
    }
    if (status == 404) {
        err_set(err, ERR_MODEL, "%s: answered 404: the hub has no such file", url);
        return FAILED;
    }
    err_set(err, ERR_MODEL, "%s: answered %ld%s", url, status,
            f->is_on_hub ? "" : " where it redirected to");
    /* What a hub signs for another host holds for minutes: 403 there ends by asking it again. */
    return status == 408 || status == 429 || status >= 500 || (!f->is_on_hub && status == 403)
               ? TRY_AGAIN
               : FAILED;
}

static enum outcome judge_code(struct fetch *f, CURLcode code, struct err *err)
{
    if (cancel_requested()) {
        err_set(err, ERR_CANCELLED, "stopped by a signal; the same command goes on");
        return FAILED;
    }
    if (f->fatal.code != ERR_NONE) {
        return FAILED;
    }
    if (f->is_misplaced) {
        err_set(err, ERR_MODEL, "%s: sends other bytes than those asked for", f->request->url);
        struct err disk = {0};
        if (empty_part(f, &disk) != 0) {
            *err = disk;
            return FAILED;
        }
        return TRY_AGAIN;
    }
    err_set(err, ERR_MODEL, "%s: %s", f->request->url,
            f->reason[0] ? f->reason : curl_easy_strerror(code));
    return is_passing_code(code) ? TRY_AGAIN : FAILED;
}

static CURLcode perform(struct fetch *f, bool is_look)
{
    struct curl_slist *headers = NULL;
    f->is_on_hub = is_same_origin(f->url, f->request->url);
    f->has_begun = f->is_misplaced = f->has_progress = false;
    f->n_ignored = 0;
    f->reason[0] = '\0';
    if (f->is_on_hub && f->request->token) {
        char *line = xasprintf("Authorization: Bearer %s", f->request->token);
        headers = curl_slist_append(NULL, line);
        free(line);
        if (!headers) {
            return CURLE_OUT_OF_MEMORY;
        }
    }
    char range[64];
    snprintf(range, sizeof range, "%" PRIu64 "-", f->n_have);
    curl_easy_setopt(f->curl, CURLOPT_URL, f->url);
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(f->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(f->curl, CURLOPT_NOBODY, is_look ? 1L : 0L);
    curl_easy_setopt(f->curl, CURLOPT_RANGE, !is_look && f->n_have > 0 ? range : NULL);
    CURLcode code = curl_easy_perform(f->curl);
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return code;
}

/*
 * Ask for the file (is_look: for what the hub says of it, which ends where a redirect leaves the
 * hub) and follow redirects. DONE: *ret_status is 200, 206, 416, or a redirect's.
 */
static enum outcome request(struct fetch *f, bool is_look, long *ret_status, struct err *err)
{
    free(f->url);
    f->url = xstrdup(f->request->url);
    for (int n_hops = 0;; n_hops++) {
        long status = 0;
        CURLcode code = perform(f, is_look);
        if (code != CURLE_OK) {
            return judge_code(f, code, err);
        }
        curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
        bool is_redirect =
            status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
        if (is_look && f->is_on_hub && (is_redirect || status == 200)) {
            take_facts(f, status == 200);
        }
        *ret_status = status;
        if (status == 200 || status == 206 || (status == 416 && !is_look && f->n_have > 0)) {
            return DONE;
        }
        if (!is_redirect) {
            return judge_status(f, status, err);
        }
        if (n_hops >= DOWNLOAD_MAX_HOPS) {
            err_set(err, ERR_MODEL, "%s: redirects more than %d times", f->request->url,
                    DOWNLOAD_MAX_HOPS);
            return FAILED;
        }
        if (follow(f, err) != 0) {
            return FAILED;
        }
        if (is_look && !is_same_origin(f->url, f->request->url)) {
            return DONE;
        }
    }
}

/* The hash that an earlier call recorded beside the file; "" where there is none. */
static void recorded_hash(const char *path, char ret[SHA256_HEX_SIZE])
{
    struct buf text = {0};
    char *record = xasprintf("%s.sha256", path);
    ret[0] = '\0';
    if (fs_read(record, MAX_ENTITY, &text, NULL) == 0 && text.len > SHA256_HEX_SIZE) {
        memcpy(ret, text.data, SHA256_HEX_SIZE - 1);
        ret[SHA256_HEX_SIZE - 1] = '\0';
    }
    buf_release(&text);
    free(record);
}

/* Whether the file itself is there and is what the hub has; then *ret says what it is. */
static int check_there(struct fetch *f, struct download_result *ret, struct err *err)
{
    struct stat st;
    const char *path = f->request->path;
    char wanted[SHA256_HEX_SIZE];
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        (f->facts.has_size && (uint64_t)st.st_size != f->facts.n_bytes)) {
        return 0;
    }
    bool is_stated = f->facts.sha256[0] != '\0';
    if (is_stated) {
        memcpy(wanted, f->facts.sha256, sizeof wanted);
    } else {
        recorded_hash(path, wanted);
    }
    struct download_result r = {
        .was_there = true, .is_verified = is_stated, .n_bytes = (uint64_t)st.st_size};
    if (fs_sha256(path, r.sha256, err) != 0) {
        return -1;
    }
    f->is_there = strcmp(r.sha256, wanted) == 0;
    if (f->is_there) {
        *ret = r;
    }
    return 0;
}

/* What is still missing of the part. */
static enum outcome get_rest(struct fetch *f, struct err *err)
{
    long status = 0;
    if (f->facts.has_size && f->n_have > 0 && f->n_have == f->facts.n_bytes) {
        return DONE;
    }
    enum outcome outcome = request(f, false, &status, err);
    if (outcome != DONE) {
        return outcome;
    }
    if (status == 416) {
        err_set(err, ERR_MODEL, "%s: answered 416", f->request->url);
        return empty_part(f, err) == 0 ? TRY_AGAIN : FAILED;
    }
    if (f->facts.has_size && f->n_have < f->facts.n_bytes) {
        err_set(err, ERR_MODEL, "%s: ended after %" PRIu64 " of %" PRIu64 " bytes", f->request->url,
                f->n_have, f->facts.n_bytes);
        return TRY_AGAIN;
    }
    if (f->has_progress) {
        progress_end(&f->progress, fs_basename(f->request->path));
    }
    return DONE;
}

static enum outcome try_once(struct fetch *f, struct download_result *ret, struct err *err)
{
    long status = 0;
    enum outcome outcome = request(f, true, &status, err);
    if (outcome != DONE) {
        return outcome;
    }
    if (check_there(f, ret, err) != 0) {
        return FAILED;
    }
    if (f->is_there) {
        return DONE;
    }
    if (!is_part_of(f, &f->facts) && empty_part(f, err) != 0) {
        return FAILED;
    }
    return get_rest(f, err);
}

static double wait_s(struct fetch *f, int n_idle)
{
    curl_off_t asked = 0;
    curl_easy_getinfo(f->curl, CURLINFO_RETRY_AFTER, &asked);
    double own = FIRST_WAIT_S * (double)(1 << n_idle);
    return asked <= 0 ? own : (double)asked < MAX_WAIT_S ? (double)asked : MAX_WAIT_S;
}

static int fetch_all(struct fetch *f, struct download_result *ret, struct err *err)
{
    int n_idle = 0;
    for (int n_tries = 1;; n_tries++) {
        uint64_t before = f->n_have;
        struct err why = {0};
        f->fatal = (struct err){0};
        enum outcome outcome = try_once(f, ret, &why);
        if (outcome == DONE) {
            return 0;
        }
        n_idle = f->n_have > before ? 0 : n_idle + 1;
        if (outcome == FAILED) {
            why = f->fatal.code != ERR_NONE ? f->fatal : why;
            return err_set(err, why.code, "%s", why.msg);
        }
        if (n_idle >= DOWNLOAD_MAX_IDLE_TRIES || n_tries >= DOWNLOAD_MAX_TRIES) {
            return err_set(err, why.code, "%s (%d tries)", why.msg, n_tries);
        }
        sleep_s(wait_s(f, n_idle));
    }
}

static void remove_part(const struct fetch *f)
{
    unlink(f->part_path);
    unlink(f->entity_path);
}

static int record(const char *path, const char *sha256, struct err *err)
{
    char *record_path = xasprintf("%s.sha256", path);
    char *line = xasprintf("%s  %s\n", sha256, fs_basename(path));
    int ok = fs_write(record_path, line, strlen(line), err);
    free(line);
    free(record_path);
    return ok;
}

/* The part is whole: what it is decides whether it becomes the file. */
static int keep(struct fetch *f, struct download_result *ret, struct err *err)
{
    struct download_result r = {.is_verified = f->facts.sha256[0] != '\0', .n_bytes = f->n_have};
    const char *path = f->request->path;
    if (fsync(f->fd) != 0) {
        return err_errno(err, "%s", f->part_path);
    }
    if (fs_sha256(f->part_path, r.sha256, err) != 0) {
        return -1;
    }
    if (r.is_verified && strcmp(r.sha256, f->facts.sha256) != 0) {
        remove_part(f);
        return err_set(err, ERR_MODEL, "%s: SHA-256 is %s, the hub states %s: what came is removed",
                       f->request->url, r.sha256, f->facts.sha256);
    }
    if (record(path, r.sha256, err) != 0) {
        return -1;
    }
    if (rename(f->part_path, path) != 0) {
        return err_errno(err, "%s", path);
    }
    unlink(f->entity_path);
    *ret = r;
    return 0;
}

static int open_part(struct fetch *f, struct err *err)
{
    struct stat st;
    f->fd = open(f->part_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        return err_errno(err, "%s", f->part_path);
    }
    f->n_have = (uint64_t)st.st_size;
    return 0;
}

int download_file(const struct download_request *r, struct download_result *ret, struct err *err)
{
    struct fetch f = {.request = r, .fd = -1};
    struct fs_lock lock = {0};
    int ok = -1;
    char *lock_path = xasprintf("%s.lock", r->path);
    char *busy = xasprintf("%s: another process fetches it", r->path);
    f.part_path = xasprintf("%s.part", r->path);
    f.entity_path = xasprintf("%s.part.entity", r->path);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(f.curl = curl_easy_init()) ||
        !set_up(&f)) {
        err_set(err, ERR_MODEL, "libcurl does not start");
        goto out;
    }
    if (fs_lock(lock_path, false, busy, &lock, err) != 0 || open_part(&f, err) != 0 ||
        fetch_all(&f, ret, err) != 0) {
        goto out;
    }
    if (f.is_there) {
        remove_part(&f);
        ok = 0;
    } else {
        ok = keep(&f, ret, err);
    }
out:
    if (f.fd >= 0) {
        struct stat st;
        if (fstat(f.fd, &st) == 0 && st.st_size == 0 && st.st_nlink > 0) {
            remove_part(&f);
        }
        close(f.fd);
    }
    fs_unlock(&lock);
    curl_easy_cleanup(f.curl);
    curl_global_cleanup();
    release_facts(&f.facts);
    free(f.url);
    free(f.part_path);
    free(f.entity_path);
    free(busy);
    free(lock_path);
    return ok;
}
