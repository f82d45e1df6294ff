/*
 * runner.h - one model over a benchmark's trials into a run file. Resumes by itself.
 */
#ifndef AOR_RUN_RUNNER_H
#define AOR_RUN_RUNNER_H

#include <stdint.h>

#include "bench/dataset.h"
#include "model/local.h"
#include "model/remote.h"
#include "run/plan.h"
#include "store/store.h"

#define RUN_MAX_DEATHS 5
#define RUN_MAX_WORKERS 64

struct run_params {
    const struct dataset *dataset;
    const struct plan *plan;
    const char *db_path;
    const struct local_params *local;
    const struct remote_params *remote; /* NULL: a local model. Budgets: of the whole run file */
    const char *family;                 /* of the model, such as "Qwen"; NULL: not known */
    int n_workers;      /* processes, each with the model; 0: one a processor for a model below
                           LOCAL_SMALL_MODEL without threads of its own, otherwise one */
    double temperature; /* 0: greedy */
    uint64_t seed;
    bool retry_errors;
    double timeout_s; /* a model that says nothing for so long counts as dead */

    /* For the progress line; may be NULL. Is this answer a refusal? */
    bool (*is_refusal)(const char *request, const char *answer, void *user);
    void *user;
};

struct run_summary {
    int64_t n_trials;  /* of this plan */
    int64_t n_answers; /* stored by now, with those of earlier calls */
    int64_t n_blocks;  /* refused by the provider: no answers */
    int64_t n_errors;
    int64_t n_new;         /* stored by this call */
    char first_error[512]; /* of this call's error rows; "" when there is none */
    double seconds;
    struct store_checks checks; /* of the whole file, fast mode */
};

/*
 * Answer every trial of the plan that has no response yet. A model, prompt, benchmark or way of
 * asking other than the run file's is an error. A trial whose model process dies twice (once with
 * others in flight, once alone) gets an error row, and so does one that the model fails to answer;
 * the rest goes on. But when RUN_MAX_DEATHS in a row die so, or a served model fails them, and the
 * plan has no answer yet, the call fails. At a signal no more trials are begun, those in flight are
 * stored, and the call ends with ERR_CANCELLED; *ret is filled then too. A served model that stops
 * (remote.h) ends the call with an error; what it had not answered stays pending. A new file in
 * which there is no word of a model then is removed.
 */
int run_model(const struct run_params *p, struct run_summary *ret, struct err *err);

/*
 * The request that asks a served model the plan's first trial, as remote_preview() says. The
 * caller's; NULL with *err filled.
 */
char *run_preview(const struct run_params *p, struct err *err);

#endif
