/*
 * json.h - the room of jansson: everybody else includes this.
 * Adds reading with errors that name the place, and JSON lines.
 */
#ifndef AOR_BASE_JSON_H
#define AOR_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/* Parse n bytes; where names the source in errors. *ret is the caller's: json_decref(). */
int json_parse(const char *text, size_t n, const char *where, json_t **ret, struct err *err);

/*
 * Typed members of obj. The getters fail when the member is missing or of another type;
 * *ret of json_get_str is borrowed from obj.
 */
int json_get_str(const json_t *obj, const char *key, const char **ret, struct err *err);
int json_get_num(const json_t *obj, const char *key, double *ret, struct err *err);
int json_get_int(const json_t *obj, const char *key, long low, long high, long *ret,
                 struct err *err);

/* One compact line with its newline to f; keys keep their order. 0, or -1 as stdio failed. */
int json_write_line(const json_t *value, FILE *f);

/*
 * Calls fn for each line of a JSON-lines file; stops at fn's first non-zero return.
 * A line may have at most 1 MiB. Errors name path and line.
 */
typedef int (*json_line_fn)(json_t *line, void *user, struct err *err);
int json_read_lines(const char *path, json_line_fn fn, void *user, struct err *err);

#endif
