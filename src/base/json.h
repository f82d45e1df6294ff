/*
 * json.h - the room of jansson: everybody else includes this.
 * Adds reading with errors that name the place.
 */
#ifndef AOR_BASE_JSON_H
#define AOR_BASE_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

/* Parse n bytes; where names the source in errors. *ret is the caller's: json_decref(). */
int json_parse(const char *text, size_t n, const char *where, json_t **ret, struct err *err);

/*
 * Typed members of obj. The getters fail when the member is missing or of another type;
 * *ret of json_get_str is borrowed from obj.
 */
int json_get_str(const json_t *obj, const char *key, const char **ret, struct err *err);
int json_get_num(const json_t *obj, const char *key, double *ret, struct err *err);

/* A JSON string of any bytes: what is no UTF-8 becomes U+FFFD. A new reference. */
json_t *json_text(const char *s);

/* A JSON number, or null for what JSON has no number for. A new reference. */
json_t *json_number(double v);

#endif
