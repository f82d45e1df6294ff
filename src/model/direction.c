#include "model/direction.h"

#include <ggml.h>
#include <gguf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
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

static bool is_zero(const float *v, int n)
{
    for (int i = 0; i < n; i++) {
        if (v[i] != 0) {
            return false;
        }
    }
    return true;
}

static void add_tensors(struct gguf_context *file, struct ggml_context *tensors, int n_embd,
                        int n_layers, const float *vectors)
{
    for (int layer = 1; layer < n_layers; layer++) {
        const float *v = vectors + (size_t)(layer - 1) * (size_t)n_embd;
        if (!is_zero(v, n_embd)) {
            struct ggml_tensor *t = ggml_new_tensor_1d(tensors, GGML_TYPE_F32, n_embd);
            ggml_format_name(t, "direction.%d", layer);
            memcpy(t->data, v, (size_t)n_embd * sizeof *v);
            gguf_add_tensor(file, t);
        }
    }
}

int direction_save(const char *path, int n_embd, int n_layers, const float *vectors,
                   const char *architecture, const struct direction_fact *facts, size_t n_facts,
                   struct err *err)
{
    struct fs_out out;
    if (fs_out_open(path, &out, err) != 0) {
        return -1;
    }
    size_t size =
        (size_t)n_layers * (ggml_tensor_overhead() + (size_t)n_embd * sizeof *vectors + 64);
    struct ggml_context *tensors = ggml_init((struct ggml_init_params){.mem_size = size});
    struct gguf_context *file = gguf_init_empty();
    gguf_set_val_str(file, "general.architecture", "controlvector");
    gguf_set_val_str(file, "controlvector.model_hint", architecture);
    gguf_set_val_i32(file, "controlvector.layer_count", n_layers - 1);
    for (size_t i = 0; i < n_facts; i++) {
        gguf_set_val_str(file, facts[i].key, facts[i].value);
    }
    add_tensors(file, tensors, n_embd, n_layers, vectors);
    int ok = gguf_get_n_tensors(file) > 0
                 ? 0
                 : err_set(err, ERR_USAGE, "%s: every layer's direction is zero", path);
    if (ok == 0 && !gguf_write_to_file_ptr(file, out.file, false)) {
        ok = err_errno(err, "%s", path);
    }
    gguf_free(file);
    ggml_free(tensors);
    return fs_out_close(&out, ok == 0, err) == 0 ? ok : -1;
}
