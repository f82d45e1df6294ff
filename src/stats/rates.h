/*
 * rates.h - refusal rates by a factor, from observations added one at a time.
 * An observation takes 4 bytes a factor and 5 more; each string is kept once.
 */
#ifndef AOR_STATS_RATES_H
#define AOR_STATS_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stats/interval.h"

struct rates;

struct rate_row {
    const char *level;        /* borrowed from the struct rates; "" in a table by no factor */
    struct proportion strict; /* refusals */
    struct proportion broad;  /* refusals and partials */
};

/* factors names what observations vary in: "category", "gender", ... The caller's: rates_free(). */
struct rates *rates_new(const char *const *factors, size_t n_factors);
void rates_free(struct rates *t);

/* levels: one string a factor, in the order of rates_new. cluster: what makes observations alike.
 */
void rates_add(struct rates *t, const char *const *levels, const char *cluster, bool refused_strict,
               bool refused_broad);

/*
 * One row a level of the factor that occurs, sorted by the level's bytes; or, with factor NULL, one
 * row for all. No row without observations. *ret_rows is the caller's: free(). Fails on an unknown
 * factor.
 */
int rates_by(const struct rates *t, const char *factor, double z, struct rate_row **ret_rows,
             size_t *ret_n, struct err *err);

/* The greatest less the smallest strict rate of a factor's levels, and what chance makes of it. */
struct rate_gap {
    double gap;         /* NAN with fewer than two levels */
    double chance;      /* mean gap when the levels are shuffled */
    double chance_high; /* its 95th percentile */
    double p;           /* (1 + shuffles with at least this gap) / (1 + n_shuffles) */
};

/*
 * Levels are shuffled within clusters; where each cluster has one level only, among clusters. A
 * largest gap is above 0 by construction: it means something beside chance alone. Fails on an
 * unknown factor.
 */
int rates_gap(const struct rates *t, const char *factor, uint32_t n_shuffles, uint64_t seed,
              struct rate_gap *ret, struct err *err);

#endif
