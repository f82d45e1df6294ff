#include "stats/paired.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "stats/distribution.h"
#include "stats/matrix.h"

#define MAX_EXACT 20 /* cluster sums whose signs are all tried */

static long cluster_sum(const struct pair_counts *c)
{
    return (long)c->second_only - (long)c->first_only;
}

/* The share of the signs of sums under which their total is at least as far from 0. */
static double sign_flip(const long *sums, size_t m, uint32_t n_flips, uint64_t seed)
{
    long seen = 0;
    for (size_t i = 0; i < m; i++) {
        seen += sums[i];
    }
    seen = labs(seen);
    if (m == 0) {
        return 1;
    }
    uint64_t n_extreme = 0;
    if (m <= MAX_EXACT) {
        /* Gray code: one sign turns at a time. */
        long total = 0;
        bool is_minus[MAX_EXACT] = {false};
        for (size_t i = 0; i < m; i++) {
            total += sums[i];
        }
        uint64_t n = UINT64_C(1) << m;
        for (uint64_t i = 1; i <= n; i++) {
            n_extreme += labs(total) >= seen;
            size_t turned = 0;
            while (turned + 1 < m && !(i >> turned & 1)) {
                turned++;
            }
            total += is_minus[turned] ? 2 * sums[turned] : -2 * sums[turned];
            is_minus[turned] = !is_minus[turned];
        }
        return (double)n_extreme / (double)n;
    }
    struct rng rng = rng_init(seed, "sign-flip");
    for (uint32_t flip = 0; flip < n_flips; flip++) {
        long total = 0;
        uint64_t bits = 0;
        for (size_t i = 0; i < m; i++) {
            bits = i % 64 == 0 ? rng_next(&rng) : bits >> 1;
            total += bits & 1 ? sums[i] : -sums[i];
        }
        n_extreme += labs(total) >= seen;
    }
    return (1 + (double)n_extreme) / (1 + (double)n_flips);
}

struct paired paired_compare(const struct pair_counts *clusters, size_t n_clusters, double z,
                             uint32_t n_flips, uint64_t seed)
{
    struct paired r = {.first = NAN,
                       .second = NAN,
                       .difference = NAN,
                       .se = NAN,
                       .low = NAN,
                       .high = NAN,
                       .p = NAN,
                       .test = "exact McNemar"};
    long *sums = xcalloc(n_clusters + 1, sizeof *sums); /* those that are not 0 */
    size_t m = 0;
    size_t n_both = 0;
    for (size_t k = 0; k < n_clusters; k++) {
        const struct pair_counts *c = &clusters[k];
        r.n += c->n;
        r.n_clusters += c->n > 0;
        r.first_only += c->first_only;
        r.second_only += c->second_only;
        n_both += c->both;
        if (c->n > 1) {
            r.test = "sign-flip";
        }
        if (cluster_sum(c) != 0) {
            sums[m++] = cluster_sum(c);
        }
    }
    if (r.n == 0) {
        free(sums);
        return r;
    }
    double total = (double)r.n;
    r.first = (double)(n_both + r.first_only) / total;
    r.second = (double)(n_both + r.second_only) / total;
    r.difference = ((double)r.second_only - (double)r.first_only) / total;
    if (r.n_clusters > 1) {
        double squares = 0;
        for (size_t k = 0; k < n_clusters; k++) {
            double residual = (double)cluster_sum(&clusters[k]) - clusters[k].n * r.difference;
            squares += residual * residual;
        }
        double n_k = (double)r.n_clusters;
        r.se = sqrt(n_k / (n_k - 1) * squares) / total;
        r.low = fmax(-1, r.difference - z * r.se);
        r.high = fmin(1, r.difference + z * r.se);
    }
    r.p = strcmp(r.test, "sign-flip") == 0
              ? sign_flip(sums, m, n_flips, seed)
              : sign_test((unsigned)r.first_only, (unsigned)r.second_only);
    free(sums);
    return r;
}

double durkalski_chi_square(const struct pair_counts *clusters, size_t n_clusters)
{
    double sum = 0;
    double squares = 0;
    for (size_t k = 0; k < n_clusters; k++) {
        if (clusters[k].n > 0) {
            double share = (double)cluster_sum(&clusters[k]) / clusters[k].n;
            sum += share;
            squares += share * share;
        }
    }
    return squares > 0 ? sum * sum / squares : NAN;
}

double clustered_cochran_q(const uint32_t *refused, const uint32_t *n, size_t n_clusters,
                           size_t n_conditions, int *ret_df)
{
    size_t m = n_conditions - 1; /* contrasts with the last condition */
    double total = 0;
    double n_k = 0;
    double *difference = xcalloc(m + 1, sizeof *difference);
    double *covariance = xcalloc(m * m + 1, sizeof *covariance);
    double *residual = xcalloc(m + 1, sizeof *residual);
    const uint32_t *last = refused + m * n_clusters;
    for (size_t k = 0; k < n_clusters; k++) {
        total += n[k];
        n_k += n[k] > 0;
        for (size_t c = 0; c < m; c++) {
            difference[c] += (double)refused[c * n_clusters + k] - (double)last[k];
        }
    }
    double q = NAN;
    *ret_df = 0;
    if (total > 0 && n_k > 1) {
        for (size_t c = 0; c < m; c++) {
            difference[c] /= total;
        }
        for (size_t k = 0; k < n_clusters; k++) {
            for (size_t c = 0; c < m; c++) {
                residual[c] = (double)refused[c * n_clusters + k] - (double)last[k];
            }
            for (size_t a = 0; a < m; a++) {
                for (size_t b = 0; b < m; b++) {
                    covariance[a * m + b] += residual[a] * residual[b] / (total * total);
                }
            }
        }
        q = quadratic_form(covariance, difference, m, ret_df);
    }
    free(difference);
    free(covariance);
    free(residual);
    return q;
}
