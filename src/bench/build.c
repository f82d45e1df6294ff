#include "bench/build.h"

#include <malloc.h>
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
    char *journal_path;
    size_t n_planned; /* samples of this shard, or of all */
    bool has_others;  /* samples of an earlier build that the plan does not have */
    size_t n_removed;
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
    if (render_mix(r, s, CONDITION_MATCHED, &m, err) != 0) {
        return -1;
    }
    struct sample_facts f = {
        .is_built = true,
        .duration_s = (double)m.sum.n_frames / m.sum.rate,
        .lufs = m.lufs,
        .true_peak_db = m.true_peak_db,
        .active_level_db = m.active_level_db,
        .achieved_snr_db = m.snr_db,
    };
    char *path = dataset_sample_path(dir, s);
    int ok = audio_save_flac(path, &m.sum, err);
    if (ok == 0) {
        audio_sha256(&m.sum, f.sha256);
        render_recipe(r->bench, s, f.recipe);
        *ret = f;
    }
    free(path);
    mix_release(&m);
    return ok;
}

/* Buffers of one sample are of the next one's size: keep them, or each costs its page faults anew.
 */
static void keep_freed_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

struct worker {
    const struct builder *builder;
    struct renderer renderer;
};

static void *start_worker(void *user)
{
    const struct builder *b = user;
    struct worker *w = xmalloc(sizeof *w);
    keep_freed_memory();
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
    return wrote ? 0 : err_errno(err, "%s", b->journal_path);
}

static int flush_journal(struct builder *b, struct err *err)
{
    return fflush(b->journal) == 0 ? 0 : err_errno(err, "%s", b->journal_path);
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
static void note_other(const char *sample_id, void *user)
{
    (void)sample_id;
    ((struct builder *)user)->has_others = true;
}

static void remove_other(const char *sample_id, void *user)
{
    struct builder *b = user;
    if (strchr(sample_id, '/')) {
        return;
    }
    char *path = xasprintf("%s/matched/%s.flac", b->params->out_dir, sample_id);
    b->n_removed += unlink(path) == 0;
    free(path);
}

/* metadata.jsonl and every journal, in that order. */
static int read_facts(struct builder *b, dataset_other_fn other, struct err *err)
{
    char **paths;
    size_t n;
    char *metadata = fs_join(b->params->out_dir, "metadata.jsonl");
    int ok = 0;
    if (fs_exists(metadata)) {
        ok = dataset_read_facts(metadata, &b->bench, b->facts, other, b, err);
    }
    free(metadata);
    if (ok != 0 || dataset_list_journals(b->params->out_dir, &paths, &n, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n && ok == 0; i++) {
        ok = dataset_read_facts(paths[i], &b->bench, b->facts, other, b, err);
    }
    fs_free_paths(paths, n);
    return ok;
}

static bool is_in_shard(const struct build_params *p, const struct sample *s)
{
    char hex[SHA256_HEX_SIZE];
    if (p->n_shards == 0) {
        return true;
    }
    sha256_hex(s->id, strlen(s->id), hex);
    hex[15] = '\0';
    return strtoull(hex, NULL, 16) % (unsigned)p->n_shards == (unsigned)p->shard - 1;
}

/* What earlier builds left: facts of samples whose recipe still holds and whose file is there. */
static int find_todo(struct builder *b, struct err *err)
{
    const struct build_params *p = b->params;
    if (read_facts(b, note_other, err) != 0) {
        return -1;
    }
    if (b->has_others && (p->select.n_only > 0 || p->select.limit > 0)) {
        return err_set(err, ERR_USAGE,
                       "%s: holds samples that this selection leaves out: name another folder",
                       p->out_dir);
    }
    b->todo = xcalloc(b->bench.n_samples, sizeof *b->todo);
    for (size_t i = 0; i < b->bench.n_samples; i++) {
        const struct sample *s = &b->bench.samples[i];
        if (!is_in_shard(p, s)) {
            continue;
        }
        char recipe[RECIPE_HEX_SIZE];
        render_recipe(&b->bench, s, recipe);
        char *path = dataset_sample_path(p->out_dir, s);
        if (!b->facts[i].is_built || strcmp(b->facts[i].recipe, recipe) != 0 ||
            !fs_has_data(path)) {
            b->todo[b->n_todo++] = i;
        }
        b->n_planned++;
        free(path);
    }
    return 0;
}

/* Append to the journal, after the facts that were read, without a torn last line. */
static int open_journal(struct builder *b, struct err *err)
{
    const char *path = b->journal_path;
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
    return ok;
}

/* Build into a new or empty folder, or where a build was at work before: never over other files. */
static int check_target(const char *dir, struct err *err)
{
    if (dir[0] == '\0') {
        return err_set(err, ERR_USAGE, "the benchmark's folder has no name");
    }
    char *stems = fs_join(dir, ".stems"); /* what a build makes first */
    bool is_free = !fs_exists(dir) || fs_is_empty_dir(dir) || fs_is_dir(stems);
    free(stems);
    return is_free
               ? 0
               : err_set(err, ERR_USAGE, "%s: is there and is neither empty nor a benchmark", dir);
}

struct locks {
    struct fs_lock whole; /* of the folder; shards share it */
    struct fs_lock shard;
};

static void unlock(struct locks *locks)
{
    fs_unlock(&locks->shard);
    fs_unlock(&locks->whole);
}

static int lock(const struct builder *b, struct locks *ret, struct err *err)
{
    const struct build_params *p = b->params;
    bool is_shard = p->n_shards > 0;
    char *whole = fs_join(p->out_dir, ".build.lock");
    char *shard = xasprintf("%s.lock", b->journal_path);
    char *busy = xasprintf("%s: another aor build is at work there", p->out_dir);
    int ok = fs_lock(whole, is_shard, busy, &ret->whole, err);
    if (ok == 0 && is_shard) {
        ok = fs_lock(shard, false, busy, &ret->shard, err);
    }
    free(busy);
    free(shard);
    free(whole);
    return ok;
}

/* Shards of one build have one number of shards; a whole build takes over from any. */
static int check_journals(const struct builder *b, struct err *err)
{
    const struct build_params *p = b->params;
    char **paths;
    size_t n;
    if (dataset_list_journals(p->out_dir, &paths, &n, err) != 0) {
        return -1;
    }
    int ok = 0;
    char *suffix = xasprintf("-of-%d.jsonl", p->n_shards);
    for (size_t i = 0; i < n && ok == 0 && p->n_shards > 0; i++) {
        if (!strstr(fs_basename(paths[i]), suffix)) {
            ok = err_set(err, ERR_USAGE,
                         "%s: an unfinished build, whole or of another number of shards, is there: "
                         "finish it without --shard",
                         p->out_dir);
        }
    }
    free(suffix);
    fs_free_paths(paths, n);
    return ok;
}

static int remove_listed(const char *dir, const char *prefix, const char *suffix, struct err *err)
{
    char **paths;
    size_t n;
    if (fs_list(dir, prefix, suffix, &paths, &n, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        unlink(paths[i]);
    }
    fs_free_paths(paths, n);
    return 0;
}

/* What killed builds left: temporary files, and locks that nobody holds. */
static int remove_unfinished(const struct builder *b, const char *matched, struct err *err)
{
    const char *dir = b->params->out_dir;
    return fs_remove_temp(matched, NULL, err) == 0 &&
                   fs_remove_temp(b->stems_dir, NULL, err) == 0 &&
                   fs_remove_temp(dir, NULL, err) == 0 &&
                   remove_listed(b->stems_dir, "speech-", ".lock.tmp", err) == 0 &&
                   remove_listed(dir, ".build-", ".jsonl.lock", err) == 0
               ? 0
               : -1;
}

/* Make the folders and take the lock. */
static int open_dir(struct builder *b, struct locks *ret_locks, struct err *err)
{
    const char *dir = b->params->out_dir;
    if (check_target(dir, err) != 0) {
        return -1;
    }
    char *matched = fs_join(dir, "matched");
    int ok = fs_mkdirs(b->stems_dir, err) == 0 && fs_mkdirs(matched, err) == 0 &&
                     lock(b, ret_locks, err) == 0 && check_journals(b, err) == 0
                 ? 0
                 : -1;
    if (ok == 0 && b->params->n_shards == 0) {
        ok = remove_unfinished(b, matched, err);
    }
    free(matched);
    return ok;
}

/* Takes, each once. */
struct take_list {
    const struct builder *builder;
    struct take {
        const struct scene *scene;
        uint64_t seed;
    } * takes; /* [n] */
    size_t n;
};

static void add_take(struct take_list *list, const struct scene *scene, uint64_t seed)
{
    size_t i = 0;
    while (i < list->n && (list->takes[i].scene != scene || list->takes[i].seed != seed)) {
        i++;
    }
    if (i == list->n) {
        list->takes = xrealloc(list->takes, (list->n + 1) * sizeof *list->takes);
        list->takes[list->n++] = (struct take){scene, seed};
    }
}

/*
 * What is not stored of the takes that the samples to make are cut from, and of those that any
 * sample is cut from when it is mismatched: a benchmark has all that its conditions want.
 */
static struct take_list missing_takes(const struct builder *b)
{
    struct renderer r = renderer_init(&b->bench, b->stems_dir, NULL);
    struct take_list list = {.builder = b};
    for (size_t k = 0; k < b->n_todo; k++) {
        const struct sample *s = &b->bench.samples[b->todo[k]];
        add_take(&list, s->scene, s->take_seed);
    }
    for (size_t i = 0; i < b->bench.n_samples; i++) {
        const struct sample *s = &b->bench.samples[i];
        if (s->other_scene && is_in_shard(b->params, s)) {
            add_take(&list, s->other_scene, s->other_take_seed);
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < list.n; i++) {
        if (!take_is_stored(&r.takes, list.takes[i].scene, list.takes[i].seed)) {
            list.takes[n++] = list.takes[i];
        }
    }
    list.n = n;
    renderer_release(&r);
    return list;
}

struct take_worker {
    const struct take_list *list;
    struct renderer renderer;
};

struct take_result {
    bool is_made;
    struct err err;
};

static void *start_take_worker(void *user)
{
    const struct take_list *list = user;
    const struct builder *b = list->builder;
    struct take_worker *w = xmalloc(sizeof *w);
    w->list = list;
    w->renderer = renderer_init(&b->bench, b->stems_dir, b->params->sounds_dir);
    return w;
}

static void run_take_task(size_t index, void *state, void *result)
{
    struct take_worker *w = state;
    struct take_result *r = result;
    const struct take *t = &w->list->takes[index];
    r->is_made = take_store(&w->renderer.takes, t->scene, t->seed, &r->err) == 0;
}

static int check_take(size_t index, const void *result, void *user, struct err *err)
{
    (void)index;
    (void)user;
    const struct take_result *r = result;
    if (!r->is_made) {
        *err = r->err;
        return -1;
    }
    return 0;
}

/* First of all, so that no two workers make the same one. */
static int make_takes(struct builder *b, struct err *err)
{
    struct take_list list = missing_takes(b);
    struct pool pool = {
        .n_workers = b->params->n_workers,
        .n_tasks = list.n,
        .result_size = sizeof(struct take_result),
        .user = &list,
        .start = start_take_worker,
        .task = run_take_task,
        .on_result = check_take,
    };
    int ok = list.n > 0 ? pool_run(&pool, err) : 0;
    free(list.takes);
    return ok;
}

static int make_samples(struct builder *b, struct err *err)
{
    b->n_done = (long)(b->n_planned - b->n_todo);
    progress_start(&b->progress, "build", (long)b->n_planned, b->n_done);
    struct pool pool = {
        .n_workers = b->params->n_workers,
        .n_tasks = b->n_todo,
        .result_size = sizeof(struct made),
        .user = b,
        .start = start_worker,
        .task = run_task,
        .on_result = take_result,
    };
    int ok = pool_run(&pool, err);
    progress_end(&b->progress, NULL);
    return ok;
}

/* All is there: say so in metadata.jsonl, and drop the journals. */
static int finish(struct builder *b, struct err *err)
{
    const struct build_params *p = b->params;
    char **journals = NULL;
    size_t n = 0;
    char *spec_dir = fs_join(p->out_dir, ".spec");
    int ok = bench_copy_data(&b->bench, p->data_dir, spec_dir, err) == 0 &&
                     fs_sync(p->out_dir, err) == 0 &&
                     dataset_write(p->out_dir, &b->bench, b->facts, err) == 0 &&
                     dataset_list_journals(p->out_dir, &journals, &n, err) == 0
                 ? 0
                 : -1;
    for (size_t i = 0; i < n; i++) {
        unlink(journals[i]);
    }
    fs_free_paths(journals, n);
    free(spec_dir);
    return ok;
}

/*
 * All work stands behind the journal: where there is one, the benchmark is unfinished. A shard that
 * has nothing to make changes nothing, and wants none.
 */
static int build(struct builder *b, struct err *err)
{
    bool is_whole = b->params->n_shards == 0;
    if (!is_whole && b->n_todo == 0) {
        return 0;
    }
    if (open_journal(b, err) != 0 || invalidate(b, err) != 0 ||
        (is_whole && b->has_others && read_facts(b, remove_other, err) != 0) ||
        make_takes(b, err) != 0 || (b->n_todo > 0 && make_samples(b, err) != 0)) {
        return -1;
    }
    return is_whole ? finish(b, err) : 0;
}

int build_benchmark(const struct build_params *p, struct build_summary *ret, struct err *err)
{
    double started = clock_s();
    struct builder b = {.params = p, .stems_dir = fs_join(p->out_dir, ".stems")};
    b.journal_path = p->n_shards > 0
                         ? xasprintf("%s/.build-%d-of-%d.jsonl", p->out_dir, p->shard, p->n_shards)
                         : fs_join(p->out_dir, DATASET_JOURNAL);
    struct locks locks = {0};
    int ok = -1;
    if (bench_load(p->spec_path, p->data_dir, &p->select, &b.bench, err) != 0) {
        goto out;
    }
    b.facts = xcalloc(b.bench.n_samples, sizeof *b.facts);
    if (open_dir(&b, &locks, err) == 0 && find_todo(&b, err) == 0 && build(&b, err) == 0) {
        *ret = (struct build_summary){b.n_planned, b.n_todo, b.n_removed, clock_s() - started};
        ok = 0;
    }
out:
    if (b.journal) {
        fclose(b.journal);
    }
    unlock(&locks);
    free(b.todo);
    free(b.facts);
    free(b.journal_path);
    free(b.stems_dir);
    bench_release(&b.bench);
    return ok;
}
