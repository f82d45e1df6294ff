#include "scene/soundbank.h"

#include <stdlib.h>
#include <string.h>

#include "audio/level.h"
#include "base/mem.h"
#include "base/yaml.h"

#define MAX_FILE ((size_t)256 << 20)
#define MAX_CLIP_S 120.0
#define SILENT_DB (-80.0)

void soundbank_release(struct soundbank *bank)
{
    for (size_t i = 0; i < bank->n_packages; i++) {
        free(bank->packages[i].name);
        free(bank->packages[i].root);
        free(bank->packages[i].licence);
        free(bank->packages[i].copyright);
    }
    for (size_t i = 0; i < bank->n_clips; i++) {
        free(bank->clips[i].id);
        free(bank->clips[i].path);
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

static const struct sound_package *find_package(const struct soundbank *bank, const char *name)
{
    for (size_t i = 0; i < bank->n_packages; i++) {
        if (strcmp(bank->packages[i].name, name) == 0) {
            return &bank->packages[i];
        }
    }
    return NULL;
}

/* Below its parent, whatever it says: not absolute, no part "..". */
static bool is_inside(const char *path)
{
    if (*path == '\0' || *path == '/') {
        return false;
    }
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return false;
        }
    }
    return true;
}

static int get_inside_path(struct yaml_node at, const char *key, char **ret, struct err *err)
{
    struct yaml_node value;
    char *path;
    if (yaml_get(at, key, &value, err) != 0 || yaml_str(value, &path, err) != 0) {
        return -1;
    }
    if (!is_inside(path)) {
        yaml_fail(value, err, "\"%s\" is no path inside a folder", path);
        free(path);
        return -1;
    }
    *ret = path;
    return 0;
}

/* Both readers fill the next entry, and count it even if it is bad, so that it is released. */
static int read_package(struct yaml_node at, struct soundbank *bank, struct err *err)
{
    static const char *const keys[] = {"package", "root", "licence", "copyright", NULL};
    struct sound_package *p = &bank->packages[bank->n_packages];
    int ok = yaml_check_keys(at, keys, err) == 0 &&
                     get_inside_path(at, "package", &p->name, err) == 0 &&
                     get_inside_path(at, "root", &p->root, err) == 0 &&
                     yaml_get_str(at, "licence", &p->licence, err) == 0 &&
                     yaml_get_str(at, "copyright", &p->copyright, err) == 0
                 ? 0
                 : -1;
    if (ok == 0 && find_package(bank, p->name)) {
        ok = yaml_fail(at, err, "package \"%s\" is there twice", p->name);
    }
    bank->n_packages++;
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

static int read_package_name(struct yaml_node at, const struct soundbank *bank, size_t *ret,
                             struct err *err)
{
    struct yaml_node value;
    char *name;
    if (yaml_get(at, "package", &value, err) != 0 || yaml_str(value, &name, err) != 0) {
        return -1;
    }
    const struct sound_package *p = find_package(bank, name);
    int ok = p ? 0 : yaml_fail(value, err, "no package \"%s\"", name);
    if (p) {
        *ret = (size_t)(p - bank->packages);
    }
    free(name);
    return ok;
}

static int read_clip(struct yaml_node at, struct soundbank *bank, struct err *err)
{
    static const char *const keys[] = {"id", "package", "path", "sha256", NULL};
    struct sound_clip *c = &bank->clips[bank->n_clips];
    int ok = yaml_check_keys(at, keys, err) == 0 && yaml_get_str(at, "id", &c->id, err) == 0 &&
                     read_package_name(at, bank, &c->package, err) == 0 &&
                     get_inside_path(at, "path", &c->path, err) == 0 &&
                     read_sha256(at, c->sha256, err) == 0
                 ? 0
                 : -1;
    if (ok == 0 && soundbank_find(bank, c->id)) {
        ok = yaml_fail(at, err, "clip \"%s\" is there twice", c->id);
    }
    bank->n_clips++;
    return ok;
}

int soundbank_load(const char *path, struct soundbank *ret, struct err *err)
{
    static const char *const keys[] = {"packages", "clips", NULL};
    struct yaml_doc doc = {0};
    struct soundbank bank = {0};
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
    bank.packages = xcalloc(yaml_count(packages), sizeof *bank.packages);
    bank.clips = xcalloc(yaml_count(clips), sizeof *bank.clips);
    for (void *it = NULL; yaml_next(packages, &it, &item);) {
        if (read_package(item, &bank, err) != 0) {
            goto out;
        }
    }
    for (void *it = NULL; yaml_next(clips, &it, &item);) {
        if (read_clip(item, &bank, err) != 0) {
            goto out;
        }
    }
    *ret = bank;
    bank = (struct soundbank){0};
    ok = 0;
out:
    soundbank_release(&bank);
    yaml_release(&doc);
    return ok;
}

/* The package's own file, checked against the bank's hash. */
static int decode_original(const struct soundbank *bank, const struct sound_clip *clip,
                           const char *sounds_dir, struct audio *ret, struct err *err)
{
    const struct sound_package *p = &bank->packages[clip->package];
    char *path = xasprintf("%s/%s/%s/%s", sounds_dir, p->name, p->root, clip->path);
    struct buf bytes = {0};
    struct audio a = {0};
    char sha256[SHA256_HEX_SIZE];
    int ok = -1;
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
        err_set(err, ERR_FORMAT, "%s: its SHA-256 is not that of sounds.yaml", path);
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
