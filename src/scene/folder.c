#include "scene/folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/yaml.h"

#define MAX_METADATA ((size_t)256 << 20)

#define MAP_FILE "sounds-map.yaml"
#define ESC50_FILE "meta/esc50.csv"

const char *const folder_layout_names[] = {"map", "esc-50", "fsd50k", NULL};

/* The two sets of FSD50K, either of which is enough. */
static const struct fsd50k_set {
    const char *truth, *info, *audio_dir;
} fsd50k_sets[] = {
    {"FSD50K.ground_truth/dev.csv", "FSD50K.metadata/dev_clips_info_FSD50K.json",
     "FSD50K.dev_audio"},
    {"FSD50K.ground_truth/eval.csv", "FSD50K.metadata/eval_clips_info_FSD50K.json",
     "FSD50K.eval_audio"},
};
#define N_FSD50K_SETS (sizeof fsd50k_sets / sizeof *fsd50k_sets)

static void sound_release(struct folder_sound *s)
{
    free(s->id);
    free(s->path);
    free(s->place);
    yaml_free_strs(s->labels, s->n_labels);
    free(s->licence);
    free(s->copyright);
}

void folder_release(struct sound_folder *f)
{
    for (size_t i = 0; i < f->n_sounds; i++) {
        sound_release(&f->sounds[i]);
    }
    free(f->sounds);
    name_set_release(&f->ids);
    yaml_free_strs(f->only, f->n_only);
    free(f->is_met);
    free(f->dir);
    free(f->name);
    free(f->licence);
    free(f->copyright);
    *f = (struct sound_folder){0};
}

static bool has(const char *dir, const char *name)
{
    char *path = fs_join(dir, name);
    bool is_there = fs_exists(path);
    free(path);
    return is_there;
}

int folder_guess(const char *dir, enum folder_layout *ret, struct err *err)
{
    if (!fs_is_dir(dir)) {
        return err_set(err, ERR_IO, "%s: no such folder", dir);
    }
    if (has(dir, MAP_FILE)) {
        *ret = FOLDER_MAP;
    } else if (has(dir, ESC50_FILE)) {
        *ret = FOLDER_ESC50;
    } else if (has(dir, fsd50k_sets[0].truth) || has(dir, fsd50k_sets[1].truth)) {
        *ret = FOLDER_FSD50K;
    } else {
        return err_set(err, ERR_FORMAT, "%s: has none of " MAP_FILE ", " ESC50_FILE ", %s, %s", dir,
                       fsd50k_sets[0].truth, fsd50k_sets[1].truth);
    }
    return 0;
}

/* "" when the name gives none. */
static char *id_of(const struct sound_folder *f, const char *name)
{
    char *stem = xstrdup(name);
    char *dot = strrchr(stem, '.');
    if (dot && !strchr(dot, '/')) {
        *dot = '\0';
    }
    char *id = text_to_id(stem);
    char *whole = *id ? xasprintf("%s-%s", f->name, id) : xstrdup("");
    free(id);
    free(stem);
    return whole;
}

static bool has_label(const struct folder_sound *s, const char *label)
{
    for (size_t i = 0; i < s->n_labels; i++) {
        if (strcmp(s->labels[i], label) == 0) {
            return true;
        }
    }
    return false;
}

/* The labels as ids, each once; they are the sound's even when one is none. */
static int add_labels(struct folder_sound *s, char *const *labels, size_t n, struct err *err)
{
    s->labels = xrealloc(s->labels, (s->n_labels + n) * sizeof *s->labels);
    for (size_t i = 0; i < n; i++) {
        char *id = text_to_id(labels[i]);
        if (!*id) {
            free(id);
            return err_set(err, ERR_FORMAT, "\"%s\" is no label", labels[i]);
        }
        if (has_label(s, id)) {
            free(id);
        } else {
            s->labels[s->n_labels++] = id;
        }
    }
    return 0;
}

static bool is_wanted(struct sound_folder *f, const struct folder_sound *s)
{
    bool is = f->n_only == 0;
    for (size_t i = 0; i < f->n_only; i++) {
        if (has_label(s, f->only[i])) {
            is = f->is_met[i] = true;
        }
    }
    return is;
}

/* The end of folder_add: s is moved into the folder, or into the sound that is there, or is left.
 */
static int put_sound(struct sound_folder *f, struct folder_sound *s, struct folder_sound **ret,
                     struct err *err)
{
    size_t old;
    if (!name_set_add(&f->ids, s->id, f->n_sounds, &old)) {
        *ret = &f->sounds[old];
        return strcmp((*ret)->path, s->path) == 0
                   ? add_labels(*ret, s->labels, s->n_labels, err)
                   : err_set(err, ERR_FORMAT, "%s and %s both give the id %s: rename one",
                             (*ret)->path, s->path, s->id);
    }
    /* The array doubles whenever its size is a power of two. */
    if ((f->n_sounds & (f->n_sounds - 1)) == 0) {
        f->sounds = xrealloc(f->sounds, (2 * f->n_sounds + 1) * sizeof *f->sounds);
    }
    f->sounds[f->n_sounds] = *s;
    *s = (struct folder_sound){0};
    *ret = &f->sounds[f->n_sounds++];
    return 0;
}

int folder_add(struct sound_folder *f, const char *name, const char *path, char *const *labels,
               size_t n_labels, const char *place, struct folder_sound **ret, struct err *err)
{
    struct folder_sound s = {.id = id_of(f, name), .path = xstrdup(path), .place = xstrdup(place)};
    int ok = 0;
    memset(s.sha256, '0', sizeof s.sha256 - 1);
    *ret = NULL;
    if (!fs_is_inside(path)) {
        ok = err_set(err, ERR_FORMAT, "\"%s\" is no path inside the folder", path);
    } else if (!*s.id) {
        ok = err_set(err, ERR_FORMAT, "\"%s\" has neither letters nor digits in its name", path);
    } else {
        ok = add_labels(&s, labels, n_labels, err);
    }
    if (ok == 0) {
        ok = put_sound(f, &s, ret, err);
    }
    sound_release(&s);
    return ok;
}

static int read_text(const char *dir, const char *name, char **ret_path, struct buf *ret,
                     struct err *err)
{
    *ret_path = fs_join(dir, name);
    return fs_read(*ret_path, MAX_METADATA, ret, err);
}

static int read_fsd50k_set(struct sound_folder *f, const struct fsd50k_set *set, struct err *err)
{
    struct buf truth = {0}, info = {0};
    char *truth_path = NULL, *info_path = NULL;
    int ok = -1;
    if (read_text(f->dir, set->truth, &truth_path, &truth, err) == 0 &&
        read_text(f->dir, set->info, &info_path, &info, err) == 0) {
        ok = folder_parse_fsd50k(f, truth.data, truth.len, truth_path, info.data, info.len,
                                 info_path, set->audio_dir, err);
    }
    free(info_path);
    free(truth_path);
    buf_release(&info);
    buf_release(&truth);
    return ok;
}

static int read_fsd50k(struct sound_folder *f, struct err *err)
{
    bool is_any = false;
    for (size_t i = 0; i < N_FSD50K_SETS; i++) {
        if (has(f->dir, fsd50k_sets[i].truth)) {
            is_any = true;
            if (read_fsd50k_set(f, &fsd50k_sets[i], err) != 0) {
                return -1;
            }
        }
    }
    return is_any ? 0
                  : err_set(err, ERR_IO, "%s: has neither %s nor %s", f->dir, fsd50k_sets[0].truth,
                            fsd50k_sets[1].truth);
}

static int read_metadata(struct sound_folder *f, enum folder_layout layout, struct err *err)
{
    if (layout == FOLDER_FSD50K) {
        f->name = xstrdup("fsd50k");
        f->licence = xstrdup("CC-BY-4.0");
        f->copyright = xstrdup("2020 Fonseca, Favory, Pons, Font, Serra: FSD50K");
        return read_fsd50k(f, err);
    }
    bool is_map = layout == FOLDER_MAP;
    struct buf text = {0};
    char *path = NULL;
    int ok = read_text(f->dir, is_map ? MAP_FILE : ESC50_FILE, &path, &text, err);
    if (is_map) {
        f->name = text_to_id(fs_basename(f->dir));
    } else {
        f->name = xstrdup("esc-50");
        f->licence = xstrdup("CC-BY-NC-3.0");
        f->copyright =
            xstrdup("2015 Karol J. Piczak: ESC-50, of clips by the authors in its LICENSE");
    }
    if (ok == 0 && !*f->name) {
        ok = err_set(err, ERR_FORMAT, "%s: has neither letters nor digits in its name", f->dir);
    } else if (ok == 0) {
        ok = is_map ? folder_parse_map(f, text.data, text.len, path, err)
                    : folder_parse_esc50(f, text.data, text.len, path, err);
    }
    free(path);
    buf_release(&text);
    return ok;
}

/* Leave out what has none of the wanted labels, when all labels are known. */
static void drop_unwanted(struct sound_folder *f)
{
    struct folder_sound *kept = xcalloc(f->n_sounds, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; i < f->n_sounds; i++) {
        if (is_wanted(f, &f->sounds[i])) {
            kept[n++] = f->sounds[i];
        } else {
            sound_release(&f->sounds[i]);
        }
    }
    free(f->sounds);
    f->sounds = kept;
    f->n_sounds = n;
}

/* All that was asked for is there. */
static int check(const struct sound_folder *f, struct err *err)
{
    for (size_t i = 0; i < f->n_only; i++) {
        if (!f->is_met[i]) {
            return err_set(err, ERR_USAGE, "%s: no sound has the label \"%s\"", f->dir, f->only[i]);
        }
    }
    if (f->n_sounds == 0) {
        return err_set(err, ERR_FORMAT, "%s: its metadata names no sound", f->dir);
    }
    for (size_t i = 0; i < f->n_sounds; i++) {
        const struct folder_sound *s = &f->sounds[i];
        if (!has(f->dir, s->path)) {
            return err_set(err, ERR_IO, "%s: %s/%s is not there", s->place, f->dir, s->path);
        }
    }
    return 0;
}

int folder_read(const char *dir, enum folder_layout layout, char *const *only, size_t n_only,
                struct sound_folder *ret, struct err *err)
{
    if (!fs_is_dir(dir)) {
        return err_set(err, ERR_IO, "%s: no such folder", dir);
    }
    struct sound_folder f = {.dir = realpath(dir, NULL),
                             .only = xcalloc(n_only, sizeof *f.only),
                             .is_met = xcalloc(n_only, sizeof *f.is_met),
                             .n_only = n_only};
    int ok = f.dir ? 0 : err_errno(err, "%s", dir);
    for (size_t i = 0; i < n_only; i++) {
        f.only[i] = text_to_id(only[i]);
    }
    if (ok == 0 && text_check_utf8(f.dir, strlen(f.dir), f.dir, err) == 0 &&
        read_metadata(&f, layout, err) == 0) {
        drop_unwanted(&f);
        ok = check(&f, err);
        if (ok == 0) {
            *ret = f;
            return 0;
        }
    }
    folder_release(&f);
    return -1;
}

static void add_member(struct buf *b, const char *before, const char *text)
{
    if (text) {
        buf_adds(b, before);
        yaml_add_quoted(b, text);
    }
}

static void add_clip(struct buf *b, const struct sound_folder *f, const struct folder_sound *s)
{
    buf_addf(b, "  - id: %s\n    package: %s\n    labels: [", s->id, f->name);
    for (size_t i = 0; i < s->n_labels; i++) {
        buf_addf(b, "%s%s", i > 0 ? ", " : "", s->labels[i]);
    }
    add_member(b, "]\n    path: ", s->path);
    buf_addf(b, "\n    sha256: %s\n", s->sha256);
    add_member(b, "    licence: ", s->licence);
    buf_adds(b, s->licence ? "\n" : "");
    add_member(b, "    copyright: ", s->copyright);
    buf_adds(b, s->copyright ? "\n" : "");
}

int folder_text(const struct sound_folder *f, char **ret, struct err *err)
{
    struct buf b = {0};
    buf_addf(&b, "# Written by aor sounds.\npackages:\n  - package: %s\n", f->name);
    add_member(&b, "    folder: ", f->dir);
    add_member(&b, "\n    root: .\n    licence: ", f->licence);
    add_member(&b, "\n    copyright: ", f->copyright);
    buf_adds(&b, "\nclips:\n");
    for (size_t i = 0; i < f->n_sounds; i++) {
        add_clip(&b, f, &f->sounds[i]);
    }
    if (b.len > YAML_MAX_FILE) {
        buf_release(&b);
        return err_set(err, ERR_USAGE,
                       "%s: %zu sounds are more than a sounds file may hold (%zu MiB): choose "
                       "labels with --only",
                       f->dir, f->n_sounds, YAML_MAX_FILE >> 20);
    }
    *ret = buf_detach(&b);
    return 0;
}
