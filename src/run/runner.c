#include "run/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "run/worker.h"
#include "store/store.h"

/* Tasks handed to the child ahead, so that it never waits for the disk. */
#define MAX_IN_FLIGHT 4

struct runner {
    const struct run_params *params;
    struct dataset dataset;
    struct prompt prompt;
    struct store *store;
    struct worker_params worker_params;
    struct worker worker;
    struct worker_task in_flight[MAX_IN_FLIGHT]; /* oldest first */
    size_t n_in_flight;
    struct store_counts counts;
    int64_t n_new;
    int n_deaths; /* in a row; -1 once the model has answered */
    char first_error[256];
    struct progress progress;
};

static const char *const finish_names[] = {
    [LOCAL_FINISH_STOP] = "stop",
    [LOCAL_FINISH_LENGTH] = "length",
    [LOCAL_FINISH_CONTEXT] = "context",
};

/* Set key, or fail where the run file has another value. */
static int put_identity(struct runner *r, const char *key, const char *value, struct err *err)
{
    char *stored = NULL;
    if (store_get_info(r->store, key, &stored, err) != 0) {
        return -1;
    }
    int ok = 0;
    if (!stored) {
        ok = store_put_info(r->store, key, value, err);
    } else if (strcmp(stored, value) != 0) {
        ok = err_set(err, ERR_USAGE, "%s: holds a run with another %s; name another file with -o",
                     r->params->db_path, key);
    }
    free(stored);
    return ok;
}

static int put_model_identity(struct runner *r, const char *key, const char *path, struct err *err)
{
    char hex[SHA256_HEX_SIZE] = "none";
    if (path && (local_check_file(path, err) != 0 || fs_sha256(path, hex, err) != 0)) {
        return -1;
    }
    return put_identity(r, key, hex, err);
}

static int put_facts(struct runner *r, struct err *err)
{
    const struct local_params *m = &r->params->model;
    struct utsname host;
    uname(&host);
    char *metadata = fs_join(r->params->bench_dir, "metadata.jsonl");
    char *n_ctx = xasprintf("%d", m->n_ctx);
    char *n_threads = xasprintf("%d", m->n_threads);
    char *machine = xasprintf("%s %s, %s", host.sysname, host.machine, local_cpu_features());
    char template_hex[SHA256_HEX_SIZE] = "the model's own";
    if (m->chat_template) {
        sha256_hex(m->chat_template, strlen(m->chat_template), template_hex);
    }
    int ok = -1;
    char metadata_hex[SHA256_HEX_SIZE];
    if (fs_sha256(metadata, metadata_hex, err) == 0 &&
        put_identity(r, "benchmark.metadata.sha256", metadata_hex, err) == 0 &&
        put_identity(r, "benchmark.data.sha256", r->dataset.bench.data_sha256, err) == 0 &&
        put_model_identity(r, "model.text.sha256", m->text_path, err) == 0 &&
        put_model_identity(r, "model.mmproj.sha256", m->mmproj_path, err) == 0 &&
        put_identity(r, "model.template.sha256", template_hex, err) == 0 &&
        put_identity(r, "model.n_ctx", n_ctx, err) == 0 &&
        put_identity(r, "prompt.sha256", r->prompt.sha256, err) == 0 &&
        put_identity(r, "llama.cpp.version", local_library_version(), err) == 0 &&
        store_put_info(r->store, "benchmark.name", r->dataset.bench.spec.name, err) == 0 &&
        store_put_info(r->store, "model.text.file", fs_basename(m->text_path), err) == 0 &&
        store_put_info(r->store, "model.n_threads", n_threads, err) == 0 &&
        store_put_info(r->store, "machine", machine, err) == 0) {
        ok = 0;
    }
    free(machine);
    free(n_threads);
    free(n_ctx);
    free(metadata);
    return ok;
}

static int put_plan(struct runner *r, struct err *err)
{
    const struct bench *b = &r->dataset.bench;
    for (size_t i = 0; i < b->n_samples; i++) {
        const struct sample *s = &b->samples[i];
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
        };
        if (store_put_sample(r->store, &row, err) != 0) {
            return -1;
        }
        for (int c = 0; condition_names[c]; c++) {
            if ((r->params->conditions & (1u << c)) != 0 &&
                store_put_trial(r->store, s->id, condition_names[c], r->prompt.name, err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* Start the model's process unless it runs. */
static int ensure_worker(struct runner *r, struct err *err)
{
    if (r->worker.pid != 0) {
        return 0;
    }
    worker_stop(&r->worker);
    char *description = NULL;
    if (worker_start(&r->worker, &r->worker_params, &description, err) != 0) {
        return -1;
    }
    int ok = store_put_info(r->store, "model.description", description, err);
    free(description);
    return ok;
}

static int64_t n_stored(const struct runner *r)
{
    return r->counts.n_answers + r->counts.n_errors;
}

/*
 * Identity, samples and trials in one transaction, which holds only once the model has loaded: a
 * model that does not load leaves no trace in the run file.
 */
static int prepare(struct runner *r, struct err *err)
{
    int64_t n_retried = 0;
    if (store_begin(r->store, err) != 0 || put_facts(r, err) != 0 || put_plan(r, err) != 0 ||
        (r->params->retry_errors && store_delete_errors(r->store, &n_retried, err) != 0) ||
        store_count(r->store, &r->counts, err) != 0) {
        return -1;
    }
    if (n_stored(r) < r->counts.n_trials && ensure_worker(r, err) != 0) {
        return -1;
    }
    return store_commit(r->store, err);
}

static int store_reply(struct runner *r, const struct worker_reply *reply, struct err *err)
{
    struct store_response row = {
        .is_error = reply->is_error,
        .text = reply->answer.text,
        .finish = reply->is_error ? NULL : finish_names[reply->answer.finish],
        .n_prompt_tokens = reply->answer.n_prompt_tokens,
        .n_answer_tokens = reply->answer.n_answer_tokens,
        .prefill_s = reply->answer.prefill_s,
        .decode_s = reply->answer.decode_s,
    };
    if (store_put_response(r->store, reply->trial_id, &row, err) != 0) {
        return -1;
    }
    r->n_new++;
    if (reply->is_error && r->first_error[0] == '\0') {
        snprintf(r->first_error, sizeof r->first_error, "%s", reply->answer.text);
        text_make_printable(r->first_error);
    }
    r->n_deaths = reply->is_error ? r->n_deaths : -1;
    r->counts.n_answers += !reply->is_error;
    r->counts.n_errors += reply->is_error;
    char note[48] = "";
    if (r->counts.n_errors > 0) {
        snprintf(note, sizeof note, "%lld errors", (long long)r->counts.n_errors);
    }
    progress_update(&r->progress, (long)n_stored(r), note);
    return 0;
}

/*
 * The child died with tasks in flight. Each is tried again alone; the one that kills the child
 * alone gets an error row.
 */
static int retry_alone(struct runner *r, struct err *err)
{
    struct worker_task tasks[MAX_IN_FLIGHT];
    size_t n = r->n_in_flight;
    memcpy(tasks, r->in_flight, sizeof tasks);
    r->n_in_flight = 0;
    for (size_t i = 0; i < n; i++) {
        if (ensure_worker(r, err) != 0) {
            return -1;
        }
        struct err death = {0};
        struct worker_reply reply = {0};
        worker_send(&r->worker, &tasks[i]);
        if (worker_receive(&r->worker, &reply, &death) != 0) {
            if (death.code == ERR_CANCELLED) {
                *err = death;
                return -1;
            }
            if (r->n_deaths >= 0 && ++r->n_deaths == RUN_MAX_DEATHS) {
                return err_set(err, ERR_MODEL, "%d trials in a row, and no answer: %s",
                               RUN_MAX_DEATHS, death.msg);
            }
            reply = (struct worker_reply){.trial_id = tasks[i].trial_id, .is_error = true};
            reply.answer.text = xstrdup(death.msg);
        }
        int ok = store_reply(r, &reply, err);
        local_answer_release(&reply.answer);
        if (ok != 0) {
            return -1;
        }
    }
    return 0;
}

/* Send tasks until the child has enough; *last_id goes on. */
static int fill(struct runner *r, int64_t *last_id, struct err *err)
{
    while (r->n_in_flight < MAX_IN_FLIGHT) {
        struct store_trial t;
        if (store_next_pending(r->store, *last_id, &t, err) != 0) {
            return -1;
        }
        if (t.id < 0) {
            return 0;
        }
        *last_id = t.id;
        long sample = bench_find(&r->dataset.bench, t.sample_id, (size_t)t.id);
        int condition = 0;
        while (condition_names[condition] && strcmp(condition_names[condition], t.condition) != 0) {
            condition++;
        }
        if (sample < 0 || !condition_names[condition]) {
            return err_set(err, ERR_FORMAT, "%s: trial %lld is not of this benchmark",
                           r->params->db_path, (long long)t.id);
        }
        struct worker_task task = {t.id, (uint32_t)sample, (uint32_t)condition};
        r->in_flight[r->n_in_flight++] = task;
        worker_send(&r->worker, &task); /* a dead child shows at the next receive */
    }
    return 0;
}

static int answer_all(struct runner *r, struct err *err)
{
    int64_t last_id = -1;
    for (;;) {
        if (cancel_requested()) {
            return err_set(err, ERR_CANCELLED,
                           "stopped by a signal; the same command goes on from here");
        }
        if (ensure_worker(r, err) != 0 || fill(r, &last_id, err) != 0) {
            return -1;
        }
        if (r->n_in_flight == 0) {
            return 0;
        }
        struct err death = {0};
        struct worker_reply reply;
        if (worker_receive(&r->worker, &reply, &death) != 0) {
            if (death.code == ERR_CANCELLED) {
                *err = death;
                return -1;
            }
            if (retry_alone(r, err) != 0) {
                return -1;
            }
            continue;
        }
        int ok = store_reply(r, &reply, err);
        local_answer_release(&reply.answer);
        if (ok != 0) {
            return -1;
        }
        r->n_in_flight--;
        memmove(r->in_flight, r->in_flight + 1, r->n_in_flight * sizeof *r->in_flight);
    }
}

static int run_pending(struct runner *r, struct err *err)
{
    if (n_stored(r) == r->counts.n_trials) {
        return 0;
    }
    progress_start(&r->progress, "run", (long)r->counts.n_trials, (long)n_stored(r));
    int ok = answer_all(r, err);
    progress_end(&r->progress, NULL);
    return ok;
}

int run_model(const struct run_params *p, struct run_summary *ret, struct err *err)
{
    double started = clock_s();
    struct runner r = {.params = p};
    int ok = -1;
    if (dataset_open(p->bench_dir, &r.dataset, err) == 0 &&
        prompt_load(p->prompt_path, &r.prompt, err) == 0 &&
        store_open(p->db_path, STORE_CREATE, &r.store, err) == 0) {
        r.worker_params = (struct worker_params){&r.dataset, &r.prompt, p->model, p->timeout_s};
        if (prepare(&r, err) == 0) {
            ok = run_pending(&r, err);
            *ret = (struct run_summary){
                .n_trials = r.counts.n_trials,
                .n_answers = r.counts.n_answers,
                .n_errors = r.counts.n_errors,
                .n_new = r.n_new,
                .seconds = clock_s() - started,
            };
            memcpy(ret->first_error, r.first_error, sizeof ret->first_error);
        }
    }
    worker_stop(&r.worker);
    if (store_close(r.store, ok == 0 ? err : NULL) != 0) {
        ok = -1;
    }
    prompt_release(&r.prompt);
    dataset_release(&r.dataset);
    return ok;
}
