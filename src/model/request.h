/*
 * request.h - one question as an HTTP request, with its key and its sound.
 */
#ifndef AOR_MODEL_REQUEST_H
#define AOR_MODEL_REQUEST_H

#include "base/http.h"
#include "model/model.h"
#include "model/preset.h"

/* Base64 of a sound file, for as long as somebody uses it. */
struct sound {
    size_t n_users;
    char *base64; /* owned */
    size_t n;
};

/* *ret has no user yet. */
int sound_encode(const struct preset_api *api, const struct audio *audio, struct sound **ret,
                 struct err *err);

/* One user less; the last one frees it. NULL is fine. */
void sound_release(struct sound *s);

/* The body is made around the sound, which is not copied; the sound must outlive it. {0} is empty.
 */
struct request {
    char *body; /* owned, without the sound */
    char *id;   /* the header X-Client-Request-Id, the same at each try; owned */
    struct http_part parts[HTTP_MAX_PARTS];
    size_t n_parts;
};

/* sound: NULL where q->text stands in its place. */
void request_make(const struct preset_api *api, const struct model_question *q,
                  const struct sound *sound, struct request *ret);
void request_release(struct request *r);

/*
 * The key that the model wants, borrowed from the environment; NULL where it goes without. Missing
 * or no key at all: ERR_USAGE.
 */
int request_key(const struct preset_api *api, const char **ret, struct err *err);

/* The header that carries the key; the caller's, NULL without one. */
char *request_authorization(const struct preset_api *api, const char *key);

#endif
