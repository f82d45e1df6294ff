#include "model/direction.h"

#include <ggml.h>
#include <gguf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The layer that a tensor's name means; -1: none. */
static int layer_of(const char *name)
{
    static const char prefix[] = "direction.";
    char *end = NULL;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return -1;
    }
    const char *digits = name + sizeof prefix - 1;
    long layer = strtol(digits, &end, 10);
    return end == digits || *end != '\0' || layer < 1 || layer > 100000 ? -1 : (int)layer;
}

static int take_tensor(const struct ggml_tensor *t, const char *path, int n_embd, int n_layers,
                       double strength, float *data, struct err *err)
{
    int layer = layer_of(t->name);
    if (layer < 0) {
        return err_set(err, ERR_FORMAT, "%s: tensor \"%.40s\" is no direction.N with N from 1 on",
                       path, t->name);
    }
    if (t->type != GGML_TYPE_F32 || ggml_n_dims(t) != 1) {
        return err_set(err, ERR_FORMAT, "%s: direction.%d is no F32 vector", path, layer);
    }
    if (t->ne[0] != n_embd || layer >= n_layers) {
        return err_set(err, ERR_FORMAT,
                       "%s: direction.%d has %lld values: the model has layers 0 to %d of width %d",
                       path, layer, (long long)t->ne[0], n_layers - 1, n_embd);
    }
    const float *from = t->data;
    float *to = data + (size_t)(layer - 1) * (size_t)n_embd;
    for (int i = 0; i < n_embd; i++) {
        if (!isfinite(from[i])) {
            return err_set(err, ERR_FORMAT, "%s: direction.%d has a value that is not finite", path,
                           layer);
        }
        to[i] = (float)(from[i] * strength);
    }
    return 0;
}

int direction_load(const char *path, int n_embd, int n_layers, double strength, float **ret,
                   struct err *err)
{
    struct ggml_context *tensors = NULL;
    FILE *f = fopen(path, "rb");
    if (!f) {
        return err_errno(err, "%s", path);
    }
    fclose(f);
    struct gguf_context *file =
        gguf_init_from_file(path, (struct gguf_init_params){.no_alloc = false, .ctx = &tensors});
    if (!file) {
        return err_set(err, ERR_FORMAT, "%s: is no GGUF file", path);
    }
    float *data = xcalloc((size_t)n_layers * (size_t)n_embd, sizeof *data);
    int64_t n = gguf_get_n_tensors(file);
    int ok = n > 0 ? 0 : err_set(err, ERR_FORMAT, "%s: holds no direction", path);
    for (int64_t i = 0; ok == 0 && i < n; i++) {
        ok = take_tensor(ggml_get_tensor(tensors, gguf_get_tensor_name(file, i)), path, n_embd,
                         n_layers, strength, data, err);
    }
    gguf_free(file);
    ggml_free(tensors);
    if (ok == 0) {
        *ret = data;
        return 0;
    }
    free(data);
    return -1;
}
