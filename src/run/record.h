/*
 * record.h - what a run file says of its run before any answer: benchmark, model, prompts, scenes,
 * samples and planned trials.
 */
#ifndef AOR_RUN_RECORD_H
#define AOR_RUN_RECORD_H

#include "run/runner.h"

/*
 * Write what is not there yet, within the caller's transaction. Where the file says otherwise of
 * what makes the run's identity, that is an error of the code ERR_USAGE.
 */
int record_run(struct store *store, const struct run_params *p, struct err *err);

/*
 * Parts of it, for runs whose trials are no plan's: the identity of benchmark, model and sampling
 * (p->plan may be NULL), the benchmark's scenes, and one sample, one trial.
 */
int record_identity(struct store *store, const struct run_params *p, struct err *err);
int record_sample(struct store *store, const struct sample *s, struct err *err);
int record_trial(struct store *store, const struct sample *s, enum condition condition,
                 const char *strategy, int repeat, struct err *err);

/* Info keys of a run file that are no identity, ended by NULL: all others are. */
extern const char *const record_facts[];

#endif
