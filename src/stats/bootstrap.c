#include "stats/bootstrap.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

#define BLOCK                                                                                      \
    ((size_t)8) /* draws that go through the table together; also the unit of the random streams   \
                 */
#define MAX_THREADS 64

struct job {
    const struct clustered *c;
    size_t n_draws;
    uint64_t seed;
    float *ret;
    int index, n_threads;
};

/* weights[k * BLOCK + d]: how often draw d of the block has cluster k. */
static void draw_weights(size_t n_clusters, uint64_t seed, size_t block, float *weights)
{
    char name[32];
    snprintf(name, sizeof name, "bootstrap-%zu", block);
    struct rng rng = rng_init(seed, name);
    memset(weights, 0, n_clusters * BLOCK * sizeof *weights);
    for (size_t d = 0; d < BLOCK; d++) {
        for (size_t i = 0; i < n_clusters; i++) {
            weights[rng_below(&rng, (uint32_t)n_clusters) * BLOCK + d] += 1;
        }
    }
}

static void *work(void *user)
{
    const struct job *j = user;
    size_t n = j->c->n_clusters;
    float *weights = xcalloc(n * BLOCK + 1, sizeof *weights);
    size_t n_blocks = (j->n_draws + BLOCK - 1) / BLOCK;
    for (size_t block = (size_t)j->index; block < n_blocks; block += (size_t)j->n_threads) {
        draw_weights(n, j->seed, block, weights);
        for (size_t cell = 0; cell < j->c->n_cells; cell++) {
            const float *successes = j->c->successes + cell * n;
            const float *trials = j->c->trials + cell * n;
            float x[BLOCK] = {0};
            float of[BLOCK] = {0};
            for (size_t k = 0; k < n; k++) {
                for (size_t d = 0; d < BLOCK; d++) {
                    x[d] += weights[k * BLOCK + d] * successes[k];
                    of[d] += weights[k * BLOCK + d] * trials[k];
                }
            }
            for (size_t d = 0; d < BLOCK && block * BLOCK + d < j->n_draws; d++) {
                j->ret[(block * BLOCK + d) * j->c->n_cells + cell] = of[d] > 0 ? x[d] / of[d] : NAN;
            }
        }
    }
    free(weights);
    return NULL;
}

void bootstrap_rates(const struct clustered *c, size_t n_draws, uint64_t seed, int n_threads,
                     float *ret)
{
    int n = n_threads > 0 ? n_threads : pool_default_workers();
    n = n > MAX_THREADS ? MAX_THREADS : n < 1 ? 1 : n;
    struct job jobs[MAX_THREADS] = {0};
    pthread_t threads[MAX_THREADS];
    int n_started = 0;
    for (int i = 0; i < n; i++) {
        jobs[i] = (struct job){c, n_draws, seed, ret, i, n};
    }
    for (int i = 1; i < n; i++) {
        if (pthread_create(&threads[n_started], NULL, work, &jobs[i]) != 0) {
            work(&jobs[i]); /* no thread to be had: one after the other */
            continue;
        }
        n_started++;
    }
    work(&jobs[0]);
    for (int i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t below = (size_t)at;
    double part = at - (double)below;
    return below + 1 < n ? sorted[below] + part * (sorted[below + 1] - sorted[below])
                         : sorted[n - 1];
}

void percentile_interval(double *values, size_t n, double level, double *ret_low, double *ret_high)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(values[i])) {
            values[kept++] = values[i];
        }
    }
    if (kept == 0) {
        *ret_low = *ret_high = NAN;
        return;
    }
    qsort(values, kept, sizeof *values, by_value);
    *ret_low = quantile(values, kept, (1 - level) / 2);
    *ret_high = quantile(values, kept, (1 + level) / 2);
}
