/*
 * comparisons.h - what changes with the context, the strategy, the voice: paired differences
 * between cells of one run, from observations added one at a time.
 */
#ifndef AOR_STATS_COMPARISONS_H
#define AOR_STATS_COMPARISONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comparisons;

/* Strings are borrowed for the call. */
struct observation {
    const char *kind; /* "scenario", "contrast", "plain" */
    const char *condition, *strategy;
    const char *sample;
    int repeat;
    const char *scenario; /* the cluster; a contrast's is its twin's */
    const char *gender, *voice, *emotion, *rate;
    const char *snr; /* of speech over scene in dB, such as "10"; NULL: not known */
    bool refused;
};

enum comparison_family {
    FAMILY_CONTEXT,  /* conditions, of scenarios, a strategy at a time */
    FAMILY_STRATEGY, /* strategies against direct, of each kind, a condition at a time */
    FAMILY_MANNER,   /* emotions against neutral, rates against normal: matched, direct */
    FAMILY_SNR,      /* SNRs against 10 dB, by the same model */
    FAMILY_GENDER,   /* female against male: matched, direct */
    FAMILY_TWIN,     /* contrasts against their twin scenarios: Youden's J */
    FAMILY_MODEL,    /* runs against the first: comparisons_compute_models() */
    N_FAMILIES
};
extern const char *const comparison_family_names[]; /* ends with NULL */

struct comparison {
    enum comparison_family family;
    const char *kind;                 /* borrowed, as the others, from the struct comparisons */
    const char *condition, *strategy; /* that both have; "" where that is what is compared */
    const char *first_name, *second_name;
    size_t n, n_clusters;         /* pairs (observations, for manners) and scenarios */
    double first, second;         /* rates; NAN: adjusted differences have none */
    double difference;            /* second - first */
    double se, low, high;         /* 95%, by scenario (paired.h); NAN where there are too few */
    double ratio;                 /* second / first of pairs; NAN where there is none */
    double ratio_low, ratio_high; /* by a cluster bootstrap, percentiles (bootstrap.h) */
    double p;                     /* NAN where nothing can be tested */
    double p_durkalski;           /* of pairs: the clustered McNemar test (paired.h) */
    double p_holm;                /* within the family */
    double findable;              /* the difference that a test at 5% finds in 80%: 2.80 se */
    const char *method;           /* how p came about */
};

struct comparisons *comparisons_new(void);
void comparisons_free(struct comparisons *c);
void comparisons_add(struct comparisons *c, const struct observation *o);

/*
 * All comparisons that the observations allow, by family. *ret is the caller's: free().
 *
 * Where a family has more than two cells over the same units, a clustered Cochran's Q (paired.h)
 * asks first whether they differ at all; it has a p and no difference.
 *
 * Pairs are the same sample and repeat in two cells. Female and male are the two samples of a
 * scenario that share emotion and rate; their p is that of the voices (an exact permutation over
 * all ways to share out the voices, on the difference of the genders' mean voice rates): few voices
 * cannot show much, and p says so. Manners and SNRs are coefficients of one linear model of refusal
 * on emotion, rate, SNR and gender with a mean for each scenario, and scenario-clustered errors:
 * adjusted for each other, in differences of rates. Youden's J is the refusal rate of contrasts
 * less that of scenarios in their scenes, over twins.
 */
void comparisons_compute(struct comparisons *c, struct comparison **ret, size_t *ret_n);

/*
 * Each run against the reference, by kind, over the samples that both have, from observations whose
 * strategy is the name of their run; condition is what all of them have in common.
 */
void comparisons_compute_models(struct comparisons *c, const char *reference, const char *condition,
                                struct comparison **ret, size_t *ret_n);

#endif
