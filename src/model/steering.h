/*
 * steering.h - what is done to a model's residual stream while it answers: add a direction, or take
 * one away, in the rows of steered questions alone.
 */
#ifndef AOR_MODEL_STEERING_H
#define AOR_MODEL_STEERING_H

#include <stdbool.h>
#include <stddef.h>

struct local_row;

enum steering_operation {
    STEERING_ADD,    /* x + v */
    STEERING_ABLATE, /* x - (x . u) u, with u = v / |v| */
};
extern const char *const steering_operation_names[]; /* "add", "ablate"; ends with NULL */

/* Which tokens. */
enum steering_scope {
    STEERING_ALL,
    STEERING_PROMPT,    /* all that is before the answer, audio too */
    STEERING_GENERATED, /* rows whose logits choose a token of the answer: the prompt's last and the
                           answer's own */
};
extern const char *const steering_scope_names[]; /* "all", "prompt", "generated"; NULL */

/*
 * Only questions the last token of whose prompt, as the model has it without steering, has
 * x . vector >= threshold at this layer's output. Their prompt is then evaluated once more,
 * steered; all others are answered as if there were no steering. (After Lee et al. 2024, arXiv
 * 2409.05907.)
 */
struct steering_condition {
    int layer; /* 0 to the model's last */
    double threshold;
    float *vector; /* [n_embd]; NULL: always */
};

struct steering {
    enum steering_operation operation;
    enum steering_scope scope;
    int n_layers, n_embd;
    float *vectors; /* [(n_layers - 1) * n_embd], layer 1 first, as a control vector; a layer whose
                       vector is zero is left alone */
    struct steering_condition condition;
};

struct steering steering_copy(const struct steering *s);
void steering_release(struct steering *s); /* of a copy, or of what direction_load() made */

/* What llama.cpp's own control vectors do: add to all tokens of all questions. */
bool steering_is_control_vector(const struct steering *s);

/* Are the vectors of a prompt's tokens others than without steering, whatever the prompt is? */
bool steering_changes_prompts(const struct steering *s);

/* Does it change this layer's output? */
bool steering_has_layer(const struct steering *s, int layer);

/* Change x[n_embd], a row of this layer, where the row is in the scope: true. */
bool steering_apply(const struct steering *s, int layer, const struct local_row *row, float *x);

/* The projection that the condition looks at. */
double steering_project(const struct steering *s, const float *x);

#endif
