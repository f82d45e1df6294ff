/* Foreign bytes: a safetensors file of activations. What is opened can be read as a whole. */
#include <stdint.h>

#include "memory_file.h"
#include "steer/activations.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct activations *a = NULL;
    struct err err = {0};
    struct memory_file f = memory_file_open(data, size);
    if (activations_open(f.path, &a, &err) == 0) {
        size_t n = activations_count(a);
        float *x = malloc((size_t)activations_n_embd(a) * sizeof *x);
        for (size_t i = 0; i < n; i++) {
            int64_t trial;
            if (activations_trial(a, i, &trial, &err) != 0 ||
                activations_get(a, i, ACTIVATION_ANSWER, activations_n_layers(a) - 1, x, &err) !=
                    0) {
                abort();
            }
        }
        free(x);
    }
    activations_close(a, NULL);
    close(f.fd);
    return 0;
}
