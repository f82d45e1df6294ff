#include "model/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/retry.h"
#include "model/wire.h"

int sound_encode(const struct preset_api *api, const struct audio *audio, struct sound **ret,
                 struct err *err)
{
    struct buf file = {0};
    if (audio_encode(audio, api->format == PRESET_MP3 ? AUDIO_MP3 : AUDIO_WAV, &file, err) != 0) {
        return -1;
    }
    struct sound *s = xcalloc(1, sizeof *s);
    s->base64 = base64_encode(file.data, file.len);
    s->n = strlen(s->base64);
    buf_release(&file);
    *ret = s;
    return 0;
}

void sound_release(struct sound *s)
{
    if (s && --s->n_users == 0) {
        free(s->base64);
        free(s);
    }
}

/* Stands for the sound while a body is made: no text of a prompt holds it. */
static char *make_marker(void)
{
    struct rng rng = retry_rng();
    return xasprintf("@%016" PRIx64 "%016" PRIx64 "@", rng_next(&rng), rng_next(&rng));
}

void request_make(const struct preset_api *api, const struct model_question *q,
                  const struct sound *sound, struct request *ret)
{
    char *marker = make_marker();
    struct request r = {.body = wire_body(api, q, sound ? marker : NULL),
                        .id = xasprintf("X-Client-Request-Id: aor-%.32s", q->name ? q->name : "0"),
                        .n_parts = 1};
    char *at = sound ? strstr(r.body, marker) : NULL;
    r.parts[0] = (struct http_part){r.body, at ? (size_t)(at - r.body) : strlen(r.body)};
    if (at) {
        const char *rest = at + strlen(marker);
        r.parts[1] = (struct http_part){sound->base64, sound->n};
        r.parts[2] = (struct http_part){rest, strlen(rest)};
        r.n_parts = 3;
    }
    free(marker);
    *ret = r;
}

void request_release(struct request *r)
{
    free(r->body);
    free(r->id);
    *r = (struct request){0};
}

int request_key(const struct preset_api *api, const char **ret, struct err *err)
{
    *ret = NULL;
    if (api->key_variable && http_key(api->key_variable, ret, err) != 0) {
        return -1;
    }
    return *ret || !api->needs_key
               ? 0
               : err_set(err, ERR_USAGE, "put the key into the environment variable %s",
                         api->key_variable);
}

char *request_authorization(const struct preset_api *api, const char *key)
{
    return !key                             ? NULL
           : api->protocol == PRESET_GEMINI ? xasprintf("x-goog-api-key: %s", key)
                                            : xasprintf("Authorization: Bearer %s", key);
}
