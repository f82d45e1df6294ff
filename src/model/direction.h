/*
 * direction.h - control vectors in GGUF, as llama.cpp and repeng write them: F32 tensors
 * "direction.N", one for each layer N, 1 to the model's last, that is steered. (libllama leaves
 * layer 0 as it is, and passes over layers that the model does not have.) Our own keys say what
 * else than adding is done, to which tokens, and when; llama.cpp's programs pass over them:
 *
 *     aor.operation             "add" (also without the key), "ablate"
 *     aor.scope                 "all" (also without the key), "prompt", "generated"
 *     aor.strength              text: the factor of an addition that was found to be good
 *     aor.condition.layer       I32; the three together: steering.h's condition
 *     aor.condition.threshold   F32
 *     aor.condition.vector      array of F32
 */
#ifndef AOR_MODEL_DIRECTION_H
#define AOR_MODEL_DIRECTION_H

#include <stddef.h>

#include "base/err.h"
#include "model/steering.h"

/*
 * Read path for a model of n_layers layers and width n_embd into *ret, which steering_release()
 * frees. strength: the factor of an addition, NAN: aor.strength, or 1 where there is none. An
 * ablation has no strength: ERR_USAGE.
 */
int direction_load(const char *path, int n_embd, int n_layers, double strength,
                   struct steering *ret, struct err *err);

/* A key of the file's metadata. */
struct direction_fact {
    const char *key, *value;
};

/*
 * Write such a file, whole or not at all: those of the vectors that are not zero, the keys above
 * and, as text, facts[n_facts], beside those that llama.cpp writes.
 */
int direction_save(const char *path, const struct steering *s, double strength,
                   const char *architecture, const struct direction_fact *facts, size_t n_facts,
                   struct err *err);

#endif
