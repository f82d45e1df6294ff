#include "model/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/mem.h"
#include "base/retry.h"
#include "base/text.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

void wire_reply_release(struct wire_reply *r)
{
    free(r->text);
    free(r->reason);
    free(r->model);
    free(r->fingerprint);
    *r = (struct wire_reply){0};
}

void wire_set(struct wire_reply *ret, enum wire_outcome outcome, const char *text)
{
    char *copy = xstrdup(text);
    free(ret->text);
    ret->text = copy;
    ret->outcome = outcome;
}

const char *wire_str(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

long wire_int(const json_t *object, const char *key)
{
    double v = json_number_value(json_object_get(object, key));
    return v >= 0 && v <= 2147483647.0 ? (long)v : 0;
}

char *wire_text(const json_t *string)
{
    return text_to_utf8(json_is_string(string) ? json_string_value(string) : "",
                        json_string_length(string));
}

char *wire_url(const struct preset_api *api, const char *url)
{
    return api->protocol == PRESET_GEMINI
               ? xasprintf("%s/models/%s:generateContent", url, api->model)
               : xasprintf("%s/chat/completions", url);
}

char *wire_body(const struct preset_api *api, const struct model_question *q, const char *marker)
{
    json_t *o = api->protocol == PRESET_GEMINI ? gemini_request(api, q, marker)
                                               : openai_request(api, q, marker);
    json_t *more = json_loads(api->body, 0, NULL); /* the preset's reader checked it */
    json_object_update_recursive(o, more);
    char *body = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(more);
    json_decref(o);
    return body;
}

/* {"error": {...}}, [{"error": {...}}] (Gemini), {"object": "error", ...} (vLLM), or the object. */
static const json_t *error_of(const json_t *answer)
{
    const json_t *o = json_is_array(answer) ? json_array_get(answer, 0) : answer;
    const json_t *e = json_object_get(o, "error");
    return json_is_object(e) ? e : o;
}

/* What the error calls itself: one of these members says it by one of these names. */
static bool is_named(const json_t *error, const char *const *names)
{
    static const char *const members[] = {"code", "type", "status"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *value = wire_str(error, members[i]);
        for (size_t k = 0; value && names[k]; k++) {
            if (strcmp(value, names[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A member of an error's details (google.rpc) of this type and name; NULL: there is none. */
static const json_t *detail_of(const json_t *error, const char *type, const char *member)
{
    size_t i;
    json_t *detail;
    json_array_foreach(json_object_get(error, "details"), i, detail)
    {
        const char *is = wire_str(detail, "@type");
        if (is && strstr(is, type)) {
            return json_object_get(detail, member);
        }
    }
    return NULL;
}

/* A quota for a day: today it will not come back. */
static bool is_daily(const json_t *error)
{
    size_t i;
    json_t *violation;
    json_array_foreach(detail_of(error, "QuotaFailure", "violations"), i, violation)
    {
        const char *id = wire_str(violation, "quotaId");
        if (id && strstr(id, "PerDay")) {
            return true;
        }
    }
    return false;
}

static enum wire_outcome outcome_of(int status, const json_t *error)
{
    static const char *const blocks[] = {"content_filter",
                                         "content_policy_violation",
                                         "data_inspection_failed",
                                         "DataInspectionFailed",
                                         "invalid_prompt", /* OpenAI: flagged, policy */
                                         NULL};
    static const char *const stops[] = {"insufficient_quota",
                                        "billing_hard_limit_reached",
                                        "billing_not_active",
                                        "Arrearage",
                                        "invalid_api_key",
                                        "model_not_found",
                                        "FAILED_PRECONDITION", /* Gemini: billing, country */
                                        NULL};
    const char *reason = json_string_value(detail_of(error, "ErrorInfo", "reason"));
    if (is_named(error, blocks)) {
        return WIRE_BLOCK;
    }
    if (is_named(error, stops) || is_daily(error) ||
        (reason && strcmp(reason, "API_KEY_INVALID") == 0)) {
        return WIRE_STOP;
    }
    switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 405:
        return WIRE_STOP;
    case 429:
        return WIRE_LIMIT;
    case 408:
    case 409:
    case 425:
        return WIRE_FAULT;
    default:
        return status >= 300 && status < 400   ? WIRE_STOP
               : status >= 400 && status < 500 ? WIRE_BAD
                                               : WIRE_FAULT;
    }
}

void wire_error(int status, const json_t *answer, const char *body, size_t n, const char *secret,
                struct wire_reply *ret)
{
    const json_t *error = error_of(answer);
    char *words = http_words(body, n, secret);
    char *text = xasprintf("%d%s%s", status, words[0] ? ": " : "", words);
    wire_set(ret, outcome_of(status, error), text);
    const char *delay = json_string_value(detail_of(error, "RetryInfo", "retryDelay"));
    ret->wait_s = delay ? retry_duration_s(delay) : -1;
    if (ret->outcome == WIRE_BLOCK) { /* what the provider says is no word of the model's */
        ret->reason = ret->text;
        ret->text = xstrdup("");
    }
    free(text);
    free(words);
}

int wire_hidden_status(const json_t *answer)
{
    const json_t *o = json_is_array(answer) ? json_array_get(answer, 0) : answer;
    const json_t *e = json_object_get(o, "error");
    const char *kind = wire_str(o, "object");
    bool is_error = (e && !json_is_null(e)) || (kind && strcmp(kind, "error") == 0);
    long code = wire_int(error_of(answer), "code");
    return !is_error ? 0 : code >= 400 && code < 600 ? (int)code : 500;
}

/* Whoever wrote it: the texts that are no answer of the model's go to logs and databases. */
static void hide(char **text, const char *secret)
{
    char *clean = *text ? http_without(*text, secret) : NULL;
    free(*text);
    *text = clean;
}

void wire_parse(const struct preset_api *api, int status, const char *body, size_t n,
                const char *secret, struct wire_reply *ret)
{
    *ret = (struct wire_reply){.wait_s = -1};
    char *text = text_to_utf8(n > 0 ? body : "", n);
    const char *start = text + (strncmp(text, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0);
    json_t *answer = json_loads(start, JSON_ALLOW_NUL, NULL);
    bool is_stream = status == 200 && api->is_streamed && !answer;
    int hidden = status == 200 ? wire_hidden_status(answer) : 0;
    if (is_stream) {
        openai_stream(start, strlen(start), secret, ret);
    } else if (status != 200 || hidden != 0) {
        wire_error(hidden ? hidden : status, answer, body, n, secret, ret);
    } else if (!json_is_object(answer)) {
        wire_set(ret, WIRE_FAULT, "the answer is no JSON object");
    } else if (api->protocol == PRESET_GEMINI) {
        gemini_answer(answer, ret);
    } else {
        openai_answer(answer, ret);
    }
    if (ret->outcome != WIRE_ANSWER && ret->outcome != WIRE_BLOCK) {
        hide(&ret->text, secret);
    }
    hide(&ret->reason, secret);
    hide(&ret->model, secret);
    hide(&ret->fingerprint, secret);
    json_decref(answer);
    free(text);
}
