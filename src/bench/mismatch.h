/*
 * mismatch.h - which other scene an item's words are put in under the condition mismatched.
 *
 * Candidates are the scenes of other categories that do not redeem the item's words. Some scenes
 * redeem hundreds of items and others few, so drawing among candidates would leave some scenes
 * rare; instead each choice is, in this order, one that the item does not have yet, the one that
 * was put least often under items of this kind and scene, the one least often under this kind, and
 * one drawn by (seed, item, pair). So a choice depends on the items before it as the design does.
 */
#ifndef AOR_BENCH_MISMATCH_H
#define AOR_BENCH_MISMATCH_H

#include <stdint.h>

#include "bench/scenario.h"
#include "scene/scene.h"

/* The choices so far; owns what it points to but for scenes, which is borrowed. */
struct mismatch {
    const struct scene_set *scenes;
    uint64_t seed;
    unsigned *n_under;   /* [kind][the item's scene][scene] */
    unsigned *n_of_kind; /* [kind][scene] */
    unsigned *n_of_item; /* [scene], of the item that is at hand */
};

struct mismatch mismatch_init(const struct scene_set *scenes, uint64_t seed);
void mismatch_release(struct mismatch *m);

/*
 * ret_scenes[n_pairs]: the scene of each of the item's pairs; scene is the item's own. NULL, all of
 * them, where there is no candidate. Items come in the order of the plan, wanted or not.
 */
void mismatch_choose(struct mismatch *m, const struct item *item, const struct scene *scene,
                     int n_pairs, const struct scene **ret_scenes);

#endif
