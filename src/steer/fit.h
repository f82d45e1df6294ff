/*
 * fit.h - directions of the residual stream that tell refused from complied answers to the same
 * request in the same condition.
 */
#ifndef AOR_STEER_FIT_H
#define AOR_STEER_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fit_method {
    FIT_MEAN,     /* mean over cells of (mean of refused - mean of complied) */
    FIT_PCA,      /* first principal component of paired differences, about 0 */
    FIT_LOGISTIC, /* weights of a ridge-penalised logistic regression on what differs in a cell */
};
extern const char *const fit_method_names[]; /* ends with NULL */

#define FIT_MAX_REMOVED 8 /* main components of plain activations */
#define FIT_FOLDS 5

enum { FIT_COMPLIED, FIT_REFUSED, FIT_CONTRAST, FIT_PLAIN };

/*
 * One layer's activations. A cell is a scenario and condition: only what differs within a cell
 * counts, or a direction would be one of topics, or of the presence of a scene. Rows of contrasts
 * and plains say what is to be removed.
 */
struct fit_data {
    size_t n, width;
    const float *x;             /* [n * width]; borrowed, as the others */
    const unsigned char *class; /* [n] */
    const uint32_t *cell;       /* [n], below n_cells; of scenarios */
    const unsigned char
        *fold; /* [n], below FIT_FOLDS: all rows of a scenario and its twin in one */
    size_t n_cells;
};

struct fit_params {
    enum fit_method method;
    bool removes_harm; /* the component along (mean of contrasts - mean of plains) */
    int n_removed;     /* main components of plain activations, at most FIT_MAX_REMOVED */
};

/*
 * The direction from all rows but those of one fold (-1: from all) into ret[width]: its length is
 * the mean difference of refused and complied answers along it, so that -1 times it moves one to
 * the other. Returns the number of cells that have both; 0: no direction, ret untouched.
 */
size_t fit_direction(const struct fit_data *d, const struct fit_params *p, int left_out,
                     float *ret);

/*
 * What tells scenarios from contrasts: the difference of their means, made 1 long, from all rows
 * but those of one fold (-1: from all), and the projection of the middle between them. False where
 * a class has no rows.
 */
bool fit_separate(const struct fit_data *d, int left_out, float *ret, double *ret_middle);

/* How good a layer's directions are. */
struct fit_quality {
    double auc;    /* of held-out folds: how often a refused answer's projection is above that of a
                      complied one of the same cell, ties as half; NAN: no pair */
    double cosine; /* mean over pairs of folds' directions; NAN: fewer than two */
    size_t n_pairs;
};

/* directions: [FIT_FOLDS * width], left out in turn; has: which of them there are. */
struct fit_quality fit_measure(const struct fit_data *d, const float *directions,
                               const bool has[FIT_FOLDS]);

/* A random direction of the length of v (isotropic), by seed and number. */
void fit_random_direction(const float *v, size_t width, uint64_t seed, int number, float *ret);

#endif
