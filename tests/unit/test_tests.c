/* Closed forms against other people's. Expected numbers: tests/reference/tests.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stats/agreement.h"
#include "stats/distribution.h"
#include "stats/interval.h"
#include "stats/linear.h"
#include "stats/logistic.h"
#include "stats/paired.h"

static void assert_close(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fmax(1, fabs(expected)))) {
        fail_msg("%.17g, not %.17g", got, expected);
    }
}

#define assert_near(got, expected) assert_close(got, expected, 1e-9)

/* As in tests.py. */
static uint32_t below(uint64_t *x, uint32_t n)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*x >> 33) % n;
}

static void test_distributions(void **state)
{
    (void)state;
    assert_near(normal_two_sided(0.5), 0.61707507745197376);
    assert_near(normal_two_sided(-1.96), 0.04999579029644087);
    assert_near(normal_two_sided(6.5) * 1e11, 8.0320011677181761);
    assert_near(normal_quantile(0.975), Z_95);
    assert_near(normal_quantile(0.8), 0.8416212335729143);
    assert_near(normal_quantile(1e-12), -7.0344838253011313);
    assert_near(normal_quantile(0.5001), 0.00025066283008800752);
    assert_near(normal_quantile(0.5), 0);
    static const struct {
        double x;
        int df;
        double tail;
    } chi[] = {{3.84, 1, 0.050043521248705189},
               {5.99, 2, 0.050036627086586287},
               {0.3, 3, 0.9600284803068776},
               {40.5, 7, 1.0096826744814646e-06},
               {18.2, 12, 0.10975140522592364},
               {200.25, 29, 1.6682465282992446e-27},
               {0, 4, 1},
               {0, 1, 1}};
    for (size_t i = 0; i < sizeof chi / sizeof *chi; i++) {
        assert_near(chi_square_tail(chi[i].x, chi[i].df) / chi[i].tail, 1);
    }
    assert_near(sign_test(3, 12), 0.03515625);
    assert_near(sign_test(7, 7), 1);
    assert_near(sign_test(0, 5), 0.0625);
    assert_near(sign_test(61, 40), 0.046044066929342785);
    assert_near(sign_test(0, 0), 1);
}

static void test_holm(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, NAN, 0.03, 0.005, 0.6};
    static const double expected[] = {0.04, 0.09, NAN, 0.09, 0.025, 0.6};
    holm_adjust(p, 6);
    for (int i = 0; i < 6; i++) {
        if (isnan(expected[i])) {
            assert_true(isnan(p[i]));
        } else {
            assert_near(p[i], expected[i]);
        }
    }
    holm_adjust(NULL, 0);
}

static void test_agreement(void **state)
{
    (void)state;
    static const uint64_t table[] = {40, 3, 5, 7, 22, 1, 2, 6, 14};
    struct kappa k = cohen_kappa(table, 3);
    assert_int_equal(k.n, 100);
    assert_near(k.observed, 0.76);
    assert_near(k.value, 0.61771264733991715);
    assert_near(k.se, 0.067030405490731179);
    static const uint32_t ratings[] = {0, 3, 2, 5, 0, 0, 1, 1, 3, 0, 5, 0, 2, 2, 1, 4, 1, 0};
    assert_near(fleiss_kappa(ratings, 6, 3).value, 0.34895833333333331);
    static const uint32_t labels[] = {2, 0, 1, 0, 3, 0, 1, 1, 0, 1, 0,
                                      0, 0, 0, 4, 0, 2, 2, 0, 0, 0};
    k = krippendorff_alpha(labels, 7, 3);
    assert_int_equal(k.n, 5);
    assert_near(k.value, 0.38271604938271597);

    static const uint64_t none[4];
    static const uint64_t one_class[] = {9, 0, 0, 0};
    assert_true(isnan(cohen_kappa(none, 2).value));
    assert_true(isnan(cohen_kappa(one_class, 2).value));
    assert_true(isnan(fleiss_kappa(NULL, 0, 3).value));
    assert_true(isnan(krippendorff_alpha(labels + 18, 1, 3).value));
}

#define N_CLUSTERS 40

static void test_paired(void **state)
{
    (void)state;
    uint64_t g = 7;
    struct pair_counts pairs[N_CLUSTERS] = {0};
    uint32_t refused[3 * N_CLUSTERS] = {0};
    uint32_t n[N_CLUSTERS];
    static const uint32_t add[] = {0, 5, 12};
    for (size_t k = 0; k < N_CLUSTERS; k++) {
        n[k] = 1 + below(&g, 8);
        uint32_t level = 10 + below(&g, 80);
        for (uint32_t unit = 0; unit < n[k]; unit++) {
            uint32_t is[3];
            for (size_t c = 0; c < 3; c++) {
                is[c] = below(&g, 100) < level + add[c];
                refused[c * N_CLUSTERS + k] += is[c];
            }
            pairs[k].n++;
            pairs[k].both += is[0] && is[2];
            pairs[k].first_only += is[0] && !is[2];
            pairs[k].second_only += is[2] && !is[0];
        }
    }
    struct paired r = paired_compare(pairs, N_CLUSTERS, Z_95, 20000, 1);
    assert_int_equal(r.first_only, 30);
    assert_int_equal(r.second_only, 49);
    assert_near(r.difference, 0.10674157303370786);
    assert_near(r.second - r.first, r.difference);
    assert_near(r.se, 0.050529275912744379);
    assert_near(r.low, r.difference - Z_95 * r.se);
    assert_string_equal(r.test, "sign-flip");
    double chi = durkalski_chi_square(pairs, N_CLUSTERS);
    assert_near(chi, 3.1942528088305684);
    int df;
    assert_near(clustered_cochran_q(refused, n, N_CLUSTERS, 3, &df), 4.1030789825970553);
    assert_int_equal(df, 2);
    /* The total is nearly normal by now, in steps of 2. */
    double squares = 0;
    for (size_t k = 0; k < N_CLUSTERS; k++) {
        double sum = (double)pairs[k].second_only - pairs[k].first_only;
        squares += sum * sum;
    }
    assert_close(r.p, normal_two_sided((19 - 1) / sqrt(squares)), 0.005);
    assert_true(paired_compare(pairs, N_CLUSTERS, Z_95, 20000, 1).p == r.p);
}

static void test_paired_edges(void **state)
{
    (void)state;
    /* One pair a cluster: McNemar. */
    struct pair_counts single[20] = {0};
    for (size_t k = 0; k < 20; k++) {
        single[k] = (struct pair_counts){1, k < 5, k >= 5 && k < 8, k >= 8};
    }
    struct paired r = paired_compare(single, 20, Z_95, 1000, 1);
    assert_string_equal(r.test, "exact McNemar");
    assert_near(r.p, 0.03515625);

    /* Three sums 1, 2, 4: only all alike reach 7, in 2 of 8 ways. */
    static const struct pair_counts three[] = {
        {5, 0, 0, 1}, {5, 1, 0, 2}, {5, 0, 0, 4}, {5, 5, 0, 0}};
    r = paired_compare(three, 4, Z_95, 1000, 1);
    assert_near(r.p, 0.25);
    assert_int_equal(r.n_clusters, 4);
    assert_near(r.difference, 7.0 / 20);

    static const struct pair_counts nothing[] = {{4, 2, 0, 0}, {0, 0, 0, 0}, {3, 0, 0, 0}};
    r = paired_compare(nothing, 3, Z_95, 1000, 1);
    assert_near(r.p, 1);
    assert_near(r.difference, 0);
    assert_true(isnan(durkalski_chi_square(nothing, 3)));
    r = paired_compare(nothing, 0, Z_95, 1000, 1);
    assert_true(isnan(r.difference) && isnan(r.p));
    static const uint32_t same[] = {1, 2, 1, 2};
    static const uint32_t of[] = {3, 3};
    int df;
    assert_true(isnan(clustered_cochran_q(same, of, 2, 2, &df)));
    assert_int_equal(df, 0);
}

#define N_ROWS 400
#define N_COLUMNS 6

/* As in tests.py. */
static void make_rows(double *x, bool *y, uint32_t *cluster)
{
    uint64_t g = 11;
    for (size_t i = 0; i < N_ROWS; i++) {
        double *row = x + i * N_COLUMNS;
        row[0] = 1;
        row[1] = below(&g, 2);
        row[2] = below(&g, 2);
        row[3] = (double)below(&g, 3) - 1;
        row[4] = below(&g, 1000) / 500.0 - 1;
        row[5] = below(&g, 5) == 0;
        double eta = -0.6 + 0.8 * row[1] - 0.4 * row[3] + 0.5 * row[4];
        y[i] = below(&g, 10000) / 10000.0 < 1 / (1 + exp(-eta));
        cluster[i] = (uint32_t)i / 8;
    }
}

static void test_linear(void **state)
{
    (void)state;
    static double x[N_ROWS * N_COLUMNS];
    static double within[N_ROWS * (N_COLUMNS - 1)];
    static double y[N_ROWS];
    static bool is[N_ROWS];
    static uint32_t cluster[N_ROWS];
    static const double beta[] = {0.1445085074872427, 0.025463745288883215, -0.11796238373728979,
                                  0.044219932616819002, 0.11571214741908176};
    static const double se[] = {0.051690620164646317, 0.044837535839836719, 0.034901519412837007,
                                0.046508517446993601, 0.048775992019757887};
    make_rows(x, is, cluster);
    for (size_t i = 0; i < N_ROWS; i++) {
        memcpy(within + i * 5, x + i * N_COLUMNS + 1, 5 * sizeof *x);
        y[i] = is[i];
    }
    double got[5];
    double covariance[25];
    assert_true(linear_within(within, y, cluster, N_ROWS, 5, 50, got, covariance));
    for (size_t j = 0; j < 5; j++) {
        assert_near(got[j], beta[j]);
        assert_near(sqrt(covariance[6 * j]), se[j]);
    }
    /* A column that does not vary within clusters; nothing at all. */
    for (size_t i = 0; i < N_ROWS; i++) {
        within[i * 5] = cluster[i];
    }
    assert_false(linear_within(within, y, cluster, N_ROWS, 5, 50, got, covariance));
    assert_false(linear_within(within, y, cluster, 0, 5, 50, got, covariance));
}

static void test_logistic(void **state)
{
    (void)state;
    static double x[N_ROWS * N_COLUMNS];
    static bool y[N_ROWS];
    static uint32_t cluster[N_ROWS];
    make_rows(x, y, cluster);
    static const double beta[] = {-0.29924086613606055, 0.56358929413944137, 0.0021400981916675586,
                                  -0.49713029587583574, 0.17553282284629926, 0.30732406688458236};
    static const double se[] = {0.17866506785603903, 0.20036947910183522, 0.1794418962984955,
                                0.13402671965532381, 0.19635853524686772, 0.19259668551612405};
    struct logistic l = {0};
    struct err err = {0};
    assert_int_equal(logistic_fit(x, y, cluster, N_ROWS, N_COLUMNS, 50, &l, &err), 0);
    for (size_t j = 0; j < N_COLUMNS; j++) {
        assert_near(l.beta[j], beta[j]);
        assert_near(sqrt(l.covariance[j * N_COLUMNS + j]), se[j]);
    }
    assert_near(l.log_likelihood, -264.14330355945788);
    int df;
    assert_near(logistic_wald(&l, 1, 2, &df), 8.6951490429179721);
    assert_int_equal(df, 2);
    logistic_release(&l);

    /* A column twice; one that tells all; one cluster; nothing. */
    for (size_t i = 0; i < N_ROWS; i++) {
        x[i * N_COLUMNS + 5] = x[i * N_COLUMNS + 1];
    }
    assert_int_equal(logistic_fit(x, y, cluster, N_ROWS, N_COLUMNS, 50, &l, &err), -1);
    assert_non_null(strstr(err.msg, "depend on each other"));
    for (size_t i = 0; i < N_ROWS; i++) {
        x[i * N_COLUMNS + 5] = y[i];
    }
    assert_int_equal(logistic_fit(x, y, cluster, N_ROWS, N_COLUMNS, 50, &l, &err), -1);
    assert_non_null(strstr(err.msg, "finite"));
    for (size_t i = 0; i < N_ROWS; i++) {
        x[i * N_COLUMNS + 5] = (double)(i % 7);
        cluster[i] = 3;
    }
    assert_int_equal(logistic_fit(x, y, cluster, N_ROWS, N_COLUMNS, 50, &l, &err), -1);
    assert_int_equal(logistic_fit(x, y, cluster, 0, N_COLUMNS, 50, &l, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distributions), cmocka_unit_test(test_holm),
        cmocka_unit_test(test_agreement),     cmocka_unit_test(test_paired),
        cmocka_unit_test(test_paired_edges),  cmocka_unit_test(test_logistic),
        cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
