#include "report/tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/escape.h"
#include "stats/corrected.h"

static json_t *row_json(const struct measure *m, const char *factor, const struct rate_row *r)
{
    json_t *row = json_pack(
        "{s:s, s:s, s:o, s:o, s:b, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o,"
        " s:o}",
        "measure", measure_name(m), "kind", item_kind_names[m->kind], "condition",
        json_text(m->condition), "strategy", json_text(m->strategy), "benign_alone_only",
        m->is_benign_alone, "factor", factor ? factor : "", "level", json_text(r->level), "trials",
        (json_int_t)r->strict.n, "items", (json_int_t)r->strict.n_clusters, "refusals",
        (json_int_t)r->strict.n_successes, "rate", json_number(r->strict.rate), "low",
        json_number(r->strict.low), "high", json_number(r->strict.high), "icc",
        json_number(r->strict.icc), "n_eff", json_number(r->strict.n_eff), "refusals_broad",
        (json_int_t)r->broad.n_successes, "rate_broad", json_number(r->broad.rate), "low_broad",
        json_number(r->broad.low), "high_broad", json_number(r->broad.high));
    return row;
}

/* Every measure by no factor and by each. */
static int all_rows(const struct findings *s, json_t *list, struct err *err)
{
    for (size_t i = 0; i < s->n_measures; i++) {
        for (int f = -1; f < (int)N_FACTORS; f++) {
            const char *factor = f < 0 ? NULL : findings_factors[f];
            struct rate_row *rows;
            size_t n;
            if (rates_by(s->measures[i].rates, factor, Z_95, &rows, &n, err) != 0) {
                return -1;
            }
            for (size_t k = 0; k < n; k++) {
                json_array_append_new(list, row_json(&s->measures[i], factor, &rows[k]));
            }
            free(rows);
        }
        struct rate_row *heard;
        size_t n;
        if (rates_by(s->measures[i].heard, NULL, Z_95, &heard, &n, err) != 0) {
            return -1;
        }
        for (size_t k = 0; k < n; k++) {
            heard[k].level = "yes";
            json_array_append_new(list, row_json(&s->measures[i], "understood", &heard[k]));
        }
        free(heard);
    }
    return 0;
}

static void write_csv_value(FILE *out, const json_t *v)
{
    if (json_is_string(v)) {
        escape_csv(out, json_string_value(v));
    } else if (json_is_integer(v)) {
        fprintf(out, "%lld", (long long)json_integer_value(v));
    } else if (json_is_boolean(v)) {
        fputs(json_is_true(v) ? "true" : "false", out);
    } else if (json_is_real(v)) {
        fprintf(out, "%.12g", json_real_value(v));
    }
}

/* Rows of the same keys, with a title line. */
static void write_csv(FILE *out, json_t *list)
{
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        const char *key;
        json_t *value;
        const char *comma = "";
        if (i == 0) {
            json_object_foreach(row, key, value)
            {
                fprintf(out, "%s%s", comma, key);
                comma = ",";
            }
            putc('\n', out);
            comma = "";
        }
        json_object_foreach(row, key, value)
        {
            fputs(comma, out);
            write_csv_value(out, value);
            comma = ",";
        }
        putc('\n', out);
    }
}

static json_t *comparisons_json(const struct comparison *compared, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct comparison *c = &compared[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                      " s:o, s:o, s:o, s:o, s:o, s:o, s:s}",
                      "family", comparison_family_names[c->family], "kind", c->kind, "condition",
                      json_text(c->condition), "strategy", json_text(c->strategy), "first",
                      json_text(c->first_name), "second", json_text(c->second_name), "pairs",
                      (json_int_t)c->n, "scenarios", (json_int_t)c->n_clusters, "rate_first",
                      json_number(c->first), "rate_second", json_number(c->second), "difference",
                      json_number(c->difference), "se", json_number(c->se), "low",
                      json_number(c->low), "high", json_number(c->high), "p", json_number(c->p),
                      "ratio", json_number(c->ratio), "ratio_low", json_number(c->ratio_low),
                      "ratio_high", json_number(c->ratio_high), "p_durkalski",
                      json_number(c->p_durkalski), "p_holm", json_number(c->p_holm), "findable",
                      json_number(c->findable), "method", c->method));
    }
    return list;
}

static json_t *probes_json(const struct findings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_probes; i++) {
        const struct comprehension *c = &s->probes[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:s, s:I, s:I, s:o}", "condition", json_text(c->condition),
                            "strategy", json_text(c->strategy), "measure",
                            c->is_transcript ? "word error rate" : "scenes right", "trials",
                            (json_int_t)c->n, "refused", (json_int_t)c->n_refused, "mean",
                            json_number(comprehension_mean(c))));
    }
    return list;
}

static void write_latex_p(FILE *out, double p)
{
    if (isnan(p)) {
        fputs("--", out);
    } else if (p < 0.0001) {
        fputs("$<0.0001$", out);
    } else {
        fprintf(out, "%.4f", p);
    }
}

static int write_latex_rates(FILE *out, const struct measure *m, struct err *err)
{
    struct rate_row *rows;
    size_t n;
    if (rates_by(m->rates, NULL, Z_95, &rows, &n, err) != 0) {
        return -1;
    }
    for (size_t k = 0; k < n; k++) {
        char *items = measure_items(m);
        fprintf(out, "%s & ", items); /* words of ours */
        free(items);
        escape_latex(out, m->condition);
        fputs(" & ", out);
        escape_latex(out, m->strategy);
        fprintf(out, " & %zu & %.1f & %.1f--%.1f & %.1f \\\\\n", rows[k].strict.n,
                100 * rows[k].strict.rate, 100 * rows[k].strict.low, 100 * rows[k].strict.high,
                100 * rows[k].broad.rate);
    }
    free(rows);
    return 0;
}

static void write_latex_comparison(FILE *out, const struct comparison *c)
{
    escape_latex(out, c->first_name);
    fputs(" $\\rightarrow$ ", out);
    escape_latex(out, c->second_name);
    fprintf(out, " & %s & ", c->kind);
    escape_latex(out, c->condition);
    fputs(*c->condition && *c->strategy ? ", " : "", out);
    escape_latex(out, c->strategy);
    fprintf(out, " & %zu & ", c->n);
    if (isnan(c->difference)) {
        fputs("-- & ", out);
    } else {
        fprintf(out, "$%+.1f$ & ", 100 * c->difference);
    }
    if (isnan(c->low)) {
        fputs("--", out);
    } else {
        fprintf(out, "$%+.1f$ to $%+.1f$", 100 * c->low, 100 * c->high);
    }
    fputs(" & ", out);
    write_latex_p(out, c->p_holm);
    fputs(" \\\\\n", out);
}

static json_t *effects_json(const struct findings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_effects; i++) {
        const struct factor_effect *e = &s->effects[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "factor", e->factor,
                      "level", json_text(e->level), "reference", json_text(e->reference), "trials",
                      (json_int_t)e->n, "log_odds", json_number(e->log_odds), "se",
                      json_number(e->se), "low", json_number(e->low), "high", json_number(e->high),
                      "p", json_number(e->p), "p_factor", json_number(e->p_factor)));
    }
    return list;
}

/* Of every measure that people have labelled a random part of. */
static int corrected_json(const struct findings *s, json_t *list, struct err *err)
{
    for (size_t i = 0; i < s->n_measures; i++) {
        const struct measure *m = &s->measures[i];
        struct judge_errors e;
        struct rate_row *rows;
        size_t n;
        if (!findings_judge_errors(s, m, &e)) {
            continue;
        }
        if (rates_by(m->rates, NULL, Z_95, &rows, &n, err) != 0) {
            return -1;
        }
        if (n == 0) { /* all were blocked */
            free(rows);
            continue;
        }
        struct corrected c = corrected_rate(rows[0].strict.rate, rows[0].strict.n_eff, &e, Z_95);
        free(rows);
        json_array_append_new(
            list,
            json_pack("{s:s, s:o, s:o, s:b, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "kind",
                      item_kind_names[m->kind], "condition", json_text(m->condition), "strategy",
                      json_text(m->strategy), "benign_alone_only", m->is_benign_alone,
                      "people_refusals", e.n_refusals, "judge_found", e.n_found, "people_others",
                      e.n_others, "judge_cleared", e.n_cleared, "rate", json_number(c.rate), "low",
                      json_number(c.low), "high", json_number(c.high)));
    }
    return 0;
}

json_t *tables_kappa_json(const struct kappa *k)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "n", (json_int_t)k->n, "agreement",
                     json_number(k->observed), "kappa", json_number(k->value), "low",
                     json_number(k->value - Z_95 * k->se), "high",
                     json_number(k->value + Z_95 * k->se));
}

json_t *tables_judges_json(const struct judges *j)
{
    json_t *names = json_array();
    json_t *pairs = json_array();
    for (size_t i = 0; i < j->n_judges; i++) {
        json_array_append_new(names, json_text(j->names[i]));
    }
    for (size_t i = 0; i < j->n_pairs; i++) {
        const struct judges_pair *p = &j->pairs[i];
        json_array_append_new(pairs, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "first",
                                               json_text(j->names[p->first]), "second",
                                               json_text(j->names[p->second]), "counts",
                                               confusion_json(p->counts), "verdicts",
                                               tables_kappa_json(&p->all), "refusal",
                                               tables_kappa_json(&p->strict), "refusal_or_partial",
                                               tables_kappa_json(&p->broad)));
    }
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:I}", "judges", names, "pairs", pairs,
                     "fleiss", json_number(j->fleiss.value), "answers_fleiss",
                     (json_int_t)j->fleiss.n, "alpha", json_number(j->alpha.value), "alpha_people",
                     json_number(j->alpha_people.value), "answers", (json_int_t)j->alpha.n,
                     "answers_people", (json_int_t)j->alpha_people.n);
}

/* How many have each majority: an object by name. */
static json_t *counts_json(const size_t *counts, const char *const *names)
{
    json_t *row = json_object();
    size_t i = 0;
    for (; names[i]; i++) {
        json_object_set_new(row, names[i], json_integer((json_int_t)counts[i]));
    }
    json_object_set_new(row, "tie", json_integer((json_int_t)counts[i]));
    return row;
}

static json_t *labellers_json(const struct listeners *l, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        size_t n_samples;
        const char *name = listeners_name(l, i, &n_samples);
        json_array_append_new(list, json_pack("{s:o, s:I}", "name", json_text(name), "samples",
                                              (json_int_t)n_samples));
    }
    return list;
}

static json_t *validated_json(const struct listeners_summary *s)
{
    return s->has_validated
               ? json_pack("{s:I, s:I, s:o, s:o, s:o}", "trials", (json_int_t)s->validated.n,
                           "items", (json_int_t)s->validated.n_clusters, "rate",
                           json_number(s->validated.rate), "low", json_number(s->validated.low),
                           "high", json_number(s->validated.high))
               : json_null();
}

static int listeners_json(const struct listeners *l, json_t **ret, struct err *err)
{
    struct listeners_summary s;
    if (listeners_summarise(l, &s, err) != 0) {
        return -1;
    }
    json_t *alarm = json_object();
    json_t *harmful = json_object();
    json_t *called = json_array();
    for (int i = 0; item_alone_names[i]; i++) {
        json_object_set_new(alarm, item_alone_names[i],
                            counts_json(s.alarm_counts[i], item_alone_names));
    }
    for (int i = 0; item_kind_names[i]; i++) {
        json_object_set_new(harmful, item_kind_names[i],
                            counts_json(s.harmful_counts[i], harmful_names));
    }
    size_t at = 0;
    for (const char *id; (id = listeners_next_harmful(l, &at));) {
        json_array_append_new(called, json_text(id));
    }
    *ret = json_pack(
        "{s:o, s:I, s:b, s:{s:o, s:I, s:o}, s:{s:o, s:I, s:o}, s:{s:I, s:I}, s:{s:I, s:o}, s:o, "
        "s:o}",
        "labellers", labellers_json(l, s.n_labellers), "samples", (json_int_t)s.n_samples,
        "is_synthetic", s.is_synthetic, "alarm", "alpha", json_number(s.alarm.value), "n",
        (json_int_t)s.alarm.n, "counts", alarm, "harmful", "alpha", json_number(s.harmful.value),
        "n", (json_int_t)s.harmful.n, "counts", harmful, "place", "n", (json_int_t)s.n_places,
        "right", (json_int_t)s.n_places_right, "heard", "n", (json_int_t)s.n_heard,
        "word_error_rate",
        json_number(s.n_words > 0 ? (double)s.n_word_errors / (double)s.n_words : NAN), "validated",
        validated_json(&s), "called_harmful", called);
    return 0;
}

int tables_run_json(const struct findings *s, json_t **ret, struct err *err)
{
    json_t *rows = json_array();
    json_t *corrected = json_array();
    json_t *listeners = json_null();
    if (all_rows(s, rows, err) != 0 || corrected_json(s, corrected, err) != 0 ||
        (s->listeners && listeners_json(s->listeners, &listeners, err) != 0)) {
        json_decref(rows);
        json_decref(corrected);
        return -1;
    }
    *ret = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "model",
                     s->description ? json_text(s->description) : json_null(), "judge",
                     json_text(s->judge), "trials", (json_int_t)s->n_trials, "unanswered",
                     (json_int_t)s->n_unanswered, "blocks", (json_int_t)s->n_blocks, "errors",
                     (json_int_t)s->n_errors, "unjudged", (json_int_t)s->n_unjudged, "rates", rows,
                     "corrected", corrected, "probes", probes_json(s), "comparisons",
                     comparisons_json(s->compared, s->n_compared), "logistic", effects_json(s),
                     "listeners", listeners);
    return 0;
}

json_t *tables_models_json(const struct findings_set *set)
{
    return comparisons_json(set->compared, set->n_compared);
}

int tables_set_json(const struct findings_set *set, json_t **ret, struct err *err)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < set->n_runs; i++) {
        json_t *run;
        if (tables_run_json(&set->runs[i], &run, err) != 0) {
            json_decref(runs);
            return -1;
        }
        json_object_set_new(run, "run", json_text(set->runs[i].path));
        json_array_append_new(runs, run);
    }
    *ret = json_pack("{s:o, s:o}", "runs", runs, "comparisons", tables_models_json(set));
    return 0;
}

/* With the run as the first column, where there are several. */
int tables_rates_csv(FILE *out, const struct findings_set *set, struct err *err)
{
    json_t *all = json_array();
    int ok = 0;
    for (size_t i = 0; ok == 0 && i < set->n_runs; i++) {
        json_t *rows = json_array();
        ok = all_rows(&set->runs[i], rows, err);
        size_t k;
        json_t *row;
        json_array_foreach(rows, k, row)
        {
            json_t *full = set->n_runs > 1 ? json_pack("{s:o}", "run", json_text(set->runs[i].path))
                                           : json_object();
            json_object_update(full, row);
            json_array_append_new(all, full);
        }
        json_decref(rows);
    }
    if (ok == 0) {
        write_csv(out, all);
    }
    json_decref(all);
    return ok;
}

void tables_comparisons_csv(FILE *out, const struct findings_set *set)
{
    json_t *all = json_array();
    for (size_t i = 0; i < set->n_runs; i++) {
        json_t *rows = comparisons_json(set->runs[i].compared, set->runs[i].n_compared);
        size_t k;
        json_t *row;
        json_array_foreach(rows, k, row)
        {
            json_t *full = json_pack("{s:o}", "run", json_text(set->runs[i].path));
            json_object_update(full, row);
            json_array_append_new(all, full);
        }
        json_decref(rows);
    }
    json_t *models = comparisons_json(set->compared, set->n_compared);
    size_t k;
    json_t *row;
    json_array_foreach(models, k, row)
    {
        json_t *full = json_pack("{s:s}", "run", "");
        json_object_update(full, row);
        json_array_append_new(all, full);
    }
    json_decref(models);
    write_csv(out, all);
    json_decref(all);
}

/* Two tables for the booktabs package: all rates without a factor, all comparisons. */
int tables_latex(FILE *out, const struct findings *s, struct err *err)
{
    fputs("% \\usepackage{booktabs}\n\\begin{tabular}{lllrrrr}\n\\toprule\n"
          "items & condition & strategy & trials & rate (\\%) & 95\\% interval & broad (\\%) "
          "\\\\\n\\midrule\n",
          out);
    for (size_t i = 0; i < s->n_measures; i++) {
        if (write_latex_rates(out, &s->measures[i], err) != 0) {
            return -1;
        }
    }
    fputs("\\bottomrule\n\\end{tabular}\n\n\\begin{tabular}{lllrrrr}\n\\toprule\n"
          "change & items & in & pairs & points & 95\\% interval & $p$ (Holm) \\\\\n\\midrule\n",
          out);
    for (size_t i = 0; i < s->n_compared; i++) {
        write_latex_comparison(out, &s->compared[i]);
    }
    fputs("\\bottomrule\n\\end{tabular}\n", out);
    return 0;
}
