/*
 * group.h - trials of one sample and condition, as the questions that a model is asked.
 */
#ifndef AOR_RUN_GROUP_H
#define AOR_RUN_GROUP_H

#include "run/worker.h"

/* {0} is empty. Questions point into texts and names: it must not be moved. */
struct group {
    bool has_audio;
    struct audio audio; /* owned */
    struct model_question questions[WORKER_MAX_GROUP];
    size_t n;
    char *texts[WORKER_MAX_GROUP]; /* owned; NULL where there is audio */
    char names[WORKER_MAX_GROUP][SHA256_HEX_SIZE];
};

/*
 * Render the sound at sample_rate and fill the questions of n tasks (1..WORKER_MAX_GROUP) into
 * *ret, which is empty. group_release() also after an error.
 */
int group_fill(const struct worker_params *p, struct renderer *renderer,
               const struct worker_task *tasks, size_t n, int sample_rate, struct group *ret,
               struct err *err);
void group_release(struct group *g);

/* How a prompt asks, without its trial. */
struct model_question group_question(const struct prompt *p);

#endif
