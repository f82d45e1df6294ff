/*
 * plan_options.h - the options that say which trials a run has, for aor run and aor plan.
 */
#ifndef AOR_CMD_PLAN_OPTIONS_H
#define AOR_CMD_PLAN_OPTIONS_H

#include "base/opt.h"
#include "run/plan.h"

struct plan_options {
    const char *conditions, *strategies, *only, *shard;
    long limit, n_repeats;
};

struct plan_options plan_default_options(void);

/* Rows of a table of options for a struct plan_options o. */
/* clang-format off */
#define PLAN_OPTIONS(o) \
    {'c', "conditions", OPT_STR, &(o).conditions, "LIST", \
     "what the model gets (default: matched,speech)", 0, 0}, \
    {'a', "strategies", OPT_STR, &(o).strategies, "LIST", \
     "how it is asked: prompts' names or files (default: direct)", 0, 0}, \
    {0, "only", OPT_STR, &(o).only, "LIST", \
     "only these items, scenes, categories, kinds, splits", 0, 0}, \
    {0, "limit", OPT_INT, &(o).limit, "N", \
     "at most N samples, whole items evenly over the benchmark", 1, 1L << 31}, \
    {0, "repeats", OPT_INT, &(o).n_repeats, "N", \
     "ask each trial N times; wants --temperature (default: 1)", 1, PLAN_MAX_REPEATS}, \
    {0, "shard", OPT_STR, &(o).shard, "K/N", \
     "the K-th of N parts, auto: by Slurm or MPI; RUN.db is RUN-K-of-N.db", 0, 0}
/* clang-format on */

/* ret is the caller's: plan_release(). */
int plan_from_options(const struct plan_options *o, const struct bench *bench, struct plan *ret,
                      struct err *err);

/* "run.db" with --shard 2/8 is "run-2-of-8.db"; without --shard as it is. *ret is the caller's. */
int plan_db_path(const struct plan_options *o, const char *db, char **ret, struct err *err);

#endif
