/*
 * pool.h - many tasks over a few forked worker processes.
 *
 * Processes, not threads: speech engines keep global state, and a crash must not take the rest
 * along. The caller must be single-threaded.
 */
#ifndef AOR_BASE_POOL_H
#define AOR_BASE_POOL_H

#include <stddef.h>

#include "base/err.h"

#define POOL_MAX_RESULT 98304 /* bytes; a result is one message to a socket */

struct pool {
    int n_workers;
    size_t n_tasks;
    size_t result_size; /* at most POOL_MAX_RESULT */
    void *user;

    /* In a worker, once before its first task: what task() gets as state. NULL: none. */
    void *(*start)(void *user);

    /* In a worker: do task index, fill result (zeroed before). */
    void (*task)(size_t index, void *state, void *result);

    /* In the caller, in the order of completion. Non-zero stops the pool with fn's *err. */
    int (*on_result)(size_t index, const void *result, void *user, struct err *err);
};

/*
 * Run all tasks. A worker that dies, a failing on_result and a cancel signal (ERR_CANCELLED) end
 * the pool with an error; results that were handed over stay good.
 */
int pool_run(const struct pool *p, struct err *err);

/* Processors of this machine that this process may use. */
int pool_default_workers(void);

#endif
