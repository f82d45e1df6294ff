/*
 * factors.h - a logistic model of refusal on named factors, with scenario-clustered errors.
 */
#ifndef AOR_STATS_FACTORS_H
#define AOR_STATS_FACTORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct factor_model;

struct factor_effect {
    const char *factor, *level, *reference; /* borrowed from the model */
    size_t n;                               /* observations at the level */
    double log_odds, se, low, high;         /* of level against reference; 95% */
    double p;                               /* of this level, Wald */
    double p_factor;                        /* of all levels of the factor together, Wald */
};

/*
 * factors: n names; references: the level that others are compared with, or NULL for the first of
 * them by its bytes. What occurs in one level only is left out.
 */
struct factor_model *factor_model_new(const char *const *factors, const char *const *references,
                                      size_t n);
void factor_model_free(struct factor_model *m);

/* levels: one a factor. */
void factor_model_add(struct factor_model *m, const char *const *levels, const char *cluster,
                      bool refused);

/*
 * Fit (logistic.h). *ret, one entry for each level but the references, is the caller's: free().
 * Fails with the reason where there is no finite estimate.
 */
int factor_model_fit(struct factor_model *m, struct factor_effect **ret, size_t *ret_n,
                     struct err *err);

#endif
