/*
 * scene.h - sound scenes: a bed of lasting layers plus events at random times, rendered by seed.
 * The recipe's fields are in docs/formats.md and data/scenes.yaml. Layers and looped clips are
 * brought to an RMS of -20 dBFS and events to a peak of -6 dBFS before their own gain_db.
 */
#ifndef AOR_SCENE_SCENE_H
#define AOR_SCENE_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/audio.h"
#include "scene/soundbank.h"

struct scene; /* its parts are in recipe.h, for this folder only */

struct scene_set {
    struct scene *scenes;
    size_t n_scenes;
};

/* Read scenes.yaml; every clip or label it names must be in bank. Errors name file:line:column. */
int scene_set_load(const char *path, const struct soundbank *bank, struct scene_set *ret,
                   struct err *err);

/* The same for n bytes of YAML; name stands in errors. */
int scene_set_parse(const char *text, size_t n, const char *name, const struct soundbank *bank,
                    struct scene_set *ret, struct err *err);
void scene_set_release(struct scene_set *set);

/* NULL when there is none. Borrowed from set, as are the texts below. */
const struct scene *scene_find(const struct scene_set *set, const char *id);
const struct scene *scene_at(const struct scene_set *set, size_t i);
size_t scene_index_of(const struct scene_set *set, const struct scene *scene);
const char *scene_id(const struct scene *scene);
const char *scene_category(const struct scene *scene);
const char *scene_words(const struct scene *scene);

/* What an answer may call the scene, at least one: see judge/scene_name.h. */
const char *const *scene_names(const struct scene *scene, size_t *ret_n);

/* Set is_used[i] for each clip i of the bank that scene may use; the others are left as they are.
 */
void scene_mark_clips(const struct scene *scene, bool *is_used);

/*
 * A process's decoded clips, so that each is read once. {.bank, .sounds_dir, .stems_dir} borrowed.
 */
struct scene_cache {
    const struct soundbank *bank;
    const char *sounds_dir; /* may be NULL, see soundbank.h */
    const char *stems_dir;
    struct audio *clips; /* [bank->n_clips], owned, filled on demand */
};
void scene_cache_release(struct scene_cache *cache);

/*
 * Render n_frames at AUDIO_RATE. A pure function of (recipe, clip samples, seed, n_frames): the
 * same on any number of threads or processes. Not normalised as a whole: mix.h scales it.
 */
int scene_render(const struct scene *scene, struct scene_cache *cache, uint64_t seed,
                 size_t n_frames, struct audio *ret, struct err *err);

#endif
