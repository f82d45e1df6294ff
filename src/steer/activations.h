/*
 * activations.h - residual streams of trials at stated positions, in a safetensors file.
 *
 *     trial        I64 [n]            the run file's trial.id; -1: not there yet
 *     <position>   F32 [n, layers, width]   NaN where a layer was not computed at it
 *
 * Rows are written as they come, so that memory does not grow with the number of trials, and an
 * interrupted capture goes on.
 */
#ifndef AOR_STEER_ACTIVATIONS_H
#define AOR_STEER_ACTIVATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/local.h"

enum activation_position {
    ACTIVATION_INSTRUCTION, /* the instruction's last token; of an empty one, or one before the
                               audio, the audio's last */
    ACTIVATION_TEMPLATE,    /* the prompt's last token: its logits choose the answer's first */
    ACTIVATION_AUDIO,       /* mean over the audio's tokens */
    ACTIVATION_PROMPT,      /* mean over all tokens of the prompt, audio too */
    ACTIVATION_ANSWER,      /* mean over the answer's first ACTIVATION_ANSWER_TOKENS */
    N_ACTIVATION_POSITIONS
};
extern const char *const activation_position_names[]; /* ends with NULL */

#define ACTIVATION_ANSWER_TOKENS 8

/* Collects those of one question at a time. */
struct activation_reader {
    int n_layers, n_embd;
    double *sums;   /* [positions * layers * width]; owned */
    size_t *counts; /* [positions * layers]; owned */
};

struct activation_reader activation_reader_new(int n_layers, int n_embd);
void activation_reader_free(struct activation_reader *r);
void activation_reader_begin(struct activation_reader *r);

/* A local_residual_fn that changes nothing; user is the reader. */
bool activation_read(const struct local_residual *r, void *user);

/* What was read since begin: [layers * width] of a position, NaN where nothing was. */
void activation_reader_get(const struct activation_reader *r, enum activation_position position,
                           float *ret);

struct activations; /* an open file */

/* model_sha256 is stored, and must be that of a file which is there. n: trials. */
int activations_create(const char *path, size_t n, int n_layers, int n_embd,
                       const char *model_sha256, struct activations **ret, struct err *err);
int activations_open(const char *path, struct activations **ret, struct err *err);
int activations_close(struct activations *a, struct err *err); /* NULL is fine; synced */

size_t activations_count(const struct activations *a);
int activations_n_layers(const struct activations *a);
int activations_n_embd(const struct activations *a);
const char *activations_model(const struct activations *a); /* SHA-256; borrowed */

/* The trial of row i; -1: not there. */
int activations_trial(const struct activations *a, size_t i, int64_t *ret, struct err *err);

/* Put what the reader has into row i; the trial's number last. */
int activations_put(struct activations *a, size_t i, int64_t trial,
                    const struct activation_reader *r, struct err *err);

/* The width of row i at a position and layer. */
int activations_get(const struct activations *a, size_t i, enum activation_position position,
                    int layer, float *ret, struct err *err);

#endif
