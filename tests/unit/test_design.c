/* The counts that design.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bench/design.h"

#define N_SCENARIOS 300

static void test_cells(void **state)
{
    (void)state;
    int cell[5][3] = {0}, by_voice[2][5][3][4] = {0}, by_snr[5][3][3] = {0};
    for (long i = 0; i < N_SCENARIOS; i++) {
        for (int p = 0; p < 5; p++) {
            struct design_pair d = design_pair(i, 5, p);
            assert_int_equal(d.emotion, p);
            cell[d.emotion][d.rate]++;
            by_snr[d.emotion][d.rate][d.snr]++;
            for (int g = 0; g < 2; g++) {
                by_voice[g][d.emotion][d.rate][d.voices[g]]++;
            }
        }
    }
    for (int e = 0; e < 5; e++) {
        for (int r = 0; r < 3; r++) {
            assert_int_equal(cell[e][r], 100); /* a gender: 30 cells of exactly 100 */
            for (int v = 0; v < 4; v++) {
                assert_int_equal(by_voice[0][e][r][v], 25);
                assert_int_equal(by_voice[1][e][r][v], 25);
            }
            for (int s = 0; s < 3; s++) {
                assert_in_range(by_snr[e][r][s], 33, 34);
            }
        }
    }
}

/* For every pair of emotions the rates' difference takes each value about equally often. */
static void test_offsets(void **state)
{
    (void)state;
    for (int e = 0; e < 5; e++) {
        for (int f = e + 1; f < 5; f++) {
            int count[3] = {0};
            for (long i = 0; i < 270; i++) {
                int d = design_pair(i, 5, e).rate - design_pair(i, 5, f).rate;
                count[(d + 3) % 3]++;
            }
            assert_int_equal(count[0], 90);
            assert_int_equal(count[1], 90);
            assert_int_equal(count[2], 90);
        }
    }
}

/* SNR tells nothing about the voice, and the two genders' voices are not always the same pair. */
static void test_crossing(void **state)
{
    (void)state;
    int snr_voice[3][4] = {0}, pair[4][4] = {0};
    for (long i = 0; i < N_SCENARIOS; i++) {
        for (int p = 0; p < 5; p++) {
            struct design_pair d = design_pair(i, 5, p);
            snr_voice[d.snr][d.voices[0]]++;
            pair[d.voices[0]][d.voices[1]]++;
        }
    }
    for (int v = 0; v < 4; v++) {
        for (int s = 0; s < 3; s++) {
            assert_in_range(snr_voice[s][v], 124, 126);
        }
        for (int w = 0; w < 4; w++) {
            assert_in_range(pair[v][w], 80, 105);
        }
    }
}

/* Two pairs an item: the emotions go round, so that 5 items have each twice. */
static void test_few_pairs(void **state)
{
    (void)state;
    int emotion[5] = {0}, rate[3] = {0};
    for (long i = 0; i < 150; i++) {
        for (int p = 0; p < 2; p++) {
            struct design_pair d = design_pair(i, 2, p);
            emotion[d.emotion]++;
            rate[d.rate]++;
        }
    }
    for (int e = 0; e < 5; e++) {
        assert_int_equal(emotion[e], 60);
    }
    for (int r = 0; r < 3; r++) {
        assert_in_range(rate[r], 96, 104);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_crossing),
        cmocka_unit_test(test_few_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
