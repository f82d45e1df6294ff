#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/json.h"
#include "base/text.h"
#include "speech/engine.h"

#define KEY_VARIABLE "AOR_SPEECH_KEY"
#define MAX_REPLY ((size_t)32 << 20)
#define MAX_SPEECH_S 60.0
#define MAX_TRIES 6
#define TRY_MS 60000
#define TOTAL_MS 120000
#define MAX_MESSAGE 200 /* bytes of the server's words */

const char *http_speech_version(void)
{
    return "http";
}

/* The request's JSON; the caller's. */
static char *make_body(const struct tts_request *r)
{
    json_t *o = json_pack("{s:o, s:o, s:o, s:s, s:o}", "model", json_text(r->server->model),
                          "input", json_text(r->text), "voice", json_text(r->voice),
                          "response_format", "wav", "speed", json_number(r->speed));
    if (r->instructions && r->instructions[0] != '\0') {
        json_object_set_new(o, "instructions", json_text(r->instructions));
    }
    char *body = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(o);
    return body;
}

/* NULL in *ret where there is none; borrowed from the environment. */
static int get_key(const char **ret, struct err *err)
{
    const char *key = getenv(KEY_VARIABLE);
    for (const char *p = key; p && *p; p++) {
        if (!isgraph((unsigned char)*p)) {
            return err_set(err, ERR_USAGE, KEY_VARIABLE " holds what is no part of a key");
        }
    }
    *ret = key && key[0] != '\0' ? key : NULL;
    return 0;
}

/* Servers may quote the key that they do not accept. */
static char *without_key(const char *text, const char *key)
{
    struct buf out = {0};
    for (const char *found; key && (found = strstr(text, key)); text = found + strlen(key)) {
        buf_add(&out, text, (size_t)(found - text));
        buf_adds(&out, "...");
    }
    buf_adds(&out, text);
    return buf_detach(&out);
}

/* What an error says: {"error": {"message": ...}}, {"detail": ...} and their kin, or all of it. */
static const char *words_of(const json_t *o)
{
    static const char *const members[] = {"error", "detail", "message"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const json_t *v = json_object_get(o, members[i]);
        const char *words = json_is_object(v) ? words_of(v) : json_string_value(v);
        if (words) {
            return words;
        }
    }
    return NULL;
}

/* The server's words in one printable line without the key; the caller's. */
static char *message_of(const struct buf *body, const char *key)
{
    char *raw = text_to_utf8(body->data ? body->data : "", body->len);
    json_t *json = NULL;
    const char *words = json_parse(raw, strlen(raw), "", &json, NULL) == 0 ? words_of(json) : NULL;
    char *message = without_key(words ? words : raw, key);
    if (strlen(message) > MAX_MESSAGE) {
        message[MAX_MESSAGE] = '\0';
    }
    for (char *p = message; *p; p++) {
        *p = isspace((unsigned char)*p) ? ' ' : *p;
    }
    text_make_printable(message);
    json_decref(json);
    free(raw);
    return message;
}

static int refuse(const char *url, const struct http_reply *reply, const char *key, struct err *err)
{
    char *message = message_of(&reply->body, key);
    char *tries = reply->n_tries > 1 ? xasprintf(" (%d tries)", reply->n_tries) : xstrdup("");
    err_set(err, ERR_MODEL, "%s: answered %d%s%s%s%s", url, reply->status, tries,
            reply->status == 200 ? " without sound" : "", message[0] ? ": " : "", message);
    free(tries);
    free(message);
    return -1;
}

static int decode(const char *url, struct http_reply *reply, const char *key, struct audio *ret,
                  struct err *err)
{
    struct buf *body = &reply->body;
    bool is_sound = body->len > 0 && body->data[strspn(body->data, " \t\r\n")] != '{';
    if (reply->status != 200 || !is_sound) {
        return refuse(url, reply, key, err);
    }
    audio_mend_wav(body->data, body->len);
    return audio_load_memory(body->data, body->len, url, 0, MAX_SPEECH_S, ret, err);
}

int http_speak(const struct tts_request *request, struct audio *ret, struct err *err)
{
    const char *key = NULL;
    if (!request->server) {
        return err_set(err, ERR_USAGE, "no speech server is named");
    }
    if (get_key(&key, err) != 0) {
        return -1;
    }
    char *url = xasprintf("%s/audio/speech", request->server->url);
    char *authorization = key ? xasprintf("Authorization: Bearer %s", key) : NULL;
    char *body = make_body(request);
    const char *const headers[] = {"Content-Type: application/json", authorization, NULL};
    struct http_request post = {
        .url = url,
        .headers = headers,
        .body = body,
        .max_reply = MAX_REPLY,
        .max_tries = MAX_TRIES,
        .try_ms = TRY_MS,
        .total_ms = TOTAL_MS,
    };
    struct http_reply reply = {0};
    int ok = http_post(&post, &reply, err);
    if (ok == 0) {
        ok = decode(url, &reply, key, ret, err);
    }
    http_reply_release(&reply);
    free(body);
    free(authorization);
    free(url);
    return ok;
}
