/*
 * take.h - takes of a scene: a few long renderings that samples cut their background from.
 *
 * A take goes round: its end is cross-faded into its start, so that any length can be cut from any
 * place. It is a pure function of (scene, seed) and is stored as stems_dir/take-<key>.flac.
 */
#ifndef AOR_SCENE_TAKE_H
#define AOR_SCENE_TAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scene/scene.h"

#define TAKE_FRAMES ((size_t)12 * AUDIO_RATE)

/* Content hash of a take: the scene's recipe, the clips' own hashes, the seed, version. */
void take_key(const struct scene *scene, const struct soundbank *bank, uint64_t seed, int version,
              char ret[SHA256_HEX_SIZE]);

/* One process's takes, the least recently used of which make room; memory does not grow. */
#define TAKES_HELD 6
struct take_cache {
    struct scene_cache clips; /* .bank and the folders are set by the owner, see scene.h */
    int version;              /* of the code that renders: a part of every key */
    struct held_take {
        char key[SHA256_HEX_SIZE];
        struct audio audio; /* TAKE_FRAMES */
        uint64_t last_used;
    } held[TAKES_HELD];
    uint64_t n_used;
};
void take_cache_release(struct take_cache *cache);

/* True when the take is stored. */
bool take_is_stored(const struct take_cache *cache, const struct scene *scene, uint64_t seed);

/* Render and store a take. */
int take_store(struct take_cache *cache, const struct scene *scene, uint64_t seed, struct err *err);

/*
 * n_frames of the take from frame start on, round and round. Made when it is not there, and then
 * stored, unless stems_dir cannot be written: then it is made again by the next process.
 */
int take_cut(struct take_cache *cache, const struct scene *scene, uint64_t seed, size_t start,
             size_t n_frames, struct audio *ret, struct err *err);

#endif
