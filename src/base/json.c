#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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

json_t *json_text(const char *s)
{
    char *clean = text_to_utf8(s, strlen(s));
    json_t *value = json_string(clean);
    free(clean);
    return value;
}

json_t *json_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}
