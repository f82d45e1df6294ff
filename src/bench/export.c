#include "bench/export.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "bench/card.h"

/* The sample's metadata with another first key, and the scene where another than its own is heard;
 * the caller's. */
static char *line_with(const struct sample *s, const struct sample_facts *facts,
                       enum condition condition, const char *key, const char *value)
{
    char *text = dataset_line(s, facts);
    json_t *old = json_loads(text, 0, NULL);
    json_t *line = json_object();
    json_object_set_new(line, key, json_text(value));
    json_object_del(old, "file_name");
    json_object_update(line, old);
    const struct scene *heard = render_scene_of(s, condition);
    if (heard && heard != s->scene) {
        json_object_set_new(line, "heard_scene", json_text(scene_id(heard)));
        json_object_set_new(line, "heard_scene_words", json_text(scene_words(heard)));
    }
    free(text);
    text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *with_newline = xasprintf("%s\n", text);
    free(text);
    json_decref(line);
    json_decref(old);
    return with_newline;
}

/* Save the sample's audio; *ret_facts are those of what was saved. */
static int put_file(const struct dataset *d, struct renderer *r, size_t i, enum condition condition,
                    const char *path, struct sample_facts *ret_facts, struct err *err)
{
    struct mix m = {0};
    struct sample_facts f = d->facts[i];
    int ok;
    if (condition == CONDITION_MATCHED) {
        ok = dataset_audio(d, r, i, condition, &m.sum, err);
    } else {
        ok = dataset_check_recipe(d, i, err) == 0
                 ? render_mix(r, &d->bench.samples[i], condition, &m, err)
                 : -1;
        f.lufs = m.lufs;
        f.true_peak_db = m.true_peak_db;
        f.active_level_db = m.active_level_db;
        f.achieved_snr_db = m.snr_db;
    }
    if (ok == 0) {
        ok = audio_save_flac(path, &m.sum, err);
    }
    if (ok == 0) {
        audio_sha256(&m.sum, f.sha256);
        *ret_facts = f;
    }
    mix_release(&m);
    return ok;
}

static int export_split(const struct dataset *d, struct renderer *r, enum condition condition,
                        enum item_split split, const char *out_dir, struct progress *progress,
                        struct err *err)
{
    struct buf metadata = {0};
    char *dir = xasprintf("%s/%s/%s", out_dir, condition_names[condition], item_split_names[split]);
    int ok = fs_mkdirs(dir, err);
    for (size_t i = 0; i < d->bench.n_samples && ok == 0; i++) {
        const struct sample *s = &d->bench.samples[i];
        if (s->item->split != split) {
            continue;
        }
        if (cancel_requested()) {
            ok = err_set(err, ERR_CANCELLED, "stopped by a signal");
            break;
        }
        struct sample_facts facts;
        char *name = xasprintf("%s.flac", s->id);
        char *path = fs_join(dir, name);
        ok = put_file(d, r, i, condition, path, &facts, err);
        if (ok == 0) {
            char *line = line_with(s, &facts, condition, "file_name", name);
            buf_adds(&metadata, line);
            free(line);
        }
        free(path);
        free(name);
        progress_update(progress, progress->n_done + 1, NULL);
    }
    if (ok == 0 && metadata.len > 0) {
        char *path = fs_join(dir, "metadata.jsonl");
        ok = fs_write(path, metadata.data, metadata.len, err);
        free(path);
    }
    free(dir);
    buf_release(&metadata);
    return ok;
}

static bool has_split(const struct bench *b, enum item_split split)
{
    for (size_t i = 0; i < b->n_samples; i++) {
        if (b->samples[i].item->split == split) {
            return true;
        }
    }
    return false;
}

/*
 * The folder is ours when it is new or empty, or when the marker in it says that the very same
 * export was interrupted there.
 */
static int claim(const struct dataset *d, unsigned conditions, const char *out_dir,
                 const char *marker, struct err *err)
{
    struct buf old = {0};
    char *claim = xasprintf("%s %x\n", d->bench.data_sha256, conditions);
    int ok = 0;
    if (fs_exists(out_dir) && !fs_is_empty_dir(out_dir) &&
        (fs_read(marker, 200, &old, NULL) != 0 || strcmp(old.data, claim) != 0)) {
        ok = err_set(err, ERR_USAGE, "%s: %s", out_dir,
                     fs_exists(marker) ? "holds an unfinished export of other data or conditions"
                                       : "is there and is not an empty folder");
    }
    if (ok == 0) {
        ok = fs_mkdirs(out_dir, err) == 0 ? fs_write(marker, claim, strlen(claim), err) : -1;
    }
    buf_release(&old);
    free(claim);
    return ok;
}

int export_hf(const struct dataset *d, unsigned conditions, const char *out_dir, struct err *err)
{
    for (int c = 0; condition_names[c]; c++) {
        if ((conditions & (1u << c)) != 0 && !condition_has_audio((enum condition)c)) {
            return err_set(err, ERR_USAGE, "condition %s has no audio to export",
                           condition_names[c]);
        }
    }
    char *marker = fs_join(out_dir, ".export");
    if (claim(d, conditions, out_dir, marker, err) != 0) {
        free(marker);
        return -1;
    }
    int ok = 0;
    struct renderer r = renderer_init(&d->bench, d->stems_dir, NULL);
    struct card_config *configs = NULL;
    char **files = NULL;
    size_t n = 0;
    long n_conditions = 0;
    for (int c = 0; condition_names[c]; c++) {
        n_conditions += (conditions & (1u << c)) != 0;
    }
    struct progress progress;
    progress_start(&progress, "export", n_conditions * (long)d->bench.n_samples, 0);
    for (int c = 0; condition_names[c]; c++) {
        for (int s = 0; s < SPLIT_N && ok == 0 && (conditions & (1u << c)) != 0; s++) {
            if (!has_split(&d->bench, (enum item_split)s)) {
                continue;
            }
            ok =
                export_split(d, &r, (enum condition)c, (enum item_split)s, out_dir, &progress, err);
            files = xrealloc(files, (n + 1) * sizeof *files);
            configs = xrealloc(configs, (n + 1) * sizeof *configs);
            files[n] = xasprintf("\"%s/%s/*\"", condition_names[c], item_split_names[s]);
            configs[n] = (struct card_config){condition_names[c], item_split_names[s], files[n]};
            n++;
        }
    }
    if (ok == 0) {
        progress_end(&progress, NULL);
        ok = card_write(out_dir, &d->bench, configs, n, err);
    }
    if (ok == 0) {
        unlink(marker);
    }
    free(marker);
    fs_free_paths(files, n);
    free(configs);
    renderer_release(&r);
    return ok;
}

int export_jsonl(const struct dataset *d, export_line_fn line, void *user, struct err *err)
{
    char *dir = realpath(d->dir, NULL);
    if (!dir) {
        return err_errno(err, "%s", d->dir);
    }
    for (size_t i = 0; i < d->bench.n_samples; i++) {
        char *path = dataset_sample_path(dir, &d->bench.samples[i]);
        char *text =
            line_with(&d->bench.samples[i], &d->facts[i], CONDITION_MATCHED, "audio", path);
        line(text, user);
        free(text);
        free(path);
    }
    free(dir);
    return 0;
}
