#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "bench/dataset.h"
#include "cmd.h"
#include "plan_options.h"
#include "store/store.h"

/* Trials: of the plan, of each kind of item, and what a run file holds of them. */
struct tally {
    long n_trials, n_answers, n_blocks, n_errors;
    long n_of_kind[ITEM_N_KINDS];
};

struct planning {
    struct dataset dataset;
    struct plan plan;
    struct tally all;
    struct tally *cells; /* [condition * plan.n_prompts + prompt] */
    long n_sounds;       /* pieces of audio that are encoded */
    double sound_s;
    const struct sample *last_sample; /* that was counted as a sound */
    enum condition last_condition;
    size_t hint;
    double rate; /* trials a second in earlier calls; 0: not known */
};

static struct tally *cell_at(const struct planning *p, enum condition c, size_t prompt)
{
    return &p->cells[(size_t)c * p->plan.n_prompts + prompt];
}

static int add_trial(const struct sample *s, enum condition c, size_t prompt, int repeat,
                     void *user, struct err *err)
{
    (void)repeat;
    (void)err;
    struct planning *p = user;
    struct tally *tallies[] = {&p->all, cell_at(p, c, prompt)};
    for (int i = 0; i < 2; i++) {
        tallies[i]->n_trials++;
        tallies[i]->n_of_kind[s->item->kind]++;
    }
    if (condition_has_audio(c) && (s != p->last_sample || c != p->last_condition)) {
        p->n_sounds++;
        p->sound_s += p->dataset.facts[s - p->dataset.bench.samples].duration_s;
        p->last_sample = s;
        p->last_condition = c;
    }
    return 0;
}

static int add_stored(const struct store_trial *t, void *user, struct err *err)
{
    (void)err;
    struct planning *p = user;
    struct plan_trial found;
    if (plan_find(&p->plan, t->sample_id, t->condition, t->strategy, t->repeat, &p->hint, &found)) {
        struct tally *tallies[] = {&p->all, cell_at(p, found.condition, found.prompt)};
        for (int i = 0; i < 2; i++) {
            tallies[i]->n_answers += t->state == STORE_ANSWERED;
            tallies[i]->n_blocks += t->state == STORE_BLOCKED;
            tallies[i]->n_errors += t->state == STORE_FAILED;
        }
    }
    return 0;
}

static int read_store(struct planning *p, const char *db, struct err *err)
{
    struct store *store = NULL;
    if (store_open(db, STORE_READ, &store, err) != 0) {
        return -1;
    }
    int ok = store_each_trial(store, add_stored, p, err) == 0 &&
                     store_call_rate(store, &p->rate, err) == 0
                 ? 0
                 : -1;
    store_close(store, NULL);
    return ok;
}

static long n_left(const struct tally *t)
{
    return t->n_trials - t->n_answers - t->n_blocks - t->n_errors;
}

static void print_tally(const char *condition, const char *prompt, const struct tally *t,
                        bool has_store)
{
    printf("%-12s %-16s %9ld", condition, prompt, t->n_trials);
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        printf(" %9ld", t->n_of_kind[k]);
    }
    if (has_store) {
        printf(" %8ld %7ld %6ld %6ld", t->n_answers, t->n_blocks, t->n_errors, n_left(t));
    }
    putchar('\n');
}

static void print_text(const struct planning *p, bool has_store)
{
    printf("%-12s %-16s %9s %9s %9s %9s", "condition", "strategy", "trials", "scenario", "contrast",
           "plain");
    printf(has_store ? " %8s %7s %6s %6s\n" : "\n", "answered", "blocked", "errors", "to do");
    for (int c = 0; condition_names[c]; c++) {
        for (size_t q = 0; q < p->plan.n_prompts; q++) {
            const struct tally *t = cell_at(p, (enum condition)c, q);
            if (t->n_trials > 0) {
                print_tally(condition_names[c], p->plan.prompts[q].name, t, has_store);
            }
        }
    }
    print_tally("all", "", &p->all, has_store);
    printf("\n%ld pieces of audio, %.1f min, each encoded once for its strategies and repeats\n",
           p->n_sounds, p->sound_s / 60);
    if (p->rate > 0 && n_left(&p->all) > 0) {
        printf("to do: %.1f min at the %.1f trials/s of earlier calls\n",
               (double)n_left(&p->all) / p->rate / 60, p->rate);
    }
}

static json_t *tally_json(const struct tally *t, bool has_store)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "trials", (json_int_t)t->n_trials,
                          item_kind_names[ITEM_SCENARIO], (json_int_t)t->n_of_kind[ITEM_SCENARIO],
                          item_kind_names[ITEM_CONTRAST], (json_int_t)t->n_of_kind[ITEM_CONTRAST],
                          item_kind_names[ITEM_PLAIN], (json_int_t)t->n_of_kind[ITEM_PLAIN]);
    if (has_store) {
        json_object_set_new(o, "answered", json_integer(t->n_answers));
        json_object_set_new(o, "blocked", json_integer(t->n_blocks));
        json_object_set_new(o, "errors", json_integer(t->n_errors));
    }
    return o;
}

static void print_json(const struct planning *p, bool has_store)
{
    json_t *cells = json_array();
    for (int c = 0; condition_names[c]; c++) {
        for (size_t q = 0; q < p->plan.n_prompts; q++) {
            const struct tally *t = cell_at(p, (enum condition)c, q);
            if (t->n_trials > 0) {
                json_t *o = tally_json(t, has_store);
                json_object_set_new(o, "condition", json_string(condition_names[c]));
                json_object_set_new(o, "strategy", json_text(p->plan.prompts[q].name));
                json_object_set_new(o, "prompt_sha256", json_text(p->plan.prompts[q].sha256));
                json_array_append_new(cells, o);
            }
        }
    }
    json_t *all = json_pack("{s:o, s:o, s:I, s:f}", "all", tally_json(&p->all, has_store), "cells",
                            cells, "sounds", (json_int_t)p->n_sounds, "sound_s", p->sound_s);
    if (p->rate > 0) {
        json_object_set_new(all, "trials_per_s", json_real(p->rate));
    }
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(all);
}

static int preview(const char *bench_dir, const struct plan_options *o, const char *db,
                   bool as_json, struct err *err)
{
    struct planning p = {0};
    int ok = -1;
    if (dataset_open(bench_dir, &p.dataset, err) == 0 &&
        plan_from_options(o, &p.dataset.bench, &p.plan, err) == 0) {
        size_t n_conditions = 0;
        while (condition_names[n_conditions]) {
            n_conditions++;
        }
        p.cells = xcalloc(n_conditions * p.plan.n_prompts, sizeof *p.cells);
        ok = plan_each(&p.plan, add_trial, &p, err);
        ok = ok == 0 && db ? read_store(&p, db, err) : ok;
    }
    if (ok == 0 && as_json) {
        print_json(&p, db != NULL);
    } else if (ok == 0) {
        print_text(&p, db != NULL);
    }
    free(p.cells);
    plan_release(&p.plan);
    dataset_release(&p.dataset);
    return ok;
}

static int run(int argc, char **argv)
{
    struct plan_options o = plan_default_options();
    const char *db = NULL;
    bool as_json = false;
    const struct opt opts[] = {
        PLAN_OPTIONS(o),
        {'o', "output", OPT_STR, &db, "RUN.db", "a run file: what it holds of the plan", 0, 0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "plan",
        .synopsis = "BENCH [options]",
        .summary = "Preview what aor run would ask: trials by condition and strategy.",
        .details = "Takes the options of aor run that choose trials. Nothing is run or written.",
        .examples = "  aor plan bench -c matched,mismatched -a direct,cot,transcribe,scene\n"
                    "  aor plan bench -o aor-tiny.db\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    char *path = NULL;
    int ok = db ? plan_db_path(&o, db, &path, &err) : 0;
    ok = ok == 0 ? preview(argv[1], &o, path, as_json, &err) : ok;
    free(path);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_plan = {"plan", "preview what a run would ask", run};
