/*
 * soundbank.h - recorded clips: where they come from, under which licence, and their samples.
 * The format of sounds files is in docs/formats.md.
 */
#ifndef AOR_SCENE_SOUNDBANK_H
#define AOR_SCENE_SOUNDBANK_H

#include <stdbool.h>
#include <stddef.h>

#include "audio/audio.h"

struct sound_package {
    char *name;   /* Debian package; with a folder any name */
    char *folder; /* absolute: a folder of the user's own; NULL: a Debian package */
    char *root;   /* folder inside it */
    char *licence;
    char *copyright;
};

struct sound_clip {
    char *id;
    char **labels; /* [n_labels], what is heard; owned */
    size_t n_labels;
    size_t package; /* index into packages */
    char *path;     /* below the package's root */
    char sha256[SHA256_HEX_SIZE];
    char *licence; /* NULL: the package's */
    char *copyright;
};

struct soundbank {
    struct sound_package *packages;
    size_t n_packages;
    struct sound_clip *clips;
    size_t n_clips;
};

/*
 * Read the sounds file at path and, where more_dir (may be NULL) is a folder, all of its *.yaml in
 * the order of their names. Unknown keys, packages that are not in the clip's own file, ids that
 * are doubled over all files, paths with ".." are errors with file:line:column.
 */
int soundbank_load(const char *path, const char *more_dir, struct soundbank *ret, struct err *err);
void soundbank_release(struct soundbank *bank);

/* NULL when there is none. Borrowed from bank. */
const struct sound_clip *soundbank_find(const struct soundbank *bank, const char *id);

bool sound_clip_has_label(const struct sound_clip *clip, const char *label);

/* The clip's own, or its package's. Borrowed from bank. */
const char *soundbank_licence(const struct soundbank *bank, const struct sound_clip *clip);
const char *soundbank_copyright(const struct soundbank *bank, const struct sound_clip *clip);

/*
 * Samples of a clip: mono at AUDIO_RATE, as decoded (not normalised). Clips are looked for in
 * stems_dir/clip-<sha256>.flac first; otherwise decoded from <folder>/<root>/<path> or
 * sounds_dir/<package>/<root>/<path>, whose SHA-256 must be the bank's, and stored there
 * (atomically, so that several processes may). sounds_dir may be NULL: then only stems_dir is
 * looked in, whatever the package. More than 120 s is an error.
 */
int soundbank_clip_audio(const struct soundbank *bank, const struct sound_clip *clip,
                         const char *sounds_dir, const char *stems_dir, struct audio *ret,
                         struct err *err);

#endif
