/*
 * runner.h - one model over a benchmark's trials into a run file. Resumes by itself.
 */
#ifndef AOR_RUN_RUNNER_H
#define AOR_RUN_RUNNER_H

#include <stdint.h>

#include "bench/render.h"
#include "model/local.h"

#define RUN_MAX_DEATHS 5

struct run_params {
    const char *bench_dir;
    const char *db_path;
    const char *prompt_path;
    struct local_params model;
    unsigned conditions; /* bit (1 << enum condition) */
    bool retry_errors;
    double timeout_s; /* an answer that takes longer counts as the model's death */
};

struct run_summary {
    int64_t n_trials;
    int64_t n_answers; /* stored by now, with those of earlier calls */
    int64_t n_errors;
    int64_t n_new;         /* stored by this call */
    char first_error[256]; /* of this call's error rows; "" when there is none */
    double seconds;
};

/*
 * Answer every trial that has no response yet. A model, prompt or benchmark other than the run
 * file's is an error. A trial whose model process dies twice (once with others in flight, once
 * alone) gets an error row, and the rest goes on; but when RUN_MAX_DEATHS in a row die so before
 * any answer came, the call fails. *ret is filled also when a signal ended it (ERR_CANCELLED).
 */
int run_model(const struct run_params *p, struct run_summary *ret, struct err *err);

#endif
