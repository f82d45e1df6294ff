/*
 * logistic.h - logistic regression with standard errors that know of clusters.
 */
#ifndef AOR_STATS_LOGISTIC_H
#define AOR_STATS_LOGISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct logistic {
    size_t n_columns;
    double *beta;       /* [n_columns] log odds ratios; owned */
    double *covariance; /* [n_columns * n_columns], of beta; owned */
    double log_likelihood;
    int n_iterations;
};

/*
 * Fit P(y = 1) = 1 / (1 + exp(-x beta)) by Newton's method to n rows x[n * n_columns] (give a
 * column of ones for an intercept); cluster[n] says what rows belong together (numbers below
 * n_clusters).
 *
 * covariance is the sandwich B^-1 M B^-1 (Liang and Zeger 1986, Biometrika 73: 13-22): B the
 * information, M the sum over clusters of the outer product of their scores, times
 * G / (G - 1) (n - 1) / (n - n_columns) for the G clusters that occur.
 *
 * Fails, with *ret untouched, where columns depend on each other, where some column tells all
 * outcomes (separation: no finite estimate), or with fewer than two clusters.
 */
int logistic_fit(const double *x, const bool *y, const uint32_t *cluster, size_t n,
                 size_t n_columns, size_t n_clusters, struct logistic *ret, struct err *err);

void logistic_release(struct logistic *l);

/* Wald chi-square that the n coefficients from first on are all 0; *ret_df as quadratic_form. */
double logistic_wald(const struct logistic *l, size_t first, size_t n, int *ret_df);

#endif
