/*
 * bench.h - a benchmark as a plan: every sample's recipe, a pure function of the data files.
 *
 * A data folder holds spec.yaml, scenarios/, scenes.yaml, sounds.yaml and voices.yaml, and may hold
 * more sounds files in sounds/. A built benchmark keeps a copy of its own in <dir>/.spec, so that
 * opening it gives the same plan.
 */
#ifndef AOR_BENCH_BENCH_H
#define AOR_BENCH_BENCH_H

#include <stdint.h>

#include "bench/scenario.h"
#include "bench/spec.h"
#include "scene/scene.h"
#include "scene/soundbank.h"
#include "scene/take.h"
#include "speech/voices.h"

/* One sample's recipe; pointers are borrowed from the bench. */
struct sample {
    char id[ITEM_MAX_ID + 2 * VOICE_MAX_ID + 5]; /* <item>-<f|m>-<emotion>-<rate> */
    const struct item *item;
    const struct scene *scene;
    const struct voice *voice;
    const struct emotion *emotion;
    const struct rate *rate;
    double snr_db;
    int take;           /* of the scene, 1..spec.n_takes; shared by the two voices of a pair, */
    uint64_t take_seed; /* the take's own seed */
    size_t take_start;  /* frame where the background starts, shared likewise */
    const struct scene *other_scene; /* of the condition mismatched (mismatch.h), shared likewise;
                                        NULL where the data have none */
    uint64_t other_take_seed;        /* of its take of the same number */
    uint32_t speech_seed;
};

struct bench {
    struct spec spec;
    struct item_set items;
    struct soundbank bank;
    struct scene_set scenes;
    struct voice_set voices;
    struct sample *samples;
    size_t n_samples;
    char data_sha256[SHA256_HEX_SIZE]; /* over all data files */
};

/* A part of a benchmark: what is chosen of its items. {0} chooses all. */
struct bench_selection {
    char **only; /* ids of items, scenes, categories, kinds, splits; any of them */
    size_t n_only;
    long limit; /* whole items, at least one, evenly over the plan, of at most so many samples; a
                   greater limit chooses these and more; 0: no limit */
};

/*
 * Read spec_path and the data folder, and plan; a selection (may be NULL) becomes the spec's list
 * of items. Scenes and items that do not fit together are errors.
 */
int bench_load(const char *spec_path, const char *data_dir, const struct bench_selection *select,
               struct bench *ret, struct err *err);
void bench_release(struct bench *b);

/* Which of b's items (of those its spec wants) a selection means: ret_chosen[b->items.n_items]. */
int bench_choose(const struct bench *b, const struct bench_selection *select, bool *ret_chosen,
                 struct err *err);

/*
 * Copy what bench_load read into dir (made when missing), as a data folder with b's spec. Files
 * that are no longer what was read are an error. Not synced, see fs.h.
 */
int bench_copy_data(const struct bench *b, const char *data_dir, const char *dir, struct err *err);

/* What the plan has of each kind. */
struct plan_counts {
    size_t items[ITEM_N_KINDS];
    size_t samples[ITEM_N_KINDS];
};
struct plan_counts bench_count(const struct bench *b);

/* Index into samples; -1 when there is none. hint: where to look first (any number). */
long bench_find(const struct bench *b, const char *sample_id, size_t hint);

#endif
