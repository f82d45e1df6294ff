/*
 * worker.h - a local model in a supervised child process.
 *
 * ggml ends its process on some inputs; then only the child is gone, and the caller knows which
 * trials it had.
 */
#ifndef AOR_RUN_WORKER_H
#define AOR_RUN_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/dataset.h"
#include "model/local.h"
#include "model/prompt.h"

struct worker_params {
    const struct dataset *dataset;
    const struct prompt *prompt;
    struct local_params model;
    double timeout_s; /* a task that takes longer counts as the child's death */
};

struct worker {
    const struct worker_params *params; /* borrowed */
    pid_t pid;                          /* 0: not running */
    int to_child;
    int from_child;
};

struct worker_task {
    int64_t trial_id;
    uint32_t sample; /* index into the bench */
    uint32_t condition;
};

struct worker_reply {
    int64_t trial_id;
    bool is_error;              /* text is the reason */
    struct local_answer answer; /* .text owned: local_answer_release() */
};

/*
 * Start the child and wait until it has loaded the model; *ret_description (the caller's) is what
 * the model says of itself. A model that does not load is an error with the library's reason.
 */
int worker_start(struct worker *w, const struct worker_params *params, char **ret_description,
                 struct err *err);

/* Hand over a task; the pipe holds hundreds. -1: the child is gone. */
int worker_send(struct worker *w, const struct worker_task *task);

/*
 * The next reply, in the order of tasks. 1: the child died, and *err says how (also
 * ERR_CANCELLED when a signal came while waiting; the child is alive then).
 */
int worker_receive(struct worker *w, struct worker_reply *ret, struct err *err);

/* End the child, by force where it does not end by itself. Safe on {0}. */
void worker_stop(struct worker *w);

#endif
