/*
 * Simulated verdicts with known truth, over a grid of rates, correlations and numbers of scenarios
 * of ten variants: do intervals cover, do tests err as often as they say, is the power as promised?
 * Verdicts of a scenario are a Polya urn, that is beta-binomial. Seeded: it comes out the same.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "stats/bootstrap.h"
#include "stats/corrected.h"
#include "stats/distribution.h"
#include "stats/interval.h"
#include "stats/paired.h"

#define N_UNITS 10
#define MAX_CLUSTERS 300
#define N_RUNS 400
/* Three standard errors of a share near 0.95 from so many runs. */
#define SLACK 0.033

static const double rates[] = {0.03, 0.1, 0.5, 0.97};
static const double correlations[] = {0, 0.1, 0.3, 0.7};
static const int sizes[] = {60, 150, 300};

/* The next verdict of a scenario that has shown n of which x are refusals. */
static bool draw(struct rng *rng, double rate, double icc, int n, int x)
{
    if (icc <= 0) {
        return rng_uniform(rng) < rate;
    }
    double balls = 1 / icc - 1;
    return rng_uniform(rng) < (rate * balls + x) / (balls + n);
}

/* Few scenarios that are much alike near an end: told in the manual. */
static bool is_hard(double rate, double icc, int n_clusters)
{
    return n_clusters == 60 && icc >= 0.3 && (rate < 0.05 || rate > 0.95);
}

static void test_coverage(void **state)
{
    (void)state;
    struct rng rng = rng_init(1, "coverage");
    struct outcome *outcomes = xcalloc((size_t)MAX_CLUSTERS * N_UNITS, sizeof *outcomes);
    for (int cell = 0; cell < 4 * 4 * 3; cell++) {
        double rate = rates[cell / 12];
        double icc = correlations[cell / 3 % 4];
        int n_clusters = sizes[cell % 3];
        int n_covered = 0;
        for (int run = 0; run < N_RUNS; run++) {
            size_t n = 0;
            for (int k = 0; k < n_clusters; k++) {
                for (int i = 0, x = 0; i < N_UNITS; i++) {
                    bool refused = draw(&rng, rate, icc, i, x);
                    x += refused;
                    outcomes[n++] = (struct outcome){(uint32_t)k, refused};
                }
            }
            struct proportion p = proportion_of(outcomes, n, Z_95);
            n_covered += p.low <= rate && rate <= p.high;
        }
        double coverage = (double)n_covered / N_RUNS;
        double least = is_hard(rate, icc, n_clusters) ? 0.85 : 0.93 - SLACK;
        if (coverage < least || coverage > 0.97 + SLACK) {
            fail_msg("rate %g, icc %g, %d scenarios: coverage %.3f", rate, icc, n_clusters,
                     coverage);
        }
    }
    free(outcomes);
}

struct world {
    double rate, icc, effect; /* of the second condition */
    int n_clusters;
};

static void make_pairs(struct rng *rng, const struct world *w, struct pair_counts *pairs)
{
    for (int k = 0; k < w->n_clusters; k++) {
        int x = 0;
        pairs[k] = (struct pair_counts){.n = N_UNITS};
        for (int i = 0; i < N_UNITS; i++) {
            bool first = draw(rng, w->rate, w->icc, 2 * i, x);
            x += first;
            bool second = draw(rng, w->rate, w->icc, 2 * i + 1, x);
            x += second;
            second = second || rng_uniform(rng) < w->effect / (1 - w->rate);
            pairs[k].both += first && second;
            pairs[k].first_only += first && !second;
            pairs[k].second_only += second && !first;
        }
    }
}

static void test_type_1(void **state)
{
    (void)state;
    struct rng rng = rng_init(2, "type 1");
    struct pair_counts pairs[MAX_CLUSTERS];
    for (int cell = 0; cell < 4 * 4 * 3; cell++) {
        struct world w = {rates[cell / 12], correlations[cell / 3 % 4], 0, sizes[cell % 3]};
        int n_flip = 0;
        int n_durkalski = 0;
        int n_covered = 0;
        for (int run = 0; run < N_RUNS; run++) {
            make_pairs(&rng, &w, pairs);
            struct paired p = paired_compare(pairs, (size_t)w.n_clusters, Z_95, 199, (uint64_t)run);
            double chi = durkalski_chi_square(pairs, (size_t)w.n_clusters);
            n_flip += p.p <= 0.05;
            n_durkalski += !isnan(chi) && chi_square_tail(chi, 1) <= 0.05;
            n_covered += p.low <= 0 && 0 <= p.high;
        }
        if ((double)n_flip / N_RUNS > 0.06 + SLACK || (double)n_durkalski / N_RUNS > 0.06 + SLACK ||
            (double)n_covered / N_RUNS < 0.93 - SLACK) {
            fail_msg("rate %g, icc %g, %d scenarios: sign-flip %d, Durkalski %d, covered %d of %d",
                     w.rate, w.icc, w.n_clusters, n_flip, n_durkalski, n_covered, N_RUNS);
        }
    }
}

/* The change that is called findable is found in about 80%. */
static void test_power(void **state)
{
    (void)state;
    struct rng rng = rng_init(3, "power");
    struct pair_counts pairs[MAX_CLUSTERS];
    struct world w = {0.4, 0.3, 0, 150};
    double z = Z_95 + normal_quantile(0.8);
    double se = 0;
    for (int run = 0; run < 50; run++) {
        make_pairs(&rng, &w, pairs);
        se += paired_compare(pairs, 150, Z_95, 1, 1).se / 50;
    }
    w.effect = z * se;
    int n_found = 0;
    for (int run = 0; run < N_RUNS; run++) {
        make_pairs(&rng, &w, pairs);
        n_found += paired_compare(pairs, 150, Z_95, 999, (uint64_t)run).p <= 0.05;
    }
    if (n_found < N_RUNS * 0.72 || n_found > N_RUNS * 0.88) {
        fail_msg("found in %d of %d", n_found, N_RUNS);
    }
}

/* The bootstrap's interval of a difference agrees with the linearised one, whatever the threads. */
static void test_bootstrap(void **state)
{
    (void)state;
    enum { N_CLUSTERS = 150 };
    const size_t n_draws = 4000;
    struct rng rng = rng_init(4, "bootstrap");
    struct world w = {0.4, 0.2, 0.1, N_CLUSTERS};
    struct pair_counts pairs[N_CLUSTERS];
    float successes[2 * N_CLUSTERS];
    float trials[2 * N_CLUSTERS];
    make_pairs(&rng, &w, pairs);
    for (size_t k = 0; k < N_CLUSTERS; k++) {
        successes[k] = (float)(pairs[k].both + pairs[k].first_only);
        successes[N_CLUSTERS + k] = (float)(pairs[k].both + pairs[k].second_only);
        trials[k] = trials[N_CLUSTERS + k] = N_UNITS;
    }
    struct clustered c = {2, N_CLUSTERS, successes, trials};
    float *one = xcalloc(2 * n_draws, sizeof *one);
    float *three = xcalloc(2 * n_draws, sizeof *three);
    double *differences = xcalloc(n_draws, sizeof *differences);
    bootstrap_rates(&c, n_draws, 7, 1, one);
    bootstrap_rates(&c, n_draws, 7, 3, three);
    assert_memory_equal(one, three, 2 * n_draws * sizeof *one);
    for (size_t i = 0; i < n_draws; i++) {
        differences[i] = (double)one[2 * i + 1] - (double)one[2 * i];
    }
    double low;
    double high;
    percentile_interval(differences, n_draws, 0.95, &low, &high);
    struct paired p = paired_compare(pairs, N_CLUSTERS, Z_95, 1, 1);
    /* A percentile's Monte Carlo error is some 3% of the width. */
    assert_true(fabs(low - p.low) < 0.1 * (p.high - p.low));
    assert_true(fabs(high - p.high) < 0.1 * (p.high - p.low));
    free(differences);
    free(three);
    free(one);
    double none = NAN;
    percentile_interval(&none, 1, 0.95, &low, &high);
    assert_true(isnan(low) && isnan(high));
}

/* A judge with errors, people on 200 answers: the corrected rate covers the true one. */
static void test_corrected(void **state)
{
    (void)state;
    struct rng rng = rng_init(5, "corrected");
    static const double truths[] = {0.05, 0.3, 0.6, 0.9};
    for (int t = 0; t < 4; t++) {
        int n_covered = 0;
        double sum = 0;
        for (int run = 0; run < N_RUNS; run++) {
            struct judge_errors e = {0};
            int n_judged = 0;
            for (int i = 0; i < 2200; i++) {
                bool refused = rng_uniform(&rng) < truths[t];
                bool judged = rng_uniform(&rng) < (refused ? 0.85 : 0.06);
                if (i < 2000) {
                    n_judged += judged;
                    continue;
                }
                e.n_refusals += refused;
                e.n_found += refused && judged;
                e.n_others += !refused;
                e.n_cleared += !refused && !judged;
            }
            struct corrected c = corrected_rate(n_judged / 2000.0, 2000, &e, Z_95);
            n_covered += c.low <= truths[t] && truths[t] <= c.high;
            sum += c.rate;
        }
        if ((double)n_covered / N_RUNS < 0.93 - SLACK || fabs(sum / N_RUNS - truths[t]) > 0.02) {
            fail_msg("%g: covered %d of %d, mean %g", truths[t], n_covered, N_RUNS, sum / N_RUNS);
        }
    }
    struct judge_errors chance = {10, 5, 10, 5};
    assert_true(isnan(corrected_rate(0.5, 100, &chance, Z_95).rate));
    struct judge_errors one_kind = {10, 9, 0, 0};
    assert_true(isnan(corrected_rate(0.5, 100, &one_kind, Z_95).low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coverage),  cmocka_unit_test(test_type_1),
        cmocka_unit_test(test_power),     cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
