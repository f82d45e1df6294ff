/*
 * matrix.h - small symmetric systems, dense, by Cholesky. Matrices are row-major [n * n].
 */
#ifndef AOR_STATS_MATRIX_H
#define AOR_STATS_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

/* Invert the symmetric positive definite a in place. False, with a spoilt, where it is not. */
bool invert_positive(double *a, size_t n);

/*
 * v' A^- v for a symmetric positive semidefinite A, with rows that depend on others left out;
 * *ret_rank says how many are not. NAN where that is none. Spoils a and v.
 */
double quadratic_form(double *a, double *v, size_t n, int *ret_rank);

/* scale * inner * meat * inner of symmetric matrices, into ret, which is neither of them. */
void sandwich_product(const double *inner, const double *meat, size_t n, double scale, double *ret);

#endif
