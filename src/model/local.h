/*
 * local.h - GGUF models in this process, through libllama and libmtmd (llama.cpp v0.5.0).
 *
 * Questions about one audio are a group: it is encoded once, and what their prompts share (the head
 * before the audio, the audio) is evaluated once and copied. A finished question makes room for the
 * next:
 *
 *     while (there is work)
 *         while (it has room) submit(next group)
 *         step(take_answer)
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

#include "model/model.h"
#include "model/steering.h"

/*
 * Threads wait for each other at every tensor of a graph; in a smaller model that costs more than
 * it gives, and much more when the machine has other work. Such a model is better run in several
 * processes of one thread.
 */
#define LOCAL_SMALL_MODEL 100000000

#define LOCAL_MAX_PARALLEL 128
#define LOCAL_CACHE_BYTES 6e9 /* of keys and values that a choice of n_parallel may take */
#define LOCAL_CHECK_EVERY 53  /* prime to the sizes of groups: each place in them has its turn */

struct local_params {
    const char *text_path;      /* GGUF of the language model */
    const char *mmproj_path;    /* GGUF of the audio encoder; NULL: text only */
    const char *chat_template;  /* text of a Jinja template that replaces the model's; NULL */
    const char *direction_path; /* GGUF control vector for steered questions; NULL */
    double strength;            /* factor of the direction; NAN: the file's own, or 1 */
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

/* A regular file that begins as a GGUF file does: worth hashing and loading. */
int local_check_file(const char *path, struct err *err);

/*
 * Load the files. *err holds the library's own reason. A prompt that does not fit the context fails
 * with an error that begins with "context". *ret is freed by its class.
 */
int local_open(const struct local_params *params, struct model **ret, struct err *err);

/*
 * The residual stream after a layer (0..n_layers-1), as each decoding step computes it, row by row;
 * under llama.cpp's control vectors with them, under other steerings before them.
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
        bool is_choosing;      /* its logits choose the next token of the answer */
        bool ends_instruction; /* the instruction's last token; never so where it is empty or
                                  stands before the audio */
        int steering;          /* the question's; 0: none, or llama.cpp does it */
    } * rows;                  /* [n_rows] */
};

/* Called for each layer; true: data was changed and is written back. NULL: no calls. Not to be set
 * while a question is pending; what earlier questions shared is evaluated again. */
typedef bool (*local_residual_fn)(const struct local_residual *r, void *user);
void local_on_residual(struct model *m, local_residual_fn fn, void *user);

/* Layers of the language model, and the width of its residual stream. */
void local_shape(const struct model *m, int *ret_n_layers, int *ret_n_embd);

/*
 * Questions that say steering n are under list[n - 1] from now on, of the model's own shape; it is
 * copied. Not while a question is pending. Questions of one group may be under different ones.
 */
int local_set_steerings(struct model *m, const struct steering *list, size_t n, struct err *err);

/*
 * Encode audio once for every group that is submitted with this very struct audio from now on,
 * until another is held; NULL: none is. It must live as long. Not while a question is pending.
 */
int local_hold_audio(struct model *m, const struct audio *audio, struct err *err);

/* llama.cpp's version ("0.5.0") and the CPU features it was built for; borrowed. */
const char *local_library_version(void);
const char *local_cpu_features(void);

/* Called with the message of ggml, or of a C++ exception that nobody caught, just before that ends
 * the process. */
void local_on_abort(void (*callback)(const char *message));

#endif
