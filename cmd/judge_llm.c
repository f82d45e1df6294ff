#include "judge_llm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "judge/rubric.h"
#include "store/store.h"

#define N_VERDICTS 5
#define COMMIT_EVERY 20    /* verdicts of a served judge; one in this process may take it along */
#define COMMIT_AFTER_S 5.0 /* or so */
#define VOTE_TEMPERATURE 0.7
#define JUDGE_CTX 8192 /* tokens that a judge in a GGUF file may need */

/* An answer that waits for its verdict. */
struct open_answer {
    int64_t trial_id;
    char *request, *answer;
    uint8_t n_of[N_VERDICTS]; /* votes */
    uint8_t n_replies;        /* with those that are none */
};

struct asking {
    struct store *store;
    const struct rubric *rubric;
    char *judge_id;
    struct open_answer *items;
    size_t n_items, cap;
    long n_votes;
    long commit_every;
    double committed_s;
    long n_of_verdict[N_VERDICTS];
    long n_earlier, n_new, n_none, n_failed;
    char first_failure[256];
    struct progress progress;
    struct err err; /* of the store, within a callback */
    bool has_failed;
};

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    struct asking *a = user;
    enum verdict v;
    if (row->state != STORE_ANSWERED || row->probe[0] != '\0') {
        return 0;
    }
    if (row->verdict && verdict_from_name(row->verdict, &v)) {
        a->n_earlier++;
        a->n_of_verdict[v]++;
        return 0;
    }
    if (a->n_items == a->cap) {
        a->cap = a->cap > 0 ? 2 * a->cap : 256;
        a->items = xrealloc(a->items, a->cap * sizeof *a->items);
    }
    a->items[a->n_items++] = (struct open_answer){.trial_id = row->trial_id,
                                                  .request = xstrdup(row->sample.text),
                                                  .answer = xstrdup(row->answer)};
    return 0;
}

/* More than half of the votes asked for, or none. */
static int decide(const struct open_answer *item, long n_votes)
{
    for (int v = 0; v < N_VERDICTS; v++) {
        if (2L * item->n_of[v] > n_votes) {
            return v;
        }
    }
    return -1;
}

static void store_verdict(struct asking *a, const struct open_answer *item)
{
    int v = decide(item, a->n_votes);
    if (v < 0) {
        a->n_none++;
        return;
    }
    char votes[64];
    snprintf(votes, sizeof votes, "%d of %ld votes", item->n_of[v], a->n_votes);
    if (store_put_verdict(a->store, item->trial_id, a->judge_id, verdict_name((enum verdict)v),
                          votes, &a->err) != 0) {
        a->has_failed = true;
        return;
    }
    a->n_new++;
    a->n_of_verdict[v]++;
    if (a->n_new % a->commit_every != 0 && clock_s() - a->committed_s < COMMIT_AFTER_S) {
        return;
    }
    a->committed_s = clock_s();
    a->has_failed = store_commit(a->store, &a->err) != 0 || store_begin(a->store, &a->err) != 0;
}

static void take_reply(int64_t id, const struct model_answer *answer, void *user)
{
    struct asking *a = user;
    struct open_answer *item = &a->items[id / a->n_votes];
    enum verdict v;
    if (answer->outcome == MODEL_DROPPED || a->has_failed) {
        return;
    }
    if (answer->outcome == MODEL_ANSWERED && answer->finish == MODEL_FINISH_STOP &&
        rubric_read(answer->text, &v)) {
        item->n_of[v]++;
    } else if (answer->outcome == MODEL_FAILED) {
        if (a->n_failed++ == 0) {
            snprintf(a->first_failure, sizeof a->first_failure, "%s", answer->text);
        }
    }
    if (++item->n_replies == a->n_votes) {
        store_verdict(a, item);
    }
    progress_update(&a->progress, a->n_new + a->n_none, NULL);
}

static int submit(struct asking *a, struct model *m, int64_t id, struct err *err)
{
    const struct open_answer *item = &a->items[id / a->n_votes];
    char *text = rubric_fill(a->rubric, item->request, item->answer);
    char *name = xasprintf("%s-%lld-%lld", a->judge_id, (long long)item->trial_id,
                           (long long)(id % a->n_votes));
    char sha[SHA256_HEX_SIZE];
    sha256_hex(name, strlen(name), sha);
    struct model_question q = {.id = id,
                               .name = sha,
                               .system = a->rubric->system,
                               .instruction = a->rubric->instruction,
                               .text = text,
                               .max_tokens = a->rubric->max_tokens,
                               .temperature = a->n_votes > 1 ? VOTE_TEMPERATURE : 0,
                               .seed = (uint32_t)(id % a->n_votes)};
    int ok = m->class->submit(m, NULL, &q, 1, err);
    free(name);
    free(text);
    return ok;
}

static int ask_all(struct asking *a, struct model *m, struct err *err)
{
    int wake[2]; /* readable: a model with room comes back at once for more */
    if (pipe(wake) != 0) {
        return err_errno(err, "pipe");
    }
    if (write(wake[1], "", 1) != 1) {
        close(wake[0]);
        close(wake[1]);
        return err_errno(err, "pipe");
    }
    int64_t n_questions = (int64_t)a->n_items * a->n_votes;
    int64_t next = 0;
    int ok = 0;
    bool is_draining = false;
    while (ok == 0 && !a->has_failed && (next < n_questions || m->class->n_pending(m) > 0)) {
        if (cancel_requested() && !is_draining) {
            is_draining = true;
            next = n_questions;
            if (m->class->drain) {
                m->class->drain(m);
            }
            continue;
        }
        if (next < n_questions && m->class->has_room(m)) {
            ok = submit(a, m, next++, err);
        }
        if (ok == 0) {
            ok = m->class->step(m, next < n_questions ? wake[0] : -1, take_reply, a, err);
        }
    }
    close(wake[0]);
    close(wake[1]);
    if (a->has_failed) {
        *err = a->err;
        return -1;
    }
    if (ok == 0 && is_draining) {
        return err_set(err, ERR_CANCELLED, "stopped by a signal");
    }
    return ok == 0 ? 0 : -1;
}

/* "llm-en@0123abcd:MODEL", a file with the start of its SHA-256; with votes where there are more.
 */
static int make_id(const struct rubric *r, const struct model_choice *c, const char *model,
                   long n_votes, char **ret, struct err *err)
{
    char sha[SHA256_HEX_SIZE];
    if (!c->is_served && fs_sha256(c->local.text_path, sha, err) != 0) {
        return -1;
    }
    char *name =
        c->is_served ? xstrdup(model) : xasprintf("%s@%.8s", fs_basename(c->local.text_path), sha);
    *ret = n_votes > 1 ? xasprintf("%s@%.8s:%s x%ld", r->name, r->sha256, name, n_votes)
                       : xasprintf("%s@%.8s:%s", r->name, r->sha256, name);
    free(name);
    return 0;
}

static void print_result(const struct asking *a, bool as_json)
{
    if (as_json) {
        json_t *counts = json_object();
        for (int v = 0; v < N_VERDICTS; v++) {
            json_object_set_new(counts, verdict_name((enum verdict)v),
                                json_integer(a->n_of_verdict[v]));
        }
        json_t *all = json_pack("{s:o, s:I, s:I, s:I, s:o}", "judge", json_text(a->judge_id), "new",
                                (json_int_t)a->n_new, "no_verdict", (json_int_t)a->n_none, "failed",
                                (json_int_t)a->n_failed, "verdicts", counts);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
        return;
    }
    printf("judge %s\n", a->judge_id);
    for (int v = 0; v < N_VERDICTS; v++) {
        printf("  %-14s %6ld\n", verdict_name((enum verdict)v), a->n_of_verdict[v]);
    }
    printf("  %-14s %6ld\n", "no verdict", a->n_none);
}

static void release(struct asking *a)
{
    for (size_t i = 0; i < a->n_items; i++) {
        free(a->items[i].request);
        free(a->items[i].answer);
    }
    free(a->items);
    free(a->judge_id);
}

/* Judge what is left in an open store, and say in it who was last. */
static int judge_rest(struct asking *a, const struct model_choice *choice, struct err *err)
{
    struct model *m = NULL;
    int ok = 0;
    if (a->n_items > 0) {
        ok = choice->is_served ? remote_open(&choice->remote, &m, err)
                               : local_open(&choice->local, &m, err);
    }
    if (ok != 0) {
        return -1;
    }
    a->committed_s = clock_s();
    a->commit_every = choice->is_served ? COMMIT_EVERY : 1;
    progress_start(&a->progress, "judge", (long)a->n_items, 0);
    if (store_begin(a->store, err) != 0) {
        ok = -1;
    } else if (m) {
        ok = ask_all(a, m, err);
    }
    struct err second = {0};
    if (!a->has_failed &&
        (store_put_info(a->store, STORE_INFO_LAST_JUDGE, a->judge_id, &second) != 0 ||
         store_commit(a->store, &second) != 0) &&
        ok == 0) {
        *err = second;
        ok = -1;
    }
    progress_end(&a->progress, NULL);
    if (m) {
        m->class->free(m);
    }
    return ok;
}

int judge_by_llm(const char *run_path, const struct llm_options *o, int *ret_status,
                 struct err *err)
{
    struct model_choice choice;
    struct rubric rubric = {0};
    struct asking a = {.rubric = &rubric, .n_votes = o->n_votes};
    char *path = o->rubric ? xstrdup(o->rubric) : cmd_shared_path("data/judge/llm-en.yaml");
    int ok = model_choose(&o->model, &choice, err);
    if (ok == 0 && !choice.is_served) {
        choice.local.n_ctx = JUDGE_CTX;
    }
    if (ok == 0 && o->n_votes % 2 == 0) {
        ok = err_set(err, ERR_USAGE, "--votes wants an odd number");
    }
    if (ok == 0 && choice.is_served) {
        ok = remote_check_key(choice.remote.api, err);
    }
    if (ok == 0) {
        ok = rubric_load(path, &rubric, err);
    }
    if (ok == 0) {
        ok = make_id(&rubric, &choice, o->model.model, o->n_votes, &a.judge_id, err);
    }
    if (ok == 0) {
        ok = store_open(run_path, STORE_WRITE, &a.store, err);
    }
    if (ok == 0) {
        cancel_install();
        ok = store_each(a.store, a.judge_id, take_row, &a, err);
    }
    if (ok == 0) {
        ok = judge_rest(&a, &choice, err);
    }
    if (store_close(a.store, ok == 0 ? err : NULL) != 0) {
        ok = -1;
    }
    if (a.judge_id && (ok == 0 || a.n_new > 0)) {
        log_info("%s: %ld new verdicts, %ld earlier, %ld replies without one, %ld failed", run_path,
                 a.n_new, a.n_earlier, a.n_none, a.n_failed);
    }
    if (ok == 0) {
        if (a.n_failed > 0) {
            log_info("first failure: %s", a.first_failure);
        }
        print_result(&a, o->as_json);
        *ret_status = a.n_none > 0 ? EXIT_WITH_ERRORS : EXIT_FINE;
    }
    release(&a);
    rubric_release(&rubric);
    model_choice_release(&choice);
    free(path);
    return ok;
}
