#include "web/request.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
    const char *path;
    enum request_kind kind;
    const char *name;
    bool is_post;
} exact[] = {
    {"/", REQUEST_FILE, "report.html", false},
    {"/listen", REQUEST_FILE, "listen.html", false},
    {"/report.js", REQUEST_FILE, "report.js", false},
    {"/listen.js", REQUEST_FILE, "listen.js", false},
    {"/page.css", REQUEST_FILE, "page.css", false},
    {"/api/state", REQUEST_STATE, "", false},
    {"/api/listen", REQUEST_LISTEN, "", false},
    {"/api/label", REQUEST_LABEL, "", true},
    {"/api/labels.jsonl", REQUEST_LABELS_JSONL, "", false},
    {"/api/labels.csv", REQUEST_LABELS_CSV, "", false},
};

/* The part of path between prefix and suffix, where it is an id. */
static bool get_id(const char *path, const char *prefix, const char *suffix, char *ret)
{
    size_t n = strlen(path);
    size_t n_prefix = strlen(prefix);
    size_t n_suffix = strlen(suffix);
    if (n <= n_prefix + n_suffix || strncmp(path, prefix, n_prefix) != 0 ||
        strcmp(path + n - n_suffix, suffix) != 0 || n - n_prefix - n_suffix >= REQUEST_MAX_NAME) {
        return false;
    }
    memcpy(ret, path + n_prefix, n - n_prefix - n_suffix);
    ret[n - n_prefix - n_suffix] = '\0';
    return text_is_id(ret, REQUEST_MAX_NAME);
}

static bool get_sound(const char *path, struct request *ret)
{
    for (int c = 0; condition_names[c]; c++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "/sounds/%s/", condition_names[c]);
        if (condition_has_audio((enum condition)c) && get_id(path, prefix, ".flac", ret->name)) {
            ret->condition = (enum condition)c;
            return true;
        }
    }
    return false;
}

static bool get_number(const char *text, size_t *ret)
{
    char *end;
    if (!isdigit((unsigned char)*text) || strlen(text) > 9) {
        return false;
    }
    *ret = strtoul(text, &end, 10);
    return *end == '\0';
}

int request_parse(const char *method, const char *path, struct request *ret)
{
    struct request r = {0};
    bool is_post = strcmp(method, "POST") == 0;
    bool wants_post = false;
    bool is_found = false;
    if (strlen(path) > REQUEST_MAX_PATH) {
        return 414;
    }
    for (size_t i = 0; !is_found && i < sizeof exact / sizeof *exact; i++) {
        if (strcmp(path, exact[i].path) == 0) {
            is_found = true;
            wants_post = exact[i].is_post;
            r.kind = exact[i].kind;
            snprintf(r.name, sizeof r.name, "%s", exact[i].name);
        }
    }
    if (!is_found && get_id(path, "/data/", ".js", r.name)) {
        is_found = true;
        r.kind = REQUEST_PIECE;
    } else if (!is_found && get_sound(path, &r)) {
        is_found = true;
        r.kind = REQUEST_SOUND;
    } else if (!is_found && get_id(path, "/api/listen/sound/", ".flac", r.name) &&
               get_number(r.name, &r.item)) {
        is_found = true;
        r.kind = REQUEST_LISTEN_SOUND;
    }
    if (!is_found) {
        return 404;
    }
    if (is_post != wants_post ||
        (!is_post && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)) {
        return 405;
    }
    *ret = r;
    return 200;
}

bool request_is_labeller(const char *name)
{
    size_t n = strlen(name);
    return n >= 1 && n <= REQUEST_MAX_LABELLER &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

bool request_is_loopback_host(const char *host)
{
    char name[INET6_ADDRSTRLEN];
    struct in_addr four;
    size_t port;
    size_t n = !host ? 0 : host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (n == 0 || n >= sizeof name || n > strlen(host) ||
        (host[n] != '\0' && (host[n] != ':' || !get_number(host + n + 1, &port)))) {
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)n, host);
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (inet_pton(AF_INET, name, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

bool request_is_own_origin(const char *origin, const char *host)
{
    static const char scheme[] = "http://";
    return host && strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
           strcmp(origin + sizeof scheme - 1, host) == 0;
}

/* Digits up to 2^63; *s goes behind them. False where there is none. */
static bool read_number(const char **s, uint64_t *ret)
{
    uint64_t value = 0;
    const char *p = *s;
    for (; isdigit((unsigned char)*p); p++) {
        value = value > (UINT64_MAX >> 5) ? value : 10 * value + (uint64_t)(*p - '0');
    }
    *ret = value;
    bool is_there = p > *s;
    *s = p;
    return is_there;
}

int request_parse_range(const char *range, size_t size, size_t *ret_at, size_t *ret_n)
{
    static const char unit[] = "bytes=";
    uint64_t first = 0;
    uint64_t last = 0;
    if (!range || strncmp(range, unit, sizeof unit - 1) != 0) {
        return 200;
    }
    const char *p = range + sizeof unit - 1;
    bool has_first = read_number(&p, &first);
    if (*p++ != '-') {
        return 200;
    }
    bool has_last = read_number(&p, &last);
    if (*p != '\0' || (!has_first && !has_last) || (has_first && has_last && last < first)) {
        return 200;
    }
    if (!has_first) { /* the last so many bytes */
        first = last >= size ? 0 : size - last;
        if (last == 0) {
            return 416;
        }
        last = size;
    }
    if (first >= size) {
        return 416;
    }
    *ret_at = (size_t)first;
    *ret_n = !has_last || last >= size ? size - (size_t)first : (size_t)(last - first) + 1;
    return 206;
}

bool request_is_secret(const char *secret, const char *given)
{
    size_t n = strlen(secret);
    if (!given || strlen(given) != n) {
        return false;
    }
    unsigned char different = 0;
    for (size_t i = 0; i < n; i++) {
        different |= (unsigned char)(secret[i] ^ given[i]);
    }
    return different == 0;
}
