/* Comparisons over a made-up run whose effects are known by construction. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stats/comparisons.h"

static const char *const emotions[] = {"neutral", "happy", "angry"};
static const char *const rates[] = {"slow", "normal", "fast"};
static const char *const snrs[] = {"5", "10", "15"};

static struct observation observation_of(const char *kind, const char *condition,
                                         const char *strategy, const char *sample,
                                         const char *scenario, bool refused)
{
    return (struct observation){.kind = kind,
                                .condition = condition,
                                .strategy = strategy,
                                .sample = sample,
                                .repeat = 1,
                                .scenario = scenario,
                                .gender = "female",
                                .voice = "f-1",
                                .emotion = "neutral",
                                .rate = "normal",
                                .refused = refused};
}

static const struct comparison *find(const struct comparison *list, size_t n, const char *first,
                                     const char *second, const char *kind)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].first_name, first) == 0 && strcmp(list[i].second_name, second) == 0 &&
            strcmp(list[i].kind, kind) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static void assert_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-9)) {
        fail_msg("%.17g, not %.17g", got, expected);
    }
}

/* Four scenarios of two samples; refused in the other scene, but not in their own, at known places.
 */
static void test_pairs(void **state)
{
    (void)state;
    struct comparisons *c = comparisons_new();
    for (int k = 0; k < 4; k++) {
        char scenario[16];
        snprintf(scenario, sizeof scenario, "s%d", k);
        for (int v = 0; v < 2; v++) {
            char sample[32];
            snprintf(sample, sizeof sample, "s%d-%d", k, v);
            struct observation o =
                observation_of("scenario", "matched", "direct", sample, scenario, k == 0);
            comparisons_add(c, &o);
            if (k < 3) { /* a pair is only what was asked in both */
                o.condition = "mismatched";
                o.refused = k <= v;
                comparisons_add(c, &o);
            }
            o.condition = "matched";
            o.strategy = "cot";
            o.refused = false;
            comparisons_add(c, &o);
        }
        char sample[32];
        snprintf(sample, sizeof sample, "c%d", k);
        struct observation o =
            observation_of("contrast", "matched", "direct", sample, scenario, k != 1);
        comparisons_add(c, &o);
    }
    struct comparison *list;
    size_t n;
    comparisons_compute(c, &list, &n);
    const struct comparison *context = find(list, n, "mismatched", "matched", "scenario");
    assert_non_null(context);
    assert_int_equal(context->n, 6);
    assert_int_equal(context->n_clusters, 3);
    assert_near(context->first, 3.0 / 6);
    assert_near(context->second, 2.0 / 6);
    assert_near(context->difference, -1.0 / 6);
    /* Sums 0, -1, 0 against -1/3 each: sqrt(3/2 (1/9 + 4/9 + 1/9)) / 6. */
    assert_near(context->se, 1.0 / 6);
    assert_near(context->p, 1);
    assert_string_equal(context->method, "sign-flip");
    const struct comparison *cot = find(list, n, "direct", "cot", "scenario");
    assert_non_null(cot);
    assert_int_equal(cot->n, 8);
    assert_near(cot->difference, -0.25);
    assert_null(find(list, n, "direct", "cot", "contrast"));
    const struct comparison *twins = find(list, n, "scenario", "contrast", "twins");
    assert_non_null(twins);
    assert_near(twins->first, 0.25);
    assert_near(twins->second, 0.75);
    /* Differences 0, 0, 1, 1 around 0.5: sqrt(4 x 0.25 / 3 / 4). */
    assert_near(twins->se, sqrt(1.0 / 12));
    assert_null(find(list, n, "neutral", "angry", "scenario"));
    free(list);
    comparisons_free(c);
}

/* Angry adds 0.2, the voice f-0 0.1; rates nothing. */
static void test_manners(void **state)
{
    (void)state;
    struct comparisons *c = comparisons_new();
    struct rng rng = rng_init(5, "manners");
    for (int k = 0; k < 300; k++) {
        char scenario[16];
        snprintf(scenario, sizeof scenario, "s%d", k);
        double own = 0.1 + 0.5 * rng_uniform(&rng);
        for (int i = 0; i < 6; i++) {
            char sample[32];
            char voice[8];
            int emotion = i / 2;
            int snr = (k + emotion) % 3;
            snprintf(sample, sizeof sample, "s%d-%d", k, i);
            snprintf(voice, sizeof voice, "%s-%d", i % 2 == 0 ? "f" : "m", (k + emotion) % 4);
            struct observation o = observation_of(
                "scenario", "matched", "direct", sample, scenario,
                rng_uniform(&rng) < own + (emotion == 2 ? 0.2 : 0) + (snr == 0 ? 0.15 : 0) +
                                        (strcmp(voice, "f-0") == 0 ? 0.1 : 0));
            o.gender = i % 2 == 0 ? "female" : "male";
            o.voice = voice;
            o.emotion = emotions[emotion];
            o.rate = rates[(k + emotion * 2) % 3];
            o.snr = snrs[snr];
            comparisons_add(c, &o);
        }
    }
    struct comparison *list;
    size_t n;
    comparisons_compute(c, &list, &n);
    const struct comparison *angry = find(list, n, "neutral", "angry", "scenario");
    const struct comparison *happy = find(list, n, "neutral", "happy", "scenario");
    const struct comparison *slow = find(list, n, "normal", "slow", "scenario");
    const struct comparison *female = find(list, n, "male", "female", "scenario");
    assert_true(angry && happy && slow && female);
    assert_true(angry->low < 0.2 && 0.2 < angry->high && angry->p_holm < 0.001);
    assert_true(happy->low < 0 && 0 < happy->high);
    assert_true(slow->low < 0 && 0 < slow->high);
    const struct comparison *near = find(list, n, "SNR 10 dB", "SNR 5 dB", "scenario");
    const struct comparison *far = find(list, n, "SNR 10 dB", "SNR 15 dB", "scenario");
    assert_true(near && far && near->family == FAMILY_SNR && angry->family == FAMILY_MANNER);
    assert_true(near->low < 0.15 && 0.15 < near->high && near->p_holm < 0.001);
    assert_true(far->low < 0 && 0 < far->high);
    assert_int_equal(female->n, 900);
    assert_true(female->low < 0.025 && 0.025 < female->high);
    /* Four voices a side: 70 ways, so p is a multiple of 1/70 and at least 2/70. */
    assert_near(female->p * 70, round(female->p * 70));
    assert_true(female->p > 1.9 / 70);
    assert_true(isnan(angry->first) && angry->n == 1800 && angry->n_clusters == 300);
    assert_near(angry->findable / angry->se, 2.801585217626968);
    free(list);
    comparisons_free(c);
}

static void test_nothing(void **state)
{
    (void)state;
    struct comparisons *c = comparisons_new();
    struct comparison *list;
    size_t n;
    comparisons_compute(c, &list, &n);
    assert_int_equal(n, 0);
    free(list);
    struct observation o = observation_of("scenario", "matched", "direct", "a", "s", true);
    comparisons_add(c, &o);
    comparisons_compute(c, &list, &n);
    assert_int_equal(n, 0);
    free(list);
    comparisons_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_manners),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
