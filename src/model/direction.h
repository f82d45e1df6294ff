/*
 * direction.h - control vectors in GGUF, as llama.cpp and repeng write them: F32 tensors
 * "direction.N", one for each layer N, 1 to the model's last, that is steered. (libllama leaves
 * layer 0 as it is, and passes over layers that the model does not have.)
 */
#ifndef AOR_MODEL_DIRECTION_H
#define AOR_MODEL_DIRECTION_H

#include "base/err.h"

/*
 * Read path for a model of n_layers layers and width n_embd. *ret (the caller's) is
 * [n_layers * n_embd]: layer 1 first, times strength; zeros where the file has no direction.
 */
int direction_load(const char *path, int n_embd, int n_layers, double strength, float **ret,
                   struct err *err);

#endif
