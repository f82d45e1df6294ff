/*
 * paired.h - two conditions over the same units, which come in clusters (variants of a scenario).
 */
#ifndef AOR_STATS_PAIRED_H
#define AOR_STATS_PAIRED_H

#include <stddef.h>
#include <stdint.h>

/* What the pairs of one cluster come to. */
struct pair_counts {
    uint32_t n;          /* pairs */
    uint32_t both;       /* refused in both */
    uint32_t first_only; /* refused in the first condition alone */
    uint32_t second_only;
};

struct paired {
    size_t n, n_clusters; /* pairs; clusters with a pair */
    size_t first_only, second_only;
    double first, second; /* rates; NAN without pairs */
    double difference;    /* second - first */
    double se;            /* cluster-robust; NAN with fewer than two clusters */
    double low, high;     /* difference -+ z se, within -1..1 */
    double p;             /* two-sided, of no difference; NAN where nothing can be tested */
    const char *test;     /* which: "exact McNemar", "sign-flip" */
};

/*
 * Compare the conditions over n_clusters clusters; z is the normal quantile of the interval.
 *
 * With D_k = second_only - first_only of cluster k, N pairs in all and d = sum D_k / N:
 *     se^2 = K / (K - 1) sum (D_k - n_k d)^2 / N^2
 * (the linearised variance of a ratio of cluster totals). The interval inverts no test; near 0 and
 * 1 with few clusters it is too narrow, and the tests of the simulations say how much.
 *
 * p: with at most one pair in each cluster the exact McNemar test (a sign test of the discordant
 * pairs), otherwise a sign-flip test on the cluster sums D_k: under no effect each is as likely to
 * have the other sign. It is exact over all 2^m signs of the m sums that are not 0 up to m = 20,
 * and by n_flips seeded draws beyond, as (1 + as extreme) / (1 + n_flips).
 */
struct paired paired_compare(const struct pair_counts *clusters, size_t n_clusters, double z,
                             uint32_t n_flips, uint64_t seed);

/*
 * Durkalski's chi-square for clustered matched pairs (Durkalski et al. 2003, Stat. Med. 22:
 * 2417-2428), one degree of freedom: (sum D_k / n_k)^2 / sum (D_k / n_k)^2. NAN when all are 0.
 */
double durkalski_chi_square(const struct pair_counts *clusters, size_t n_clusters);

/*
 * Clustered Cochran's Q: are n_conditions rates over the same units equal? refused[c * n_clusters +
 * k] counts refusals of cluster k in condition c, out of n[k] units seen in every condition. A
 * score test: with D_k the differences of a cluster's counts from those of the last condition, d'
 * V^- d for d = sum D_k and V = sum D_k D_k', whose expectation is that of d d' where nothing
 * differs. At most the number of clusters; of two conditions with single units it is McNemar's (b -
 * c)^2 / (b + c). Returns chi-square with *ret_df degrees of freedom, the rank of V; NAN and 0
 * where nothing varies.
 */
double clustered_cochran_q(const uint32_t *refused, const uint32_t *n, size_t n_clusters,
                           size_t n_conditions, int *ret_df);

#endif
