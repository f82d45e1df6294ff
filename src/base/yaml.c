#include "base/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

/* The first scalar at or below node. */
static struct fy_token *first_token(struct fy_node *node)
{
    while (node) {
        void *it = NULL;
        switch (fy_node_get_type(node)) {
        case FYNT_SCALAR:
            return fy_node_get_scalar_token(node);
        case FYNT_SEQUENCE:
            node = fy_node_sequence_iterate(node, &it);
            break;
        case FYNT_MAPPING: {
            struct fy_node_pair *pair = fy_node_mapping_iterate(node, &it);
            node = pair ? fy_node_pair_key(pair) : NULL;
            break;
        }
        }
    }
    return NULL;
}

/* Where a reader would look for node: at its first scalar, or, when it is empty, at its key. */
static struct fy_token *place_of(struct fy_node *node)
{
    struct fy_token *token = first_token(node);
    while (!token && node) {
        struct fy_node *parent = fy_node_get_parent(node);
        void *it = NULL;
        if (parent && fy_node_get_type(parent) == FYNT_MAPPING) {
            for (struct fy_node_pair *p; (p = fy_node_mapping_iterate(parent, &it));) {
                if (fy_node_pair_value(p) == node) {
                    token = first_token(fy_node_pair_key(p));
                }
            }
        } else if (parent) {
            token = first_token(parent);
        }
        node = parent;
    }
    return token;
}

char *yaml_place(struct yaml_node at)
{
    struct fy_token *token = place_of(at.node);
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    return mark ? xasprintf("%s:%d:%d", at.name, mark->line + 1, mark->column + 1)
                : xstrdup(at.name);
}

void yaml_fill(struct yaml_node at, struct err *err, const char *fmt, ...)
{
    char message[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    char *place = yaml_place(at);
    err_set(err, ERR_FORMAT, "%s: %s", place, message);
    free(place);
}

static int refuse_aliases(struct yaml_node at, struct err *err)
{
    void *it = NULL;
    switch (fy_node_get_type(at.node)) {
    case FYNT_SCALAR:
        return fy_node_is_alias(at.node) ? yaml_fail(at, err, "aliases are not read here") : 0;
    case FYNT_SEQUENCE:
        for (struct fy_node *n; (n = fy_node_sequence_iterate(at.node, &it));) {
            if (refuse_aliases((struct yaml_node){at.name, n}, err) != 0) {
                return -1;
            }
        }
        return 0;
    case FYNT_MAPPING:
        for (struct fy_node_pair *p; (p = fy_node_mapping_iterate(at.node, &it));) {
            struct fy_node *parts[] = {fy_node_pair_key(p), fy_node_pair_value(p)};
            for (int i = 0; i < 2; i++) {
                if (parts[i] && refuse_aliases((struct yaml_node){at.name, parts[i]}, err) != 0) {
                    return -1;
                }
            }
        }
        return 0;
    }
    return 0;
}

/* libfyaml 0.7 frees twice where a tab follows the colon of a "? key" (its issue 57). */
static int check_tabs(const char *text, size_t n, const char *name, struct err *err)
{
    int line = 1, column = 1;
    char last = '\n'; /* that was no blank */
    for (size_t i = 0; i < n; i++, column++) {
        if (text[i] == '\t' && (last == ':' || last == '?' || last == '-')) {
            return err_set(err, ERR_FORMAT, "%s:%d:%d: a tab after \"%c\": blanks are wanted", name,
                           line, column, last);
        }
        if (text[i] == '\n') {
            line++;
            column = 0;
        }
        last = text[i] == ' ' ? last : text[i];
    }
    return 0;
}

/* The line of a "---" that begins a second document, or 0. It is one wherever it begins a line. */
static int second_document(const char *text, size_t n)
{
    bool has_content = false;
    int line = 1;
    for (size_t i = 0; i < n; line++) {
        const char *p = text + i;
        const char *end = memchr(p, '\n', n - i);
        size_t len = end ? (size_t)(end - p) : n - i;
        bool is_marker = len >= 3 && memcmp(p, "---", 3) == 0 && (len == 3 || p[3] == ' ');
        if (is_marker && has_content) {
            return line;
        }
        size_t blank = 0;
        while (blank < len && (p[blank] == ' ' || p[blank] == '\t' || p[blank] == '\r')) {
            blank++;
        }
        has_content = has_content || is_marker || (blank < len && p[blank] != '#' && p[0] != '%');
        i += len + 1;
    }
    return 0;
}

int yaml_parse(const char *text, size_t n, const char *name, struct yaml_doc *ret, struct err *err)
{
    int line = second_document(text, n);
    if (line > 0) {
        return err_set(err, ERR_FORMAT, "%s:%d:1: a second document is not read here", name, line);
    }
    /* libfyaml 0.7 does not come back from some directives that are no UTF-8. */
    if (text_check_utf8(text, n, name, err) != 0 || check_tabs(text, n, name, err) != 0) {
        return -1;
    }
    int ok = -1;
    struct yaml_doc d = {.name = xstrdup(name), .text = xmalloc(n)};
    if (n > 0) {
        memcpy(d.text, text, n);
    }
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (!diag) {
        err_set(err, ERR_FORMAT, "%s: no memory for the YAML reader", name);
        goto out;
    }
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET, .diag = diag};
    d.doc = fy_document_build_from_string(&cfg, d.text, n);
    if (!d.doc) {
        void *it = NULL;
        struct fy_diag_error *e = fy_diag_errors_iterate(diag, &it);
        err_set(err, ERR_FORMAT, "%s:%d:%d: %s", name, e ? e->line : 1, e ? e->column : 1,
                e && e->msg ? e->msg : "no YAML document");
        goto out;
    }
    if (!fy_document_root(d.doc)) {
        err_set(err, ERR_FORMAT, "%s: is empty", name);
        goto out;
    }
    if (refuse_aliases(yaml_root(&d), err) != 0) {
        goto out;
    }
    *ret = d;
    d = (struct yaml_doc){0};
    ok = 0;
out:
    yaml_release(&d);
    if (diag) {
        fy_diag_destroy(diag);
    }
    return ok;
}

int yaml_load(const char *path, struct yaml_doc *ret, struct err *err)
{
    struct buf text = {0};
    if (fs_read(path, YAML_MAX_FILE, &text, err) != 0) {
        return -1;
    }
    int ok = yaml_parse(text.data, text.len, path, ret, err);
    buf_release(&text);
    return ok;
}

void yaml_release(struct yaml_doc *d)
{
    if (d->doc) {
        fy_document_destroy(d->doc);
    }
    free(d->text);
    free(d->name);
    *d = (struct yaml_doc){0};
}

struct yaml_node yaml_root(const struct yaml_doc *d)
{
    return (struct yaml_node){d->name, fy_document_root(d->doc)};
}

bool yaml_is_map(struct yaml_node at)
{
    return at.node && fy_node_get_type(at.node) == FYNT_MAPPING;
}

bool yaml_is_seq(struct yaml_node at)
{
    return at.node && fy_node_get_type(at.node) == FYNT_SEQUENCE;
}

bool yaml_is_scalar(struct yaml_node at)
{
    return at.node && fy_node_get_type(at.node) == FYNT_SCALAR;
}

int yaml_check_keys(struct yaml_node at, const char *const *keys, struct err *err)
{
    if (!yaml_is_map(at)) {
        return yaml_fail(at, err, "a mapping is wanted here");
    }
    void *it = NULL;
    for (struct fy_node_pair *p; (p = fy_node_mapping_iterate(at.node, &it));) {
        struct yaml_node key = {at.name, fy_node_pair_key(p)};
        const char *text = yaml_is_scalar(key) ? fy_node_get_scalar0(key.node) : NULL;
        size_t i = 0;
        while (keys[i] && !(text && strcmp(keys[i], text) == 0)) {
            i++;
        }
        if (!keys[i]) {
            return yaml_fail(key, err, "unknown key \"%s\"", text ? text : "");
        }
    }
    return 0;
}

struct yaml_node yaml_find(struct yaml_node at, const char *key)
{
    struct yaml_node found = {at.name, NULL};
    if (yaml_is_map(at)) {
        found.node = fy_node_mapping_lookup_value_by_simple_key(at.node, key, strlen(key));
    }
    return found;
}

int yaml_get(struct yaml_node at, const char *key, struct yaml_node *ret, struct err *err)
{
    struct yaml_node found = yaml_find(at, key);
    if (!found.node) {
        return yaml_fail(at, err, "key \"%s\" is missing", key);
    }
    *ret = found;
    return 0;
}

int yaml_str(struct yaml_node at, char **ret, struct err *err)
{
    size_t n = 0;
    const char *text = yaml_is_scalar(at) ? fy_node_get_scalar(at.node, &n) : NULL;
    if (!text || memchr(text, '\0', n)) {
        return yaml_fail(at, err, "text is wanted here");
    }
    char *copy = xmalloc(n + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    *ret = copy;
    return 0;
}

int yaml_get_str(struct yaml_node at, const char *key, char **ret, struct err *err)
{
    struct yaml_node value;
    return yaml_get(at, key, &value, err) != 0 ? -1 : yaml_str(value, ret, err);
}

int yaml_num(struct yaml_node at, double low, double high, double *ret, struct err *err)
{
    char *text;
    if (yaml_str(at, &text, err) != 0) {
        return -1;
    }
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    bool good = end != text && *end == '\0' && errno == 0 && isfinite(v);
    int ok = 0;
    if (!good) {
        ok = yaml_fail(at, err, "\"%s\" is no number", text);
    } else if (v < low || v > high) {
        ok = yaml_fail(at, err, "%s is not within %g..%g", text, low, high);
    } else {
        *ret = v;
    }
    free(text);
    return ok;
}

int yaml_get_num(struct yaml_node at, const char *key, double low, double high, double *ret,
                 struct err *err)
{
    struct yaml_node value;
    return yaml_get(at, key, &value, err) != 0 ? -1 : yaml_num(value, low, high, ret, err);
}

int yaml_get_int(struct yaml_node at, const char *key, long low, long high, long *ret,
                 struct err *err)
{
    struct yaml_node value;
    double v;
    if (yaml_get(at, key, &value, err) != 0 ||
        yaml_num(value, (double)low, (double)high, &v, err) != 0) {
        return -1;
    }
    if (v != trunc(v)) {
        return yaml_fail(value, err, "\"%s\" wants a whole number", key);
    }
    *ret = (long)v;
    return 0;
}

int yaml_get_enum(struct yaml_node at, const char *key, const char *const *names, int *ret,
                  struct err *err)
{
    struct yaml_node value;
    char *text;
    if (yaml_get(at, key, &value, err) != 0 || yaml_str(value, &text, err) != 0) {
        return -1;
    }
    int i = 0;
    struct buf all = {0};
    for (; names[i] && strcmp(names[i], text) != 0; i++) {
        buf_addf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    int ok = 0;
    if (names[i]) {
        *ret = i;
    } else {
        ok = yaml_fail(value, err, "\"%s\": one of %s is wanted", text, all.data);
    }
    buf_release(&all);
    free(text);
    return ok;
}

int yaml_get_bool(struct yaml_node at, const char *key, bool *ret, struct err *err)
{
    static const char *const names[] = {"false", "true", NULL};
    int i;
    if (yaml_get_enum(at, key, names, &i, err) != 0) {
        return -1;
    }
    *ret = i == 1;
    return 0;
}

int yaml_get_seq(struct yaml_node at, const char *key, struct yaml_node *ret, struct err *err)
{
    struct yaml_node value;
    if (yaml_get(at, key, &value, err) != 0) {
        return -1;
    }
    if (!yaml_is_seq(value)) {
        return yaml_fail(value.node ? value : at, err, "\"%s\" wants a list", key);
    }
    *ret = value;
    return 0;
}

bool yaml_next_pair(struct yaml_node map, void **it, struct yaml_node *ret_key,
                    struct yaml_node *ret_value)
{
    struct fy_node_pair *p = fy_node_mapping_iterate(map.node, it);
    *ret_key = (struct yaml_node){map.name, p ? fy_node_pair_key(p) : NULL};
    *ret_value = (struct yaml_node){map.name, p ? fy_node_pair_value(p) : NULL};
    return p != NULL;
}

size_t yaml_count(struct yaml_node seq)
{
    return (size_t)fy_node_sequence_item_count(seq.node);
}

bool yaml_next(struct yaml_node seq, void **it, struct yaml_node *ret)
{
    struct fy_node *n = fy_node_sequence_iterate(seq.node, it);
    *ret = (struct yaml_node){seq.name, n};
    return n != NULL;
}

int yaml_get_strs(struct yaml_node at, const char *key, char ***ret_items, size_t *ret_n,
                  struct err *err)
{
    struct yaml_node seq = {0};
    struct yaml_node item;
    if (yaml_get_seq(at, key, &seq, err) != 0) {
        return -1;
    }
    char **items = xcalloc(yaml_count(seq), sizeof *items);
    size_t n = 0;
    void *it = NULL;
    while (yaml_next(seq, &it, &item)) {
        if (yaml_str(item, &items[n], err) != 0) {
            yaml_free_strs(items, n);
            return -1;
        }
        n++;
    }
    *ret_items = items;
    *ret_n = n;
    return 0;
}

void yaml_free_strs(char **items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(items[i]);
    }
    free(items);
}

void yaml_add_quoted(struct buf *b, const char *s)
{
    buf_adds(b, "\"");
    for (size_t left = strlen(s); left > 0;) {
        uint32_t cp;
        size_t len = text_utf8_decode(s, left, &cp);
        if (len == 0) {
            buf_adds(b, "\\uFFFD");
            len = 1;
        } else if (text_is_unprintable(cp)) {
            buf_addf(b, "\\u%04X", (unsigned)cp);
        } else {
            buf_adds(b, cp == '"' || cp == '\\' ? "\\" : "");
            buf_add(b, s, len);
        }
        s += len;
        left -= len;
    }
    buf_adds(b, "\"");
}

int yaml_list_files(const char *dir, char ***ret_paths, size_t *ret_n, struct err *err)
{
    char **paths;
    size_t n;
    if (fs_list(dir, "", ".yml", &paths, &n, err) != 0) {
        return -1;
    }
    int ok = n == 0 ? fs_list(dir, "", ".yaml", ret_paths, ret_n, err)
                    : err_set(err, ERR_FORMAT, "%s: its name must end in .yaml", paths[0]);
    fs_free_paths(paths, n);
    return ok;
}
