/*
 * interval.h - a share with its interval when observations come in clusters.
 */
#ifndef AOR_STATS_INTERVAL_H
#define AOR_STATS_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define Z_95 1.959963984540054 /* the normal quantile at 0.975 */

/*
 * Score interval of a binomial share (Wilson 1927, J. Am. Stat. Assoc. 22: 209-212), p =
 * successes/n: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) n may be fractional: an
 * effective number of observations. n == 0 gives 0..1.
 */
void wilson_interval(double successes, double n, double z, double *ret_low, double *ret_high);

struct proportion {
    size_t n;
    size_t n_clusters;
    size_t n_successes;
    double rate;      /* NAN when n is 0 */
    double icc;       /* NAN where it cannot be estimated */
    double n_eff;     /* observations that are worth as much without clustering */
    double low, high; /* Wilson interval at n_eff */
};

/* One observation: its cluster (any number) and its outcome. */
struct outcome {
    uint32_t cluster;
    bool success;
};

/*
 * The rate of n outcomes; z is the normal quantile of the interval. Sorts outcomes by cluster.
 *
 * icc is the one-way ANOVA estimator for clusters of unequal size (Fleiss 1981, Statistical Methods
 * for Rates and Proportions, ch. 13; Ridout, Demetrio and Firth 1999, Biometrics 55: 137-148), with
 * k clusters of n_i observations and share p_i, N in all: MSB = sum n_i (p_i - p)^2 / (k - 1) MSW =
 * sum n_i p_i (1 - p_i) / (N - k) n_0 = (N - sum n_i^2 / N) / (k - 1)      icc = (MSB - MSW) / (MSB
 * + (n_0 - 1) MSW) clamped to 0..1. Then n_eff = N / (1 + (m - 1) icc) with m = sum n_i^2 / N.
 *
 * Where that has no value the choice is the cautious one: with all clusters of size one, n_eff = N;
 * otherwise, when the rate is 0 or 1 or there is one cluster, n_eff = k, as if each cluster said
 * one thing.
 */
struct proportion proportion_of(struct outcome *outcomes, size_t n, double z);

#endif
