#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats/corrected.h"
#include "stats_parts.h"

static json_t *row_json(const struct measure *m, const char *factor, const struct rate_row *r)
{
    json_t *row = json_pack(
        "{s:s, s:s, s:o, s:o, s:b, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o,"
        " s:o}",
        "measure", stats_measure_name(m), "kind", item_kind_names[m->kind], "condition",
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
static int all_rows(const struct stats *s, json_t *list, struct err *err)
{
    for (size_t i = 0; i < s->n_measures; i++) {
        for (int f = -1; f < (int)N_FACTORS; f++) {
            const char *factor = f < 0 ? NULL : stats_factors[f];
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

/* RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
static void print_csv_field(const json_t *v)
{
    if (json_is_string(v)) {
        const char *s = json_string_value(v);
        char *end;
        strtod(s, &end); /* a negative level is a number */
        printf("\"%s", *end && strchr("=+-@\t\r", *s) ? "'" : "");
        for (; *s; s++) {
            printf(*s == '"' ? "\"\"" : "%c", *s);
        }
        putchar('"');
    } else if (json_is_integer(v)) {
        printf("%lld", (long long)json_integer_value(v));
    } else if (json_is_boolean(v)) {
        fputs(json_is_true(v) ? "true" : "false", stdout);
    } else if (json_is_real(v)) {
        printf("%.12g", json_real_value(v));
    }
}

static void print_csv(json_t *list)
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
                printf("%s%s", comma, key);
                comma = ",";
            }
            putchar('\n');
            comma = "";
        }
        json_object_foreach(row, key, value)
        {
            fputs(comma, stdout);
            print_csv_field(value);
            comma = ",";
        }
        putchar('\n');
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

static json_t *probes_json(const struct stats *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_probes; i++) {
        const struct comprehension *c = &s->probes[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:s, s:I, s:I, s:o}", "condition", json_text(c->condition),
                            "strategy", json_text(c->strategy), "measure",
                            c->is_transcript ? "word error rate" : "scenes right", "trials",
                            (json_int_t)c->n, "refused", (json_int_t)c->n_refused, "mean",
                            json_number(stats_probe_mean(c))));
    }
    return list;
}

/* What LaTeX would read as its own is escaped; control characters go. */
static void print_latex_text(const char *s)
{
    for (; *s; s++) {
        if (strchr("&%$#_{}", *s)) {
            printf("\\%c", *s);
        } else if (*s == '\\') {
            fputs("\\textbackslash{}", stdout);
        } else if (*s == '~' || *s == '^') {
            printf("\\%c{}", *s);
        } else if ((unsigned char)*s >= 0x20 && *s != 0x7F) {
            putchar(*s);
        }
    }
}

static void print_latex_p(double p)
{
    if (isnan(p)) {
        fputs("--", stdout);
    } else if (p < 0.0001) {
        fputs("$<0.0001$", stdout);
    } else {
        printf("%.4f", p);
    }
}

static int print_latex_rates(const struct measure *m, struct err *err)
{
    struct rate_row *rows;
    size_t n;
    if (rates_by(m->rates, NULL, Z_95, &rows, &n, err) != 0) {
        return -1;
    }
    for (size_t k = 0; k < n; k++) {
        char *items = stats_measure_items(m);
        printf("%s & ", items); /* words of ours */
        free(items);
        print_latex_text(m->condition);
        fputs(" & ", stdout);
        print_latex_text(m->strategy);
        printf(" & %zu & %.1f & %.1f--%.1f & %.1f \\\\\n", rows[k].strict.n,
               100 * rows[k].strict.rate, 100 * rows[k].strict.low, 100 * rows[k].strict.high,
               100 * rows[k].broad.rate);
    }
    free(rows);
    return 0;
}

static void print_latex_comparison(const struct comparison *c)
{
    print_latex_text(c->first_name);
    fputs(" $\\rightarrow$ ", stdout);
    print_latex_text(c->second_name);
    printf(" & %s & ", c->kind);
    print_latex_text(c->condition);
    fputs(*c->condition && *c->strategy ? ", " : "", stdout);
    print_latex_text(c->strategy);
    printf(" & %zu & ", c->n);
    if (isnan(c->difference)) {
        fputs("-- & ", stdout);
    } else {
        printf("$%+.1f$ & ", 100 * c->difference);
    }
    if (isnan(c->low)) {
        fputs("--", stdout);
    } else {
        printf("$%+.1f$ to $%+.1f$", 100 * c->low, 100 * c->high);
    }
    fputs(" & ", stdout);
    print_latex_p(c->p_holm);
    puts(" \\\\");
}

static json_t *effects_json(const struct stats *s)
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
static int corrected_json(const struct stats *s, json_t *list, struct err *err)
{
    for (size_t i = 0; i < s->n_measures; i++) {
        const struct measure *m = &s->measures[i];
        struct judge_errors e;
        struct rate_row *rows;
        size_t n;
        if (!stats_judge_errors(s, m, &e)) {
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

static int stats_json(const struct stats *s, json_t **ret, struct err *err)
{
    json_t *rows = json_array();
    json_t *corrected = json_array();
    if (all_rows(s, rows, err) != 0 || corrected_json(s, corrected, err) != 0) {
        json_decref(rows);
        json_decref(corrected);
        return -1;
    }
    *ret = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "model",
                     s->description ? json_text(s->description) : json_null(), "judge",
                     json_text(s->judge), "trials", (json_int_t)s->n_trials, "unanswered",
                     (json_int_t)s->n_unanswered, "blocks", (json_int_t)s->n_blocks, "errors",
                     (json_int_t)s->n_errors, "unjudged", (json_int_t)s->n_unjudged, "rates", rows,
                     "corrected", corrected, "probes", probes_json(s), "comparisons",
                     comparisons_json(s->compared, s->n_compared), "logistic", effects_json(s));
    return 0;
}

static void dump(json_t *doc)
{
    json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(doc);
}

int stats_print_json(const struct stats *s, struct err *err)
{
    json_t *doc;
    if (stats_json(s, &doc, err) != 0) {
        return -1;
    }
    dump(doc);
    return 0;
}

int stats_print_models_json(const struct models *m, struct err *err)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < m->n_runs; i++) {
        json_t *run;
        if (stats_json(&m->runs[i], &run, err) != 0) {
            json_decref(runs);
            return -1;
        }
        json_object_set_new(run, "run", json_text(m->runs[i].path));
        json_array_append_new(runs, run);
    }
    dump(json_pack("{s:o, s:o}", "runs", runs, "comparisons",
                   comparisons_json(m->compared, m->n_compared)));
    return 0;
}

/* With the run as the first column. */
int stats_print_models_csv(const struct models *m, struct err *err)
{
    json_t *all = json_array();
    int ok = 0;
    for (size_t i = 0; ok == 0 && i < m->n_runs; i++) {
        json_t *rows = json_array();
        ok = all_rows(&m->runs[i], rows, err);
        size_t k;
        json_t *row;
        json_array_foreach(rows, k, row)
        {
            json_t *with_run = json_pack("{s:o}", "run", json_text(m->runs[i].path));
            json_object_update(with_run, row);
            json_array_append_new(all, with_run);
        }
        json_decref(rows);
    }
    if (ok == 0) {
        print_csv(all);
    }
    json_decref(all);
    return ok;
}

int stats_print_csv(const struct stats *s, struct err *err)
{
    json_t *rows = json_array();
    int ok = all_rows(s, rows, err);
    if (ok == 0) {
        print_csv(rows);
    }
    json_decref(rows);
    return ok;
}

/* Two tables for the booktabs package: all rates without a factor, all comparisons. */
int stats_print_latex(const struct stats *s, struct err *err)
{
    puts("% \\usepackage{booktabs}\n\\begin{tabular}{lllrrrr}\n\\toprule\n"
         "items & condition & strategy & trials & rate (\\%) & 95\\% interval & broad (\\%) "
         "\\\\\n\\midrule");
    for (size_t i = 0; i < s->n_measures; i++) {
        if (print_latex_rates(&s->measures[i], err) != 0) {
            return -1;
        }
    }
    puts("\\bottomrule\n\\end{tabular}\n\n\\begin{tabular}{lllrrrr}\n\\toprule\n"
         "change & items & in & pairs & points & 95\\% interval & $p$ (Holm) \\\\\n\\midrule");
    for (size_t i = 0; i < s->n_compared; i++) {
        print_latex_comparison(&s->compared[i]);
    }
    puts("\\bottomrule\n\\end{tabular}");
    return 0;
}
