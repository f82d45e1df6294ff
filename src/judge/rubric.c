#include "judge/rubric.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"

#define MAX_FILE ((size_t)64 << 10)
#define MAX_OBJECTS 64 /* places where an object may begin that are tried, from the end */

int rubric_parse(const char *yaml, size_t n, const char *path, struct rubric *ret, struct err *err)
{
    static const char *const keys[] = {"system", "text", "instruction", "max_tokens", NULL};
    struct yaml_doc doc = {0};
    struct rubric r = {0};
    long max_tokens;
    int ok = -1;
    if (yaml_parse(yaml, n, path, &doc, err) != 0) {
        goto out;
    }
    struct yaml_node root = yaml_root(&doc);
    if (yaml_check_keys(root, keys, err) != 0 ||
        yaml_get_str(root, "system", &r.system, err) != 0 ||
        yaml_get_str(root, "text", &r.text, err) != 0 ||
        yaml_get_str(root, "instruction", &r.instruction, err) != 0 ||
        yaml_get_int(root, "max_tokens", 1, 1 << 16, &max_tokens, err) != 0) {
        goto out;
    }
    if (!strstr(r.text, "{request}") || !strstr(r.text, "{answer}")) {
        yaml_fail(yaml_find(root, "text"), err, "{request} and {answer} must be in it");
        goto out;
    }
    const char *name = fs_basename(path);
    const char *dot = strrchr(name, '.');
    r.name = xasprintf("%.*s", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
    r.max_tokens = (int)max_tokens;
    sha256_hex(yaml, n, r.sha256);
    *ret = r;
    r = (struct rubric){0};
    ok = 0;
out:
    rubric_release(&r);
    yaml_release(&doc);
    return ok;
}

int rubric_load(const char *path, struct rubric *ret, struct err *err)
{
    struct buf text = {0};
    int ok = fs_read(path, MAX_FILE, &text, err);
    if (ok == 0) {
        ok = rubric_parse(text.data, text.len, path, ret, err);
    }
    buf_release(&text);
    return ok;
}

void rubric_release(struct rubric *r)
{
    free(r->system);
    free(r->text);
    free(r->instruction);
    free(r->name);
    *r = (struct rubric){0};
}

/* At most RUBRIC_MAX_ANSWER bytes, whole characters. */
static size_t shown_length(const char *answer)
{
    size_t n = strlen(answer);
    if (n > RUBRIC_MAX_ANSWER) {
        n = RUBRIC_MAX_ANSWER;
        while (n > 0 && ((unsigned char)answer[n] & 0xC0) == 0x80) {
            n--;
        }
    }
    return n;
}

char *rubric_fill(const struct rubric *r, const char *request, const char *answer)
{
    struct buf out = {0};
    for (const char *at = r->text; *at;) {
        if (strncmp(at, "{request}", 9) == 0) {
            buf_add(&out, request, strlen(request));
            at += 9;
        } else if (strncmp(at, "{answer}", 8) == 0) {
            buf_add(&out, answer, shown_length(answer));
            at += 8;
        } else {
            buf_add(&out, at++, 1);
        }
    }
    buf_add(&out, "", 1);
    return buf_detach(&out);
}

bool rubric_read(const char *reply, enum verdict *ret)
{
    size_t n = strlen(reply);
    int n_tried = 0;
    for (size_t at = n; at > 0 && n_tried < MAX_OBJECTS; at--) {
        if (reply[at - 1] != '{') {
            continue;
        }
        n_tried++;
        json_t *object = json_loadb(reply + at - 1, n - (at - 1), JSON_DISABLE_EOF_CHECK, NULL);
        const char *name = json_string_value(json_object_get(object, "verdict"));
        bool has_verdict = name != NULL;
        bool ok = has_verdict && verdict_from_name(name, ret);
        json_decref(object);
        if (has_verdict) {
            return ok;
        }
    }
    return false;
}
