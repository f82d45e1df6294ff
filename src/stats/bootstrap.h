/*
 * bootstrap.h - cluster bootstrap of many rates at once, so that whatever is made of them
 * (differences, ratios, indices) keeps their common clusters.
 */
#ifndef AOR_STATS_BOOTSTRAP_H
#define AOR_STATS_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * A rate is sum successes / sum trials over clusters. successes[cell * n_clusters + k] and trials
 * likewise: what cluster k has in a cell. Borrowed while it is drawn from.
 */
struct clustered {
    size_t n_cells, n_clusters;
    const float *successes, *trials;
};

/*
 * Draw n_draws times n_clusters clusters with replacement, the same for all cells, and put the
 * rates into ret[draw * n_cells + cell]; NAN where a draw has no trial. The caller's array.
 * n_threads 0: as many as there are processors; the numbers depend on the seed alone.
 */
void bootstrap_rates(const struct clustered *c, size_t n_draws, uint64_t seed, int n_threads,
                     float *ret);

/*
 * Percentile interval of n drawn values at the two-sided level (0.95), by linear interpolation of
 * order statistics; sorts them, leaving out NAN. Both NAN without values.
 */
void percentile_interval(double *values, size_t n, double level, double *ret_low, double *ret_high);

#endif
