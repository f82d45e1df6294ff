#include "web/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/fs.h"
#include "base/log.h"
#include "report/page.h"
#include "web/request.h"

#define MAX_CONNECTIONS 64
#define TIMEOUT_S 30
#define COOKIE "aor-token"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

struct piece {
    char *name;
    struct buf script;
};

/* A sound as it was sent last: players ask for it in ranges. */
struct sound {
    char *name;
    struct buf flac;
};

struct server {
    struct server_params params;
    struct MHD_Daemon *daemon;
    struct renderer renderer;
    struct piece *pieces; /* of the report as it was made last */
    size_t n_pieces;
    char *stamp; /* of the runs then; NULL: never made */
    struct sound sound;
    bool is_loopback;
    char csrf[33]; /* what the listening page must send with a label */
    char *url;
};

/* An answer before it goes to libmicrohttpd. */
struct reply {
    int status;
    const char *type, *cache;
    struct buf body;
    const char *data; /* instead of body: lives as long as the server */
    size_t n_data;
    bool has_ranges;
    const char *file_name; /* to save it under, or NULL */
};

/* What a connection has sent so far. */
struct incoming {
    struct buf body;
    bool is_too_long;
};

static void fill_random_hex(char ret[33])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        abort(); /* cannot fail for so few */
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    }
}

static struct reply error_reply(int status, const char *message)
{
    struct reply r = {.status = status, .type = "application/json", .cache = "no-store"};
    json_t *doc = json_pack("{s:o}", "error", json_text(message));
    char *text = json_dumps(doc, JSON_COMPACT);
    buf_adds(&r.body, text);
    free(text);
    json_decref(doc);
    return r;
}

/* Takes the reference. */
static struct reply json_reply(json_t *doc)
{
    struct reply r = {.status = MHD_HTTP_OK, .type = "application/json", .cache = "no-store"};
    char *text = json_dumps(doc, JSON_COMPACT);
    buf_adds(&r.body, text);
    free(text);
    json_decref(doc);
    return r;
}

static struct reply failed(const struct err *err)
{
    log_info("%s", err->msg);
    return error_reply(MHD_HTTP_INTERNAL_SERVER_ERROR, err->msg);
}

static void forget_pieces(struct server *s)
{
    for (size_t i = 0; i < s->n_pieces; i++) {
        free(s->pieces[i].name);
        buf_release(&s->pieces[i].script);
    }
    free(s->pieces);
    free(s->stamp);
    s->pieces = NULL;
    s->n_pieces = 0;
    s->stamp = NULL;
}

static int take_piece(const char *name, const struct buf *script, void *user, struct err *err)
{
    (void)err;
    struct server *s = user;
    s->pieces = xrealloc(s->pieces, (s->n_pieces + 1) * sizeof *s->pieces);
    struct piece *p = &s->pieces[s->n_pieces++];
    *p = (struct piece){.name = xstrdup(name)};
    buf_add(&p->script, script->data, script->len);
    return 0;
}

/* What is counted now: labels only once there are any. */
static struct findings_params findings_of(const struct server *s)
{
    struct findings_params p = s->params.report->findings;
    p.labels = p.labels && fs_has_data(p.labels) ? p.labels : NULL;
    return p;
}

/* The pieces are those of the runs as they are now. */
static int make_pieces(struct server *s, struct err *err)
{
    json_t *runs = NULL;
    char *stamp = NULL;
    struct report r;
    struct report_params p = *s->params.report;
    p.findings = findings_of(s);
    if (report_state(&p.findings, &runs, &stamp, err) != 0) {
        return -1;
    }
    json_decref(runs);
    if (s->stamp && strcmp(s->stamp, stamp) == 0) {
        free(stamp);
        return 0;
    }
    forget_pieces(s);
    p.stamp = stamp;
    if (report_make(&p, take_piece, s, &r, err) != 0) {
        forget_pieces(s);
        free(stamp);
        return -1;
    }
    report_release(&r);
    s->stamp = stamp;
    return 0;
}

static struct reply send_file(const char *name)
{
    const struct page_file *f = page_find(name);
    return (struct reply){.status = MHD_HTTP_OK,
                          .type = f->type,
                          .cache = "no-cache",
                          .data = f->data,
                          .n_data = f->size};
}

/* The first piece that a page loads is "findings": it names the others. */
static struct reply send_piece(struct server *s, const char *name)
{
    struct err err = {0};
    if ((!s->stamp || strcmp(name, "findings") == 0) && make_pieces(s, &err) != 0) {
        return failed(&err);
    }
    for (size_t i = 0; i < s->n_pieces; i++) {
        if (strcmp(s->pieces[i].name, name) == 0) {
            struct reply r = {.status = MHD_HTTP_OK,
                              .type = "text/javascript; charset=utf-8",
                              .cache = "no-cache"};
            buf_add(&r.body, s->pieces[i].script.data, s->pieces[i].script.len);
            return r;
        }
    }
    return error_reply(MHD_HTTP_NOT_FOUND, "there is no such piece");
}

static int load_sound(struct server *s, size_t sample, enum condition condition, struct err *err)
{
    const struct dataset *d = s->params.report->dataset;
    struct audio a = {0};
    struct buf flac = {0};
    char *name = xasprintf("%s/%zu", condition_names[condition], sample);
    int ok = 0;
    if (!s->sound.name || strcmp(s->sound.name, name) != 0) {
        ok = dataset_audio(d, &s->renderer, sample, condition, &a, err) == 0
                 ? audio_encode(&a, AUDIO_FLAC, &flac, err)
                 : -1;
        if (ok == 0) {
            buf_release(&s->sound.flac);
            free(s->sound.name);
            s->sound = (struct sound){xstrdup(name), flac};
        }
        audio_release(&a);
    }
    free(name);
    return ok;
}

static struct reply send_sound(struct server *s, long sample, enum condition condition)
{
    struct err err = {0};
    if (sample < 0) {
        return error_reply(MHD_HTTP_NOT_FOUND, "there is no such sound");
    }
    if (load_sound(s, (size_t)sample, condition, &err) != 0) {
        return failed(&err);
    }
    struct reply r = {.status = MHD_HTTP_OK,
                      .type = "audio/flac",
                      .cache = "private, max-age=600",
                      .has_ranges = true};
    buf_add(&r.body, s->sound.flac.data, s->sound.flac.len);
    return r;
}

static struct reply send_sample(struct server *s, const struct request *q)
{
    const struct dataset *d = s->params.report->dataset;
    return send_sound(s, d ? bench_find(&d->bench, q->name, 0) : -1, q->condition);
}

static struct reply send_state(struct server *s)
{
    struct err err = {0};
    json_t *runs;
    char *stamp;
    struct findings_params p = findings_of(s);
    if (report_state(&p, &runs, &stamp, &err) != 0) {
        return failed(&err);
    }
    json_t *doc = json_pack("{s:s, s:o}", "version", stamp, "runs", runs);
    free(stamp);
    return json_reply(doc);
}

static const char *query(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

static const char *header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static struct reply send_listen(struct server *s, struct MHD_Connection *c)
{
    const char *labeller = query(c, "labeller");
    const char *item = query(c, "item");
    if (!labeller || !request_is_labeller(labeller)) {
        return error_reply(MHD_HTTP_BAD_REQUEST,
                           "labeller: letters, digits, hyphens and underscores, at most 40");
    }
    char *end = NULL;
    long wanted = item ? strtol(item, &end, 10) : -1;
    json_t *doc = item && (!*item || *end || wanted < 0)
                      ? NULL
                      : labels_ask(s->params.labels, labeller, wanted);
    if (!doc) {
        return error_reply(MHD_HTTP_NOT_FOUND, "there is no such item");
    }
    json_object_set_new(doc, "csrf", json_string(s->csrf));
    return json_reply(doc);
}

/* A label from a page elsewhere would come without our secret, or say where it comes from. */
static bool is_forged(const struct server *s, struct MHD_Connection *c)
{
    const char *origin = header(c, "Origin");
    const char *site = header(c, "Sec-Fetch-Site");
    return !request_is_secret(s->csrf, header(c, "X-Aor-Csrf")) ||
           (origin && !request_is_own_origin(origin, header(c, "Host"))) ||
           (site && strcmp(site, "same-origin") != 0);
}

static struct reply take_label(struct server *s, struct MHD_Connection *c,
                               const struct incoming *in)
{
    const char *type = header(c, "Content-Type");
    struct err err = {0};
    const char *error;
    json_t *sent;
    if (is_forged(s, c)) {
        return error_reply(MHD_HTTP_FORBIDDEN, "not sent by this server's own page: reload it");
    }
    if (!type || strncmp(type, "application/json", strlen("application/json")) != 0) {
        return error_reply(MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "a label is JSON");
    }
    if (json_parse(in->body.data ? in->body.data : "", in->body.len, "label", &sent, &err) != 0) {
        return error_reply(MHD_HTTP_BAD_REQUEST, err.msg);
    }
    struct reply r;
    if (labels_put(s->params.labels, sent, &error, &err) != 0) {
        r = failed(&err);
    } else if (error) {
        r = error_reply(MHD_HTTP_BAD_REQUEST, error);
    } else {
        const char *labeller = json_string_value(json_object_get(sent, "labeller"));
        r = json_reply(
            json_pack("{s:I}", "n_done", (json_int_t)labels_done(s->params.labels, labeller)));
    }
    json_decref(sent);
    return r;
}

static struct reply send_labels(struct server *s, bool as_csv)
{
    struct err err = {0};
    struct reply r = {.status = MHD_HTTP_OK,
                      .type = as_csv ? "text/csv; charset=utf-8" : "application/jsonl",
                      .cache = "no-store",
                      .file_name = as_csv ? "labels.csv" : "labels.jsonl"};
    int ok = as_csv ? labels_csv(s->params.labels, &r.body, &err)
                    : labels_read(s->params.labels, &r.body, &err);
    return ok == 0 ? r : failed(&err);
}

static bool is_of_listening(enum request_kind kind)
{
    return kind >= REQUEST_LISTEN;
}

/* By its number in this draw: another draw's must not be played from a cache. */
static struct reply send_item(struct server *s, size_t item)
{
    struct reply r = send_sound(s, labels_sample(s->params.labels, item), CONDITION_MATCHED);
    r.cache = "no-store";
    return r;
}

static struct reply answer(struct server *s, struct MHD_Connection *c, const struct request *q,
                           const struct incoming *in)
{
    bool is_listening =
        is_of_listening(q->kind) || (q->kind == REQUEST_FILE && strncmp(q->name, "listen", 6) == 0);
    if (is_listening && !s->params.labels) {
        return error_reply(MHD_HTTP_NOT_FOUND, "no listening page: it wants -b BENCH");
    }
    switch (q->kind) {
    case REQUEST_FILE:
        return send_file(q->name);
    case REQUEST_PIECE:
        return send_piece(s, q->name);
    case REQUEST_SOUND:
        return send_sample(s, q);
    case REQUEST_STATE:
        return send_state(s);
    case REQUEST_LISTEN:
        return send_listen(s, c);
    case REQUEST_LISTEN_SOUND:
        return send_item(s, q->item);
    case REQUEST_LABEL:
        return take_label(s, c, in);
    case REQUEST_LABELS_JSONL:
    case REQUEST_LABELS_CSV:
        break;
    }
    return send_labels(s, q->kind == REQUEST_LABELS_CSV);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

/* Of the body: a tag for what it is, so that what a browser has is not sent again. */
static void add_tag(struct MHD_Response *response, const char *data, size_t n, char ret[72])
{
    char hex[SHA256_HEX_SIZE];
    sha256_hex(data, n, hex);
    snprintf(ret, 72, "\"%.32s\"", hex);
    add_header(response, MHD_HTTP_HEADER_ETAG, ret);
}

static struct MHD_Response *make_response(struct MHD_Connection *c, const struct reply *r,
                                          int *status)
{
    const char *data = r->data ? r->data : r->body.data ? r->body.data : "";
    size_t n = r->data ? r->n_data : r->body.len;
    size_t size = n;
    size_t at = 0;
    char tag[72] = "";
    struct MHD_Response *response = NULL;
    if (r->has_ranges && r->status == MHD_HTTP_OK) {
        *status = request_parse_range(header(c, MHD_HTTP_HEADER_RANGE), size, &at, &n);
    }
    if (*status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
        n = 0;
    }
    /* Data of the program itself live on; any other body goes before libmicrohttpd sends it. */
    response = MHD_create_response_from_buffer(
        n, (void *)(data + at), r->data ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    if (!response) {
        return NULL;
    }
    if (r->has_ranges) {
        char range[96];
        add_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
        if (*status == MHD_HTTP_PARTIAL_CONTENT) {
            snprintf(range, sizeof range, "bytes %zu-%zu/%zu", at, at + n - 1, size);
            add_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
        } else if (*status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
            snprintf(range, sizeof range, "bytes */%zu", size);
            add_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
        }
    } else if (r->status == MHD_HTTP_OK && strcmp(r->cache, "no-cache") == 0) {
        add_tag(response, data, n, tag);
        const char *had = header(c, MHD_HTTP_HEADER_IF_NONE_MATCH);
        if (had && strcmp(had, tag) == 0) {
            MHD_destroy_response(response);
            response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
            *status = MHD_HTTP_NOT_MODIFIED;
            add_header(response, MHD_HTTP_HEADER_ETAG, tag);
        }
    }
    return response;
}

static enum MHD_Result send_reply(struct MHD_Connection *c, struct reply *r)
{
    int status = r->status;
    struct MHD_Response *response = make_response(c, r, &status);
    buf_release(&r->body);
    if (!response) {
        return MHD_NO;
    }
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, r->cache);
    add_header(response, "Content-Security-Policy", policy);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    if (r->file_name) {
        char *value = xasprintf("attachment; filename=\"%s\"", r->file_name);
        add_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, value);
        free(value);
    }
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        add_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST");
    }
    enum MHD_Result ok = MHD_queue_response(c, (unsigned)status, response);
    MHD_destroy_response(response);
    return ok;
}

/* With the token in the address, once: it becomes a cookie and leaves the address. */
static enum MHD_Result welcome(const struct server *s, struct MHD_Connection *c, const char *path)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!response) {
        return MHD_NO;
    }
    char *cookie = xasprintf(COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict", s->params.token);
    add_header(response, MHD_HTTP_HEADER_SET_COOKIE, cookie);
    add_header(response, MHD_HTTP_HEADER_LOCATION, path);
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add_header(response, "Referrer-Policy", "no-referrer");
    free(cookie);
    enum MHD_Result ok = MHD_queue_response(c, MHD_HTTP_SEE_OTHER, response);
    MHD_destroy_response(response);
    return ok;
}

static enum MHD_Result respond(struct server *s, struct MHD_Connection *c, const char *path,
                               const char *method, const struct incoming *in)
{
    struct request q;
    struct reply r;
    const char *token = s->params.token;
    int status = request_parse(method, path, &q);
    if (!token && !request_is_loopback_host(header(c, MHD_HTTP_HEADER_HOST))) {
        r = error_reply(MHD_HTTP_FORBIDDEN, "this server is for this machine alone");
    } else if (token && status == MHD_HTTP_OK && q.kind == REQUEST_FILE &&
               request_is_secret(token, query(c, "token"))) {
        return welcome(s, c, path);
    } else if (token &&
               !request_is_secret(token, MHD_lookup_connection_value(c, MHD_COOKIE_KIND, COOKIE))) {
        r = error_reply(MHD_HTTP_UNAUTHORIZED, "open the address with ?token=");
    } else if (status != MHD_HTTP_OK) {
        r = error_reply(status, status == MHD_HTTP_NOT_FOUND            ? "there is no such address"
                                : status == MHD_HTTP_METHOD_NOT_ALLOWED ? "not by this method"
                                                                        : "too long");
    } else if (in->is_too_long) {
        r = error_reply(MHD_HTTP_CONTENT_TOO_LARGE, "too long");
    } else {
        r = answer(s, c, &q, in);
    }
    return send_reply(c, &r);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n_upload, void **state)
{
    (void)version;
    struct incoming *in = *state;
    if (!in) { /* the headers alone */
        *state = xcalloc(1, sizeof *in);
        return MHD_YES;
    }
    if (*n_upload > 0) {
        if (in->body.len + *n_upload > SERVER_MAX_BODY) {
            in->is_too_long = true; /* read on, so that the sender hears of it */
            buf_release(&in->body);
        } else {
            buf_add(&in->body, upload, *n_upload);
        }
        *n_upload = 0;
        return MHD_YES;
    }
    return respond(user, c, path, method, in);
}

static void on_completed(void *user, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode how)
{
    (void)user;
    (void)c;
    (void)how;
    struct incoming *in = *state;
    if (in) {
        buf_release(&in->body);
        free(in);
        *state = NULL;
    }
}

/* The port that was taken, where any was asked for. */
static int bound_port(const struct server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : s->params.port;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    }
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;
    return ntohl(four->sin_addr.s_addr) >> 24 == 127;
}

static int start(struct server *s, const struct addrinfo *a, struct err *err)
{
    if (!is_loopback(a->ai_addr) && !s->params.token) {
        return err_set(err, ERR_USAGE, "%s: is not this machine alone, and wants a token",
                       s->params.address);
    }
    if (s->params.token &&
        (strlen(s->params.token) < 16 || !request_is_labeller(s->params.token))) {
        return err_set(err, ERR_USAGE,
                       "the token wants 16 to 40 letters, digits, hyphens or underscores");
    }
    unsigned flags = MHD_USE_EPOLL;
    flags |= a->ai_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0;
    s->daemon =
        MHD_start_daemon(flags, (uint16_t)s->params.port, NULL, NULL, on_request, s,
                         MHD_OPTION_SOCK_ADDR, a->ai_addr, MHD_OPTION_NOTIFY_COMPLETED,
                         on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_END);
    if (!s->daemon) {
        return err_errno(err, "%s, port %d", s->params.address, s->params.port);
    }
    bool is_six = a->ai_family == AF_INET6;
    s->url = xasprintf("http://%s%s%s:%d/%s%s", is_six ? "[" : "", s->params.address,
                       is_six ? "]" : "", bound_port(s), s->params.token ? "?token=" : "",
                       s->params.token ? s->params.token : "");
    return 0;
}

int server_open(const struct server_params *p, struct server **ret, struct err *err)
{
    struct server *s = xcalloc(1, sizeof *s);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *a = NULL;
    char port[16];
    *s = (struct server){.params = *p};
    snprintf(port, sizeof port, "%d", p->port);
    fill_random_hex(s->csrf);
    if (p->report->dataset) {
        s->renderer =
            renderer_init(&p->report->dataset->bench, p->report->dataset->stems_dir, NULL);
    }
    int ok = -1;
    if (getaddrinfo(p->address, port, &hints, &a) != 0) {
        err_set(err, ERR_USAGE, "\"%s\" is no address in numbers", p->address);
    } else {
        ok = start(s, a, err);
        freeaddrinfo(a);
    }
    if (ok == 0) {
        *ret = s;
    } else {
        server_free(s);
    }
    return ok;
}

void server_free(struct server *s)
{
    if (!s) {
        return;
    }
    if (s->daemon) {
        MHD_stop_daemon(s->daemon);
    }
    if (s->params.report->dataset) {
        renderer_release(&s->renderer);
    }
    forget_pieces(s);
    free(s->sound.name);
    buf_release(&s->sound.flac);
    free(s->url);
    free(s);
}

const char *server_url(const struct server *s)
{
    return s->url;
}

int server_step(struct server *s, int timeout_ms, struct err *err)
{
    return MHD_run_wait(s->daemon, timeout_ms) == MHD_YES
               ? 0
               : err_set(err, ERR_IO, "the server cannot go on");
}
