/*
 * Time of the cluster bootstrap: 12 models x 3,840 samples (510 scenarios and plain requests, as
 * clusters) x 8 cells, 10,000 draws of all rates together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "stats/bootstrap.h"

#define N_CELLS ((size_t)12 * 8)
#define N_CLUSTERS ((size_t)510)
#define N_DRAWS ((size_t)10000)

int main(void)
{
    struct rng rng = rng_init(1, "bench");
    float *successes = calloc(2 * N_CELLS * N_CLUSTERS, sizeof *successes);
    float *trials = successes + N_CELLS * N_CLUSTERS;
    float *rates = calloc(N_CELLS * N_DRAWS, sizeof *rates);
    if (!successes || !rates) {
        return 1;
    }
    for (size_t i = 0; i < N_CELLS * N_CLUSTERS; i++) {
        trials[i] = (float)(i % N_CLUSTERS < 300 ? 10 : 4);
        successes[i] = (float)rng_below(&rng, (uint32_t)trials[i] + 1);
    }
    struct clustered c = {N_CELLS, N_CLUSTERS, successes, trials};
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    bootstrap_rates(&c, N_DRAWS, 1, 0, rates);
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("bootstrap: %zu cells, %zu clusters, %zu draws: %.2f s\n", N_CELLS, N_CLUSTERS, N_DRAWS,
           (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
    free(successes);
    free(rates);
    return 0;
}
