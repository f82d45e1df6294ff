#include "stats/linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/matrix.h"

/* Take each cluster's mean out of column j of a table of the given width. */
static double centre(double *table, size_t width, size_t j, const uint32_t *cluster, size_t n,
                     size_t n_clusters)
{
    double *sum = xcalloc(2 * n_clusters + 1, sizeof *sum);
    double *count = sum + n_clusters;
    double n_seen = 0;
    for (size_t i = 0; i < n; i++) {
        sum[cluster[i]] += table[i * width + j];
        n_seen += count[cluster[i]] == 0;
        count[cluster[i]]++;
    }
    for (size_t i = 0; i < n; i++) {
        table[i * width + j] -= sum[cluster[i]] / count[cluster[i]];
    }
    free(sum);
    return n_seen;
}

bool linear_within(double *x, double *y, const uint32_t *cluster, size_t n, size_t n_columns,
                   size_t n_clusters, double *ret_beta, double *ret_covariance)
{
    size_t m = n_columns;
    double n_seen = centre(y, 1, 0, cluster, n, n_clusters);
    for (size_t j = 0; j < m; j++) {
        centre(x, m, j, cluster, n, n_clusters);
    }
    double *inner = xcalloc(2 * m * m + m + 1, sizeof *inner); /* (x'x)^-1 */
    double *meat = inner + m * m;
    double *xy = meat + m * m;
    double *scores = xcalloc(n_clusters * m + 1, sizeof *scores);
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < m; a++) {
            xy[a] += x[i * m + a] * y[i];
            for (size_t b = 0; b < m; b++) {
                inner[a * m + b] += x[i * m + a] * x[i * m + b];
            }
        }
    }
    bool ok = n_seen > 1 && m > 0 && invert_positive(inner, m);
    if (ok) {
        memset(ret_beta, 0, m * sizeof *ret_beta);
        for (size_t a = 0; a < m; a++) {
            for (size_t b = 0; b < m; b++) {
                ret_beta[a] += inner[a * m + b] * xy[b];
            }
        }
        for (size_t i = 0; i < n; i++) {
            double residual = y[i];
            for (size_t a = 0; a < m; a++) {
                residual -= x[i * m + a] * ret_beta[a];
            }
            for (size_t a = 0; a < m; a++) {
                scores[cluster[i] * m + a] += x[i * m + a] * residual;
            }
        }
        for (size_t k = 0; k < n_clusters; k++) {
            for (size_t a = 0; a < m; a++) {
                for (size_t b = 0; b < m; b++) {
                    meat[a * m + b] += scores[k * m + a] * scores[k * m + b];
                }
            }
        }
        sandwich_product(inner, meat, m, n_seen / (n_seen - 1), ret_covariance);
    }
    free(inner);
    free(scores);
    return ok;
}
