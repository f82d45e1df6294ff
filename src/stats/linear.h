/*
 * linear.h - least squares with a mean for each cluster, and errors that know of the clusters.
 */
#ifndef AOR_STATS_LINEAR_H
#define AOR_STATS_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Within-cluster regression of y[n] on x[n * n_columns] (no intercept: each cluster has its own);
 * cluster[n] below n_clusters. Puts coefficients into ret_beta[n_columns] and their covariance, the
 * sandwich with G / (G - 1) for the G clusters that occur, into ret_covariance[n_columns^2]
 * (Arellano 1987, Oxf. Bull. Econ. Stat. 49: 431-434). False where columns depend on each other
 * within the clusters, or with fewer than two clusters. x and y are spoilt: centred.
 */
bool linear_within(double *x, double *y, const uint32_t *cluster, size_t n, size_t n_columns,
                   size_t n_clusters, double *ret_beta, double *ret_covariance);

#endif
