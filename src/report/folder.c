#include "report/folder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/pool.h"
#include "report/escape.h"
#include "report/page.h"
#include "report/tables.h"

/* The first file of a report: it tells its folder from any other, also of one that was interrupted.
 */
#define MARKER ".aor-report"

static int claim(const char *dir, const char *version, struct err *err)
{
    char *marker = fs_join(dir, MARKER);
    char *data = fs_join(dir, "data");
    int ok = 0;
    if (fs_exists(dir) && !fs_is_empty_dir(dir) && !fs_exists(marker)) {
        ok = err_set(err, ERR_USAGE, "%s: is there and is neither empty nor a report", dir);
    } else if (fs_mkdirs(dir, err) != 0 || fs_write(marker, version, strlen(version), err) != 0 ||
               fs_mkdirs(data, err) != 0) {
        ok = -1;
    }
    free(data);
    free(marker);
    return ok;
}

struct writing {
    const char *dir;
    struct name_set names; /* of the pieces' files */
};

static int write_piece(const char *name, const struct buf *script, void *user, struct err *err)
{
    struct writing *w = user;
    char *data = fs_join(w->dir, "data"); /* as remove_old() lists them */
    char *file = xasprintf("%s.js", name);
    char *path = fs_join(data, file);
    free(file);
    free(data);
    int ok = cancel_requested() ? err_set(err, ERR_CANCELLED, "stopped by a signal")
                                : fs_write_unsynced(path, script->data, script->len, err);
    name_set_add(&w->names, path, 0, NULL);
    free(path);
    return ok;
}

/* Pieces of an earlier report that this one does not have. */
static int remove_old(const struct writing *w, struct err *err)
{
    char *data = fs_join(w->dir, "data");
    char **paths;
    size_t n;
    int ok = fs_list(data, "", ".js", &paths, &n, err);
    for (size_t i = 0; ok == 0 && i < n; i++) {
        if (!name_set_find(&w->names, paths[i], NULL)) {
            unlink(paths[i]);
        }
    }
    if (ok == 0) {
        fs_free_paths(paths, n);
    }
    free(data);
    return ok;
}

struct sounds {
    const struct dataset *dataset;
    const json_t *samples; /* of the runs: the others are not shown */
    const char *dir;
    enum condition conditions[CONDITION_TEXT_SCENE + 1];
    size_t n_conditions;
    struct progress progress;
};

/* In a worker. */
struct sound_maker {
    const struct sounds *sounds;
    struct renderer renderer;
};

struct sound_result {
    char error[sizeof(((struct err *)0)->msg)]; /* "": it is there */
};

static void *start_sounds(void *user)
{
    const struct sounds *s = user;
    struct sound_maker *m = xmalloc(sizeof *m);
    *m = (struct sound_maker){s, renderer_init(&s->dataset->bench, s->dataset->stems_dir, NULL)};
    return m;
}

static int write_sound(struct sound_maker *m, const char *id, enum condition condition,
                       struct err *err)
{
    const struct sounds *s = m->sounds;
    struct audio a = {0};
    struct buf flac = {0};
    const char *name = condition_names[condition];
    long i = bench_find(&s->dataset->bench, id, 0);
    if (i < 0) {
        return err_set(err, ERR_USAGE, "%s: has no sample \"%.60s\"", s->dataset->dir, id);
    }
    if (dataset_audio(s->dataset, &m->renderer, (size_t)i, condition, &a, err) != 0) {
        return -1;
    }
    int ok = audio_encode(&a, AUDIO_FLAC, &flac, err);
    if (ok == 0) {
        char *base64 = base64_encode(flac.data, flac.len);
        char *script = xasprintf("aorSound(\"%s/%s\",\"%s\");\n", name, id, base64);
        char *path = xasprintf("%s/sounds/%s/%s.js", s->dir, name, id);
        ok = fs_write_unsynced(path, script, strlen(script), err);
        free(path);
        free(script);
        free(base64);
    }
    buf_release(&flac);
    audio_release(&a);
    return ok;
}

static void sound_task(size_t index, void *state, void *result)
{
    struct sound_maker *m = state;
    struct sound_result *r = result;
    struct err err = {0};
    const json_t *sample = json_array_get(m->sounds->samples, index / m->sounds->n_conditions);
    enum condition condition = m->sounds->conditions[index % m->sounds->n_conditions];
    if (write_sound(m, json_string_value(json_object_get(sample, "id")), condition, &err) != 0) {
        snprintf(r->error, sizeof r->error, "%s", err.msg);
    }
}

static int on_sound(size_t index, const void *result, void *user, struct err *err)
{
    (void)index;
    struct sounds *s = user;
    const struct sound_result *r = result;
    if (r->error[0]) {
        return err_set(err, ERR_FORMAT, "%s", r->error);
    }
    progress_update(&s->progress, s->progress.n_done + 1, NULL);
    return 0;
}

static int write_sounds(const struct report_params *p, const char *dir, const json_t *samples,
                        struct err *err)
{
    struct sounds s = {.dataset = p->dataset, .dir = dir, .samples = samples};
    for (int c = 0; condition_names[c]; c++) {
        if ((p->sounds & (1u << c)) != 0) {
            char *folder = xasprintf("%s/sounds/%s", dir, condition_names[c]);
            s.conditions[s.n_conditions++] = (enum condition)c;
            int ok = fs_mkdirs(folder, err);
            free(folder);
            if (ok != 0) {
                return -1;
            }
        }
    }
    struct pool pool = {
        .n_workers = pool_default_workers(),
        .n_tasks = json_array_size(samples) * s.n_conditions,
        .result_size = sizeof(struct sound_result),
        .user = &s,
        .start = start_sounds,
        .task = sound_task,
        .on_result = on_sound,
    };
    if (pool.n_tasks == 0) {
        return 0;
    }
    progress_start(&s.progress, "sounds", (long)pool.n_tasks, 0);
    int ok = pool_run(&pool, err);
    if (ok == 0) {
        progress_end(&s.progress, NULL);
    }
    return ok;
}

/* A table's file, written by fn. */
typedef int (*table_fn)(FILE *out, const struct findings_set *set, struct err *err);
static int write_table(const char *dir, const char *name, table_fn fn,
                       const struct findings_set *set, struct err *err)
{
    char *path = xasprintf("%s/tables/%s", dir, name);
    struct fs_out out;
    int ok = fs_mkdirs_for(path, err) == 0 ? fs_out_open(path, &out, err) : -1;
    if (ok == 0) {
        ok = fn(out.file, set, err);
        ok = fs_out_close(&out, ok == 0, err) == 0 ? ok : -1;
    }
    free(path);
    return ok;
}

static int comparisons(FILE *out, const struct findings_set *set, struct err *err)
{
    (void)err;
    tables_comparisons_csv(out, set);
    return 0;
}

static int latex(FILE *out, const struct findings_set *set, struct err *err)
{
    for (size_t i = 0; i < set->n_runs; i++) {
        fputs(i > 0 ? "\n\n% " : "% ", out);
        escape_latex(out, set->runs[i].path);
        putc('\n', out);
        if (tables_latex(out, &set->runs[i], err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int write_tables(const char *dir, const struct findings_set *set, struct err *err)
{
    return write_table(dir, "rates.csv", tables_rates_csv, set, err) == 0 &&
                   write_table(dir, "comparisons.csv", comparisons, set, err) == 0 &&
                   write_table(dir, "tables.tex", latex, set, err) == 0
               ? 0
               : -1;
}

static int write_page(const char *dir, struct err *err)
{
    struct buf html = {0};
    char *path = fs_join(dir, "index.html");
    page_inline(&html);
    int ok = fs_sync(dir, err) == 0 ? fs_write(path, html.data, html.len, err) : -1;
    free(path);
    buf_release(&html);
    return ok;
}

int folder_write(const struct report_params *p, const struct folder_params *f, struct report *ret,
                 struct err *err)
{
    struct writing w = {.dir = f->dir};
    struct report r = {0};
    int ok = claim(f->dir, p->version, err) == 0 && report_make(p, write_piece, &w, &r, err) == 0 &&
                     (p->sounds == 0 || write_sounds(p, f->dir, r.samples, err) == 0) &&
                     (!f->has_tables || write_tables(f->dir, &r.set, err) == 0) &&
                     remove_old(&w, err) == 0 && write_page(f->dir, err) == 0
                 ? 0
                 : -1;
    name_set_release(&w.names);
    if (ok == 0) {
        *ret = r;
    } else {
        report_release(&r);
    }
    return ok;
}
