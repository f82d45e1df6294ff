#include "base/records.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

struct records {
    char *name;
    char *where;
    bool is_csv;
    struct csv_table csv;
    json_t *rows; /* an array of objects whose values are strings */
    int *lines;   /* of JSON Lines; NULL for an array */
};

/* Values that are no strings become strings or go. */
static int make_texts(json_t *row, const char *where, struct err *err)
{
    if (!json_is_object(row)) {
        return err_set(err, ERR_FORMAT, "%s: no JSON object", where);
    }
    void *next;
    const char *key;
    json_t *value;
    json_object_foreach_safe(row, next, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(row, key);
        } else if (!json_is_string(value)) {
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            json_object_set_new(row, key, json_text(text ? text : ""));
            free(text);
        }
    }
    return 0;
}

static int parse_array(struct records *r, const char *text, size_t n, struct err *err)
{
    if (json_parse(text, n, r->name, &r->rows, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(r->rows); i++) {
        if (make_texts(json_array_get(r->rows, i), records_where(r, i), err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int parse_lines(struct records *r, const char *text, size_t n, struct err *err)
{
    size_t cap = 0;
    int line = 0;
    r->rows = json_array();
    for (size_t at = 0; at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t to = end ? (size_t)(end - text) : n;
        line++;
        size_t blanks = 0;
        while (at + blanks < to && strchr(" \t\r", text[at + blanks])) {
            blanks++;
        }
        if (at + blanks < to) {
            size_t row = json_array_size(r->rows);
            if (row == cap) {
                cap = cap > 0 ? 2 * cap : 64;
                r->lines = xrealloc(r->lines, cap * sizeof *r->lines);
            }
            r->lines[row] = line;
            json_t *object;
            const char *where = records_where(r, row);
            if (json_parse(text + at, to - at, where, &object, err) != 0) {
                return -1;
            }
            json_array_append_new(r->rows, object);
            if (make_texts(object, where, err) != 0) {
                return -1;
            }
        }
        at = to + 1;
    }
    return 0;
}

int records_parse(const char *text, size_t n, const char *name, struct records **ret,
                  struct err *err)
{
    struct records *r = xcalloc(1, sizeof *r);
    r->name = xstrdup(name);
    size_t mark = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    size_t start = mark;
    while (start < n && strchr(" \t\r\n", text[start])) {
        start++;
    }
    char first = start < n ? text[start] : '\0';
    int ok;
    if (first == '[') {
        ok = parse_array(r, text + start, n - start, err);
    } else if (first == '{') {
        ok = parse_lines(r, text + mark, n - mark, err);
    } else {
        r->is_csv = true;
        ok = csv_table_parse(text, n, name, &r->csv, err);
    }
    if (ok != 0) {
        records_free(r);
        return -1;
    }
    *ret = r;
    return 0;
}

int records_load(const char *path, size_t max_size, struct records **ret, struct err *err)
{
    struct buf text = {0};
    int ok = fs_read(path, max_size, &text, err);
    if (ok == 0) {
        ok = records_parse(text.data, text.len, path, ret, err);
    }
    buf_release(&text);
    return ok;
}

void records_free(struct records *r)
{
    if (r) {
        csv_table_release(&r->csv);
        json_decref(r->rows);
        free(r->lines);
        free(r->where);
        free(r->name);
        free(r);
    }
}

size_t records_count(const struct records *r)
{
    return r->is_csv ? r->csv.n_rows : json_array_size(r->rows);
}

const char *records_get(const struct records *r, size_t row, const char *name)
{
    if (!r->is_csv) {
        return json_string_value(json_object_get(json_array_get(r->rows, row), name));
    }
    size_t column;
    struct err ignored;
    return csv_table_column(&r->csv, name, &column, &ignored) == 0
               ? csv_table_cell(&r->csv, row, column)
               : NULL;
}

const char *records_where(struct records *r, size_t row)
{
    free(r->where);
    r->where = r->is_csv  ? xasprintf("%s:%d", r->name, csv_table_line(&r->csv, row))
               : r->lines ? xasprintf("%s:%d", r->name, r->lines[row])
                          : xasprintf("%s: record %zu", r->name, row + 1);
    return r->where;
}
