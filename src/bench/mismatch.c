#include "bench/mismatch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

struct mismatch mismatch_init(const struct scene_set *scenes, uint64_t seed)
{
    size_t n = scenes->n_scenes;
    return (struct mismatch){
        .scenes = scenes,
        .seed = seed,
        .n_under = xcalloc(ITEM_N_KINDS * n, n * sizeof(unsigned)),
        .n_of_kind = xcalloc(ITEM_N_KINDS * n, sizeof(unsigned)),
        .n_of_item = xcalloc(n, sizeof(unsigned)),
    };
}

void mismatch_release(struct mismatch *m)
{
    free(m->n_under);
    free(m->n_of_kind);
    free(m->n_of_item);
    *m = (struct mismatch){0};
}

static bool is_candidate(const struct item *item, const struct scene *scene)
{
    if (strcmp(scene_category(scene), item->category) == 0) {
        return false;
    }
    for (size_t i = 0; i < item->n_redeemed_by; i++) {
        if (strcmp(scene_id(scene), item->redeemed_by[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* What decides, the first first. */
struct rank {
    unsigned n_of_item, n_under, n_of_kind;
};

static int compare(struct rank a, struct rank b)
{
    unsigned x = a.n_of_item != b.n_of_item ? a.n_of_item
                 : a.n_under != b.n_under   ? a.n_under
                                            : a.n_of_kind;
    unsigned y = a.n_of_item != b.n_of_item ? b.n_of_item
                 : a.n_under != b.n_under   ? b.n_under
                                            : b.n_of_kind;
    return (x > y) - (x < y);
}

/* Index of the scene of one pair; -1 when there is no candidate. */
static long choose(const struct mismatch *m, const struct item *item, const unsigned *n_under,
                   const unsigned *n_of_kind, int pair)
{
    char *name = xasprintf("mismatched/%s/%d", item->id, pair);
    struct rng rng = rng_init(m->seed, name);
    free(name);
    long chosen = -1;
    struct rank best = {0};
    uint32_t n_equal = 0;
    for (size_t i = 0; i < m->scenes->n_scenes; i++) {
        struct rank rank = {m->n_of_item[i], n_under[i], n_of_kind[i]};
        if (!is_candidate(item, scene_at(m->scenes, i))) {
            continue;
        }
        int order = chosen < 0 ? -1 : compare(rank, best);
        n_equal = order < 0 ? 1 : n_equal + (order == 0);
        /* Of n equal ones each is kept with a chance of 1 / n. */
        if (order < 0 || (order == 0 && rng_below(&rng, n_equal) == 0)) {
            chosen = (long)i;
            best = rank;
        }
    }
    return chosen;
}

void mismatch_choose(struct mismatch *m, const struct item *item, const struct scene *scene,
                     int n_pairs, const struct scene **ret_scenes)
{
    size_t n = m->scenes->n_scenes;
    unsigned *n_of_kind = m->n_of_kind + (size_t)item->kind * n;
    unsigned *n_under =
        m->n_under + ((size_t)item->kind * n + scene_index_of(m->scenes, scene)) * n;
    memset(m->n_of_item, 0, n * sizeof *m->n_of_item);
    for (int p = 0; p < n_pairs; p++) {
        long i = choose(m, item, n_under, n_of_kind, p);
        ret_scenes[p] = i < 0 ? NULL : scene_at(m->scenes, (size_t)i);
        if (i >= 0) {
            m->n_of_item[i]++;
            n_under[i]++;
            n_of_kind[i]++;
        }
    }
}
