/*
 * direction.h - control vectors in GGUF, as llama.cpp and repeng write them: F32 tensors
 * "direction.N", one for each layer N, 1 to the model's last, that is steered. (libllama leaves
 * layer 0 as it is, and passes over layers that the model does not have.)
 */
#ifndef AOR_MODEL_DIRECTION_H
#define AOR_MODEL_DIRECTION_H

#include <stddef.h>

#include "base/err.h"

/*
 * Read path for a model of n_layers layers and width n_embd. *ret (the caller's) is
 * [n_layers * n_embd]: layer 1 first, times strength; zeros where the file has no direction.
 */
int direction_load(const char *path, int n_embd, int n_layers, double strength, float **ret,
                   struct err *err);

/* A key of the file's metadata. */
struct direction_fact {
    const char *key, *value;
};

/*
 * Write such a file, whole or not at all: layers of vectors[(n_layers - 1) * n_embd] that are not
 * zero, and as text keys facts[n_facts] beside those that llama.cpp writes.
 */
int direction_save(const char *path, int n_embd, int n_layers, const float *vectors,
                   const char *architecture, const struct direction_fact *facts, size_t n_facts,
                   struct err *err);

#endif
