/*
 * preset.h - what is known of a LALM: how to fetch it, serve it and ask it
 * (data/models/<name>.yaml; the format is in docs/formats.md).
 */
#ifndef AOR_MODEL_PRESET_H
#define AOR_MODEL_PRESET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/fs.h"

#define PRESET_MAX_NAME 63
#define PRESET_MAX_FILE ((size_t)64 << 10)
#define PRESET_MAX_BODY ((size_t)16 << 10) /* bytes of preset_api.body */

/* What speaks at the other end. */
enum preset_protocol {
    PRESET_OPENAI, /* POST <url>/chat/completions */
    PRESET_GEMINI, /* POST <url>/models/<model>:generateContent */
};
extern const char *const preset_protocol_names[]; /* openai, gemini; ended by NULL */

/* How the sound stands in a request to an openai server; gemini has inline_data alone. */
enum preset_audio {
    PRESET_INPUT_AUDIO, /* {"type":"input_audio","input_audio":{"data":"<base64>","format":...}} */
    PRESET_AUDIO_URL,   /* {"type":"audio_url","audio_url":{"url":"data:audio/wav;base64,..."}} */
    PRESET_INPUT_AUDIO_URI, /* input_audio whose data is "data:;base64,..." (DashScope) */
};
extern const char *const preset_audio_names[]; /* input_audio, audio_url, input_audio_uri */

enum preset_format { PRESET_WAV, PRESET_MP3 };
extern const char *const preset_format_names[]; /* wav, mp3 */

/* US dollars for a million tokens; all 0: not known. */
struct preset_price {
    double input, audio, output; /* of the prompt's words, of its sound, of the answer */
    char *as_of;                 /* YYYY-MM-DD; NULL where not known */
};

/* How a served model is asked. */
struct preset_api {
    enum preset_protocol protocol;
    char *url;          /* base, without a slash at its end: "https://api.openai.com/v1" */
    char *model;        /* the model's name there */
    char *key_variable; /* name of the environment variable that holds the key; NULL: none */
    bool needs_key;     /* it does not answer without one */
    enum preset_audio audio;
    enum preset_format format;
    bool is_streamed;
    bool takes_temperature;     /* false: no sampling parameter is sent */
    const char *max_tokens_key; /* "max_tokens" or "max_completion_tokens"; static */
    bool has_system;            /* false: the system text stands at the head of the user's turn */
    char *body;                 /* a JSON object whose members go into each request; "{}" */
    struct preset_price price;
};

/* Where the GGUF files are, on a hub that answers as Hugging Face's does. */
struct preset_gguf {
    char *repository;    /* owner/name; NULL: there are none */
    char *revision;      /* "main" */
    char *text, *mmproj; /* paths of files in it */
};

struct preset {
    char *name; /* the file's: an id that may also hold dots */
    char *title, *family, *developer, *parameters, *licence, *reference;
    char *weights;   /* owner/name of the original weights on the hub; NULL: closed */
    char *tested;    /* "never", or YYYY-MM-DD */
    char *llama_cpp; /* whether llama.cpp v0.5.0 loads it, in a few words: "yes", "no: ..." */
    char *serve;     /* the command that serves it; NULL: a hosted service, or none */
    char *notes;     /* quirks; "" */
    bool has_gguf, has_api;
    struct preset_gguf gguf;
    struct preset_api api;
};

/* Errors name file:line:column. *ret owns everything: preset_release(). */
int preset_load(const char *path, struct preset *ret, struct err *err);

/* The same for n bytes of YAML; name stands in errors and, without folder and ".yaml", is the
 * preset's. */
int preset_parse(const char *yaml, size_t n, const char *name, struct preset *ret, struct err *err);
void preset_release(struct preset *p);

/* What an openai server is asked with where no preset says otherwise; without url and model. Its
 * body is the caller's. */
struct preset_api preset_default_api(void);

#endif
