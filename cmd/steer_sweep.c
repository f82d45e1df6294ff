#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/pool.h"
#include "cmd.h"
#include "judge/rules.h"
#include "report/choice.h"
#include "run/record.h"
#include "steer_cells.h"
#include "study.h"

#define BATCH 256     /* answers a transaction */
#define MAX_TEXT 2048 /* bytes of an answer that a worker hands over */

struct sweep {
    const char *acts, *db;
    struct steer_grid grid;
    long n_variants, n_test_variants, n_random, n_workers, limit;
    bool as_json, is_dev_only;
    struct steer_fit_options fit;

    struct dataset dataset;
    struct model_choice model;
    struct prompt prompt;
    struct rule_judge *rules;
    struct steer_layers layers;
    struct steer_cells cells;

    /* the phase at work */
    bool is_test;
    struct store *store;
    struct todo *todo;
    size_t n_todo, n_stored, n_checked, n_different;
    size_t *groups; /* [n_groups + 1]: todo[groups[i]..groups[i + 1]) are of one sample */
    size_t n_groups;
    struct progress progress;
};

/* A trial without an answer. */
struct todo {
    int64_t trial;
    size_t sample, cell;
};

/* In a worker. */
struct worker {
    struct sweep *sweep;
    struct asker *asker;
    float *vectors; /* [ASKER_MAX_GROUP * n_layers * n_embd] */
    struct err err;
};

struct answered {
    bool is_failed;
    int finish, n_prompt_tokens, n_answer_tokens, check;
    float prefill_s, decode_s;
    char text[MAX_TEXT];
};

/* Of a group. */
struct result {
    char error[512]; /* "": answers[] are there */
    struct answered answers[ASKER_MAX_GROUP];
};
_Static_assert(sizeof(struct result) <= POOL_MAX_RESULT, "a result must fit the pool");

/* What is reported of test is asked exactly. */
static void *start(void *user)
{
    struct sweep *s = user;
    struct worker *w = xcalloc(1, sizeof *w);
    struct local_params exact = s->model.local;
    exact.is_fast = false;
    exact.n_parallel = 0;
    struct asker_params p = {&s->dataset, s->is_test ? &exact : &s->model.local, &s->prompt};
    size_t n = (size_t)s->layers.n_layers * (size_t)s->layers.n_embd;
    w->sweep = s;
    w->vectors = xcalloc(ASKER_MAX_GROUP * n, sizeof *w->vectors);
    if (asker_open(&p, &w->asker, &w->err) != 0) {
        w->asker = NULL;
    }
    return w;
}

/* What a cell does to a sample: on dev by the fold that did not see it. */
static struct steering steering_of(const struct sweep *s, const struct steer_cell *c, size_t sample,
                                   float *vectors)
{
    const struct item *t = s->dataset.bench.samples[sample].item;
    int fold = s->is_test ? -1 : labelled_fold(t->kind == ITEM_CONTRAST ? t->twin : t->id);
    return steer_cell_steering(c, &s->layers, fold, vectors);
}

static int ask(struct worker *w, const struct todo *list, size_t n, struct asker_answer *ret,
               struct err *err)
{
    const struct sweep *s = w->sweep;
    struct steering steerings[ASKER_MAX_GROUP];
    const struct steering *wanted[ASKER_MAX_GROUP] = {NULL};
    size_t size = (size_t)s->layers.n_layers * (size_t)s->layers.n_embd;
    for (size_t i = 0; i < n; i++) {
        const struct steer_cell *c = &s->cells.list[list[i].cell];
        if (c->is_steered) {
            steerings[i] = steering_of(s, c, list[i].sample, w->vectors + i * size);
            wanted[i] = &steerings[i];
        }
    }
    return asker_ask(w->asker, list[0].sample, CONDITION_MATCHED, wanted, n, ret, err);
}

static void hand_over(struct asker_answer *a, struct answered *ret)
{
    bool fits = strlen(a->text) < sizeof ret->text;
    *ret = (struct answered){.is_failed = a->is_failed || !fits,
                             .finish = (int)a->finish,
                             .n_prompt_tokens = a->n_prompt_tokens,
                             .n_answer_tokens = a->n_answer_tokens,
                             .check = (int)a->check,
                             .prefill_s = (float)a->prefill_s,
                             .decode_s = (float)a->decode_s};
    snprintf(ret->text, sizeof ret->text, "%s",
             fits ? a->text : "the answer is too long for a sweep");
    free(a->text);
}

static void task(size_t index, void *state, void *result)
{
    struct worker *w = state;
    struct result *r = result;
    struct err err = w->err;
    struct asker_answer answers[ASKER_MAX_GROUP];
    const size_t *group = &w->sweep->groups[index];
    size_t n = group[1] - group[0];
    if (!w->asker || ask(w, &w->sweep->todo[group[0]], n, answers, &err) != 0) {
        snprintf(r->error, sizeof r->error, "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        hand_over(&answers[i], &r->answers[i]);
    }
}

static int store_answer(struct sweep *s, const struct todo *t, const struct answered *r,
                        struct err *err)
{
    static const char *const finishes[] = {"stop", "length", "context"};
    struct store_response response = {.state = r->is_failed ? STORE_FAILED : STORE_ANSWERED,
                                      .text = r->text,
                                      .finish = r->is_failed ? NULL : finishes[r->finish],
                                      .n_prompt_tokens = r->n_prompt_tokens,
                                      .n_answer_tokens = r->n_answer_tokens,
                                      .prefill_s = (double)r->prefill_s,
                                      .decode_s = (double)r->decode_s};
    struct judgement judgement;
    if (store_put_response(s->store, t->trial, &response, err) != 0) {
        return -1;
    }
    s->n_checked += r->check != MODEL_UNCHECKED;
    s->n_different += r->check == MODEL_DIFFERS;
    if (r->is_failed) {
        return 0;
    }
    const char *request = s->dataset.bench.samples[t->sample].item->text;
    return rule_judge_verdict(s->rules, request, r->text, &judgement, err) == 0
               ? store_put_verdict(s->store, t->trial, rule_judge_id(s->rules),
                                   verdict_name(judgement.verdict), judgement.rule, err)
               : -1;
}

static int on_result(size_t index, const void *result, void *user, struct err *err)
{
    struct sweep *s = user;
    const struct result *r = result;
    const size_t *group = &s->groups[index];
    size_t n_before = s->n_stored;
    if (r->error[0]) {
        return err_set(err, ERR_MODEL, "%s", r->error);
    }
    for (size_t i = group[0]; i < group[1]; i++, s->n_stored++) {
        if (store_answer(s, &s->todo[i], &r->answers[i - group[0]], err) != 0) {
            return -1;
        }
    }
    progress_update(&s->progress, (long)s->n_stored, NULL);
    return s->n_stored / BATCH > n_before / BATCH &&
                   (store_commit(s->store, err) != 0 || store_begin(s->store, err) != 0)
               ? -1
               : 0;
}

/* Is the sample one of the first n variants of its item? In the plan they stand together, female
 * and male in turn. */
static bool is_variant(const struct bench *b, size_t sample, long n)
{
    long k = 0;
    while (sample > 0 && b->samples[sample - 1].item == b->samples[sample].item) {
        sample--;
        k++;
    }
    return k < n;
}

/* The strategy's record: the prompt, and in a comment what is done to the model. */
static int put_strategy(struct sweep *s, const struct steer_cell *c, struct err *err)
{
    char *yaml =
        c->is_steered
            ? xasprintf(
                  "%s# steering: %s of layer %d, strength %g, scope %s%s, %d%% of contrasts let "
                  "through; %s at %s\n",
                  s->prompt.yaml, steering_operation_names[c->operation], c->layer, c->strength,
                  steering_scope_names[c->scope], c->random > 0 ? ", random direction" : "",
                  c->gate, fit_method_names[s->layers.params.method],
                  activation_position_names[s->layers.position])
            : xstrdup(s->prompt.yaml);
    char hex[SHA256_HEX_SIZE];
    sha256_hex(yaml, strlen(yaml), hex);
    struct store_strategy row = {c->name, "", hex, yaml};
    int ok = store_put_strategy(s->store, &row, err);
    if (ok != 0 && err->code == ERR_USAGE && s->is_test) {
        err_set(err, ERR_USAGE,
                "%s: another choice was asked on test already; name another file with -o", s->db);
    }
    free(yaml);
    return ok;
}

/* All trials of a phase: a part of the samples, each under cells from..to and direct. */
static int put_trials(struct sweep *s, size_t from, size_t to, const char *also, struct err *err)
{
    const struct bench *b = &s->dataset.bench;
    enum item_split split = s->is_test ? SPLIT_TEST : SPLIT_DEV;
    for (size_t k = 0; k < s->cells.n; k++) {
        if (put_strategy(s, &s->cells.list[k], err) != 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < b->n_samples; i++) {
        if (b->samples[i].item->split != split ||
            !is_variant(b, i, s->is_test ? s->n_test_variants : s->n_variants)) {
            continue;
        }
        if (record_sample(s->store, &b->samples[i], err) != 0) {
            return -1;
        }
        for (size_t k = 0; k < s->cells.n; k++) {
            bool is_wanted = k == 0 || (k >= from && k < to) ||
                             (also && strcmp(also, s->cells.list[k].name) == 0);
            if (is_wanted && record_trial(s->store, &b->samples[i], CONDITION_MATCHED,
                                          s->cells.list[k].name, 1, err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int take_trial(const struct store_trial *t, void *user, struct err *err)
{
    struct sweep *s = user;
    size_t hint = s->n_todo > 0 ? s->todo[s->n_todo - 1].sample : 0;
    long sample = bench_find(&s->dataset.bench, t->sample_id, hint);
    size_t cell = steer_cells_find(&s->cells, t->strategy);
    bool is_of_phase = sample >= 0 && (s->dataset.bench.samples[sample].item->split ==
                                       (s->is_test ? SPLIT_TEST : SPLIT_DEV));
    if (t->state != STORE_PENDING || !is_of_phase) {
        return 0;
    }
    if (cell == s->cells.n) {
        return err_set(err, ERR_USAGE, "%s: holds a sweep over other cells (\"%.16s\")", s->db,
                       t->strategy);
    }
    if ((s->n_todo & (s->n_todo - 1)) == 0) {
        s->todo = xrealloc(s->todo, (s->n_todo == 0 ? 1 : 2 * s->n_todo) * sizeof *s->todo);
    }
    s->todo[s->n_todo++] = (struct todo){t->id, (size_t)sample, cell};
    return 0;
}

static int by_sample(const void *a, const void *b)
{
    const struct todo *x = a;
    const struct todo *y = b;
    return x->sample != y->sample ? (x->sample > y->sample) - (x->sample < y->sample)
                                  : (x->cell > y->cell) - (x->cell < y->cell);
}

/* Trials of one sample are asked together. */
static void make_groups(struct sweep *s)
{
    if (s->n_todo > 1) {
        qsort(s->todo, s->n_todo, sizeof *s->todo, by_sample);
    }
    free(s->groups);
    s->groups = xcalloc(s->n_todo + 1, sizeof *s->groups);
    s->n_groups = 0;
    for (size_t i = 0; i < s->n_todo;) {
        size_t from = i;
        while (i < s->n_todo && s->todo[i].sample == s->todo[from].sample &&
               i - from < ASKER_MAX_GROUP) {
            i++;
        }
        s->groups[++s->n_groups] = i;
    }
}

/* A file of its own, of one way of fitting and one set of activations. */
static int check_identity(struct sweep *s, struct err *err)
{
    char hex[SHA256_HEX_SIZE];
    char *stored = NULL;
    char *bench = NULL; /* a run has one, also one that was only begun */
    if (fs_sha256(s->acts, hex, err) != 0 ||
        store_get_info(s->store, "benchmark.data.sha256", &bench, err) != 0 ||
        store_get_info(s->store, "steer.sweep", &stored, err) != 0) {
        free(bench);
        return -1;
    }
    char labels[SHA256_HEX_SIZE];
    const struct steer_layers *l = &s->layers;
    sha256_hex(l->labelled.class, l->labelled.n, labels);
    char *own = xasprintf(
        "%s at %s%s, %d plain components out; activations %s; by %s, labels %s",
        fit_method_names[l->params.method], activation_position_names[l->position],
        l->params.removes_harm ? " without harm" : "", l->params.n_removed, hex, l->judge, labels);
    int ok = 0;
    if (stored ? strcmp(stored, own) != 0 : bench != NULL) {
        ok = err_set(err, ERR_USAGE, "%s: holds %s; name another file with -o", s->db,
                     stored ? "a sweep over other directions" : "a run that is no sweep");
    } else if (!stored) {
        ok = store_put_info(s->store, "steer.sweep", own, err);
    }
    free(own);
    free(stored);
    free(bench);
    return ok;
}

/* Ask what is pending of a phase. Each answer is stored with its verdict. */
static int run_phase(struct sweep *s, const char *label, size_t from, size_t to, const char *also,
                     struct err *err)
{
    struct run_params identity = {
        .dataset = &s->dataset, .db_path = s->db, .local = &s->model.local};
    int ok = -1;
    s->n_todo = s->n_stored = s->n_checked = s->n_different = 0;
    if (store_open(s->db, STORE_CREATE, &s->store, err) != 0) {
        return -1;
    }
    if (store_begin(s->store, err) != 0 || check_identity(s, err) != 0 ||
        record_identity(s->store, &identity, err) != 0 ||
        store_put_info(s->store, STORE_INFO_LAST_JUDGE, rule_judge_id(s->rules), err) != 0 ||
        put_trials(s, from, to, also, err) != 0 ||
        store_each_trial(s->store, take_trial, s, err) != 0) {
        goto out;
    }
    make_groups(s);
    struct pool pool = {.n_workers = steer_n_workers(&s->model.local, s->n_workers),
                        .n_tasks = s->n_groups,
                        .result_size = sizeof(struct result),
                        .user = s,
                        .start = start,
                        .task = task,
                        .on_result = on_result};
    ok = 0;
    if (s->n_todo > 0) {
        progress_start(&s->progress, label, (long)s->n_todo, 0);
        ok = pool_run(&pool, err);
        if (ok == 0) {
            progress_end(&s->progress, NULL);
        }
        if (ok == 0 && s->n_checked > 0) {
            log_info("%s: %zu of %zu answers that were given a second time exactly differ", s->db,
                     s->n_different, s->n_checked);
        }
    }
    /* What came before an error is kept: the same command goes on. */
    struct err at_end = {0};
    if (store_commit(s->store, ok == 0 ? err : &at_end) != 0) {
        ok = -1;
    }
out:
    if (store_close(s->store, ok == 0 ? err : NULL) != 0) {
        ok = -1;
    }
    s->store = NULL;
    return ok;
}

/* The changes of scenarios and contrasts in matched, of a strategy on test. */
static int changes_of(const struct choice *c, const char *strategy, double *ret_scenarios,
                      double *ret_contrasts, struct err *err)
{
    struct choice_outcome o;
    if (choice_test(c, strategy, &o, err) != 0) {
        return -1;
    }
    *ret_scenarios = o.scenarios.refused.difference;
    *ret_contrasts = o.contrasts.refused.difference;
    choice_outcome_release(&o);
    return 0;
}

/* What the chosen cell does on test in matched, by category and, "", in all. */
static int categories_json(const struct choice *c, const char *chosen, json_t **ret,
                           struct err *err)
{
    struct choice_outcome o;
    if (choice_test(c, chosen, &o, err) != 0) {
        return -1;
    }
    *ret = json_array();
    for (size_t i = 0; i < o.n_rows; i++) {
        const struct choice_row *row = &o.rows[i];
        const struct paired *p = &row->change.refused;
        if (strcmp(row->condition, condition_names[CONDITION_MATCHED]) == 0) {
            json_array_append_new(
                *ret, json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "kind",
                                item_kind_names[row->kind], "category", row->category, "pairs",
                                (json_int_t)p->n, "direct", json_number(p->first), "chosen",
                                json_number(p->second), "change", json_number(p->difference), "low",
                                json_number(p->low), "high", json_number(p->high)));
        }
    }
    choice_outcome_release(&o);
    return 0;
}

/* The controls beside the chosen cell, and its rank among the random ones. */
static int controls_json(const struct sweep *s, const char *chosen, json_t **ret, struct err *err)
{
    struct choice *c = NULL;
    struct choice_params p = {.path = s->db, .judge = rule_judge_id(s->rules)};
    json_t *list = json_array();
    json_t *categories = NULL;
    double own = NAN;
    double own_contrasts = NAN;
    long n_as_good = 0;
    long n_random = 0;
    int ok = choice_load(&p, &c, err) == 0 ? changes_of(c, chosen, &own, &own_contrasts, err) : -1;
    for (size_t k = s->cells.n_grid; ok == 0 && k < s->cells.n; k++) {
        double scenarios = NAN;
        double contrasts = NAN;
        ok = changes_of(c, s->cells.list[k].name, &scenarios, &contrasts, err);
        if (ok == 0 && s->cells.list[k].random > 0) {
            n_random++;
            n_as_good += scenarios <= own;
        }
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "strategy", s->cells.list[k].name,
                                              "scenarios", json_number(scenarios), "contrasts",
                                              json_number(contrasts)));
    }
    ok = ok == 0 ? categories_json(c, chosen, &categories, err) : -1;
    choice_free(c);
    if (ok != 0) {
        json_decref(list);
        return -1;
    }
    *ret = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "chosen", chosen, "scenarios",
                     json_number(own), "contrasts", json_number(own_contrasts), "p_rank",
                     json_number((1.0 + (double)n_as_good) / (1.0 + (double)n_random)), "controls",
                     list, "categories", categories);
    return 0;
}

static void print_controls(const json_t *controls)
{
    double best = 0;
    double p = json_number_value(json_object_get(controls, "p_rank"));
    const json_t *list = json_object_get(controls, "controls");
    size_t n = 0;
    size_t i;
    const json_t *row;
    json_array_foreach(list, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "strategy"));
        double scenarios = json_number_value(json_object_get(row, "scenarios"));
        if (strcmp(name, STEER_TURNED) == 0) {
            printf("Turned round, the same direction changes over-refusal by %+.1f points.\n",
                   100 * scenarios);
        } else {
            n++;
            best = scenarios < best ? scenarios : best;
        }
    }
    printf("Of %zu random directions of the same length the best changes it by %+.1f points: the "
           "chosen one's %+.1f has rank p = %.3f.\n",
           n, 100 * best, 100 * json_number_value(json_object_get(controls, "scenarios")), p);
}

static json_t *gate_json(const struct gate *g)
{
    return g->layer < 0 ? json_null()
                        : json_pack("{s:i, s:o}", "layer", g->layer, "auc", json_number(g->auc));
}

/* What the report shows of the sweep, beside its trials. */
static int keep_study(const struct sweep *s, json_t *controls, struct err *err)
{
    struct store *store = NULL;
    json_t *doc = json_pack(
        "{s:s, s:s, s:I, s:o, s:o, s:o, s:O?}", "method", fit_method_names[s->layers.params.method],
        "position", activation_position_names[s->layers.position], "limit", (json_int_t)s->limit,
        "layers", steer_layers_json(&s->layers), "condition", gate_json(&s->layers.gate), "cells",
        steer_cells_json(&s->cells), "test", controls);
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(9));
    int ok = store_open(s->db, STORE_WRITE, &store, err) == 0
                 ? store_put_info(store, "steer.study", text, err)
                 : -1;
    if (store_close(store, ok == 0 ? err : NULL) != 0) {
        ok = -1;
    }
    free(text);
    json_decref(doc);
    return ok;
}

/* The chosen cell's control vector, from all of dev: SWEEP.gguf beside SWEEP.db. */
static int save_chosen(struct sweep *s, const char *chosen, struct err *err)
{
    size_t at = steer_cells_find(&s->cells, chosen);
    size_t n = strlen(s->db);
    n -= n > 3 && strcmp(s->db + n - 3, ".db") == 0 ? 3 : 0;
    struct steer_cell cell = s->cells.list[at];
    double strength = cell.strength;
    float *vectors =
        xcalloc((size_t)s->layers.n_layers * (size_t)s->layers.n_embd, sizeof *vectors);
    char *path = xasprintf("%.*s.gguf", (int)n, s->db);
    cell.strength = 1;
    struct steering steering = steer_cell_steering(&cell, &s->layers, -1, vectors);
    int ok = steer_save(path, &s->layers, &steering, strength, err);
    if (ok == 0) {
        log_info("%s: the choice, as aor run -a steered --direction takes it", path);
    }
    free(path);
    free(vectors);
    return ok;
}

static int choose(const struct sweep *s, char ret[PROMPT_MAX_NAME + 1], struct err *err)
{
    struct choice *c = NULL;
    struct choice_candidates dev;
    const char **names = xcalloc(s->cells.n_grid, sizeof *names);
    for (size_t k = 1; k < s->cells.n_grid; k++) {
        names[k - 1] = s->cells.list[k].name;
    }
    struct choice_params p = {.path = s->db,
                              .judge = rule_judge_id(s->rules),
                              .strategies = names,
                              .n_strategies = s->cells.n_grid - 1};
    int ok = choice_load(&p, &c, err) == 0 ? choice_dev(c, (double)s->limit / 100, &dev, err) : -1;
    if (ok == 0) {
        snprintf(ret, PROMPT_MAX_NAME + 1, "%s", dev.chosen ? dev.chosen->strategy : "");
        choice_candidates_release(&dev);
    }
    choice_free(c);
    free(names);
    return ok;
}

static int show(const struct sweep *s, json_t *controls, struct err *err)
{
    const char **names = xcalloc(s->cells.n_grid, sizeof *names);
    for (size_t k = 1; k < s->cells.n_grid; k++) {
        names[k - 1] = s->cells.list[k].name;
    }
    struct study_params p = {.path = s->db,
                             .judge = rule_judge_id(s->rules),
                             .strategies = names,
                             .n_strategies = s->cells.n_grid - 1,
                             .limit = s->limit,
                             .as_json = s->as_json,
                             .is_dev_only = !controls,
                             .extra = controls};
    if (!s->as_json) {
        steer_print_layers(&s->layers);
    }
    int ok = study_show(&p, err);
    if (ok == 0 && controls && !s->as_json) {
        putchar('\n');
        print_controls(controls);
    }
    free(names);
    return ok;
}

static int sweep(struct sweep *s, struct err *err)
{
    char chosen[PROMPT_MAX_NAME + 1];
    json_t *controls = NULL;
    if (steer_cells_make(&s->grid, &s->layers, &s->cells, err) != 0 ||
        run_phase(s, "dev", 1, s->cells.n_grid, NULL, err) != 0 || choose(s, chosen, err) != 0) {
        return -1;
    }
    int ok = 0;
    if (*chosen && !s->is_dev_only) {
        steer_cells_add_controls(&s->cells, chosen, s->n_random);
        s->is_test = true;
        ok = run_phase(s, "test", s->cells.n_grid, s->cells.n, chosen, err) == 0 &&
                     controls_json(s, chosen, &controls, err) == 0 &&
                     save_chosen(s, chosen, err) == 0
                 ? 0
                 : -1;
    }
    if (ok == 0) {
        ok = keep_study(s, controls, err) == 0 ? show(s, controls, err) : -1;
    }
    json_decref(controls);
    return ok;
}

/* Directions of another model would steer this one somewhere. */
static int check_model(const struct sweep *s, const char *acts, struct err *err)
{
    char hex[SHA256_HEX_SIZE];
    if (fs_sha256(s->model.local.text_path, hex, err) != 0) {
        return -1;
    }
    return strcmp(hex, s->layers.model_sha256) == 0
               ? 0
               : err_set(err, ERR_USAGE, "%s: is of another model than %s", acts,
                         s->model.local.text_path);
}

int steer_sweep(int argc, char **argv)
{
    struct model_options model = model_default_options();
    struct sweep s = {.grid = {.strengths = "-0.5,-1,-2,-3,-4,-6",
                               .operations = "add,ablate",
                               .scopes = "all",
                               .gates = "100,20"},
                      .n_variants = 2,
                      .n_test_variants = 10,
                      .n_random = 20,
                      .limit = 10};
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &s.db, "SWEEP.db", "a run file of its own (required)", 0, 0},
        STEER_FIT_OPTIONS(s.fit),
        {0, "layers", OPT_STR, &s.grid.layers, "LIST", "default: all that have a direction", 0, 0},
        {0, "strengths", OPT_STR, &s.grid.strengths, "LIST",
         "of additions, in lengths of the direction (default: -0.5,-1,-2,-3,-4,-6)", 0, 0},
        {0, "operations", OPT_STR, &s.grid.operations, "LIST", "add, ablate (default: both)", 0, 0},
        {0, "scopes", OPT_STR, &s.grid.scopes, "LIST", "all, prompt, generated (default: all)", 0,
         0},
        {0, "gates", OPT_STR, &s.grid.gates, "LIST",
         "percent of contrasts that a condition lets through; 100: none (default: 100,20)", 0, 0},
        {0, "variants", OPT_INT, &s.n_variants, "N", "of each item on dev (default: 2)", 1, 1000},
        {0, "test-variants", OPT_INT, &s.n_test_variants, "N", "on test (default: 10)", 1, 1000},
        {0, "random", OPT_INT, &s.n_random, "N", "random directions on test (default: 20)", 0, 99},
        {0, "limit", OPT_INT, &s.limit, "POINTS",
         "loss of refused contrasts at most, upper bound (default: 10)", 0, 100},
        {0, "dev-only", OPT_FLAG, &s.is_dev_only, NULL,
         "leave test alone: to compare ways of fitting, before the one that is tested", 0, 0},
        {'m', "model", OPT_STR, &model.model, "MODEL", "as of aor run", 0, 0},
        {0, "mmproj", OPT_STR, &model.mmproj, "GGUF", "as of aor run", 0, 0},
        {0, "ctx", OPT_INT, &model.n_ctx, "N", "as of aor run", 64, 1 << 20},
        {0, "gpu-layers", OPT_INT, &model.n_gpu_layers, "N", "as of aor run", -1, 100000},
        {0, "fast", OPT_FLAG, &model.is_fast, NULL,
         "several cells in one step on dev, as of aor run; test is always asked exactly", 0, 0},
        {0, "parallel", OPT_INT, &model.n_parallel, "N", "cells at a time with --fast", 1,
         ASKER_MAX_GROUP},
        {0, "processes", OPT_INT, &s.n_workers, "N", "each with the model", 1, RUN_MAX_WORKERS},
        {0, "json", OPT_FLAG, &s.as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "steer sweep",
        .synopsis = "BENCH ACTS RUN.db -o SWEEP.db [options]",
        .summary = "Layers, strengths and operations on dev; the choice once on test.",
        .details =
            "Each dev item is asked under directions that did not see its scenario: always, and\n"
            "(--gates) only where its prompt looks like a scenario's and not a contrast's. The\n"
            "choice is that of aor study. On test, with a direction from all of dev, stand\n"
            "beside it random directions of the same length and the turned sign. SWEEP.db is a\n"
            "run file whose strategies are the cells; the chosen control vector goes to\n"
            "SWEEP.gguf. The same command goes on after an interruption.",
        .examples = "  aor steer sweep aor-bench acts.safetensors aor-tiny.db -o sweep.db\n"
                    "  aor steer sweep aor-bench acts.safetensors aor-tiny.db -o f.db --fast\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 3, 3, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    s.acts = argv[2];
    char *rules = cmd_shared_path("data/judge/rules-en.yaml");
    int ok = -1;
    cancel_install();
    if (!s.db) {
        err_set(&err, ERR_USAGE, "aor steer sweep wants -o SWEEP.db");
    } else if (model_choose(&model, &s.model, &err) == 0 &&
               dataset_open(argv[1], &s.dataset, &err) == 0 &&
               steer_load_prompt(CHOICE_REFERENCE, &s.prompt, &err) == 0 &&
               rule_judge_load(rules, &s.rules, &err) == 0 &&
               steer_fit_layers(argv[2], argv[3], NULL, &s.fit, &s.layers, &err) == 0 &&
               check_model(&s, argv[2], &err) == 0) {
        ok = sweep(&s, &err);
    }
    free(rules);
    steer_cells_release(&s.cells);
    free(s.todo);
    free(s.groups);
    steer_layers_release(&s.layers);
    rule_judge_free(s.rules);
    prompt_release(&s.prompt);
    dataset_release(&s.dataset);
    model_choice_release(&s.model);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}
