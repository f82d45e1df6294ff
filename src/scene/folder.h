/*
 * folder.h - a folder of the user's own recordings, read by the metadata that is in it, and the
 * sounds file (soundbank.h) that makes clips of them. The layouts are in docs/formats.md.
 */
#ifndef AOR_SCENE_FOLDER_H
#define AOR_SCENE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/names.h"

enum folder_layout { FOLDER_MAP, FOLDER_ESC50, FOLDER_FSD50K };
extern const char *const folder_layout_names[]; /* by enum folder_layout, ended by NULL */

struct folder_sound {
    char *id;      /* unique in the folder */
    char *path;    /* below the folder */
    char *place;   /* where the metadata names it, "file:line", for errors */
    char **labels; /* [n_labels], ids (text.h); owned */
    size_t n_labels;
    char *licence; /* NULL: the folder's */
    char *copyright;
    char sha256[SHA256_HEX_SIZE]; /* zeros until the owner fills it in */
};

struct sound_folder {
    char *dir;  /* absolute */
    char *name; /* an id */
    char *licence;
    char *copyright;
    struct folder_sound *sounds;
    size_t n_sounds;
    struct name_set ids;

    char **only; /* [n_only], labels as ids: what has none of them is left out; n_only 0: nothing */
    bool *is_met; /* [n_only], whether anything had it */
    size_t n_only;
};

/* The layout whose metadata dir has. */
int folder_guess(const char *dir, enum folder_layout *ret, struct err *err);

/*
 * Read the metadata in dir. Labels (n_only 0: all) that no sound has, files that are not there, and
 * a folder without a sound are errors.
 */
int folder_read(const char *dir, enum folder_layout layout, char *const *only, size_t n_only,
                struct sound_folder *ret, struct err *err);
void folder_release(struct sound_folder *f);

/* The sounds file; *ret is the caller's. More than YAML_MAX_FILE is an error. */
int folder_text(const struct sound_folder *f, char **ret, struct err *err);

/*
 * The readers of the layouts' files, from memory: they add to f and look at no other file. name and
 * json_name stand in errors; audio_dir is where the files are below the folder.
 */
int folder_parse_map(struct sound_folder *f, const char *yaml, size_t n, const char *name,
                     struct err *err);
int folder_parse_esc50(struct sound_folder *f, const char *csv, size_t n, const char *name,
                       struct err *err);
int folder_parse_fsd50k(struct sound_folder *f, const char *csv, size_t n, const char *name,
                        const char *json, size_t n_json, const char *json_name,
                        const char *audio_dir, struct err *err);

/*
 * For the readers: add a sound, or the labels where that path is there already. Its id comes from
 * the folder's and its own name, without the ending. *ret is the sound, or NULL when it is none
 * that is wanted; borrowed until the next call. Labels are any text.
 */
int folder_add(struct sound_folder *f, const char *name, const char *path, char *const *labels,
               size_t n_labels, const char *place, struct folder_sound **ret, struct err *err);

/* "http://creativecommons.org/licenses/by/3.0/" gives CC-BY-3.0; other text is kept. The caller's.
 */
char *folder_licence_name(const char *url);

#endif
