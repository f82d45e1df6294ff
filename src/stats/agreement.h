/*
 * agreement.h - how far judges say the same, beyond chance.
 */
#ifndef AOR_STATS_AGREEMENT_H
#define AOR_STATS_AGREEMENT_H

#include <stddef.h>
#include <stdint.h>

struct kappa {
    size_t n;        /* items */
    double observed; /* share of agreement; NAN without items */
    double expected; /* by chance, from the judges' own shares */
    double value;    /* (observed - expected) / (1 - expected); NAN where expected is 1 */
    double se;       /* of value, not assuming that it is 0 */
};

/*
 * Cohen's kappa (1960, Educ. Psychol. Meas. 20: 37-46) of a confusion matrix counts[k * k], a row a
 * class of the first judge. se: Fleiss, Cohen and Everitt (1969, Psychol. Bull. 72: 323-327), for
 * independent items.
 */
struct kappa cohen_kappa(const uint64_t *counts, size_t k);

/*
 * Fleiss' kappa (1971, Psychol. Bull. 76: 378-382): counts[n * k], how many of the judges put item
 * i into class j; the same number of judges, at least two, for every item. se is NAN.
 */
struct kappa fleiss_kappa(const uint32_t *counts, size_t n, size_t k);

/*
 * Krippendorff's alpha for nominal values (2011, Computing Krippendorff's Alpha-Reliability), as
 * value, with 1 - observed and 1 - expected its two disagreements: counts as above, but each item
 * may have its own number of labels; those with fewer than two say nothing. n counts the others.
 */
struct kappa krippendorff_alpha(const uint32_t *counts, size_t n, size_t k);

#endif
