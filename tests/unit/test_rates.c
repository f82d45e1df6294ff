/* Expected numbers: tests/reference/intervals.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stats/rates.h"

#define EPSILON 1e-9

#define assert_near(got, expected) assert_true(fabs((got) - (expected)) <= EPSILON)

static const char *const factors[] = {"gender", "category"};

static struct rates *make_table(void)
{
    static const char *const genders[] = {"female", "male"};
    static const char *const categories[] = {"arms", "crime", "drugs"};
    struct rates *t = rates_new(factors, 2);
    for (int i = 0; i < 240; i++) {
        char cluster[16];
        snprintf(cluster, sizeof cluster, "s%d", i % 12);
        const char *const levels[] = {genders[i / 12 % 2], categories[i % 3]};
        int score = (i * i + 3 * (i % 12)) % 7;
        rates_add(t, levels, cluster, score < 2 + i % 2, score < 3 + i % 2);
    }
    return t;
}

static void assert_rate(const struct proportion *r, size_t n_clusters, size_t n_successes,
                        double icc, double n_eff, double low, double high)
{
    assert_int_equal(r->n_clusters, n_clusters);
    assert_int_equal(r->n_successes, n_successes);
    assert_near(r->icc, icc);
    assert_near(r->n_eff, n_eff);
    assert_near(r->low, low);
    assert_near(r->high, high);
}

static void test_all(void **state)
{
    (void)state;
    struct rates *t = make_table();
    struct rate_row *rows;
    size_t n;
    assert_int_equal(rates_by(t, NULL, Z_95, &rows, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(rows[0].level, "");
    assert_int_equal(rows[0].strict.n, 240);
    assert_near(rows[0].strict.rate, 0.3875);
    assert_rate(&rows[0].strict, 12, 93, 0.1343098311817279, 67.56972111553785, 0.28039621458636776,
                0.5067073276800953);
    assert_rate(&rows[0].broad, 12, 129, 0.13718334557690937, 66.54681647940076, 0.4189576834311193,
                0.6519491716477452);
    free(rows);
    rates_free(t);
}

static void test_by_factor(void **state)
{
    (void)state;
    struct rates *t = make_table();
    struct rate_row *rows;
    size_t n;
    assert_int_equal(rates_by(t, "gender", Z_95, &rows, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_string_equal(rows[0].level, "female");
    assert_rate(&rows[0].strict, 12, 46, 0.12258606213266159, 57.05389221556888,
                0.26835628367505904, 0.5130297396623906);
    assert_string_equal(rows[1].level, "male");
    assert_rate(&rows[1].broad, 12, 65, 0.05331190141316723, 81.09164969450102, 0.43379940352580293,
                0.6457648275812305);
    free(rows);
    assert_int_equal(rates_by(t, "category", Z_95, &rows, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(rows[0].level, "arms");
    assert_rate(&rows[0].broad, 4, 47, 0.21434019832189163, 15.771428571428574, 0.351820978758155,
                0.7889028190600347);
    assert_string_equal(rows[1].level, "crime");
    assert_rate(&rows[1].strict, 4, 27, 0.3540669856459331, 10.352941176470587, 0.1315864008055552,
                0.6313689982937355);
    assert_string_equal(rows[2].level, "drugs");
    assert_rate(&rows[2].strict, 4, 37, 0.026142659279778404, 53.450549450549445,
                0.33588398808380615, 0.5941448007515936);
    free(rows);
    rates_free(t);
}

static void test_edges(void **state)
{
    (void)state;
    struct rates *t = rates_new(factors, 2);
    struct rate_row *rows = NULL;
    size_t n = 9;
    struct err err = {0};
    assert_int_equal(rates_by(t, "category", Z_95, &rows, &n, &err), 0);
    assert_int_equal(n, 0);
    free(rows);
    rows = NULL;
    assert_int_equal(rates_by(t, "voice", Z_95, &rows, &n, &err), -1);
    assert_string_equal(err.msg, "unknown factor \"voice\"");
    assert_null(rows);
    rates_free(t);
    rates_free(NULL);
}

/* Enough strings to grow the table, rows sorted by bytes. */
static void test_many_levels(void **state)
{
    (void)state;
    struct rates *t = rates_new((const char *const[]){"voice"}, 1);
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i * 7919 % 1000);
        rates_add(t, (const char *const[]){name}, name, i < 2500, true);
    }
    struct rate_row *rows;
    size_t n;
    assert_int_equal(rates_by(t, "voice", Z_95, &rows, &n, NULL), 0);
    assert_int_equal(n, 1000);
    assert_string_equal(rows[0].level, "v0");
    assert_string_equal(rows[1].level, "v1");
    assert_string_equal(rows[2].level, "v10");
    assert_string_equal(rows[999].level, "v999");
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].broad.n, 5);
        assert_int_equal(rows[i].broad.n_successes, 5);
        assert_int_equal(rows[i].broad.n_clusters, 1);
    }
    free(rows);
    rates_free(t);
}

static void test_gap(void **state)
{
    (void)state;
    static const char *const names[] = {"own", "within"};
    static const char *const levels[] = {"a", "b", "c"};
    struct rates *t = rates_new(names, 2);
    for (int k = 0; k < 54; k++) {
        for (int i = 0; i < 6; i++) {
            char cluster[16];
            snprintf(cluster, sizeof cluster, "k%d", k);
            const char *const of[] = {levels[k % 3], levels[i % 3]};
            /* Level a of "within" is refused by all, others by a third: a gap of 2/3. */
            rates_add(t, of, cluster, i % 3 == 0 || (k / 3 + i) % 3 == 0, false);
        }
    }
    struct rate_gap gap;
    assert_int_equal(rates_gap(t, "within", 499, 3, &gap, NULL), 0);
    assert_near(gap.gap, 2.0 / 3);
    assert_near(gap.p, 1.0 / 500);
    assert_true(gap.chance > 0.02 && gap.chance < gap.chance_high && gap.chance_high < 0.3);
    /* Clusters are shuffled as wholes: nothing but chance here. */
    assert_int_equal(rates_gap(t, "own", 499, 3, &gap, NULL), 0);
    assert_true(gap.p > 0.01);
    struct err err = {0};
    assert_int_equal(rates_gap(t, "none", 10, 1, &gap, &err), -1);
    rates_free(t);
    t = rates_new(names, 1);
    assert_int_equal(rates_gap(t, "own", 10, 1, &gap, NULL), 0);
    assert_true(isnan(gap.gap));
    rates_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),   cmocka_unit_test(test_by_factor),
        cmocka_unit_test(test_edges), cmocka_unit_test(test_many_levels),
        cmocka_unit_test(test_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
