/*
 * steering.h - what is done to a model's residual stream while it answers: add a direction, or take
 * one away, in the rows of its own question alone.
 */
#ifndef AOR_STEER_STEERING_H
#define AOR_STEER_STEERING_H

#include <stdbool.h>
#include <stddef.h>

#include "model/local.h"

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
 * Only answers to prompts whose last token has x . vector >= threshold at the output of this layer;
 * from the next layer on. With the scopes all and prompt, only what comes after that is steered.
 */
struct steering_condition {
    int layer;           /* -1: always */
    const float *vector; /* [n_embd]; borrowed */
    double threshold;
};

struct steering {
    enum steering_operation operation;
    enum steering_scope scope;
    struct steering_condition condition;
    int n_layers, n_embd;
    const float *vectors; /* [(n_layers - 1) * n_embd], layer 1 first, as a control vector; a layer
                             whose vector is zero is left alone; borrowed */
    bool is_on;           /* of the condition, for the question at work; steering_begin() */
};

/* Before each question: with a condition it is off until the prompt's end. */
void steering_begin(struct steering *s);

/* A local_residual_fn; user is the struct steering. One question at a time. */
bool steering_apply(const struct local_residual *r, void *user);

#endif
