#include "steer/steering.h"

#include <math.h>

const char *const steering_operation_names[] = {"add", "ablate", NULL};
const char *const steering_scope_names[] = {"all", "prompt", "generated", NULL};

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

void steering_begin(struct steering *s)
{
    s->is_on = s->condition.layer < 0;
}

static bool is_in_scope(const struct local_row *row, enum steering_scope scope)
{
    return scope == STEERING_ALL ||
           (scope == STEERING_PROMPT ? !row->is_generated : row->is_choosing);
}

/* The prompt's last row at the condition's layer decides. */
static void decide(struct steering *s, const struct local_residual *r)
{
    for (size_t i = 0; i < r->n_rows; i++) {
        if (r->rows[i].is_choosing && !r->rows[i].is_generated) {
            s->is_on = dot(r->data + i * r->n_embd, s->condition.vector, r->n_embd) >=
                       s->condition.threshold;
        }
    }
}

static void change(float *x, const float *v, size_t n, enum steering_operation operation,
                   double norm2)
{
    double factor = operation == STEERING_ADD ? 1 : -dot(x, v, n) / norm2;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)((double)x[i] + factor * (double)v[i]);
    }
}

bool steering_apply(const struct local_residual *r, void *user)
{
    struct steering *s = user;
    bool is_changed = false;
    if (r->layer >= 1 && r->layer < s->n_layers && s->is_on) {
        const float *v = s->vectors + (size_t)(r->layer - 1) * r->n_embd;
        double norm2 = dot(v, v, r->n_embd);
        for (size_t i = 0; norm2 > 0 && i < r->n_rows; i++) {
            if (is_in_scope(&r->rows[i], s->scope)) {
                change(r->data + i * r->n_embd, v, r->n_embd, s->operation, norm2);
                is_changed = true;
            }
        }
    }
    if (r->layer == s->condition.layer) {
        decide(s, r);
    }
    return is_changed;
}
