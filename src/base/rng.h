/*
 * rng.h - seeded random numbers that are the same on every machine.
 * Generator: xoshiro256** (Blackman and Vigna, 2018), state filled by splitmix64.
 */
#ifndef AOR_BASE_RNG_H
#define AOR_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

/* A generator for (seed, name): different names give unrelated streams. */
struct rng rng_init(uint64_t seed, const char *name);

uint64_t rng_next(struct rng *r);

/* Uniform in [0, 1), 53 bits. */
double rng_uniform(struct rng *r);

/* Uniform in [low, high). */
double rng_range(struct rng *r, double low, double high);

/* Uniform in 0..n-1; n > 0. */
uint32_t rng_below(struct rng *r, uint32_t n);

#endif
