/*
 * distribution.h - tails and quantiles of the distributions that the tests here need.
 */
#ifndef AOR_STATS_DISTRIBUTION_H
#define AOR_STATS_DISTRIBUTION_H

/* P(|Z| >= |z|) of a standard normal Z. */
double normal_two_sided(double z);

/* z with P(Z <= z) = p, for p in (0, 1): Newton on erfc, to about 1e-15. */
double normal_quantile(double p);

/*
 * P(X >= x) of chi-square with df >= 1 degrees of freedom, x >= 0; by the finite sums that whole
 * degrees allow (Abramowitz and Stegun 26.4.4, 26.4.5).
 */
double chi_square_tail(double x, int df);

/* Two-sided exact binomial test of b against c at 1/2: P(at least as uneven); 1 where both are 0.
 */
double sign_test(unsigned b, unsigned c);

/*
 * Holm's step-down adjustment (1979) of n p-values, in place. NAN stays NAN and counts for nothing.
 */
void holm_adjust(double *p, int n);

#endif
