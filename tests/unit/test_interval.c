/* Expected numbers: tests/reference/intervals.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats/interval.h"

#define EPSILON 1e-9

#define assert_near(got, expected) assert_true(fabs((got) - (expected)) <= EPSILON)

static void test_wilson(void **state)
{
    (void)state;
    static const struct {
        double x, n, low, high;
    } t[] = {
        {7, 50, 0.06950833427016288, 0.26186193710585537},
        {0, 20, 0, 0.1611251580528194},
        {20, 20, 0.8388748419471804, 1},
        {1, 3, 0.06149194472039626, 0.7923403991979523},
        {1411, 3000, 0.45252223635500816, 0.4882203086693611},
        {3.25, 17.6, 0.06747129522113196, 0.4148400487585563},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        double low;
        double high;
        wilson_interval(t[i].x, t[i].n, Z_95, &low, &high);
        assert_near(low, t[i].low);
        assert_near(high, t[i].high);
    }
}

static void assert_rate(struct proportion r, size_t n, size_t n_clusters, size_t n_successes,
                        const double expected[5])
{
    const double got[5] = {r.rate, r.icc, r.n_eff, r.low, r.high};
    assert_int_equal(r.n, n);
    assert_int_equal(r.n_clusters, n_clusters);
    assert_int_equal(r.n_successes, n_successes);
    for (int i = 0; i < 5; i++) {
        assert_true(isnan(got[i]) == isnan(expected[i]));
        if (!isnan(expected[i])) {
            assert_near(got[i], expected[i]);
        }
    }
}

/* Outcomes as "cluster letter, digit" pairs. */
static struct proportion rate_of_text(const char *text)
{
    struct outcome outcomes[64];
    size_t n = 0;
    for (; text[2 * n]; n++) {
        outcomes[n] = (struct outcome){(uint32_t)text[2 * n], text[2 * n + 1] == '1'};
    }
    return proportion_of(outcomes, n, Z_95);
}

static void test_clusters(void **state)
{
    (void)state;
    /* The clusters come in any order. */
    assert_rate(rate_of_text("f1a1a1b0f1a0c1c0c0d1c0e0c1e0c0b0e0f1f0a1f1"), 21, 6, 10,
                (double[]){0.47619047619047616, 0.30314190355622045, 10.445303108363388,
                           0.22353808626486782, 0.741646789875547});
    assert_rate(rate_of_text("a1a1a1a0b0b0b0b0c1c1c1c1d0d1d0d0e0e0e1e0"), 20, 5, 9,
                (double[]){0.45, 0.4666666666666667, 8.333333333333334, 0.18588079766507293,
                           0.7456717641535974});
    assert_rate(rate_of_text("a1a0b0b1c1c0d1d0d0"), 9, 4, 4,
                (double[]){0.4444444444444444, 0, 9, 0.18877852109766458, 0.733348706504507});
    assert_rate(rate_of_text("a1a1a1b0b0c1c1d0d0d0d0"), 11, 4, 5,
                (double[]){0.45454545454545453, 1, 3.6666666666666665, 0.12087914535402089,
                           0.8347245091274516});
}

static void test_no_estimate(void **state)
{
    (void)state;
    /* All alike: as many observations as clusters. */
    assert_rate(rate_of_text("a0a0b0b0b0c0d0e0e0"), 9, 5, 0,
                (double[]){0, NAN, 5, 0, 0.43448246478317487});
    /* Clusters of one: an ordinary Wilson interval. */
    assert_rate(rate_of_text("a1b0"), 2, 2, 1,
                (double[]){0.5, NAN, 2, 0.09453120573423068, 0.9054687942657693});
    assert_rate(rate_of_text("a0b0c0d0e0"), 5, 5, 0, (double[]){0, NAN, 5, 0, 0.43448246478317487});
    struct proportion one = rate_of_text("a1a0a1");
    assert_near(one.n_eff, 1);
    assert_true(one.low < one.rate && one.rate < one.high);
    assert_rate(rate_of_text(""), 0, 0, 0, (double[]){NAN, NAN, 0, 0, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_no_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
