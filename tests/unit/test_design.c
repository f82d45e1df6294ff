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

/* Two pairs an item: what design.h promises over multiples of 60 pairs. */
static void check_few_pairs(long n_items)
{
    long n_pairs = 2 * n_items;
    long cell[5][3] = {0}, voice[2][5][4] = {0}, rate_voice[2][3][4] = {0}, emotion_snr[5][3] = {0};
    long voice_snr[2][4][3] = {0};
    for (long i = 0; i < n_items; i++) {
        for (int p = 0; p < 2; p++) {
            struct design_pair d = design_pair(i, 2, p);
            cell[d.emotion][d.rate]++;
            emotion_snr[d.emotion][d.snr]++;
            for (int g = 0; g < 2; g++) {
                voice[g][d.emotion][d.voices[g]]++;
                rate_voice[g][d.rate][d.voices[g]]++;
                voice_snr[g][d.voices[g]][d.snr]++;
            }
        }
    }
    for (int e = 0; e < 5; e++) {
        for (int k = 0; k < 3; k++) {
            assert_int_equal(cell[e][k], n_pairs / 15);
            assert_int_equal(emotion_snr[e][k], n_pairs / 15);
        }
    }
    for (int g = 0; g < 2; g++) {
        for (int v = 0; v < 4; v++) {
            for (int e = 0; e < 5; e++) {
                assert_int_equal(voice[g][e][v], n_pairs / 20);
            }
            for (int k = 0; k < 3; k++) {
                assert_int_equal(rate_voice[g][k][v], n_pairs / 12);
                assert_in_range(voice_snr[g][v][k], n_pairs / 12 - 3, n_pairs / 12 + 3);
            }
        }
    }
}

static void test_few_pairs(void **state)
{
    (void)state;
    check_few_pairs(150);
    check_few_pairs(60);
}

/* Takes: counts within one, for 12 and 13 items a scene, and no emotion keeps to one take. */
static void test_takes(void **state)
{
    (void)state;
    for (long n_items = 12; n_items <= 13; n_items++) {
        for (int n_takes = 1; n_takes <= DESIGN_MAX_TAKES; n_takes++) {
            int count[DESIGN_MAX_TAKES] = {0},
                by_emotion[DESIGN_N_EMOTIONS][DESIGN_MAX_TAKES] = {0};
            for (long j = 0; j < n_items; j++) {
                for (int p = 0; p < 5; p++) {
                    int t = design_take(j, 5, p, n_takes);
                    assert_in_range(t, 0, n_takes - 1);
                    count[t]++;
                    by_emotion[p][t]++;
                }
            }
            int pairs = (int)n_items * 5;
            for (int t = 0; t < n_takes; t++) {
                assert_in_range(count[t], pairs / n_takes, (pairs + n_takes - 1) / n_takes);
                for (int e = 0; e < DESIGN_N_EMOTIONS; e++) {
                    assert_true(by_emotion[e][t] > 0);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),    cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_crossing), cmocka_unit_test(test_few_pairs),
        cmocka_unit_test(test_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
