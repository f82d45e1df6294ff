/*
 * spec.h - the design of a benchmark: seed, pairs, levels, and which items are in it.
 */
#ifndef AOR_BENCH_SPEC_H
#define AOR_BENCH_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/design.h"
#include "bench/scenario.h"

struct spec {
    char *name;
    uint64_t seed;
    int n_pairs[ITEM_N_KINDS]; /* (emotion, rate) pairs of each kind of item, each by two voices */
    double snr_db[DESIGN_N_SNRS];
    int n_takes; /* of each scene, 1..DESIGN_MAX_TAKES */
    char **only; /* item ids; NULL: all */
    size_t n_only;
};

/* Errors name file:line:column. */
int spec_load(const char *path, struct spec *ret, struct err *err);
void spec_release(struct spec *s);

bool spec_wants(const struct spec *s, const char *item_id);

/* Replace the list of items; only and its texts are the spec's from now on. */
void spec_set_only(struct spec *s, char **only, size_t n);

/* The spec as YAML, always the same for the same spec; the caller's. */
char *spec_text(const struct spec *s);

#endif
