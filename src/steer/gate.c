#include "steer/gate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

struct scored {
    double score;
    bool is_contrast;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a;
    const struct scored *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* How often a scenario's score is above a contrast's, ties as half (Mann and Whitney 1947). */
static double auc_of(struct scored *rows, size_t n)
{
    double n_contrasts = 0;
    double n_right = 0;
    double n_scenarios = 0;
    qsort(rows, n, sizeof *rows, by_score);
    for (size_t i = 0; i < n;) {
        double tied[2] = {0};
        size_t k = i;
        for (; k < n && rows[k].score <= rows[i].score; k++) {
            tied[rows[k].is_contrast]++;
        }
        n_right += tied[0] * (n_contrasts + tied[1] / 2);
        n_contrasts += tied[1];
        n_scenarios += tied[0];
        i = k;
    }
    return n_right / (n_contrasts * n_scenarios);
}

/* One layer's gate; its layer -1: a fold leaves too little. */
static struct gate fit_layer(const struct fit_data *d, int layer)
{
    struct gate g = {.layer = layer, .width = d->width};
    struct scored *rows = xcalloc(d->n + 1, sizeof *rows);
    size_t n = 0;
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
        bool is_contrast = d->class[i] == FIT_CONTRAST;
        if (d->class[i] == FIT_PLAIN) {
            continue;
        }
        rows[n] = (struct scored){score(&g, d->x + i * d->width, d->fold[i]), is_contrast};
        if (is_contrast) {
            g.scores[g.n] = rows[n].score;
            g.folds[g.n++] = d->fold[i];
        }
        n++;
    }
    g.auc = g.layer >= 0 ? auc_of(rows, n) : NAN;
    free(rows);
    return g;
}

int gate_fit(const struct labelled *l, const struct activations *a, struct gate *ret,
             struct err *err)
{
    struct gate best = {.layer = -1};
    size_t width = (size_t)activations_n_embd(a);
    for (int layer = 0; layer < activations_n_layers(a); layer++) {
        float *x;
        if (labelled_get(l, a, ACTIVATION_TEMPLATE, layer, &x, err) != 0) {
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

struct steering_condition gate_condition(const struct gate *g, int left_out, double share)
{
    size_t which = left_out < 0 ? FIT_FOLDS : (size_t)left_out;
    double *scores = xcalloc(g->n + 2, sizeof *scores);
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        if (g->folds[i] != left_out) {
            scores[n++] = g->scores[i];
        }
    }
    qsort(scores, n, sizeof *scores, descending);
    size_t n_through = (size_t)(share * (double)n);
    /* Half way between the last that is let through and the first that is not. */
    double above = n_through > 0 ? scores[n_through - 1] : n > 0 ? scores[0] + 1 : 0;
    double below = n_through < n ? scores[n_through] : above - 1;
    free(scores);
    return (struct steering_condition){.layer = g->layer,
                                       .threshold = (above + below) / 2 + g->middles[which],
                                       .vector = g->vectors + which * g->width};
}
