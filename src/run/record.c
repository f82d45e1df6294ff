#include "run/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/merge.h"

/* Of schema 1 the last two. */
const char *const record_facts[] = {
    "benchmark.name",       "model.text.file", "model.mmproj.file", "model.description",
    STORE_INFO_FAMILY,      "model.n_params",  "model.prefixes",    STORE_INFO_LAST_JUDGE,
    STORE_INFO_PROBE_JUDGE, "machine",         "model.n_threads",   NULL};

struct record {
    struct store *store;
    const struct run_params *params;
};

/* Set key, or fail where the run file has another value. */
static int put_identity(struct record *r, const char *key, const char *value, struct err *err)
{
    char *stored = NULL;
    if (store_get_info(r->store, key, &stored, err) != 0) {
        return -1;
    }
    int ok = 0;
    if (!stored) {
        ok = store_put_info(r->store, key, value, err);
    } else if (strcmp(stored, value) != 0) {
        ok =
            err_set(err, ERR_USAGE,
                    "%s: holds a run with another %s (%.20s, now %.20s); name another file with -o",
                    r->params->db_path, key, stored, value);
    }
    free(stored);
    return ok;
}

static int put_file_identity(struct record *r, const char *key, const char *path, struct err *err)
{
    char hex[SHA256_HEX_SIZE] = "none";
    if (path && fs_sha256(path, hex, err) != 0) {
        return -1;
    }
    return put_identity(r, key, hex, err);
}

static int put_number_identity(struct record *r, const char *key, double value, struct err *err)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", value);
    return put_identity(r, key, text, err);
}

/* A run file is of a whole run or of one shard. */
static int put_shard(struct record *r, struct err *err)
{
    const struct plan *p = r->params->plan;
    char *now = p->n_shards > 0 ? xasprintf("%d/%d", p->shard, p->n_shards) : xstrdup("none");
    char *benchmark = NULL, *stored = NULL;
    int ok = -1;
    if (store_get_info(r->store, "benchmark.data.sha256", &benchmark, err) != 0 ||
        store_get_info(r->store, STORE_INFO_SHARD, &stored, err) != 0) {
        goto out;
    }
    if (benchmark && !stored) {
        stored = xstrdup("none");
    }
    if (stored && strcmp(stored, now) != 0) {
        err_set(err, ERR_USAGE,
                "%s: holds a run with another shard (%s, now %s); name another file with -o",
                r->params->db_path, stored, now);
        goto out;
    }
    ok = stored || p->n_shards == 0 ? 0 : store_put_info(r->store, STORE_INFO_SHARD, now, err);
out:
    free(stored);
    free(benchmark);
    free(now);
    return ok;
}

static int put_benchmark(struct record *r, struct err *err)
{
    const struct bench *b = &r->params->dataset->bench;
    char *metadata = fs_join(r->params->dataset->dir, "metadata.jsonl");
    int ok = put_file_identity(r, "benchmark.metadata.sha256", metadata, err) == 0 &&
                     put_identity(r, "benchmark.data.sha256", b->data_sha256, err) == 0 &&
                     store_put_info(r->store, "benchmark.name", b->spec.name, err) == 0
                 ? 0
                 : -1;
    free(metadata);
    return ok;
}

static int put_local_model(struct record *r, struct err *err)
{
    const struct local_params *m = r->params->local;
    char template_hex[SHA256_HEX_SIZE] = "the model's own";
    if (m->chat_template) {
        sha256_hex(m->chat_template, strlen(m->chat_template), template_hex);
    }
    if (local_check_file(m->text_path, err) != 0 ||
        (m->mmproj_path && local_check_file(m->mmproj_path, err) != 0) ||
        put_identity(r, "model.protocol", "none", err) != 0 || /* tells it from a served one */
        put_file_identity(r, "model.text.sha256", m->text_path, err) != 0 ||
        put_file_identity(r, "model.mmproj.sha256", m->mmproj_path, err) != 0 ||
        put_identity(r, "model.template.sha256", template_hex, err) != 0 ||
        put_identity(r, "model.mode", m->is_fast ? "fast" : "exact", err) != 0 ||
        put_number_identity(r, "model.n_ctx", m->n_ctx, err) != 0 ||
        put_identity(r, "llama.cpp.version", local_library_version(), err) != 0 ||
        store_put_info(r->store, "model.text.file", fs_basename(m->text_path), err) != 0 ||
        store_put_info(r->store, "model.mmproj.file",
                       m->mmproj_path ? fs_basename(m->mmproj_path) : "none", err) != 0) {
        return -1;
    }
    if (!r->params->plan || !plan_needs_direction(r->params->plan)) {
        return 0;
    }
    if (put_file_identity(r, "direction.sha256", m->direction_path, err) != 0) {
        return -1;
    }
    return isnan(m->strength) ? put_identity(r, "direction.strength", "the file's own", err)
                              : put_number_identity(r, "direction.strength", m->strength, err);
}

/* Where it is served may change; what is asked, and how, may not. */
static int put_served_model(struct record *r, struct err *err)
{
    const struct preset_api *api = r->params->remote->api;
    char hex[SHA256_HEX_SIZE];
    sha256_hex(api->body, strlen(api->body), hex);
    char *form = xasprintf("%s, %s%s", preset_audio_names[api->audio],
                           preset_format_names[api->format], api->has_system ? "" : ", no system");
    int ok = put_identity(r, "model.protocol", preset_protocol_names[api->protocol], err) == 0 &&
                     put_identity(r, "model.name", api->model, err) == 0 &&
                     put_identity(r, "model.audio", form, err) == 0 &&
                     put_identity(r, "model.body.sha256", hex, err) == 0
                 ? 0
                 : -1;
    free(form);
    return ok;
}

/* What the model is sent of it. */
static int put_sampling(struct record *r, struct err *err)
{
    const struct run_params *p = r->params;
    if (p->remote && !p->remote->api->takes_temperature) {
        return put_identity(r, "sampling.temperature", "none", err);
    }
    if (put_number_identity(r, "sampling.temperature", p->temperature, err) != 0) {
        return -1;
    }
    return p->temperature > 0 ? put_number_identity(r, "sampling.seed", (double)p->seed, err) : 0;
}

static int put_model(struct record *r, struct err *err)
{
    return (r->params->remote ? put_served_model(r, err) : put_local_model(r, err)) == 0 &&
                   put_sampling(r, err) == 0 &&
                   (!r->params->family ||
                    store_put_info(r->store, STORE_INFO_FAMILY, r->params->family, err) == 0)
               ? 0
               : -1;
}

static int put_strategies(struct record *r, struct err *err)
{
    for (size_t i = 0; i < r->params->plan->n_prompts; i++) {
        const struct prompt *p = &r->params->plan->prompts[i];
        struct store_strategy s = {p->name, prompt_probe_names[p->probe], p->sha256, p->yaml};
        if (store_put_strategy(r->store, &s, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int put_scenes(struct record *r, struct err *err)
{
    const struct scene_set *set = &r->params->dataset->bench.scenes;
    for (size_t i = 0; i < set->n_scenes; i++) {
        const struct scene *s = scene_at(set, i);
        size_t n;
        const char *const *names = scene_names(s, &n);
        struct buf lines = {0};
        for (size_t k = 0; k < n; k++) {
            buf_addf(&lines, "%s%s", k > 0 ? "\n" : "", names[k]);
        }
        int ok = store_put_scene(r->store, scene_id(s), scene_category(s), scene_words(s),
                                 lines.data ? lines.data : "", err);
        buf_release(&lines);
        if (ok != 0) {
            return -1;
        }
    }
    return 0;
}

int record_sample(struct store *store, const struct sample *s, struct err *err)
{
    const struct item *t = s->item;
    struct store_sample row = {
        .id = s->id,
        .kind = item_kind_names[t->kind],
        .scenario = t->kind == ITEM_CONTRAST ? t->twin : t->id,
        .category = t->category,
        .text = t->text,
        .alone = item_alone_names[t->alone],
        .gender = voice_gender_name(s->voice->gender),
        .emotion = s->emotion->id,
        .rate = s->rate->id,
        .voice = s->voice->id,
        .engine = s->voice->engine,
        .scene = scene_id(s->scene),
        .snr_db = s->snr_db,
        .split = item_split_names[t->split],
    };
    return store_put_sample(store, &row, err);
}

int record_trial(struct store *store, const struct sample *s, enum condition condition,
                 const char *strategy, int repeat, struct err *err)
{
    const struct scene *scene = render_scene_of(s, condition);
    return store_put_trial(store, s->id, condition_names[condition], strategy, repeat,
                           scene ? scene_id(scene) : NULL, err);
}

static int put_trial(const struct sample *s, enum condition c, size_t prompt, int repeat,
                     void *user, struct err *err)
{
    struct record *r = user;
    return record_trial(r->store, s, c, r->params->plan->prompts[prompt].name, repeat, err);
}

static int put_plan(struct record *r, struct err *err)
{
    const struct bench *b = &r->params->dataset->bench;
    if (put_strategies(r, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < b->n_samples; i++) {
        if (plan_has_sample(r->params->plan, &b->samples[i]) &&
            record_sample(r->store, &b->samples[i], err) != 0) {
            return -1;
        }
    }
    return plan_each(r->params->plan, put_trial, r, err);
}

int record_identity(struct store *store, const struct run_params *p, struct err *err)
{
    struct record r = {store, p};
    return put_benchmark(&r, err) == 0 && put_model(&r, err) == 0 && put_scenes(&r, err) == 0 ? 0
                                                                                              : -1;
}

int record_run(struct store *store, const struct run_params *p, struct err *err)
{
    struct record r = {store, p};
    return put_shard(&r, err) == 0 && record_identity(store, p, err) == 0 && put_plan(&r, err) == 0
               ? 0
               : -1;
}
