/*
 * local.h - GGUF models in this process, through libllama and libmtmd (llama.cpp v0.5.0).
 *
 * ggml ends the process on some bad files and out of memory: open and ask models in a child process
 * (run/worker.h).
 */
#ifndef AOR_MODEL_LOCAL_H
#define AOR_MODEL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

#include "audio/audio.h"
#include "base/err.h"

/*
 * Threads wait for each other at every tensor of a graph; in a smaller model that costs more than
 * it gives, and much more when the machine has other work.
 */
#define LOCAL_SMALL_MODEL 100000000

struct local_params {
    const char *text_path;     /* GGUF of the language model */
    const char *mmproj_path;   /* GGUF of the audio encoder; NULL: text only */
    const char *chat_template; /* text of a Jinja template that replaces the model's; NULL */
    int n_threads;             /* 0: one below LOCAL_SMALL_MODEL parameters, else all processors */
    int n_ctx;                 /* tokens; at most the model's own */
    int n_gpu_layers;          /* -1: all that fit */
};

struct local_params local_default_params(void);

struct local_model; /* opaque */

/* One user turn. */
struct local_prompt {
    const char *system;        /* NULL: none */
    const char *instruction;   /* "" or NULL: the audio alone */
    const struct audio *audio; /* at local_sample_rate(); NULL: text only */
    bool audio_last;           /* the instruction stands before the audio */
};

/*
 * Fail where the chat template does not take this system text and instruction, so that a run fails
 * once and not at every trial.
 */
int local_check_prompt(const struct local_model *m, const struct local_prompt *prompt,
                       struct err *err);

enum local_finish {
    LOCAL_FINISH_STOP,    /* the model ended its answer */
    LOCAL_FINISH_LENGTH,  /* max_tokens reached: truncated */
    LOCAL_FINISH_CONTEXT, /* the context was full: truncated */
};

struct local_answer {
    char *text; /* well-formed UTF-8, special tokens not shown; owned */
    enum local_finish finish;
    int n_prompt_tokens; /* positions, audio included */
    int n_answer_tokens;
    double prefill_s;
    double decode_s;
};

/* A regular file that begins as a GGUF file does: worth hashing and loading. */
int local_check_file(const char *path, struct err *err);

/* Load both files. *err holds the library's own reason. */
int local_open(const struct local_params *params, struct local_model **ret, struct err *err);
void local_free(struct local_model *m);

/* What the model says of itself: "llama 1M F16"; borrowed. */
const char *local_description(const struct local_model *m);

/* Hz that local_prompt.audio must have; 0 for a model without audio. */
int local_sample_rate(const struct local_model *m);

/*
 * Greedy answer of at most max_tokens tokens. A prompt that does not fit the context is an error
 * with "context" in its message.
 */
int local_answer(struct local_model *m, const struct local_prompt *prompt, int max_tokens,
                 struct local_answer *ret, struct err *err);
void local_answer_release(struct local_answer *a);

/* llama.cpp's version ("0.5.0") and the CPU features it was built for; borrowed. */
const char *local_library_version(void);
const char *local_cpu_features(void);

/* Called with ggml's message just before it ends the process. NULL: none. */
void local_on_abort(void (*callback)(const char *message));

#endif
