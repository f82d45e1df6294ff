/*
 * remote.h - models behind servers: OpenAI chat completions (OpenAI, vLLM, SGLang, llama-server,
 * DashScope) and Gemini, many requests in flight in one thread (libcurl's multi interface).
 *
 * Requests in flight per endpoint follow additive increase, multiplicative decrease (Chiu and Jain,
 * 1989): a 429 halves their limit, at most once for the requests that were in flight together, and
 * each answer adds 1 / limit. Other failures do not touch it. What failed waits, without a place
 * among those in flight, for as long as its server asked, or else for a random time up to 0.5 s,
 * 1 s, 2 s, ... 60 s (exponential backoff with full jitter); the rest goes on meanwhile.
 *
 * A sound is kept while questions about it are pending, once for all of them; bodies are made from
 * it as they are sent.
 */
#ifndef AOR_MODEL_REMOTE_H
#define AOR_MODEL_REMOTE_H

#include "model/model.h"
#include "model/preset.h"

#define REMOTE_MAX_PARALLEL 4096
#define REMOTE_MAX_URLS 64
#define REMOTE_MAX_TRIES 6      /* of a question, without 429; then it fails */
#define REMOTE_MAX_LIMITS 50    /* 429 for one question; then it fails */
#define REMOTE_PATIENCE_S 900.0 /* without any answer while servers say 429: then it stops */

struct remote_params {
    const struct preset_api *api; /* borrowed, as is what follows; its url is the default's */
    char *const *urls;            /* [n_urls] endpoints that serve the model alike */
    size_t n_urls;                /* 1..REMOTE_MAX_URLS */
    int n_parallel;               /* requests in flight at most, over all endpoints */
    double per_minute;            /* requests begun; 0: no limit */
    int64_t max_requests;         /* that this model sends; 0: no limit; negative: none is left */
    double max_cost;              /* US dollars that this model spends; likewise */
    double timeout_s;             /* of a request, from connecting to its last byte */
};

/*
 * Read the key from the environment and ask each endpoint what it is (GET <url>/models and, where
 * that names vLLM, SGLang or llama.cpp, their version). An endpoint that nobody answers at is an
 * error; one that does not say what it is, is none. Call it in a child process: libcurl is
 * initialised here. A question fails (MODEL_FAILED) when the server finds it bad, or after
 * REMOTE_MAX_TRIES or REMOTE_MAX_LIMITS. The model stops (see struct model_class) where all further
 * requests would fail: key refused, no such model, quota or budget used up, no endpoint reached.
 */
int remote_open(const struct remote_params *params, struct model **ret, struct err *err);

/* Fail (ERR_USAGE) where the key is missing that the model wants, or is none. */
int remote_check_key(const struct preset_api *api, struct err *err);

/*
 * The request for a question as text: request line, headers with the key masked, an empty line, the
 * body with the sound shortened. A key that is not there yet is no error. The caller's; NULL with
 * *err filled.
 */
char *remote_preview(const struct remote_params *params, const struct audio *audio,
                     const struct model_question *q, struct err *err);

/* libcurl's version; borrowed. */
const char *remote_library_version(void);

#endif
