#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/json.h"
#include "speech/engine.h"

#define KEY_VARIABLE "AOR_SPEECH_KEY"
#define MAX_REPLY ((size_t)32 << 20)
#define MAX_SPEECH_S 60.0
#define MAX_TRIES 6
#define TRY_MS 60000
#define TOTAL_MS 120000

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

static int refuse(const char *url, const struct http_reply *reply, const char *key, struct err *err)
{
    char *message = http_words(reply->body.data, reply->body.len, key);
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
    if (http_key(KEY_VARIABLE, &key, err) != 0) {
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
