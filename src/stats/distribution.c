#include "stats/distribution.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define MAX_NEWTON 100

double normal_two_sided(double z)
{
    return erfc(fabs(z) / sqrt(2));
}

double normal_quantile(double p)
{
    assert(p > 0 && p < 1);
    /* In the lower tail, where erfc keeps its digits. */
    double tail = p < 0.5 ? p : 1 - p;
    double z = 0;
    for (int i = 0; i < MAX_NEWTON; i++) {
        double cdf = erfc(-z / sqrt(2)) / 2;
        double density = exp(-z * z / 2) / sqrt(2 * acos(-1));
        /* On log p the steps are sure far out, too. */
        double step = cdf * log(cdf / tail) / density;
        z -= step;
        if (fabs(step) <= 1e-15 * fabs(z)) {
            break;
        }
    }
    return p < 0.5 ? z : -z;
}

double chi_square_tail(double x, int df)
{
    assert(df >= 1);
    if (!(x > 0)) {
        return isnan(x) ? NAN : 1;
    }
    double half = x / 2;
    double sum = 0;
    for (int i = df % 2; i < df; i += 2) { /* k = i / 2 */
        double k = i / 2.0;
        sum += exp(k * log(half) - half - lgamma(k + 1));
    }
    return df % 2 == 0 ? sum : erfc(sqrt(half)) + sum;
}

double sign_test(unsigned b, unsigned c)
{
    unsigned n = b + c;
    unsigned low = b < c ? b : c;
    double sum = 0;
    for (unsigned i = 0; i <= low; i++) {
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) - n * log(2));
    }
    return fmin(1, 2 * sum);
}

static int by_value(const void *a, const void *b)
{
    double x = **(double *const *)a;
    double y = **(double *const *)b;
    return (x > y) - (x < y);
}

void holm_adjust(double *p, int n)
{
    double **order = xcalloc((size_t)n + 1, sizeof *order);
    int m = 0;
    for (int i = 0; i < n; i++) {
        if (!isnan(p[i])) {
            order[m++] = &p[i];
        }
    }
    qsort(order, (size_t)m, sizeof *order, by_value);
    double least = 0;
    for (int i = 0; i < m; i++) {
        least = fmax(least, fmin(1, *order[i] * (m - i)));
        *order[i] = least;
    }
    free(order);
}
