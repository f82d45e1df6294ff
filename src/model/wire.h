/*
 * wire.h - requests to served models and what their answers say, without any network: OpenAI chat
 * completions (openai.c) and Gemini generateContent (gemini.c).
 */
#ifndef AOR_MODEL_WIRE_H
#define AOR_MODEL_WIRE_H

#include "base/json.h"
#include "model/model.h"
#include "model/preset.h"

enum wire_outcome {
    WIRE_ANSWER,
    WIRE_BLOCK, /* the provider refused */
    WIRE_BAD,   /* the server will not take this request, whenever it comes */
    WIRE_FAULT, /* it may fare better later */
    WIRE_LIMIT, /* too many requests: later, and fewer */
    WIRE_STOP,  /* all further requests will fail: no key, no such model, no money */
};

/* Strings are owned: wire_reply_release(). */
struct wire_reply {
    enum wire_outcome outcome;
    char *text;   /* the model's words, well-formed UTF-8; otherwise what is wrong, in one line */
    char *reason; /* of WIRE_BLOCK, as the provider says it */
    enum model_finish finish;
    long n_prompt_tokens, n_audio_tokens,
        n_answer_tokens;       /* audio is part of the prompt; 0: unknown */
    char *model, *fingerprint; /* as the answer names them; NULL */
    double wait_s;             /* asked for in the body; negative: nothing */
};
void wire_reply_release(struct wire_reply *r);

/* Where a request goes; url: the endpoint's base. The caller's. */
char *wire_url(const struct preset_api *api, const char *url);

/*
 * The body of the request for q; where the sound's base64 belongs stands marker (NULL: there is no
 * sound, and q->text stands in its place). The caller's.
 */
char *wire_body(const struct preset_api *api, const struct model_question *q, const char *marker);

/*
 * What n bytes of an answer with this HTTP status say; secret (may be NULL) is kept out of all but
 * the model's own words.
 */
void wire_parse(const struct preset_api *api, int status, const char *body, size_t n,
                const char *secret, struct wire_reply *ret);

/* The parts of the two protocols, for wire.c alone. */
json_t *openai_request(const struct preset_api *api, const struct model_question *q,
                       const char *marker);
void openai_answer(const json_t *answer, struct wire_reply *ret);
void openai_stream(const char *body, size_t n, const char *secret, struct wire_reply *ret);
json_t *gemini_request(const struct preset_api *api, const struct model_question *q,
                       const char *marker);
void gemini_answer(const json_t *answer, struct wire_reply *ret);

/* An answer that is an error. answer may be NULL; status: of HTTP or, where the answer names one
 * with HTTP 200, of that. */
void wire_error(int status, const json_t *answer, const char *body, size_t n, const char *secret,
                struct wire_reply *ret);

/* The status that an error names which came with HTTP 200; 0: it is no error; 500: it names none.
 */
int wire_hidden_status(const json_t *answer);

/* Fill *ret with an outcome that is no answer. text: static or made for it. */
void wire_set(struct wire_reply *ret, enum wire_outcome outcome, const char *text);

/* text, long numbers and the like of a JSON object that may be missing or of another type. */
const char *wire_str(const json_t *object, const char *key); /* NULL */
long wire_int(const json_t *object, const char *key);        /* 0; within 0..2^31-1 */
char *wire_text(const json_t *string);                       /* a copy, NULs and all as UTF-8 */

#endif
