#include "steer/gate.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static double score(const struct gate *g, const float *x, size_t which)
{
    const float *v = g->vectors + which * g->width;
    double sum = -g->middles[which];
    for (size_t j = 0; j < g->width; j++) {
        sum += (double)x[j] * (double)v[j];
    }
    return sum;
}

/* Over the pairs of a scenario and a contrast of one fold: how often the scenario's score is above
 * the contrast's, ties as half. A fold's scores are by a vector of its own. */
static double auc_of(const struct fit_data *d, const double *scores)
{
    double n_right = 0;
    double n_pairs = 0;
    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; d->class[i] == FIT_CONTRAST && k < d->n; k++) {
            if (d->class[k] <= FIT_REFUSED && d->fold[k] == d->fold[i]) {
                n_pairs++;
                n_right += scores[k] > scores[i] ? 1 : scores[k] >= scores[i] ? 0.5 : 0;
            }
        }
    }
    return n_right / n_pairs;
}

/* One layer's gate; its layer -1: a fold leaves too little. */
static struct gate fit_layer(const struct fit_data *d, int layer)
{
    struct gate g = {.layer = layer, .width = d->width};
    double *scores = xcalloc(d->n + 1, sizeof *scores);
    g.vectors = xcalloc((FIT_FOLDS + 1) * d->width, sizeof *g.vectors);
    g.scores = xcalloc(d->n + 1, sizeof *g.scores);
    g.folds = xcalloc(d->n + 1, sizeof *g.folds);
    for (int f = 0; f <= FIT_FOLDS; f++) {
        if (!fit_separate(d, f < FIT_FOLDS ? f : -1, g.vectors + (size_t)f * d->width,
                          &g.middles[f])) {
            g.layer = -1;
        }
    }
    for (size_t i = 0; g.layer >= 0 && i < d->n; i++) {
        scores[i] = score(&g, d->x + i * d->width, d->fold[i]);
        if (d->class[i] == FIT_CONTRAST) {
            g.scores[g.n] = scores[i];
            g.folds[g.n++] = d->fold[i];
        }
    }
    g.auc = g.layer >= 0 ? auc_of(d, scores) : NAN;
    free(scores);
    return g;
}

int gate_fit(const struct labelled *l, const struct activations *a, struct gate *ret,
             struct err *err)
{
    struct gate best = {.layer = -1};
    size_t width = (size_t)activations_n_embd(a);
    for (int layer = 0; layer < activations_n_layers(a); layer++) {
        float *x;
        struct err missing = {0};
        if (labelled_get(l, a, ACTIVATION_TEMPLATE, layer, &x, &missing) != 0) {
            if (missing.code == ERR_USAGE) {
                continue; /* it was not computed there */
            }
            *err = missing;
            gate_release(&best);
            return -1;
        }
        struct fit_data d = labelled_data(l, x, width);
        struct gate g = fit_layer(&d, layer);
        if (g.layer >= 0 && (best.layer < 0 || g.auc > best.auc)) {
            struct gate worse = best;
            best = g;
            g = worse;
        }
        gate_release(&g);
        free(x);
    }
    *ret = best;
    return 0;
}

void gate_release(struct gate *g)
{
    free(g->vectors);
    free(g->scores);
    free(g->folds);
    *g = (struct gate){.layer = -1};
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x < y) - (x > y);
}

struct steering_condition gate_condition(const struct gate *g, int left_out, int percent)
{
    size_t which = left_out < 0 ? FIT_FOLDS : (size_t)left_out;
    double *scores = xcalloc(g->n + 1, sizeof *scores);
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        if (g->folds[i] != left_out) {
            scores[n++] = g->scores[i];
        }
    }
    qsort(scores, n, sizeof *scores, descending);
    size_t n_through = n * (size_t)percent / 100;
    /* Half way between the last that is let through and the first that is not. */
    double above = n_through > 0 ? scores[n_through - 1] : n > 0 ? scores[0] + 1 : 0;
    double below = n_through < n ? scores[n_through] : above - 1;
    free(scores);
    /* As it is written to a file. */
    float threshold = (float)((above + below) / 2 + g->middles[which]);
    return (struct steering_condition){
        .layer = g->layer, .threshold = (double)threshold, .vector = g->vectors + which * g->width};
}
