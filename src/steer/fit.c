#include "steer/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#define N_POWER_STEPS 300
#define N_LOGISTIC_STEPS 500
#define RIDGE 1.0 /* on weights of features of unit variance */
#define TINY 1e-12

const char *const fit_method_names[] = {"mean", "pca", "logistic", NULL};

/* In as many sums as a vector register has places, so that none waits for the last. */
static double dot(const double *a, const double *b, size_t n)
{
    double sums[8] = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            sums[k] += a[i + k] * b[i + k];
        }
    }
    for (; i < n; i++) {
        sum += a[i] * b[i];
    }
    for (size_t k = 0; k < 8; k++) {
        sum += sums[k];
    }
    return sum;
}

static double norm(const double *a, size_t n)
{
    return sqrt(dot(a, a, n));
}

/* False where it is zero. */
static bool normalise(double *a, size_t n)
{
    double length = norm(a, n);
    for (size_t i = 0; length > TINY && i < n; i++) {
        a[i] /= length;
    }
    return length > TINY;
}

static void add_row(double *sum, const float *x, double factor, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum[i] += factor * (double)x[i];
    }
}

/* Cells that have refused and complied rows, all or without a fold: their means. */
struct cells {
    size_t *n[2];     /* [n_cells] complied, refused */
    double *means[2]; /* [n_cells * width] */
    size_t n_mixed;
};

static bool is_used(const struct fit_data *d, size_t i, int left_out)
{
    return left_out < 0 || d->fold[i] != (unsigned)left_out;
}

static bool is_mixed(const struct cells *c, size_t cell)
{
    return c->n[0][cell] > 0 && c->n[1][cell] > 0;
}

static struct cells make_cells(const struct fit_data *d, int left_out)
{
    struct cells c = {0};
    for (int k = 0; k < 2; k++) {
        c.n[k] = xcalloc(d->n_cells + 1, sizeof *c.n[k]);
        c.means[k] = xcalloc(d->n_cells * d->width + 1, sizeof *c.means[k]);
    }
    for (size_t i = 0; i < d->n; i++) {
        if (d->class[i] <= FIT_REFUSED && is_used(d, i, left_out)) {
            c.n[d->class[i]][d->cell[i]]++;
            add_row(c.means[d->class[i]] + d->cell[i] * d->width, d->x + i * d->width, 1, d->width);
        }
    }
    for (size_t cell = 0; cell < d->n_cells; cell++) {
        c.n_mixed += is_mixed(&c, cell);
        for (int k = 0; k < 2; k++) {
            for (size_t j = 0; c.n[k][cell] > 0 && j < d->width; j++) {
                c.means[k][cell * d->width + j] /= (double)c.n[k][cell];
            }
        }
    }
    return c;
}

static void cells_release(struct cells *c)
{
    for (int k = 0; k < 2; k++) {
        free(c->n[k]);
        free(c->means[k]);
    }
}

/* Mean over mixed cells of the difference of means. */
static void mean_difference(const struct fit_data *d, const struct cells *c, double *ret)
{
    memset(ret, 0, d->width * sizeof *ret);
    for (size_t cell = 0; cell < d->n_cells; cell++) {
        for (size_t j = 0; is_mixed(c, cell) && j < d->width; j++) {
            ret[j] += (c->means[1][cell * d->width + j] - c->means[0][cell * d->width + j]) /
                      (double)c->n_mixed;
        }
    }
}

/* First principal component, by power iteration, of rows[n * width] about 0; what is in u first is
 * where it starts. False where the rows are zero. */
static bool first_component(const double *rows, size_t n, size_t width, double *u)
{
    double *next = xcalloc(width + 1, sizeof *next);
    bool is_there = normalise(u, width);
    for (int step = 0; is_there && step < N_POWER_STEPS; step++) {
        memset(next, 0, width * sizeof *next);
        for (size_t i = 0; i < n; i++) {
            double along = dot(rows + i * width, u, width);
            for (size_t j = 0; j < width; j++) {
                next[j] += along * rows[i * width + j];
            }
        }
        is_there = normalise(next, width);
        double same = is_there ? dot(next, u, width) : 0;
        if (is_there) {
            memcpy(u, next, width * sizeof *u);
        }
        if (same > 1 - 1e-14) {
            break;
        }
    }
    free(next);
    return is_there;
}

/* The k-th refused row of each cell less its k-th complied one. */
static bool pca(const struct fit_data *d, const struct cells *c, int left_out, double *u)
{
    double *rows = xcalloc(d->n * d->width + 1, sizeof *rows);
    size_t n = 0;
    for (size_t cell = 0; cell < d->n_cells; cell++) {
        size_t start = n;
        size_t k[2] = {0};
        size_t n_pairs =
            c->n[0][cell] < c->n[1][cell] ? c->n[0][cell] : c->n[1][cell]; /* 0: not mixed */
        for (size_t i = 0; n_pairs > 0 && i < d->n; i++) {
            unsigned class = d->class[i];
            if (class <= FIT_REFUSED && d->cell[i] == cell && is_used(d, i, left_out) &&
                k[class] < n_pairs) {
                add_row(rows + (start + k[class]++) * d->width, d->x + i * d->width,
                        class == FIT_REFUSED ? 1 : -1, d->width);
            }
        }
        n += n_pairs;
    }
    bool ok = first_component(rows, n, d->width, u);
    free(rows);
    return ok;
}

/*
 * The weights of a logistic regression without an intercept on rows[n * w], which are scaled to
 * features of unit variance, in the rows' own units; of length 1. The mean of log(1 + exp(-sign w .
 * x)) + RIDGE |w|^2 / 2n, by accelerated gradient steps (Nesterov) of one over the greatest
 * curvature. u is first where the search for that begins.
 */
static bool logistic(double *rows, const double *signs, size_t n, size_t w, double *u)
{
    double *spread = xcalloc(4 * w + 1, sizeof *spread);
    double *weights = spread + w;
    double *ahead = weights + w;
    double *gradient = ahead + w;
    for (size_t j = 0; j < w; j++) {
        for (size_t i = 0; i < n; i++) {
            spread[j] += rows[i * w + j] * rows[i * w + j] / (double)n;
        }
        spread[j] = sqrt(spread[j]);
        for (size_t i = 0; i < n; i++) {
            rows[i * w + j] = spread[j] > TINY ? rows[i * w + j] / spread[j] : 0;
        }
        gradient[j] = u[j];
    }
    double curvature = RIDGE / (double)(n > 0 ? n : 1);
    if (n > 0 && first_component(rows, n, w, gradient)) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            double along = dot(rows + i * w, gradient, w);
            sum += along * along;
        }
        curvature += sum / (double)n / 4;
    }
    for (int step = 0; n > 0 && step < N_LOGISTIC_STEPS; step++) {
        for (size_t j = 0; j < w; j++) {
            gradient[j] = RIDGE / (double)n * ahead[j];
        }
        for (size_t i = 0; i < n; i++) {
            double margin = signs[i] * dot(rows + i * w, ahead, w);
            double pull = -signs[i] / (1 + exp(margin)) / (double)n;
            for (size_t j = 0; j < w; j++) {
                gradient[j] += pull * rows[i * w + j];
            }
        }
        double momentum = (double)step / (double)(step + 3);
        for (size_t j = 0; j < w; j++) {
            double next = ahead[j] - gradient[j] / curvature;
            ahead[j] = next + momentum * (next - weights[j]);
            weights[j] = next;
        }
    }
    for (size_t j = 0; j < w; j++) {
        u[j] = spread[j] > TINY ? weights[j] / spread[j] : 0;
    }
    free(spread);
    return n > 0 && normalise(u, w);
}

/* On what a row has beside its cell's middle. */
static bool logistic_in_cells(const struct fit_data *d, const struct cells *c, int left_out,
                              double *u)
{
    size_t w = d->width;
    double *rows = xcalloc(d->n * w + 1, sizeof *rows);
    double *signs = xcalloc(d->n + 1, sizeof *signs);
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (d->class[i] > FIT_REFUSED || !is_used(d, i, left_out) || !is_mixed(c, d->cell[i])) {
            continue;
        }
        size_t at = d->cell[i] * w;
        for (size_t j = 0; j < w; j++) {
            rows[n * w + j] =
                (double)d->x[i * w + j] - (c->means[0][at + j] + c->means[1][at + j]) / 2;
        }
        signs[n++] = d->class[i] == FIT_REFUSED ? 1 : -1;
    }
    bool ok = logistic(rows, signs, n, w, u);
    free(rows);
    free(signs);
    return ok;
}

static void remove_component(double *u, const double *along, size_t width)
{
    double k = dot(u, along, width);
    for (size_t j = 0; j < width; j++) {
        u[j] -= k * along[j];
    }
}

static bool mean_of(const struct fit_data *d, int class, int left_out, double *ret)
{
    size_t n = 0;
    memset(ret, 0, d->width * sizeof *ret);
    for (size_t i = 0; i < d->n; i++) {
        if (d->class[i] == class && is_used(d, i, left_out)) {
            add_row(ret, d->x + i * d->width, 1, d->width);
            n++;
        }
    }
    for (size_t j = 0; n > 0 && j < d->width; j++) {
        ret[j] /= (double)n;
    }
    return n > 0;
}

static void remove_harm(const struct fit_data *d, int left_out, double *u)
{
    double *harm = xcalloc(2 * d->width + 1, sizeof *harm);
    double *plain = harm + d->width;
    if (mean_of(d, FIT_CONTRAST, left_out, harm) && mean_of(d, FIT_PLAIN, left_out, plain)) {
        for (size_t j = 0; j < d->width; j++) {
            harm[j] -= plain[j];
        }
        if (normalise(harm, d->width)) {
            remove_component(u, harm, d->width);
        }
    }
    free(harm);
}

/* One component after another: each is taken from the rows before the next is sought. */
static void remove_plain(const struct fit_data *d, int n_removed, int left_out, double *u)
{
    size_t w = d->width;
    double *rows = xcalloc(d->n * w + 1, sizeof *rows);
    double *mean = xcalloc(2 * w + 1, sizeof *mean);
    double *component = mean + w;
    size_t n = 0;
    if (mean_of(d, FIT_PLAIN, left_out, mean)) {
        for (size_t i = 0; i < d->n; i++) {
            if (d->class[i] == FIT_PLAIN && is_used(d, i, left_out)) {
                for (size_t j = 0; j < w; j++) {
                    rows[n * w + j] = (double)d->x[i * w + j] - mean[j];
                }
                n++;
            }
        }
    }
    for (int k = 0; k < n_removed; k++) {
        for (size_t j = 0; j < w; j++) {
            component[j] = n > 0 ? rows[j] : 0;
        }
        if (!first_component(rows, n, w, component)) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            remove_component(rows + i * w, component, w);
        }
        remove_component(u, component, w);
    }
    free(rows);
    free(mean);
}

size_t fit_direction(const struct fit_data *d, const struct fit_params *p, int left_out, float *ret)
{
    struct cells c = make_cells(d, left_out);
    double *difference = xcalloc(2 * d->width + 1, sizeof *difference);
    double *u = difference + d->width;
    size_t n_mixed = c.n_mixed;
    mean_difference(d, &c, difference);
    memcpy(u, difference, d->width * sizeof *u);
    bool ok = n_mixed > 0 && (p->method == FIT_PCA        ? pca(d, &c, left_out, u)
                              : p->method == FIT_LOGISTIC ? logistic_in_cells(d, &c, left_out, u)
                                                          : normalise(u, d->width));
    if (ok && p->removes_harm) {
        remove_harm(d, left_out, u);
    }
    if (ok && p->n_removed > 0) {
        remove_plain(d, p->n_removed, left_out, u);
    }
    ok = ok && normalise(u, d->width);
    double gap = ok ? dot(difference, u, d->width) : 0; /* negative: it points to compliance */
    if (fabs(gap) > TINY) {
        for (size_t j = 0; j < d->width; j++) {
            ret[j] = (float)(u[j] * gap);
        }
    }
    cells_release(&c);
    free(difference);
    return fabs(gap) > TINY ? n_mixed : 0;
}

bool fit_separate(const struct fit_data *d, int left_out, float *ret, double *ret_middle)
{
    size_t w = d->width;
    double *means = xcalloc(3 * w + 1, sizeof *means); /* of contrasts, of scenarios; the vector */
    double *u = means + 2 * w;
    size_t n[2] = {0};
    for (size_t i = 0; i < d->n; i++) {
        if (d->class[i] != FIT_PLAIN && is_used(d, i, left_out)) {
            bool is_scenario = d->class[i] != FIT_CONTRAST;
            add_row(means + is_scenario * w, d->x + i * w, 1, w);
            n[is_scenario]++;
        }
    }
    for (size_t j = 0; n[0] > 0 && n[1] > 0 && j < w; j++) {
        means[j] /= (double)n[0];
        means[w + j] /= (double)n[1];
        u[j] = means[w + j] - means[j];
    }
    bool ok = normalise(u, w);
    *ret_middle = (dot(u, means, w) + dot(u, means + w, w)) / 2;
    for (size_t j = 0; ok && j < w; j++) {
        ret[j] = (float)u[j];
    }
    free(means);
    return ok;
}

static double project(const float *x, const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)v[i];
    }
    return sum;
}

static double cosine_of(const float *a, const float *b, size_t n)
{
    return project(a, b, n) / sqrt(project(a, a, n) * project(b, b, n));
}

struct fit_quality fit_measure(const struct fit_data *d, const float *directions,
                               const bool has[FIT_FOLDS])
{
    struct fit_quality q = {.auc = NAN, .cosine = NAN};
    double *along = xcalloc(d->n + 1, sizeof *along);
    double n_right = 0;
    for (size_t i = 0; i < d->n; i++) {
        unsigned f = d->fold[i];
        along[i] = d->class[i] <= FIT_REFUSED && has[f]
                       ? project(d->x + i * d->width, directions + f * d->width, d->width)
                       : NAN;
    }
    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; d->class[i] == FIT_REFUSED && !isnan(along[i]) && k < d->n; k++) {
            if (d->class[k] == FIT_COMPLIED && d->cell[k] == d->cell[i]) {
                q.n_pairs++;
                n_right += along[i] > along[k] ? 1 : along[i] == along[k] ? 0.5 : 0;
            }
        }
    }
    q.auc = q.n_pairs > 0 ? n_right / (double)q.n_pairs : NAN;
    double sum = 0;
    size_t n = 0;
    for (size_t a = 0; a < FIT_FOLDS; a++) {
        for (size_t b = a + 1; has[a] && b < FIT_FOLDS; b++) {
            if (has[b]) {
                sum += cosine_of(directions + a * d->width, directions + b * d->width, d->width);
                n++;
            }
        }
    }
    q.cosine = n > 0 ? sum / (double)n : NAN;
    free(along);
    return q;
}

void fit_random_direction(const float *v, size_t width, uint64_t seed, int number, float *ret)
{
    char name[40];
    snprintf(name, sizeof name, "direction %d", number);
    struct rng rng = rng_init(seed, name);
    double length = 0;
    for (size_t i = 0; i < width; i++) { /* Box and Muller (1958) */
        double r = sqrt(-2 * log(1 - rng_uniform(&rng)));
        ret[i] = (float)(r * cos(2 * M_PI * rng_uniform(&rng)));
        length += (double)ret[i] * (double)ret[i];
    }
    double factor = sqrt(project(v, v, width) / length);
    for (size_t i = 0; i < width; i++) {
        ret[i] = (float)((double)ret[i] * factor);
    }
}
