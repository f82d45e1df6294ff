/*
 * balance.h - the counts that prove a plan's balance.
 */
#ifndef AOR_BENCH_BALANCE_H
#define AOR_BENCH_BALANCE_H

#include "bench/bench.h"

/* The smallest and largest number of samples over the levels of a factor that occur. */
struct balance {
    const char *factor;
    size_t n_levels;
    size_t min, max;
};

#define BALANCE_N_FACTORS 14

/* A sample's level of factor number f (0..BALANCE_N_FACTORS-1), as text in out[size]. */
void balance_level(const struct sample *s, int f, char *out, size_t size);

/* Over the samples of one kind; all zero but for factor where the plan has none. */
struct balance balance_count(const struct bench *b, enum item_kind kind, int f);

#endif
