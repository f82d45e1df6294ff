#include "stats/matrix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TOLERANCE 1e-10 /* of a pivot, relative to its diagonal */

/* Lower factor in place; rows that depend on those before get a zero column. Returns the rank. */
static size_t factor(double *a, size_t n)
{
    size_t rank = 0;
    for (size_t j = 0; j < n; j++) {
        double diagonal = a[j * n + j];
        double pivot = diagonal;
        for (size_t k = 0; k < j; k++) {
            pivot -= a[j * n + k] * a[j * n + k];
        }
        bool is_free = pivot > TOLERANCE * diagonal && pivot > 0;
        rank += is_free;
        double root = is_free ? sqrt(pivot) : 0;
        a[j * n + j] = root;
        for (size_t i = j + 1; i < n; i++) {
            double sum = a[i * n + j];
            for (size_t k = 0; k < j; k++) {
                sum -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = is_free ? sum / root : 0;
        }
    }
    return rank;
}

bool invert_positive(double *a, size_t n)
{
    if (factor(a, n) < n) {
        return false;
    }
    /* The factor's inverse, then its transpose times itself. */
    for (size_t j = 0; j < n; j++) {
        a[j * n + j] = 1 / a[j * n + j];
        for (size_t i = j + 1; i < n; i++) {
            double sum = 0;
            for (size_t k = j; k < i; k++) {
                sum -= a[i * n + k] * a[k * n + j];
            }
            a[i * n + j] = sum / a[i * n + i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = i; k < n; k++) {
                sum += a[k * n + i] * a[k * n + j];
            }
            a[j * n + i] = sum;
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            a[i * n + j] = a[j * n + i];
        }
    }
    return true;
}

double quadratic_form(double *a, double *v, size_t n, int *ret_rank)
{
    *ret_rank = (int)factor(a, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            v[i] -= a[i * n + k] * v[k];
        }
        v[i] = a[i * n + i] > 0 ? v[i] / a[i * n + i] : 0;
        sum += v[i] * v[i];
    }
    return *ret_rank > 0 ? sum : NAN;
}

void sandwich_product(const double *inner, const double *meat, size_t n, double scale, double *ret)
{
    double *half = xcalloc(n * n + 1, sizeof *half);
    memset(ret, 0, n * n * sizeof *ret);
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) {
            for (size_t c = 0; c < n; c++) {
                half[a * n + b] += inner[a * n + c] * meat[c * n + b];
            }
        }
    }
    for (size_t a = 0; a < n; a++) {
        for (size_t b = 0; b < n; b++) {
            for (size_t c = 0; c < n; c++) {
                ret[a * n + b] += scale * half[a * n + c] * inner[c * n + b];
            }
        }
    }
    free(half);
}
