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

/* The number of the name that a key's text is; absent: 0. */
static int take_name(const struct gguf_context *file, const char *path, const char *key,
                     const char *const *names, int *ret, struct err *err)
{
    int64_t id = gguf_find_key(file, key);
    *ret = 0;
    if (id < 0) {
        return 0;
    }
    const char *text = gguf_get_kv_type(file, id) == GGUF_TYPE_STRING ? gguf_get_val_str(file, id)
                                                                      : "of another type";
    while (names[*ret] && strcmp(names[*ret], text) != 0) {
        (*ret)++;
    }
    return names[*ret] ? 0
                       : err_set(err, ERR_FORMAT, "%s: %s is \"%.40s\", which aor does not know",
                                 path, key, text);
}

static int take_strength(const struct gguf_context *file, const char *path, double wanted,
                         enum steering_operation operation, double *ret, struct err *err)
{
    int64_t id = gguf_find_key(file, "aor.strength");
    *ret = 1;
    if (operation == STEERING_ABLATE) {
        return isnan(wanted) ? 0
                             : err_set(err, ERR_USAGE,
                                       "%s: takes its direction out, which has no strength", path);
    }
    if (!isnan(wanted)) {
        *ret = wanted;
    } else if (id >= 0) {
        bool is_text = gguf_get_kv_type(file, id) == GGUF_TYPE_STRING;
        const char *text = is_text ? gguf_get_val_str(file, id) : "";
        char *end;
        *ret = strtod(text, &end);
        if (end == text || *end || !isfinite(*ret)) {
            return err_set(err, ERR_FORMAT, "%s: aor.strength is no number", path);
        }
    }
    return 0;
}

static int take_condition(const struct gguf_context *file, const char *path, int n_embd,
                          int n_layers, struct steering_condition *ret, struct err *err)
{
    int64_t layer = gguf_find_key(file, "aor.condition.layer");
    int64_t threshold = gguf_find_key(file, "aor.condition.threshold");
    int64_t vector = gguf_find_key(file, "aor.condition.vector");
    *ret = (struct steering_condition){0};
    if (layer < 0 && threshold < 0 && vector < 0) {
        return 0;
    }
    if (layer < 0 || threshold < 0 || vector < 0 ||
        gguf_get_kv_type(file, layer) != GGUF_TYPE_INT32 ||
        gguf_get_kv_type(file, threshold) != GGUF_TYPE_FLOAT32 ||
        gguf_get_kv_type(file, vector) != GGUF_TYPE_ARRAY ||
        gguf_get_arr_type(file, vector) != GGUF_TYPE_FLOAT32) {
        return err_set(err, ERR_FORMAT, "%s: aor.condition wants a layer, a threshold and a vector",
                       path);
    }
    size_t n = gguf_get_arr_n(file, vector);
    int at = gguf_get_val_i32(file, layer);
    if (n != (size_t)n_embd || at < 0 || at >= n_layers) {
        return err_set(err, ERR_FORMAT,
                       "%s: the condition is on layer %d of width %zu: the model has layers 0 to "
                       "%d of width %d",
                       path, at, n, n_layers - 1, n_embd);
    }
    ret->threshold = (double)gguf_get_val_f32(file, threshold);
    ret->vector = xcalloc(n, sizeof *ret->vector);
    memcpy(ret->vector, gguf_get_arr_data(file, vector), n * sizeof *ret->vector);
    bool is_finite = isfinite(ret->threshold);
    for (size_t i = 0; i < n; i++) {
        is_finite = is_finite && isfinite(ret->vector[i]);
    }
    ret->layer = at;
    return is_finite
               ? 0
               : err_set(err, ERR_FORMAT, "%s: the condition has a value that is not finite", path);
}

int direction_load(const char *path, int n_embd, int n_layers, double strength,
                   struct steering *ret, struct err *err)
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
    struct steering s = {.n_layers = n_layers, .n_embd = n_embd};
    s.vectors = xcalloc((size_t)(n_layers - 1) * (size_t)n_embd + 1, sizeof *s.vectors);
    int64_t n = gguf_get_n_tensors(file);
    int operation = 0;
    int scope = 0;
    double factor = 1;
    int ok = n > 0 ? 0 : err_set(err, ERR_FORMAT, "%s: holds no direction", path);
    if (ok == 0) {
        ok = take_name(file, path, "aor.operation", steering_operation_names, &operation, err) ==
                         0 &&
                     take_name(file, path, "aor.scope", steering_scope_names, &scope, err) == 0 &&
                     take_strength(file, path, strength, (enum steering_operation)operation,
                                   &factor, err) == 0
                 ? take_condition(file, path, n_embd, n_layers, &s.condition, err)
                 : -1;
    }
    s.operation = (enum steering_operation)operation;
    s.scope = (enum steering_scope)scope;
    for (int64_t i = 0; ok == 0 && i < n; i++) {
        ok = take_tensor(ggml_get_tensor(tensors, gguf_get_tensor_name(file, i)), path, n_embd,
                         n_layers, factor, s.vectors, err);
    }
    gguf_free(file);
    ggml_free(tensors);
    if (ok == 0) {
        *ret = s;
        return 0;
    }
    steering_release(&s);
    return -1;
}

static void add_tensors(struct gguf_context *file, struct ggml_context *tensors,
                        const struct steering *s)
{
    for (int layer = 1; layer < s->n_layers; layer++) {
        if (steering_has_layer(s, layer)) {
            struct ggml_tensor *t = ggml_new_tensor_1d(tensors, GGML_TYPE_F32, s->n_embd);
            size_t n = (size_t)s->n_embd;
            ggml_format_name(t, "direction.%d", layer);
            memcpy(t->data, s->vectors + (size_t)(layer - 1) * n, n * sizeof *s->vectors);
            gguf_add_tensor(file, t);
        }
    }
}

static void add_keys(struct gguf_context *file, const struct steering *s, double strength)
{
    const struct steering_condition *c = &s->condition;
    char number[32];
    snprintf(number, sizeof number, "%.17g", strength);
    gguf_set_val_str(file, "aor.operation", steering_operation_names[s->operation]);
    gguf_set_val_str(file, "aor.scope", steering_scope_names[s->scope]);
    if (s->operation == STEERING_ADD) {
        gguf_set_val_str(file, "aor.strength", number);
    }
    if (c->vector) {
        gguf_set_val_i32(file, "aor.condition.layer", c->layer);
        gguf_set_val_f32(file, "aor.condition.threshold", (float)c->threshold);
        gguf_set_arr_data(file, "aor.condition.vector", GGUF_TYPE_FLOAT32, c->vector,
                          (size_t)s->n_embd);
    }
}

int direction_save(const char *path, const struct steering *s, double strength,
                   const char *architecture, const struct direction_fact *facts, size_t n_facts,
                   struct err *err)
{
    struct fs_out out;
    if (fs_out_open(path, &out, err) != 0) {
        return -1;
    }
    size_t size = (size_t)s->n_layers *
                  (ggml_tensor_overhead() + (size_t)s->n_embd * sizeof *s->vectors + 64);
    struct ggml_context *tensors = ggml_init((struct ggml_init_params){.mem_size = size});
    struct gguf_context *file = gguf_init_empty();
    gguf_set_val_str(file, "general.architecture", "controlvector");
    gguf_set_val_str(file, "controlvector.model_hint", architecture);
    gguf_set_val_i32(file, "controlvector.layer_count", s->n_layers - 1);
    for (size_t i = 0; i < n_facts; i++) {
        gguf_set_val_str(file, facts[i].key, facts[i].value);
    }
    add_keys(file, s, strength);
    add_tensors(file, tensors, s);
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
