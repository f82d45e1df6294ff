/*
 * check.h - is a benchmark directory what it says it is?
 */
#ifndef AOR_BENCH_CHECK_H
#define AOR_BENCH_CHECK_H

#include <stddef.h>

#include "bench/balance.h"
#include "bench/content.h"
#include "bench/dataset.h"

/* Limits that a sample must keep. */
#define CHECK_MAX_TRUE_PEAK_DB (-1.0)
#define CHECK_MAX_SNR_ERROR_DB 0.2

struct check_range {
    double min, max;
};

/* Means of what was measured on the speech of one group of samples. */
struct check_cell {
    const char *factor; /* gender, emotion, rate, voice, cell (gender/emotion/rate) */
    char level[96];
    size_t n_samples;
    double f0_hz;           /* pitch.h; geometric mean over samples */
    double f0_range_st;     /* pitch.h */
    double syllables_per_s; /* of trimmed speech, pauses within it counted */
    double active_level_db; /* of the speech as rendered, before the mix, dBFS */
};

struct check_report {
    size_t n_samples;
    size_t n_bad; /* samples with at least one problem, and problems of benchmark.yaml */
    double total_s;
    struct check_range duration_s, lufs, true_peak_db, active_level_db, snr_error_db;
    size_t n_clipped; /* samples with a full-scale value */
    struct balance balance[ITEM_N_KINDS][BALANCE_N_FACTORS];
    struct content content; /* of the items that are in the plan */
    struct check_cell *cells;
    size_t n_cells;
};
void check_report_release(struct check_report *r);

/* Called for each problem, in the order found. */
typedef void (*check_problem_fn)(const char *sample_id, const char *problem, void *user);

/*
 * Decode every file, compare its hash, measure it again, make its parts again from the stems for
 * the SNR and the speech's prosody, read the texts again, and look for doubles. A bad sample is a
 * problem, not an error.
 */
int check_dataset(const struct dataset *d, int n_workers, check_problem_fn problem, void *user,
                  struct check_report *ret, struct err *err);

#endif
