/*
 * worker.h - a model in a supervised child process.
 *
 * ggml ends its process on some inputs; then only the child is gone, and the caller knows which
 * trials it had. SIGINT, SIGTERM and SIGUSR1 do not reach the child: its owner decides when to end
 * it. A served model has one too, so that libcurl and the key are in no process that forks or
 * stores.
 */
#ifndef AOR_RUN_WORKER_H
#define AOR_RUN_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/dataset.h"
#include "model/local.h"
#include "model/remote.h"
#include "run/plan.h"

#define WORKER_MAX_GROUP 32 /* trials that share an audio, handed over at once */
#define WORKER_MAX_AHEAD 64 /* trials that a child may have beyond its facts.n_parallel */

struct worker_params {
    const struct dataset *dataset;
    const struct plan *plan;
    const struct local_params *local;
    const struct remote_params *remote; /* NULL: a local model */
    double temperature;                 /* 0: greedy */
    uint64_t seed;
    double timeout_s; /* no step done for so long counts as the child's death */
};

struct worker {
    const struct worker_params *params; /* borrowed; NULL: not running */
    pid_t pid;
    int to_child;
    int from_child; /* readable when a reply is there, or the end */
    double heard_s; /* when it last said something or was idle */
};

struct worker_task {
    int64_t trial_id;
    uint32_t sample; /* index into the bench */
    uint16_t condition;
    uint16_t prompt; /* index into the plan */
    int32_t repeat;
};

enum worker_reply_kind {
    WORKER_IS_ALIVE, /* no answer yet, but the model works at them */
    WORKER_ANSWERED,
    WORKER_STOPPED, /* it asks no more, and the child ends; .answer.text says why */
};

struct worker_reply {
    enum worker_reply_kind kind;
    int64_t trial_id;
    struct model_answer answer; /* its strings are in .strings */
    char *strings;              /* the caller's */
};

/* What a model is, as it said when it was opened. */
struct worker_model {
    char description[MODEL_MAX_DESCRIPTION];
    struct model_facts facts;
};

/*
 * Start the child and wait until it has opened the model. One that does not load, or is served
 * nowhere, and one that the plan's prompts cannot be asked of, is an error with the reason.
 */
int worker_start(struct worker *w, const struct worker_params *params, struct worker_model *ret,
                 struct err *err);

/* Hand over n trials (1..WORKER_MAX_GROUP) of one sample and condition. A dead child shows later.
 */
void worker_send(struct worker *w, const struct worker_task *tasks, size_t n);

/* Begin nothing new where that can be: what is dropped comes back as MODEL_DROPPED. */
void worker_drain(struct worker *w);

/*
 * The next reply; blocks until it is whole. -1: the child died, and *err says how; it is to be
 * stopped then.
 */
int worker_receive(struct worker *w, struct worker_reply *ret, struct err *err);

/* False when the child has ended. */
bool worker_is_alive(const struct worker *w);

/* True when the child has been silent for longer than timeout_s. */
bool worker_is_late(const struct worker *w);

/* End the child by force, whatever it does. Safe on {0}. */
void worker_stop(struct worker *w);

#endif
