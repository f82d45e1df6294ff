/*
 * check.h - is a benchmark directory what it says it is?
 */
#ifndef AOR_BENCH_CHECK_H
#define AOR_BENCH_CHECK_H

#include <stddef.h>

#include "bench/dataset.h"

/* Limits that a sample must keep. */
#define CHECK_MAX_TRUE_PEAK_DB (-1.0)
#define CHECK_MAX_SNR_ERROR_DB 0.2

struct check_range {
    double min, max;
};

/* The smallest and largest count over the levels of a factor, scenarios only. */
struct check_balance {
    const char *factor;
    size_t n_levels;
    size_t min, max;
};

#define CHECK_N_FACTORS 7

struct check_report {
    size_t n_samples;
    size_t n_bad; /* samples with at least one problem */
    double total_s;
    struct check_range duration_s, lufs, true_peak_db, active_level_db, snr_error_db;
    size_t n_clipped; /* samples with a full-scale value */
    struct check_balance balance[CHECK_N_FACTORS];
};

/* Called for each problem, in the order found. */
typedef void (*check_problem_fn)(const char *sample_id, const char *problem, void *user);

/*
 * Decode every file, compare its hash, measure it again, and make its parts again from the stems
 * for the SNR. A bad sample is a problem, not an error.
 */
int check_dataset(const struct dataset *d, int n_workers, check_problem_fn problem, void *user,
                  struct check_report *ret, struct err *err);

#endif
