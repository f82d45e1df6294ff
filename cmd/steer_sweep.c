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
#include "steer_parts.h"
#include "study.h"

#define SEED 20261126
#define BATCH 256     /* answers a transaction */
#define MAX_TEXT 2048 /* bytes of an answer that a worker hands over */
#define RANDOM_PREFIX "random"
#define TURNED "turned"

/* What a strategy of the sweep does. */
struct cell {
    char name[PROMPT_MAX_NAME + 1];
    bool is_steered; /* false: direct */
    enum steering_operation operation;
    enum steering_scope scope;
    int layer;
    double strength; /* of an addition, in lengths of the direction */
    int gate;        /* percent of the contrasts that a condition lets through; 100: no condition */
    int random;      /* number of a random direction of the same length; 0: the fitted one */
};

struct sweep {
    const char *acts, *db;
    const char *layers_list, *strengths, *operations, *scopes, *gates;
    long n_variants, n_test_variants, n_random, n_workers, limit;
    bool as_json, is_dev_only;
    struct steer_fit_options fit;

    struct dataset dataset;
    struct model_choice model;
    struct prompt prompt;
    struct rule_judge *rules;
    struct steer_layers layers;
    struct cell *cells;     /* [n_cells], the first direct */
    size_t n_cells, n_grid; /* those from n_grid on are controls */

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

static struct cell *add_cell(struct sweep *s)
{
    s->cells = xrealloc(s->cells, (s->n_cells + 1) * sizeof *s->cells);
    s->cells[s->n_cells] = (struct cell){.is_steered = true};
    return &s->cells[s->n_cells++];
}

/* "add1-2", "ablate1", with the first letter of another scope than all, and a condition's share:
 * "add1-2g10". */
static int name_cell(struct cell *c, struct err *err)
{
    char strength[24] = "";
    char gate[16] = "";
    if (c->operation == STEERING_ADD) {
        snprintf(strength, sizeof strength, "%+g", c->strength);
    }
    if (c->gate < 100) {
        snprintf(gate, sizeof gate, "g%d", c->gate);
    }
    char *name =
        xasprintf("%s%d%s%.*s%s", steering_operation_names[c->operation], c->layer, strength,
                  c->scope == STEERING_ALL ? 0 : 1, steering_scope_names[c->scope], gate);
    bool fits = strlen(name) <= PROMPT_MAX_NAME;
    snprintf(c->name, sizeof c->name, "%.15s", name);
    int ok = fits ? 0 : err_set(err, ERR_USAGE, "--strengths: %s is too long a number", strength);
    free(name);
    return ok;
}

/* The numbers of a list with commas. *ret is the caller's. */
static int parse_numbers(const char *option, const char *text, double min, double max, double **ret,
                         size_t *ret_n, struct err *err)
{
    char **list;
    size_t n;
    int ok = 0;
    cmd_split(text, &list, &n);
    *ret = xcalloc(n + 1, sizeof **ret);
    for (size_t i = 0; ok == 0 && i < n; i++) {
        ok = model_number(list[i], option, min, max, &(*ret)[i], err);
    }
    cmd_free_list(list, n);
    *ret_n = n;
    return ok;
}

/* The numbers of --strengths and --gates. */
struct numbers {
    double *strengths, *gates;
    size_t n_strengths, n_gates;
};

/* Cells of one layer, operation and scope. */
static int add_cells(struct sweep *s, int layer, enum steering_operation operation,
                     enum steering_scope scope, const struct numbers *v, struct err *err)
{
    size_t n_strengths = operation == STEERING_ADD ? v->n_strengths : 1;
    int ok = 0;
    for (size_t i = 0; i < n_strengths; i++) {
        for (size_t g = 0; ok == 0 && g < v->n_gates; g++) {
            struct cell *c = add_cell(s);
            c->operation = operation;
            c->scope = scope;
            c->layer = layer;
            c->strength = operation == STEERING_ADD ? v->strengths[i] : 0;
            c->gate = (int)v->gates[g];
            ok = name_cell(c, err);
        }
    }
    return ok;
}

/* Numbers of names in a list with commas. */
static int parse_list(const char *option, const char *text, const char *const *names, int *ret,
                      size_t *ret_n, size_t max, struct err *err)
{
    char **list;
    size_t n;
    int ok = 0;
    cmd_split(text, &list, &n);
    *ret_n = 0;
    for (size_t i = 0; ok == 0 && i < n && i < max; i++) {
        ok = steer_parse_name(option, list[i], names, &ret[(*ret_n)++], err);
    }
    cmd_free_list(list, n);
    return ok;
}

static bool wants_layer(const struct sweep *s, int layer)
{
    char **list;
    size_t n;
    bool is_wanted = !s->layers_list;
    cmd_split(s->layers_list, &list, &n);
    for (size_t i = 0; i < n; i++) {
        is_wanted = is_wanted || strtol(list[i], NULL, 10) == layer;
    }
    cmd_free_list(list, n);
    return is_wanted;
}

static int make_grid(struct sweep *s, struct err *err)
{
    int operations[2];
    int scopes[3];
    size_t n_operations;
    size_t n_scopes;
    struct numbers v = {0};
    int ok = -1;
    if (parse_list("--operations", s->operations, steering_operation_names, operations,
                   &n_operations, 2, err) != 0 ||
        parse_list("--scopes", s->scopes, steering_scope_names, scopes, &n_scopes, 3, err) != 0 ||
        parse_numbers("--strengths", s->strengths, -1e6, 1e6, &v.strengths, &v.n_strengths, err) !=
            0 ||
        parse_numbers("--gates", s->gates, 0, 100, &v.gates, &v.n_gates, err) != 0) {
        goto out;
    }
    struct cell *direct = add_cell(s);
    direct->is_steered = false;
    snprintf(direct->name, sizeof direct->name, "%s", CHOICE_REFERENCE);
    for (int layer = 1; layer < s->layers.n_layers; layer++) {
        for (size_t o = 0; wants_layer(s, layer) && s->layers.has[layer] && o < n_operations; o++) {
            for (size_t k = 0; k < n_scopes; k++) {
                if (add_cells(s, layer, (enum steering_operation)operations[o],
                              (enum steering_scope)scopes[k], &v, err) != 0) {
                    goto out;
                }
            }
        }
    }
    s->n_grid = s->n_cells;
    ok = s->n_cells > 1
             ? 0
             : err_set(err, ERR_USAGE, "no layer of these has a direction at this position");
    for (size_t k = 1; ok == 0 && k < s->n_cells; k++) {
        if (s->cells[k].gate < 100 && s->layers.gate.layer < 0) {
            ok = err_set(err, ERR_USAGE, "a condition wants captured contrasts: --gates 100");
        }
    }
out:
    free(v.strengths);
    free(v.gates);
    return ok;
}

/* The chosen cell turned round, and with random directions of the same length. */
static void add_controls(struct sweep *s, const char *chosen)
{
    size_t at = 0;
    while (strcmp(s->cells[at].name, chosen) != 0) {
        at++;
    }
    for (long i = 0; i <= s->n_random; i++) {
        struct cell cell = s->cells[at];
        if (i == 0) {
            cell.strength = -cell.strength;
            snprintf(cell.name, sizeof cell.name, TURNED);
        } else {
            cell.random = (int)i;
            snprintf(cell.name, sizeof cell.name, RANDOM_PREFIX "%02d", (int)i % 100);
        }
        if (i > 0 || cell.operation == STEERING_ADD) { /* an ablation has no sign */
            *add_cell(s) = cell;
        }
    }
}

/*
 * What a cell does; on dev by the fold that did not see the sample, on test by all of dev. Its
 * vectors are put into vectors[(n_layers - 1) * n_embd].
 */
static struct steering steering_of(const struct sweep *s, const struct cell *c,
                                   const struct sample *sample, float *vectors)
{
    const struct steer_layers *l = &s->layers;
    size_t width = (size_t)l->n_embd;
    size_t n = (size_t)l->n_layers * width;
    const struct item *t = sample->item;
    int fold = s->is_test ? -1 : labelled_fold(t->kind == ITEM_CONTRAST ? t->twin : t->id);
    const float *all = fold < 0 ? l->whole : l->folds + (size_t)fold * n;
    const float *v = all + (size_t)c->layer * width;
    float *own = xcalloc(width, sizeof *own);
    memcpy(own, v, width * sizeof *own);
    if (c->random > 0) {
        fit_random_direction(v, width, SEED, c->random, own);
    }
    for (int layer = 1; layer < l->n_layers; layer++) {
        float *to = vectors + (size_t)(layer - 1) * width;
        for (size_t i = 0; i < width; i++) {
            bool is_here = c->operation == STEERING_ABLATE || layer == c->layer;
            double factor = c->operation == STEERING_ABLATE ? 1 : c->strength;
            to[i] = is_here ? (float)(factor * (double)own[i]) : 0;
        }
    }
    free(own);
    return (struct steering){.operation = c->operation,
                             .scope = c->scope,
                             .n_layers = l->n_layers,
                             .n_embd = l->n_embd,
                             .vectors = vectors,
                             .condition = c->gate < 100
                                              ? gate_condition(&l->gate, fold, c->gate / 100.0)
                                              : (struct steering_condition){.layer = -1}};
}

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

static int ask(struct worker *w, const struct todo *list, size_t n, struct asker_answer *ret,
               struct err *err)
{
    const struct sweep *s = w->sweep;
    struct steering steerings[ASKER_MAX_GROUP];
    const struct steering *wanted[ASKER_MAX_GROUP] = {NULL};
    size_t size = (size_t)s->layers.n_layers * (size_t)s->layers.n_embd;
    for (size_t i = 0; i < n; i++) {
        const struct cell *c = &s->cells[list[i].cell];
        if (c->is_steered) {
            steerings[i] =
                steering_of(s, c, &s->dataset.bench.samples[list[i].sample], w->vectors + i * size);
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
static int put_strategy(struct sweep *s, const struct cell *c, struct err *err)
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
    free(yaml);
    return ok;
}

/* All trials of a phase: a part of the samples, each under cells from..to and direct. */
static int put_trials(struct sweep *s, size_t from, size_t to, const char *also, struct err *err)
{
    const struct bench *b = &s->dataset.bench;
    enum item_split split = s->is_test ? SPLIT_TEST : SPLIT_DEV;
    for (size_t k = 0; k < s->n_cells; k++) {
        if (put_strategy(s, &s->cells[k], err) != 0) {
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
        for (size_t k = 0; k < s->n_cells; k++) {
            bool is_wanted =
                k == 0 || (k >= from && k < to) || (also && strcmp(also, s->cells[k].name) == 0);
            if (is_wanted && record_trial(s->store, &b->samples[i], CONDITION_MATCHED,
                                          s->cells[k].name, 1, err) != 0) {
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
    size_t cell = 0;
    while (cell < s->n_cells && strcmp(s->cells[cell].name, t->strategy) != 0) {
        cell++;
    }
    bool is_of_phase = sample >= 0 && (s->dataset.bench.samples[sample].item->split ==
                                       (s->is_test ? SPLIT_TEST : SPLIT_DEV));
    if (t->state != STORE_PENDING || !is_of_phase) {
        return 0;
    }
    if (cell == s->n_cells) {
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
    char *own = xasprintf(
        "%s at %s%s, %d plain components out; activations %s",
        fit_method_names[s->layers.params.method], activation_position_names[s->layers.position],
        s->layers.params.removes_harm ? " without harm" : "", s->layers.params.n_removed, hex);
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
    for (size_t k = s->n_grid; ok == 0 && k < s->n_cells; k++) {
        double scenarios = NAN;
        double contrasts = NAN;
        ok = changes_of(c, s->cells[k].name, &scenarios, &contrasts, err);
        if (ok == 0 && s->cells[k].random > 0) {
            n_random++;
            n_as_good += scenarios <= own;
        }
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "strategy", s->cells[k].name,
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
        if (strcmp(name, TURNED) == 0) {
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

static json_t *cells_json(const struct sweep *s)
{
    json_t *list = json_array();
    for (size_t k = 1; k < s->n_cells; k++) {
        const struct cell *c = &s->cells[k];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:i, s:o, s:i, s:i}", "strategy", c->name, "operation",
                            steering_operation_names[c->operation], "scope",
                            steering_scope_names[c->scope], "layer", c->layer, "strength",
                            json_number(c->strength), "gate", c->gate, "random", c->random));
    }
    return list;
}

/* What the report shows of the sweep, beside its trials. */
static int keep_study(const struct sweep *s, json_t *controls, struct err *err)
{
    struct store *store = NULL;
    json_t *doc = json_pack(
        "{s:s, s:s, s:I, s:o, s:o, s:o, s:O?}", "method", fit_method_names[s->layers.params.method],
        "position", activation_position_names[s->layers.position], "limit", (json_int_t)s->limit,
        "layers", steer_layers_json(&s->layers), "condition", gate_json(&s->layers.gate), "cells",
        cells_json(s), "test", controls);
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
    size_t at = 0;
    size_t n = strlen(s->db);
    n -= n > 3 && strcmp(s->db + n - 3, ".db") == 0 ? 3 : 0;
    while (strcmp(s->cells[at].name, chosen) != 0) {
        at++;
    }
    struct cell cell = s->cells[at];
    double strength = cell.strength;
    float *vectors =
        xcalloc((size_t)s->layers.n_layers * (size_t)s->layers.n_embd, sizeof *vectors);
    char *path = xasprintf("%.*s.gguf", (int)n, s->db);
    cell.strength = 1;
    s->is_test = true; /* from all of dev */
    struct steering steering = steering_of(s, &cell, &s->dataset.bench.samples[0], vectors);
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
    const char **names = xcalloc(s->n_grid, sizeof *names);
    for (size_t k = 1; k < s->n_grid; k++) {
        names[k - 1] = s->cells[k].name;
    }
    struct choice_params p = {.path = s->db,
                              .judge = rule_judge_id(s->rules),
                              .strategies = names,
                              .n_strategies = s->n_grid - 1};
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
    const char **names = xcalloc(s->n_grid, sizeof *names);
    for (size_t k = 1; k < s->n_grid; k++) {
        names[k - 1] = s->cells[k].name;
    }
    struct study_params p = {.path = s->db,
                             .judge = rule_judge_id(s->rules),
                             .strategies = names,
                             .n_strategies = s->n_grid - 1,
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
    if (make_grid(s, err) != 0 || run_phase(s, "dev", 1, s->n_grid, NULL, err) != 0 ||
        choose(s, chosen, err) != 0) {
        return -1;
    }
    int ok = 0;
    if (*chosen && !s->is_dev_only) {
        add_controls(s, chosen);
        s->is_test = true;
        ok = run_phase(s, "test", s->n_grid, s->n_cells, chosen, err) == 0 &&
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

int steer_sweep(int argc, char **argv)
{
    struct model_options model = model_default_options();
    struct sweep s = {.strengths = "-0.5,-1,-2,-3,-4,-6",
                      .operations = "add,ablate",
                      .scopes = "all",
                      .gates = "100,20",
                      .n_variants = 2,
                      .n_test_variants = 10,
                      .n_random = 20,
                      .limit = 10};
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &s.db, "SWEEP.db", "a run file of its own (required)", 0, 0},
        STEER_FIT_OPTIONS(s.fit),
        {0, "layers", OPT_STR, &s.layers_list, "LIST", "default: all that have a direction", 0, 0},
        {0, "strengths", OPT_STR, &s.strengths, "LIST",
         "of additions, in lengths of the direction (default: -0.5,-1,-2,-3,-4,-6)", 0, 0},
        {0, "operations", OPT_STR, &s.operations, "LIST", "add, ablate (default: both)", 0, 0},
        {0, "scopes", OPT_STR, &s.scopes, "LIST", "all, prompt, generated (default: all)", 0, 0},
        {0, "gates", OPT_STR, &s.gates, "LIST",
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
            "Each dev item is asked under directions that did not see its scenario. The choice is\n"
            "that of aor study. On test, with a direction from all of dev, stand beside it random\n"
            "directions of the same length and the turned sign. SWEEP.db is a run file whose\n"
            "strategies are the cells; the chosen control vector goes to SWEEP.gguf. The same\n"
            "command goes on after an interruption.",
        .examples = "  aor steer sweep aor-bench acts.safetensors aor-tiny.db -o sweep.db\n",
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
               steer_fit_layers(argv[2], argv[3], NULL, &s.fit, &s.layers, &err) == 0) {
        ok = sweep(&s, &err);
    }
    free(rules);
    free(s.cells);
    free(s.todo);
    free(s.groups);
    steer_layers_release(&s.layers);
    rule_judge_free(s.rules);
    prompt_release(&s.prompt);
    dataset_release(&s.dataset);
    model_choice_release(&s.model);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}
