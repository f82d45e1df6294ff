/*
 * soundbank.h - recorded clips: where they come from, under which licence, and their samples.
 */
#ifndef AOR_SCENE_SOUNDBANK_H
#define AOR_SCENE_SOUNDBANK_H

#include <stddef.h>

#include "audio/audio.h"

struct sound_package {
    char *name; /* Debian package */
    char *root; /* folder inside it */
    char *licence;
    char *copyright;
};

struct sound_clip {
    char *id;
    size_t package; /* index into packages */
    char *path;     /* below the package's root */
    char sha256[SHA256_HEX_SIZE];
};

struct soundbank {
    struct sound_package *packages;
    size_t n_packages;
    struct sound_clip *clips;
    size_t n_clips;
};

/* Read sounds.yaml. Unknown keys, doubled ids, unknown packages, paths with ".." are errors with
 * file:line:column. */
int soundbank_load(const char *path, struct soundbank *ret, struct err *err);
void soundbank_release(struct soundbank *bank);

/* NULL when there is none. Borrowed from bank. */
const struct sound_clip *soundbank_find(const struct soundbank *bank, const char *id);

/*
 * Samples of a clip: mono at AUDIO_RATE, as decoded (not normalised). Clips are looked for in
 * stems_dir/clip-<sha256>.flac first; otherwise decoded from sounds_dir/<package>/<root>/<path>,
 * whose SHA-256 must be the bank's, and stored there (atomically, so that several processes may).
 * sounds_dir may be NULL: then only stems_dir is looked in. More than 120 s is an error.
 */
int soundbank_clip_audio(const struct soundbank *bank, const struct sound_clip *clip,
                         const char *sounds_dir, const char *stems_dir, struct audio *ret,
                         struct err *err);

#endif
