#include "bench/build.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audio/level.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "bench/dataset.h"

struct builder {
    const struct build_params *params;
    struct bench bench;
    struct sample_facts *facts; /* [bench.n_samples] */
    size_t *todo;               /* indices of samples to make */
    size_t n_todo;
    char *stems_dir;
    FILE *journal;
    struct progress progress;
    long n_done;
};

/* What a worker sends back. */
struct made {
    struct sample_facts facts;
    struct err err;
};
_Static_assert(sizeof(struct made) <= POOL_MAX_RESULT, "a result must fit the pool");

static int make_sample(struct renderer *r, const struct sample *s, const char *dir,
                       struct sample_facts *ret, struct err *err)
{
    struct mix m = {0};
    struct audio a = {0};
    struct sample_facts f = {.is_built = true};
    char *path = dataset_sample_path(dir, s);
    int ok = -1;
    if (render_mix(r, s, &m, err) != 0) {
        goto out;
    }
    a = mix_sum(&m);
    f.duration_s = (double)a.n_frames / a.rate;
    f.achieved_snr_db = m.snr_db;
    f.active_level_db = level_active_db(&m.speech, NULL);
    if (level_loudness(&a, &f.lufs, &f.true_peak_db, err) != 0 ||
        audio_save_flac(path, &a, err) != 0) {
        goto out;
    }
    audio_sha256(&a, f.sha256);
    render_recipe(r->bench, s, f.recipe);
    *ret = f;
    ok = 0;
out:
    free(path);
    audio_release(&a);
    mix_release(&m);
    return ok;
}

struct worker {
    const struct builder *builder;
    struct renderer renderer;
};

static void *start_worker(void *user)
{
    const struct builder *b = user;
    struct worker *w = xmalloc(sizeof *w);
    w->builder = b;
    w->renderer = renderer_init(&b->bench, b->stems_dir, b->params->sounds_dir);
    return w;
}

static void run_task(size_t index, void *state, void *result)
{
    struct worker *w = state;
    const struct builder *b = w->builder;
    struct made *made = result;
    const struct sample *s = &b->bench.samples[b->todo[index]];
    make_sample(&w->renderer, s, b->params->out_dir, &made->facts, &made->err);
}

static int write_journal(struct builder *b, size_t i, const struct sample_facts *f, struct err *err)
{
    char *line = dataset_line(&b->bench.samples[i], f);
    bool wrote = fputs(line, b->journal) != EOF;
    free(line);
    return wrote ? 0 : err_errno(err, "%s/" DATASET_JOURNAL, b->params->out_dir);
}

static int flush_journal(struct builder *b, struct err *err)
{
    return fflush(b->journal) == 0 ? 0 : err_errno(err, "%s/" DATASET_JOURNAL, b->params->out_dir);
}

/*
 * Say of every sample to make that its old facts no longer hold, before its file is touched: a file
 * that was made and not yet journalled is never taken for the one that older facts describe.
 */
static int invalidate(struct builder *b, struct err *err)
{
    struct sample_facts none = {0};
    memset(none.recipe, '0', sizeof none.recipe - 1);
    memset(none.sha256, '0', sizeof none.sha256 - 1);
    for (size_t k = 0; k < b->n_todo; k++) {
        if (write_journal(b, b->todo[k], &none, err) != 0) {
            return -1;
        }
    }
    return flush_journal(b, err);
}

static int take_result(size_t index, const void *result, void *user, struct err *err)
{
    struct builder *b = user;
    const struct made *made = result;
    if (!made->facts.is_built) {
        *err = made->err;
        return -1;
    }
    size_t i = b->todo[index];
    b->facts[i] = made->facts;
    if (write_journal(b, i, &made->facts, err) != 0 || flush_journal(b, err) != 0) {
        return -1;
    }
    progress_update(&b->progress, ++b->n_done, NULL);
    return 0;
}

/* A sample that an earlier build made and this plan does not have. */
static void remove_sample(const char *sample_id, void *user)
{
    const struct builder *b = user;
    if (strchr(sample_id, '/')) {
        return;
    }
    char *path = xasprintf("%s/matched/%s.flac", b->params->out_dir, sample_id);
    unlink(path);
    free(path);
}

/* What earlier builds left: facts of samples whose recipe still holds and whose file is there. */
static int find_todo(struct builder *b, struct err *err)
{
    const char *const names[] = {"metadata.jsonl", DATASET_JOURNAL};
    for (int i = 0; i < 2; i++) {
        char *path = fs_join(b->params->out_dir, names[i]);
        int ok = fs_exists(path)
                     ? dataset_read_facts(path, &b->bench, b->facts, remove_sample, b, err)
                     : 0;
        free(path);
        if (ok != 0) {
            return -1;
        }
    }
    b->todo = xcalloc(b->bench.n_samples, sizeof *b->todo);
    for (size_t i = 0; i < b->bench.n_samples; i++) {
        const struct sample *s = &b->bench.samples[i];
        char recipe[RECIPE_HEX_SIZE];
        render_recipe(&b->bench, s, recipe);
        char *path = dataset_sample_path(b->params->out_dir, s);
        if (!b->facts[i].is_built || strcmp(b->facts[i].recipe, recipe) != 0 || !fs_exists(path)) {
            b->todo[b->n_todo++] = i;
        }
        free(path);
    }
    return 0;
}

/* Append to the journal, after the facts that were read, without a torn last line. */
static int open_journal(struct builder *b, struct err *err)
{
    char *path = fs_join(b->params->out_dir, DATASET_JOURNAL);
    struct buf kept = {0};
    int ok = 0;
    if (fs_exists(path)) {
        ok = fs_read(path, SIZE_MAX, &kept, err);
        while (kept.len > 0 && kept.data[kept.len - 1] != '\n') {
            kept.len--;
        }
        if (ok == 0) {
            ok = fs_write(path, kept.data, kept.len, err);
        }
    }
    if (ok == 0 && !(b->journal = fopen(path, "a"))) {
        ok = err_errno(err, "%s", path);
    }
    buf_release(&kept);
    free(path);
    return ok;
}

/* Files that a killed build had not finished: fs_write's temporary ones. */
static int remove_unfinished(const char *dir, struct err *err)
{
    char **paths;
    size_t n;
    if (fs_list(dir, ".tmp", &paths, &n, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        unlink(paths[i]);
    }
    fs_free_paths(paths, n);
    return 0;
}

/* Build into a new or empty folder, or where a build was at work before: never over other files. */
static int check_target(const char *dir, struct err *err)
{
    if (dir[0] == '\0') {
        return err_set(err, ERR_USAGE, "the benchmark's folder has no name");
    }
    char *stems = fs_join(dir, ".stems");
    bool is_ours = fs_is_dir(stems);
    free(stems);
    if (!is_ours && fs_exists(dir) && !fs_is_empty_dir(dir)) {
        return err_set(err, ERR_USAGE, "%s: is there and is neither empty nor a benchmark", dir);
    }
    return 0;
}

/* Make the folders and take the lock: one build a directory at a time. */
static int open_dir(struct builder *b, struct fs_lock *ret_lock, struct err *err)
{
    const char *dir = b->params->out_dir;
    if (check_target(dir, err) != 0) {
        return -1;
    }
    char *matched = fs_join(dir, "matched");
    char *lock_path = fs_join(dir, ".build.lock");
    char *busy = xasprintf("%s: another aor build is at work there", dir);
    int ok = -1;
    if (fs_mkdirs(matched, err) == 0 && fs_mkdirs(b->stems_dir, err) == 0 &&
        fs_lock(lock_path, busy, ret_lock, err) == 0 && remove_unfinished(matched, err) == 0 &&
        remove_unfinished(b->stems_dir, err) == 0 && remove_unfinished(dir, err) == 0) {
        ok = 0;
    }
    free(busy);
    free(lock_path);
    free(matched);
    return ok;
}

static int build(struct builder *b, struct err *err)
{
    const struct build_params *p = b->params;
    if (find_todo(b, err) != 0) {
        return -1;
    }
    if (b->n_todo > 0 && (open_journal(b, err) != 0 || invalidate(b, err) != 0)) {
        return -1;
    }
    long n_before = (long)(b->bench.n_samples - b->n_todo);
    b->n_done = n_before;
    if (b->n_todo > 0) {
        progress_start(&b->progress, "build", (long)b->bench.n_samples, n_before);
        struct pool pool = {
            .n_workers = p->n_workers,
            .n_tasks = b->n_todo,
            .result_size = sizeof(struct made),
            .user = b,
            .start = start_worker,
            .task = run_task,
            .on_result = take_result,
        };
        int ok = pool_run(&pool, err);
        progress_end(&b->progress, NULL);
        if (ok != 0) {
            return -1;
        }
    }
    char *spec_dir = fs_join(p->out_dir, ".spec");
    char *journal = fs_join(p->out_dir, DATASET_JOURNAL);
    int ok = bench_copy_data(p->spec_path, p->data_dir, spec_dir, err);
    if (ok == 0) {
        ok = dataset_write(p->out_dir, &b->bench, b->facts, err);
    }
    if (ok == 0) {
        unlink(journal);
    }
    free(journal);
    free(spec_dir);
    return ok;
}

int build_benchmark(const struct build_params *p, struct build_summary *ret, struct err *err)
{
    double started = clock_s();
    struct builder b = {.params = p, .stems_dir = fs_join(p->out_dir, ".stems")};
    struct fs_lock lock = {0};
    int ok = -1;
    if (bench_load(p->spec_path, p->data_dir, &b.bench, err) != 0) {
        goto out;
    }
    b.facts = xcalloc(b.bench.n_samples, sizeof *b.facts);
    if (open_dir(&b, &lock, err) == 0) {
        ok = build(&b, err);
    }
    if (ok == 0) {
        *ret = (struct build_summary){b.bench.n_samples, b.n_todo, clock_s() - started};
    }
out:
    if (b.journal) {
        fclose(b.journal);
    }
    fs_unlock(&lock);
    free(b.todo);
    free(b.facts);
    free(b.stems_dir);
    bench_release(&b.bench);
    return ok;
}
