#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAX_LINE (1 << 20)

int json_parse(const char *text, size_t n, const char *where, json_t **ret, struct err *err)
{
    json_error_t je;
    json_t *value = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!value) {
        return err_set(err, ERR_FORMAT, "%s:%d:%d: %s", where, je.line, je.column, je.text);
    }
    *ret = value;
    return 0;
}

int json_get_str(const json_t *obj, const char *key, const char **ret, struct err *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!json_is_string(v)) {
        return err_set(err, ERR_FORMAT, "\"%s\": %s", key, v ? "is no string" : "is missing");
    }
    *ret = json_string_value(v);
    return 0;
}

int json_get_num(const json_t *obj, const char *key, double *ret, struct err *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!json_is_number(v)) {
        return err_set(err, ERR_FORMAT, "\"%s\": %s", key, v ? "is no number" : "is missing");
    }
    *ret = json_number_value(v);
    return 0;
}

int json_get_int(const json_t *obj, const char *key, long low, long high, long *ret,
                 struct err *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!json_is_integer(v)) {
        return err_set(err, ERR_FORMAT, "\"%s\": %s", key, v ? "is no integer" : "is missing");
    }
    json_int_t n = json_integer_value(v);
    if (n < low || n > high) {
        return err_set(err, ERR_FORMAT, "\"%s\": %lld is not within %ld..%ld", key, (long long)n,
                       low, high);
    }
    *ret = (long)n;
    return 0;
}

int json_write_line(const json_t *value, FILE *f)
{
    if (json_dumpf(value, f, JSON_COMPACT) != 0 || fputc('\n', f) == EOF) {
        return -1;
    }
    return 0;
}

int json_read_lines(const char *path, json_line_fn fn, void *user, struct err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        return err_errno(err, "%s", path);
    }
    int ok = -1;
    char *line = NULL;
    size_t cap = 0;
    long n_line = 0;
    for (ssize_t n; (n = getline(&line, &cap, f)) > 0;) {
        n_line++;
        if (n > MAX_LINE) {
            err_set(err, ERR_FORMAT, "%s:%ld: longer than 1 MiB", path, n_line);
            goto out;
        }
        json_t *value;
        json_error_t je;
        if (!(value = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, &je))) {
            err_set(err, ERR_FORMAT, "%s:%ld:%d: %s", path, n_line, je.column, je.text);
            goto out;
        }
        int status = json_is_object(value) ? fn(value, user, err)
                                           : err_set(err, ERR_FORMAT, "is no JSON object");
        json_decref(value);
        if (status != 0) {
            err_wrap(err, "%s:%ld", path, n_line);
            goto out;
        }
    }
    if (ferror(f)) {
        err_errno(err, "%s", path);
        goto out;
    }
    ok = 0;
out:
    free(line);
    fclose(f);
    return ok;
}
