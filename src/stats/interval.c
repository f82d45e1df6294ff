#include "stats/interval.h"

#include <math.h>
#include <stdlib.h>

void wilson_interval(double successes, double n, double z, double *ret_low, double *ret_high)
{
    if (n <= 0) {
        *ret_low = 0;
        *ret_high = 1;
        return;
    }
    double p = successes / n;
    double z2n = z * z / n;
    double centre = (p + z2n / 2) / (1 + z2n);
    double half = z * sqrt(p * (1 - p) / n + z2n / (4 * n)) / (1 + z2n);
    /* At 0 and 1 the ends are exact; rounding must not move them out. */
    *ret_low = p <= 0 ? 0 : fmax(0, centre - half);
    *ret_high = p >= 1 ? 1 : fmin(1, centre + half);
}

static int by_cluster(const void *a, const void *b)
{
    uint32_t x = ((const struct outcome *)a)->cluster;
    uint32_t y = ((const struct outcome *)b)->cluster;
    return (x > y) - (x < y);
}

struct proportion proportion_of(struct outcome *outcomes, size_t n, double z)
{
    struct proportion r = {.n = n, .rate = NAN, .icc = NAN};
    double sum_squares = 0;   /* of cluster sizes */
    double within = 0;        /* sum n_i p_i (1 - p_i) */
    double sum_x2_over_n = 0; /* sum n_i p_i^2 */
    qsort(outcomes, n, sizeof *outcomes, by_cluster);
    for (size_t start = 0, end; start < n; start = end) {
        size_t x = 0;
        for (end = start; end < n && outcomes[end].cluster == outcomes[start].cluster; end++) {
            x += outcomes[end].success;
        }
        double size = (double)(end - start);
        double p = (double)x / size;
        r.n_clusters++;
        r.n_successes += x;
        sum_squares += size * size;
        within += size * p * (1 - p);
        sum_x2_over_n += size * p * p;
    }
    if (n > 0) {
        double total = (double)n;
        double k = (double)r.n_clusters;
        r.rate = (double)r.n_successes / total;
        r.n_eff = k;
        if (r.n_clusters > 1 && r.n_clusters < n && r.n_successes > 0 && r.n_successes < n) {
            double between = (sum_x2_over_n - total * r.rate * r.rate) / (k - 1);
            within /= total - k;
            double n0 = (total - sum_squares / total) / (k - 1);
            r.icc = fmin(1, fmax(0, (between - within) / (between + (n0 - 1) * within)));
            r.n_eff = total / (1 + (sum_squares / total - 1) * r.icc);
        }
    }
    wilson_interval(r.rate * r.n_eff, r.n_eff, z, &r.low, &r.high);
    return r;
}
