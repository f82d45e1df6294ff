#include "scene/soundbank.h"

#include <stdlib.h>
#include <string.h>

#include "audio/level.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/yaml.h"

#define MAX_FILE ((size_t)256 << 20)
#define MAX_CLIP_S 120.0
#define SILENT_DB (-80.0)

void soundbank_release(struct soundbank *bank)
{
    for (size_t i = 0; i < bank->n_packages; i++) {
        free(bank->packages[i].name);
        free(bank->packages[i].folder);
        free(bank->packages[i].root);
        free(bank->packages[i].licence);
        free(bank->packages[i].copyright);
    }
    for (size_t i = 0; i < bank->n_clips; i++) {
        free(bank->clips[i].id);
        yaml_free_strs(bank->clips[i].labels, bank->clips[i].n_labels);
        free(bank->clips[i].path);
        free(bank->clips[i].licence);
        free(bank->clips[i].copyright);
    }
    free(bank->packages);
    free(bank->clips);
    *bank = (struct soundbank){0};
}

const struct sound_clip *soundbank_find(const struct soundbank *bank, const char *id)
{
    for (size_t i = 0; i < bank->n_clips; i++) {
        if (strcmp(bank->clips[i].id, id) == 0) {
            return &bank->clips[i];
        }
    }
    return NULL;
}

bool sound_clip_has_label(const struct sound_clip *clip, const char *label)
{
    for (size_t i = 0; i < clip->n_labels; i++) {
        if (strcmp(clip->labels[i], label) == 0) {
            return true;
        }
    }
    return false;
}

const char *soundbank_licence(const struct soundbank *bank, const struct sound_clip *clip)
{
    return clip->licence ? clip->licence : bank->packages[clip->package].licence;
}

const char *soundbank_copyright(const struct soundbank *bank, const struct sound_clip *clip)
{
    return clip->copyright ? clip->copyright : bank->packages[clip->package].copyright;
}

/* A bank while its files are read. */
struct loader {
    struct soundbank bank;
    size_t first_package; /* of the file that is being read */
    struct name_set clip_ids;
};

static const struct sound_package *find_package(const struct soundbank *bank, size_t first,
                                                const char *name)
{
    for (size_t i = first; i < bank->n_packages; i++) {
        if (strcmp(bank->packages[i].name, name) == 0) {
            return &bank->packages[i];
        }
    }
    return NULL;
}

static int get_inside_path(struct yaml_node at, const char *key, char **ret, struct err *err)
{
    struct yaml_node value;
    char *path;
    if (yaml_get(at, key, &value, err) != 0 || yaml_str(value, &path, err) != 0) {
        return -1;
    }
    if (!fs_is_inside(path)) {
        yaml_fail(value, err, "\"%s\" is no path inside a folder", path);
        free(path);
        return -1;
    }
    *ret = path;
    return 0;
}

static int get_optional_str(struct yaml_node at, const char *key, char **ret, struct err *err)
{
    return yaml_find(at, key).node ? yaml_get_str(at, key, ret, err) : 0;
}

static int read_folder(struct yaml_node at, char **ret, struct err *err)
{
    struct yaml_node value = yaml_find(at, "folder");
    if (!value.node) {
        return 0;
    }
    if (yaml_str(value, ret, err) != 0) {
        return -1;
    }
    return **ret == '/' ? 0 : yaml_fail(value, err, "\"%s\" is no absolute path", *ret);
}

/* Both readers fill the next entry, and count it even if it is bad, so that it is released. */
static int read_package(struct yaml_node at, struct loader *l, struct err *err)
{
    static const char *const keys[] = {"package", "folder", "root", "licence", "copyright", NULL};
    struct sound_package *p = &l->bank.packages[l->bank.n_packages];
    int ok = yaml_check_keys(at, keys, err) == 0 &&
                     get_inside_path(at, "package", &p->name, err) == 0 &&
                     read_folder(at, &p->folder, err) == 0 &&
                     get_inside_path(at, "root", &p->root, err) == 0 &&
                     yaml_get_str(at, "licence", &p->licence, err) == 0 &&
                     yaml_get_str(at, "copyright", &p->copyright, err) == 0
                 ? 0
                 : -1;
    if (ok == 0 && find_package(&l->bank, l->first_package, p->name)) {
        ok = yaml_fail(at, err, "package \"%s\" is there twice", p->name);
    }
    l->bank.n_packages++;
    return ok;
}

static int read_sha256(struct yaml_node at, char ret[SHA256_HEX_SIZE], struct err *err)
{
    struct yaml_node value;
    char *text;
    if (yaml_get(at, "sha256", &value, err) != 0 || yaml_str(value, &text, err) != 0) {
        return -1;
    }
    int ok = 0;
    if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64) {
        ok = yaml_fail(value, err, "64 lower-case hexadecimal digits are wanted here");
    } else {
        memcpy(ret, text, SHA256_HEX_SIZE);
    }
    free(text);
    return ok;
}

static int read_package_name(struct yaml_node at, const struct loader *l, size_t *ret,
                             struct err *err)
{
    struct yaml_node value;
    char *name;
    if (yaml_get(at, "package", &value, err) != 0 || yaml_str(value, &name, err) != 0) {
        return -1;
    }
    const struct sound_package *p = find_package(&l->bank, l->first_package, name);
    int ok = p ? 0 : yaml_fail(value, err, "no package \"%s\"", name);
    if (p) {
        *ret = (size_t)(p - l->bank.packages);
    }
    free(name);
    return ok;
}

static int read_labels(struct yaml_node at, struct sound_clip *c, struct err *err)
{
    return yaml_find(at, "labels").node ? yaml_get_strs(at, "labels", &c->labels, &c->n_labels, err)
                                        : 0;
}

static int read_clip(struct yaml_node at, struct loader *l, struct err *err)
{
    static const char *const keys[] = {"id",     "package", "labels",    "path",
                                       "sha256", "licence", "copyright", NULL};
    struct sound_clip *c = &l->bank.clips[l->bank.n_clips];
    int ok = yaml_check_keys(at, keys, err) == 0 && yaml_get_str(at, "id", &c->id, err) == 0 &&
                     read_package_name(at, l, &c->package, err) == 0 &&
                     read_labels(at, c, err) == 0 &&
                     get_inside_path(at, "path", &c->path, err) == 0 &&
                     read_sha256(at, c->sha256, err) == 0 &&
                     get_optional_str(at, "licence", &c->licence, err) == 0 &&
                     get_optional_str(at, "copyright", &c->copyright, err) == 0
                 ? 0
                 : -1;
    if (ok == 0 && !name_set_add(&l->clip_ids, c->id, 0, NULL)) {
        ok = yaml_fail(at, err, "clip \"%s\" is there twice", c->id);
    }
    l->bank.n_clips++;
    return ok;
}

/* n entries more at the end of an array of n_old, zeroed. */
static void *add_entries(void *entries, size_t n_old, size_t n, size_t size)
{
    char *all = xrealloc(entries, (n_old + n) * size);
    memset(all + n_old * size, 0, n * size);
    return all;
}

static int read_file(const char *path, struct loader *l, struct err *err)
{
    static const char *const keys[] = {"packages", "clips", NULL};
    struct yaml_doc doc = {0};
    struct soundbank *b = &l->bank;
    struct yaml_node packages, clips, item;
    int ok = -1;
    if (yaml_load(path, &doc, err) != 0) {
        return -1;
    }
    struct yaml_node root = yaml_root(&doc);
    if (yaml_check_keys(root, keys, err) != 0 ||
        yaml_get_seq(root, "packages", &packages, err) != 0 ||
        yaml_get_seq(root, "clips", &clips, err) != 0) {
        goto out;
    }
    b->packages =
        add_entries(b->packages, b->n_packages, yaml_count(packages), sizeof *b->packages);
    b->clips = add_entries(b->clips, b->n_clips, yaml_count(clips), sizeof *b->clips);
    l->first_package = b->n_packages;
    for (void *it = NULL; yaml_next(packages, &it, &item);) {
        if (read_package(item, l, err) != 0) {
            goto out;
        }
    }
    for (void *it = NULL; yaml_next(clips, &it, &item);) {
        if (read_clip(item, l, err) != 0) {
            goto out;
        }
    }
    ok = 0;
out:
    yaml_release(&doc);
    return ok;
}

int soundbank_load(const char *path, const char *more_dir, struct soundbank *ret, struct err *err)
{
    struct loader l = {0};
    char **more = NULL;
    size_t n_more = 0;
    int ok = read_file(path, &l, err);
    if (ok == 0 && more_dir && fs_is_dir(more_dir)) {
        ok = yaml_list_files(more_dir, &more, &n_more, err);
    }
    for (size_t i = 0; i < n_more && ok == 0; i++) {
        ok = read_file(more[i], &l, err);
    }
    if (ok == 0) {
        *ret = l.bank;
        l.bank = (struct soundbank){0};
    }
    fs_free_paths(more, n_more);
    name_set_release(&l.clip_ids);
    soundbank_release(&l.bank);
    return ok;
}

/* The package's or folder's own file, checked against the bank's hash. */
static int decode_original(const struct soundbank *bank, const struct sound_clip *clip,
                           const char *sounds_dir, struct audio *ret, struct err *err)
{
    const struct sound_package *p = &bank->packages[clip->package];
    char *path = p->folder ? xasprintf("%s/%s/%s", p->folder, p->root, clip->path)
                           : xasprintf("%s/%s/%s/%s", sounds_dir, p->name, p->root, clip->path);
    struct buf bytes = {0};
    struct audio a = {0};
    char sha256[SHA256_HEX_SIZE];
    int ok = -1;
    if (!fs_exists(path) && p->folder) {
        err_set(err, ERR_IO, "%s: is not there; the sounds file that names \"%s\" says where it is",
                path, p->name);
        goto out;
    }
    if (!fs_exists(path)) {
        err_set(err, ERR_IO,
                "%s: is not there; tools/setup/sounds.sh fetches it (Debian package %s)", path,
                p->name);
        goto out;
    }
    if (fs_read(path, MAX_FILE, &bytes, err) != 0) {
        goto out;
    }
    sha256_hex(bytes.data, bytes.len, sha256);
    if (strcmp(sha256, clip->sha256) != 0) {
        err_set(err, ERR_FORMAT, "%s: its SHA-256 is not that of the sounds file", path);
        goto out;
    }
    if (audio_load_memory(bytes.data, bytes.len, path, AUDIO_RATE, MAX_CLIP_S, &a, err) != 0) {
        goto out;
    }
    if (!(level_rms_db(&a) > SILENT_DB)) {
        err_set(err, ERR_FORMAT, "%s: is silent", path);
        goto out;
    }
    audio_quantize(&a); /* what the stored copy will give */
    *ret = a;
    a = (struct audio){0};
    ok = 0;
out:
    audio_release(&a);
    buf_release(&bytes);
    free(path);
    return ok;
}

int soundbank_clip_audio(const struct soundbank *bank, const struct sound_clip *clip,
                         const char *sounds_dir, const char *stems_dir, struct audio *ret,
                         struct err *err)
{
    char *stem = xasprintf("%s/clip-%s.flac", stems_dir, clip->sha256);
    struct audio a = {0};
    int ok = -1;
    if (fs_exists(stem)) {
        ok = audio_load(stem, AUDIO_RATE, MAX_CLIP_S + 1, &a, err);
    } else if (!sounds_dir) {
        err_set(err, ERR_IO, "%s is not there, and no folder with the original sounds is known",
                stem);
    } else if (decode_original(bank, clip, sounds_dir, &a, err) == 0) {
        ok = audio_save_flac(stem, &a, err);
    }
    if (ok == 0) {
        *ret = a;
        a = (struct audio){0};
    } else {
        err_wrap(err, "clip %s", clip->id);
    }
    audio_release(&a);
    free(stem);
    return ok;
}
