#include "stats/agreement.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static void finish(struct kappa *r)
{
    r->value = r->expected < 1 ? (r->observed - r->expected) / (1 - r->expected) : NAN;
}

struct kappa cohen_kappa(const uint64_t *counts, size_t k)
{
    struct kappa r = {.observed = NAN, .expected = NAN, .value = NAN, .se = NAN};
    double *row = xcalloc(2 * k + 1, sizeof *row); /* shares of the first judge; of the second */
    double *column = row + k;
    double total = 0;
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < k; j++) {
            double c = (double)counts[i * k + j];
            total += c;
            row[i] += c;
            column[j] += c;
        }
    }
    r.n = (size_t)total;
    if (r.n == 0) {
        free(row);
        return r;
    }
    r.observed = r.expected = 0;
    for (size_t i = 0; i < k; i++) {
        row[i] /= total;
        column[i] /= total;
        r.observed += (double)counts[i * k + i] / total;
        r.expected += row[i] * column[i];
    }
    finish(&r);
    double sum = 0;
    double unexpected = 1 - r.expected;
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < k; j++) {
            double p = (double)counts[i * k + j] / total;
            double margins = column[i] + row[j];
            double a = (i == j ? 1 : 0) - margins * (1 - r.value);
            sum += p * a * a;
        }
    }
    double b = r.value - r.expected * (1 - r.value);
    double variance = (sum - b * b) / (unexpected * unexpected * total);
    r.se = isnan(r.value) ? NAN : sqrt(fmax(0, variance));
    free(row);
    return r;
}

struct kappa fleiss_kappa(const uint32_t *counts, size_t n, size_t k)
{
    struct kappa r = {.n = n, .observed = NAN, .expected = NAN, .value = NAN, .se = NAN};
    if (n == 0) {
        return r;
    }
    double *shares = xcalloc(k + 1, sizeof *shares);
    double total = 0;
    double agreeing = 0;
    for (size_t i = 0; i < n; i++) {
        double m = 0;
        double squares = 0;
        for (size_t j = 0; j < k; j++) {
            double c = counts[i * k + j];
            m += c;
            squares += c * c;
            shares[j] += c;
        }
        total += m;
        agreeing += (squares - m) / (m * (m - 1));
    }
    r.observed = agreeing / (double)n;
    r.expected = 0;
    for (size_t j = 0; j < k; j++) {
        r.expected += shares[j] / total * (shares[j] / total);
    }
    finish(&r);
    free(shares);
    return r;
}

struct kappa krippendorff_alpha(const uint32_t *counts, size_t n, size_t k)
{
    struct kappa r = {.observed = NAN, .expected = NAN, .value = NAN, .se = NAN};
    double *of_class = xcalloc(k + 1, sizeof *of_class);
    double total = 0;
    double differing = 0;
    for (size_t i = 0; i < n; i++) {
        double m = 0;
        double squares = 0;
        for (size_t j = 0; j < k; j++) {
            double c = counts[i * k + j];
            m += c;
            squares += c * c;
        }
        if (m < 2) {
            continue;
        }
        r.n++;
        total += m;
        differing += (m * m - squares) / (m - 1);
        for (size_t j = 0; j < k; j++) {
            of_class[j] += counts[i * k + j];
        }
    }
    if (r.n > 0) {
        double squares = 0;
        for (size_t j = 0; j < k; j++) {
            squares += of_class[j] * of_class[j];
        }
        r.observed = 1 - differing / total;
        r.expected = 1 - (total * total - squares) / (total * (total - 1));
        finish(&r);
    }
    free(of_class);
    return r;
}
