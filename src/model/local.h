/*
 * local.h - GGUF models in this process, through libllama and libmtmd (llama.cpp v0.5.0).
 *
 * Questions about one audio are a group: it is encoded once, and what their prompts share (the head
 * before the audio, the audio) is evaluated once and copied. A finished question makes room for the
 * next:
 *
 *     while (there is work)
 *         while (local_has_room(m)) local_submit(m, next group)
 *         local_step(m, take_answer, user)
 *
 * Exact: each question has a stream of its own in the KV cache and each of its tokens a step of its
 * own, so that nothing depends on what runs beside it. Greedy answers are, computation for
 * computation, those of llama-mtmd-cli and llama-server with -fa off: flash attention is off here
 * where there is no GPU, as it is slower at these lengths. Fast: all questions' next tokens are one
 * step, in one cache that shares prefixes without a copy. Kernels round otherwise with more rows,
 * and f16 activations and caches make some 1e-3 of a logit of it, which decides where two tokens
 * are nearly equal; so one in LOCAL_CHECK_EVERY questions is answered a second time, alone, and the
 * difference reported.
 *
 * ggml ends the process on some bad files and out of memory: open and ask models in a child process
 * (run/worker.h).
 */
#ifndef AOR_MODEL_LOCAL_H
#define AOR_MODEL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/audio.h"
#include "base/err.h"

/*
 * Threads wait for each other at every tensor of a graph; in a smaller model that costs more than
 * it gives, and much more when the machine has other work. Such a model is better run in several
 * processes of one thread.
 */
#define LOCAL_SMALL_MODEL 100000000

#define LOCAL_MAX_PARALLEL 128
#define LOCAL_CACHE_BYTES 6e9 /* of keys and values that a choice of n_parallel may take */
#define LOCAL_CHECK_EVERY 50

struct local_params {
    const char *text_path;      /* GGUF of the language model */
    const char *mmproj_path;    /* GGUF of the audio encoder; NULL: text only */
    const char *chat_template;  /* text of a Jinja template that replaces the model's; NULL */
    const char *direction_path; /* GGUF control vector for steered questions; NULL */
    double strength;            /* factor of the direction */
    int n_threads;              /* 0: one below LOCAL_SMALL_MODEL parameters, else all processors */
    int n_ctx;                  /* tokens of one trial; at most the model's own */
    int n_parallel;   /* questions at a time, 1..LOCAL_MAX_PARALLEL; 0: one in the exact mode, where
                         more gain nothing; in the fast one 4 below LOCAL_SMALL_MODEL parameters, else
                         as many as LOCAL_CACHE_BYTES hold, at most 16 */
    int n_gpu_layers; /* -1: all that fit */
    bool is_fast;     /* see above */
    bool is_plain;    /* evaluate every prompt as a whole: nothing shared but the audio's
                         encoding. Set by itself where a model's memory cannot be copied */
};

struct local_params local_default_params(void);

struct local_model; /* opaque */

/* How one user turn is asked; text is borrowed until the call returns. */
struct local_question {
    int64_t id;              /* comes back with the answer */
    const char *system;      /* NULL: none */
    const char *instruction; /* "" or NULL: none */
    const char *text;        /* stands in the audio's place in a group without one */
    bool audio_last;         /* the instruction stands before the audio */
    bool is_steered;         /* under params.direction_path */
    int max_tokens;
    double temperature; /* 0: greedy */
    uint32_t seed;      /* of the random choice */
};

enum local_finish {
    LOCAL_FINISH_STOP,    /* the model ended its answer */
    LOCAL_FINISH_LENGTH,  /* max_tokens reached: truncated */
    LOCAL_FINISH_CONTEXT, /* the context was full: truncated */
};

/* What a second, exact answer in the fast mode said. */
enum local_check { LOCAL_UNCHECKED, LOCAL_SAME, LOCAL_DIFFERS };

struct local_answer {
    const char *error; /* why there is no answer, or NULL; borrowed */
    const char *text;  /* well-formed UTF-8, special tokens not shown; borrowed */
    enum local_finish finish;
    int n_prompt_tokens; /* positions, audio included */
    int n_answer_tokens;
    double prefill_s; /* encoding and evaluating what the group shares: a share of it */
    double decode_s;  /* from its own tokens to its end, beside others */
    double margin;    /* least lead of a chosen token's logit over the next; 0 where not greedy */
    enum local_check check;
    double check_margin; /* LOCAL_DIFFERS: lead of the exact logit where they part */
};

/* A regular file that begins as a GGUF file does: worth hashing and loading. */
int local_check_file(const char *path, struct err *err);

/* Load the files. *err holds the library's own reason. */
int local_open(const struct local_params *params, struct local_model **ret, struct err *err);
void local_free(struct local_model *m);

/* What the model says of itself: "llama 1M F16"; borrowed. */
const char *local_description(const struct local_model *m);

/* Parameters of the language model; what the threads, the memory's kind came out as. */
struct local_facts {
    uint64_t n_params;
    int n_threads;
    int n_parallel;
    bool is_plain; /* this model's memory cannot be copied, or params.is_plain */
};
struct local_facts local_facts(const struct local_model *m);

/* Hz that a group's audio must have; 0 for a model without audio. */
int local_sample_rate(const struct local_model *m);

/*
 * Fail where the chat template does not take this system text and instruction, so that a run fails
 * once and not at every trial.
 */
int local_check_question(struct local_model *m, const struct local_question *q, struct err *err);

/* Room for a group: none waits, and a sequence is free. */
bool local_has_room(const struct local_model *m);

/* Questions that have no answer yet. */
size_t local_n_pending(const struct local_model *m);

/*
 * Take over a group of questions about one audio (NULL: text only). Steered and plain questions
 * must not be mixed, nor be submitted while the other kind is pending. -1: none of them was taken.
 */
int local_submit(struct local_model *m, const struct audio *audio,
                 const struct local_question *questions, size_t n, struct err *err);

/*
 * Admit what has room, decode one token of each pending question, and call done for each that
 * ended. A prompt that does not fit the context ends with an error that begins with "context". -1:
 * the model cannot go on.
 */
typedef void (*local_done_fn)(int64_t id, const struct local_answer *answer, void *user);
int local_step(struct local_model *m, local_done_fn done, void *user, struct err *err);

/*
 * The residual stream after a layer (0..n_layers-1), as each decoding step computes it, row by row.
 * Of the last layer only rows whose logits are wanted are computed.
 */
struct local_residual {
    int layer;
    size_t n_rows, n_embd;
    float *data; /* [n_rows * n_embd] */
    const struct local_row {
        int64_t id;        /* the question's; -1: of a prefix that several share */
        int32_t position;  /* in its sequence */
        bool is_generated; /* a token of the answer, not of the prompt */
        bool is_audio;
    } * rows; /* [n_rows] */
};

/* Called for each layer; true: data was changed and is written back. NULL: no calls. */
typedef bool (*local_residual_fn)(const struct local_residual *r, void *user);
void local_on_residual(struct local_model *m, local_residual_fn fn, void *user);

/* llama.cpp's version ("0.5.0") and the CPU features it was built for; borrowed. */
const char *local_library_version(void);
const char *local_cpu_features(void);

/* Called with the message of ggml, or of a C++ exception that nobody caught, just before that ends
 * the process. */
void local_on_abort(void (*callback)(const char *message));

#endif
