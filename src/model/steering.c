#include "model/steering.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/local.h"

const char *const steering_operation_names[] = {"add", "ablate", NULL};
const char *const steering_scope_names[] = {"all", "prompt", "generated", NULL};

static float *copy(const float *v, size_t n)
{
    float *own = v ? xcalloc(n, sizeof *own) : NULL;
    if (own) {
        memcpy(own, v, n * sizeof *own);
    }
    return own;
}

struct steering steering_copy(const struct steering *s)
{
    struct steering c = *s;
    c.vectors = copy(s->vectors, (size_t)(s->n_layers - 1) * (size_t)s->n_embd);
    c.condition.vector = copy(s->condition.vector, (size_t)s->n_embd);
    return c;
}

void steering_release(struct steering *s)
{
    free(s->vectors);
    free(s->condition.vector);
    *s = (struct steering){0};
}

bool steering_is_control_vector(const struct steering *s)
{
    return s->operation == STEERING_ADD && s->scope == STEERING_ALL && !s->condition.vector;
}

bool steering_changes_prompts(const struct steering *s)
{
    return s->scope != STEERING_GENERATED && !s->condition.vector;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static const float *vector_of(const struct steering *s, int layer)
{
    return s->vectors + (size_t)(layer - 1) * (size_t)s->n_embd;
}

bool steering_has_layer(const struct steering *s, int layer)
{
    bool is_there = false;
    for (int i = 0; layer >= 1 && layer < s->n_layers && !is_there && i < s->n_embd; i++) {
        is_there = vector_of(s, layer)[i] != 0;
    }
    return is_there;
}

bool steering_apply(const struct steering *s, int layer, const struct local_row *row, float *x)
{
    bool is_in_scope = s->scope == STEERING_ALL ||
                       (s->scope == STEERING_PROMPT ? !row->is_generated : row->is_choosing);
    if (!is_in_scope || !steering_has_layer(s, layer)) {
        return false;
    }
    const float *v = vector_of(s, layer);
    size_t n = (size_t)s->n_embd;
    double along = s->operation == STEERING_ABLATE ? dot(x, v, n) / dot(v, v, n) : 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = s->operation == STEERING_ADD ? x[i] + v[i]
                                            : (float)((double)x[i] - along * (double)v[i]);
    }
    return true;
}

double steering_project(const struct steering *s, const float *x)
{
    return dot(x, s->condition.vector, (size_t)s->n_embd);
}
