/*
 * plan.h - which trials a run has: samples x conditions x prompts x repeats, without those that
 * make no sense (a prompt that has no words for a condition without audio, a probe of a scene where
 * none is heard).
 */
#ifndef AOR_RUN_PLAN_H
#define AOR_RUN_PLAN_H

#include <stdint.h>

#include "bench/bench.h"
#include "bench/render.h"
#include "model/prompt.h"

#define PLAN_MAX_PROMPTS 32
#define PLAN_MAX_REPEATS 1000

struct plan {
    const struct bench *bench; /* borrowed */
    bool *is_chosen;           /* [bench->items.n_items]; owned */
    unsigned conditions;       /* bit (1 << enum condition) */
    struct prompt *prompts;    /* [n_prompts], owned; no name twice */
    size_t n_prompts;
    int n_repeats;
    int shard, n_shards; /* 0: not one of several parts */
};

/*
 * Load the prompts and choose the items. Two prompts of one name, and a condition or prompt that
 * gives no trial at all, are errors.
 */
int plan_init(const struct bench *bench, const struct bench_selection *select, unsigned conditions,
              const char *const *prompt_paths, size_t n_prompts, int n_repeats, struct plan *ret,
              struct err *err);
void plan_release(struct plan *p);

/*
 * Keep the items of the shard-th of n_shards parts, 1 <= shard <= n_shards; none may be left. A
 * scenario and its contrast stay together. Which part an item is in depends on the benchmark and
 * n_shards, on nothing else of the plan: large ones first, and those of one size in the order of a
 * hash of their ids, each goes to the part that has the fewest samples. So the parts of a whole
 * benchmark differ by some samples, those of a selection by chance.
 */
void plan_take_shard(struct plan *p, int shard, int n_shards);

bool plan_has_sample(const struct plan *p, const struct sample *s);
bool plan_has(const struct plan *p, const struct sample *s, enum condition c, size_t prompt);

/* Has any trial with audio, any steered one. */
bool plan_needs_audio(const struct plan *p);
bool plan_needs_direction(const struct plan *p);

/* -1: not of this plan. */
int plan_find_prompt(const struct plan *p, const char *name);

struct plan_trial {
    size_t sample; /* index into the bench */
    enum condition condition;
    size_t prompt; /* index into prompts */
    int repeat;
};

/*
 * The trial of these names; false: it is not of this plan. *hint is the sample that was found last
 * (0 at first): it makes the search short in trials that come in the plan's order.
 */
bool plan_find(const struct plan *p, const char *sample_id, const char *condition,
               const char *strategy, int repeat, size_t *hint, struct plan_trial *ret);

/*
 * Call fn for each sample, condition, prompt and repeat (1..n_repeats), in this order, so that what
 * can share an audio stands together; steered trials come after all others. Stops at its first
 * non-zero return.
 */
typedef int (*plan_fn)(const struct sample *s, enum condition c, size_t prompt, int repeat,
                       void *user, struct err *err);
int plan_each(const struct plan *p, plan_fn fn, void *user, struct err *err);

#endif
