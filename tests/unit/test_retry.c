/* When to ask again. The dates are RFC 9110's example in its three forms (5.6.7). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/retry.h"

#define NOW ((time_t)784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

struct expected {
    const char *text;
    double s; /* negative: nothing of the kind */
};

static void assert_seconds(const char *text, double is, double wanted)
{
    if (isnan(is) || (wanted < 0 ? is >= 0 : fabs(is - wanted) > 1e-9 * (1 + wanted))) {
        fail_msg("\"%s\" gives %g, not %g", text, is, wanted);
    }
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {"0", 0},
        {"1", 1},
        {"120", 120},
        {"0.25", 0.25},
        {".5", 0.5},
        {"7.", 7},
        {"  3\t ", 3},
        {"007", 7},
        {"86400", 86400},
        {"86401", -1},
        {"99999999999999999999", -1},
        {"999999999999999999999999999", -1},
        {"", -1},
        {" ", -1},
        {"-1", -1},
        {"+1", -1},
        {"1e3", -1},
        {"0x10", -1},
        {"1.2.3", -1},
        {".", -1},
        {"1,5", -1},
        {"5 s", -1},
        {"5s", -1},
        {"inf", -1},
        {"nan", -1},
        {"soon", -1},
        {"\xff\xfe", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:57 GMT", 20},
        {"Sunday, 06-Nov-94 08:49:57 GMT", 20},
        {"Sun Nov  6 08:49:57 1994", 20},
        {" Sun, 06 Nov 1994 08:49:57 GMT", 20},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", 86400},
        {"Mon, 07 Nov 1994 08:49:38 GMT", -1},
        {"Fri, 31 Dec 9999 23:59:59 GMT", -1},
        {"Sun, 99 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 06 Foo 1994 08:49:37 GMT", -1},
        {"Sunday", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_seconds(cases[i].text, retry_after_s(cases[i].text, NOW), cases[i].s);
    }
}

static void test_retry_after_ms(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {"0", 0},
        {"1", 0.001},
        {"300", 0.3},
        {"90000", 90},
        {" 12.5 ", 0.0125},
        {"86400000", 86400},
        {"86400001", -1},
        {"", -1},
        {"-5", -1},
        {"5ms", -1},
        {"Sun, 06 Nov 1994 08:49:57 GMT", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_seconds(cases[i].text, retry_after_ms(cases[i].text), cases[i].s);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct expected cases[] = {
        {"6m0s", 360},
        {"1s", 1},
        {"6ms", 0.006},
        {"250ms", 0.25},
        {"8.64s", 8.64},
        {"1m12.345s", 72.345},
        {"1h2m3.5s", 3723.5},
        {"1d", 86400},
        {"45.8379s", 45.8379},
        {"0s", 0},
        {"100us", 1e-4},
        {"100ns", 1e-7},
        {"1m1ms", 60.001},
        {"", -1},
        {"5", -1},
        {"s", -1},
        {"-5s", -1},
        {"5s ", -1},
        {"5 s", -1},
        {"5x", -1},
        {"1m30", -1},
        {"1..5s", -1},
        {"1e3s", -1},
        {"nans", -1},
        {"999999999999999999999s", -1}, /* 21 digits */
        {"P1D", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_seconds(cases[i].text, retry_duration_s(cases[i].text), cases[i].s);
    }
    assert_true(isfinite(retry_duration_s("99999999999999999999d99999999999999999999d")));
}

/* Full jitter: uniform from 0 to a limit that doubles up to a minute. */
static void test_backoff(void **state)
{
    (void)state;
    static const struct {
        int n_tries;
        double limit;
    } cases[] = {{1, 0.5}, {2, 1},  {3, 2},     {4, 4},           {5, 8},   {6, 16},
                 {7, 32},  {8, 60}, {1000, 60}, {2000000000, 60}, {0, 0.5}, {-5, 0.5}};
    enum { N = 20000 };
    struct rng rng = rng_init(1, "test");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double sum = 0, squares = 0;
        for (int k = 0; k < N; k++) {
            double u = retry_backoff_s(&rng, cases[i].n_tries) / cases[i].limit;
            assert_true(u >= 0 && u < 1);
            sum += u;
            squares += u * u;
        }
        /* Five standard errors of the mean of a uniform variable, and of its square's. */
        assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
        assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    }
}

static void test_own_generator(void **state)
{
    (void)state;
    struct rng a = retry_rng(), b = retry_rng();
    assert_true(rng_next(&a) != rng_next(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_after),   cmocka_unit_test(test_retry_after_ms),
        cmocka_unit_test(test_durations),     cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_own_generator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
