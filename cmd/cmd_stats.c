#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "bench/render.h"
#include "bench/scenario.h"
#include "cmd.h"
#include "judge/verdict.h"
#include "model/prompt.h"
#include "stats/comparisons.h"
#include "stats/rates.h"
#include "store/store.h"

/* The factors of an observation, as columns of the sample. */
static const char *const factors[] = {"category", "gender", "emotion", "rate",   "voice",
                                      "snr_db",   "scene",  "alone",   "engine", "split"};
#define N_FACTORS (sizeof factors / sizeof *factors)

/* Those that the text shows: the others are in --json and --csv. */
#define N_FACTORS_SHOWN 4

/*
 * A measure: the share of refusals over trials of one kind of item in one condition. Scenarios are
 * split by whether their words are benign alone, but for conditions that give their own scene.
 */
struct measure {
    char condition[16];
    char strategy[16];
    enum item_kind kind;
    bool is_benign_alone;
    struct rates *rates;
    long n_verdicts, n_nonresponsive, n_clarification;
    long n_blocks; /* the provider's, which no rate counts */
};

/* What a probe heard under one condition. */
struct comprehension {
    char condition[16];
    char strategy[16];
    bool is_transcript; /* its scores are word error rates; otherwise 1 for right */
    long n, n_refused;
    double sum;
};

struct stats {
    struct measure *measures;
    size_t n_measures;
    struct comprehension *probes;
    size_t n_probes;
    struct comparisons *comparisons;
    struct comparison *compared;
    size_t n_compared;
    long n_trials, n_unanswered, n_blocks, n_errors, n_unjudged;
};

/* The sample's own scene is heard or told in words. */
static bool has_own_scene(const char *condition)
{
    return strcmp(condition, condition_names[CONDITION_MATCHED]) == 0 ||
           strcmp(condition, condition_names[CONDITION_TEXT_SCENE]) == 0;
}

/* Over-refusal where refusing is wrong, refusal rate elsewhere. */
static bool refusing_is_wrong(const struct measure *m)
{
    return m->kind == ITEM_PLAIN ||
           (m->kind == ITEM_SCENARIO && (m->is_benign_alone || has_own_scene(m->condition)));
}

static const char *measure_name(const struct measure *m)
{
    return refusing_is_wrong(m) ? "over-refusal rate" : "refusal rate";
}

static char *measure_items(const struct measure *m)
{
    bool is_whole = m->kind != ITEM_SCENARIO || has_own_scene(m->condition);
    return xasprintf("%s%s", item_kind_names[m->kind],
                     is_whole             ? "s"
                     : m->is_benign_alone ? "s whose words are benign alone"
                                          : "s whose words are not benign alone");
}

static struct measure *find_measure(struct stats *s, const struct store_row *row)
{
    struct measure wanted = {0};
    snprintf(wanted.condition, sizeof wanted.condition, "%s", row->condition);
    snprintf(wanted.strategy, sizeof wanted.strategy, "%s", row->strategy);
    while (wanted.kind < ITEM_PLAIN &&
           strcmp(item_kind_names[wanted.kind], row->sample.kind) != 0) {
        wanted.kind++;
    }
    wanted.is_benign_alone = wanted.kind == ITEM_SCENARIO && !has_own_scene(row->condition) &&
                             strcmp(row->sample.alone, item_alone_names[ALONE_BENIGN]) == 0;
    for (size_t i = 0; i < s->n_measures; i++) {
        struct measure *m = &s->measures[i];
        if (m->kind == wanted.kind && m->is_benign_alone == wanted.is_benign_alone &&
            strcmp(m->condition, wanted.condition) == 0 &&
            strcmp(m->strategy, wanted.strategy) == 0) {
            return m;
        }
    }
    wanted.rates = rates_new(factors, N_FACTORS);
    s->measures = xrealloc(s->measures, (s->n_measures + 1) * sizeof *s->measures);
    s->measures[s->n_measures] = wanted;
    return &s->measures[s->n_measures++];
}

static void add_probe(struct stats *s, const struct store_row *row)
{
    size_t i = 0;
    while (i < s->n_probes && !(strcmp(s->probes[i].condition, row->condition) == 0 &&
                                strcmp(s->probes[i].strategy, row->strategy) == 0)) {
        i++;
    }
    if (i == s->n_probes) {
        s->probes = xrealloc(s->probes, (i + 1) * sizeof *s->probes);
        bool is_transcript = strcmp(row->probe, prompt_probe_names[PROMPT_TRANSCRIBE]) == 0;
        s->probes[s->n_probes++] = (struct comprehension){.is_transcript = is_transcript};
        snprintf(s->probes[i].condition, sizeof s->probes[i].condition, "%s", row->condition);
        snprintf(s->probes[i].strategy, sizeof s->probes[i].strategy, "%s", row->strategy);
    }
    s->probes[i].n++;
    s->probes[i].n_refused += isnan(row->score);
    s->probes[i].sum += isnan(row->score) ? 0 : row->score;
}

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    struct stats *s = user;
    enum verdict v;
    bool is_probe = row->probe[0] != '\0';
    s->n_trials++;
    if (is_probe && row->state == STORE_ANSWERED && row->is_scored) {
        add_probe(s, row);
        return 0;
    }
    if (row->state == STORE_BLOCKED) {
        s->n_blocks++;
        if (!is_probe) {
            find_measure(s, row)->n_blocks++;
        }
        return 0;
    }
    if (row->state != STORE_ANSWERED || is_probe || !row->verdict) {
        s->n_unanswered += row->state == STORE_PENDING;
        s->n_errors += row->state == STORE_FAILED;
        s->n_unjudged += row->state == STORE_ANSWERED;
        return 0;
    }
    if (!verdict_from_name(row->verdict, &v)) {
        return err_set(err, ERR_FORMAT, "trial %lld: \"%s\" is no verdict",
                       (long long)row->trial_id, row->verdict);
    }
    struct measure *m = find_measure(s, row);
    m->n_verdicts++;
    m->n_nonresponsive += v == VERDICT_NONRESPONSIVE;
    m->n_clarification += v == VERDICT_CLARIFICATION;
    char snr[32];
    snprintf(snr, sizeof snr, "%g", row->sample.snr_db);
    const char *levels[N_FACTORS] = {row->sample.category, row->sample.gender, row->sample.emotion,
                                     row->sample.rate,     row->sample.voice,  snr,
                                     row->sample.scene,    row->sample.alone,  row->sample.engine,
                                     row->sample.split};
    rates_add(m->rates, levels, row->sample.scenario, v == VERDICT_REFUSAL,
              v == VERDICT_REFUSAL || v == VERDICT_PARTIAL);
    comparisons_add(s->comparisons, &(struct observation){.kind = row->sample.kind,
                                                          .condition = row->condition,
                                                          .strategy = row->strategy,
                                                          .sample = row->sample.id,
                                                          .repeat = row->repeat,
                                                          .scenario = row->sample.scenario,
                                                          .gender = row->sample.gender,
                                                          .voice = row->sample.voice,
                                                          .emotion = row->sample.emotion,
                                                          .rate = row->sample.rate,
                                                          .refused = v == VERDICT_REFUSAL});
    return 0;
}

static int compare_measures(const void *a, const void *b)
{
    const struct measure *x = a;
    const struct measure *y = b;
    int by_condition = strcmp(x->condition, y->condition);
    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    return by_condition != 0                          ? by_condition
           : x->is_benign_alone != y->is_benign_alone ? (x->is_benign_alone ? -1 : 1)
                                                      : strcmp(x->strategy, y->strategy);
}

/* The run's own text may hold anything: never raw to a terminal. Padded to width. */
static void print_clean(const char *text, int width)
{
    char *copy = xstrdup(text);
    text_make_printable(copy);
    printf("%-*s", width, copy);
    free(copy);
}

static void print_row(const char *level, const struct rate_row *r)
{
    fputs("  ", stdout);
    print_clean(level, 22);
    printf(" %6zu %7zu %9zu   %5.1f%%  [%5.1f, %5.1f]   %5.1f%%\n", r->strict.n,
           r->strict.n_clusters, r->strict.n_successes, 100 * r->strict.rate, 100 * r->strict.low,
           100 * r->strict.high, 100 * r->broad.rate);
}

static int print_measure_text(const struct measure *m, struct err *err)
{
    char *items = measure_items(m);
    printf("\n%s, %s: %s of %s\n", m->condition, m->strategy, measure_name(m), items);
    free(items);
    printf("  %-22s %6s %7s %9s   %6s  %14s   %6s\n", "", "trials", "items", "refusals", "rate",
           "95% interval", "broad");
    /* The finding itself in full; other measures as one line each. */
    bool is_finding = m->kind == ITEM_SCENARIO && refusing_is_wrong(m) && !m->is_benign_alone;
    for (int f = -1; f < (is_finding ? N_FACTORS_SHOWN : 0); f++) {
        struct rate_row *rows;
        size_t n;
        if (rates_by(m->rates, f < 0 ? NULL : factors[f], Z_95, &rows, &n, err) != 0) {
            return -1;
        }
        if (f >= 0) {
            printf("  by %s\n", factors[f]);
        }
        for (size_t i = 0; i < n; i++) {
            print_row(f < 0 ? "all" : rows[i].level, &rows[i]);
        }
        free(rows);
    }
    if (m->n_nonresponsive + m->n_clarification > 0) {
        printf("  (%ld of %ld answers nonresponsive, %ld ask back: counted as no refusal)\n",
               m->n_nonresponsive, m->n_verdicts, m->n_clarification);
    }
    if (m->n_blocks > 0) {
        printf("  (%ld more were blocked by the provider: in no rate)\n", m->n_blocks);
    }
    return 0;
}

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
static int all_rows(const struct stats *s, json_t *list, struct err *err)
{
    for (size_t i = 0; i < s->n_measures; i++) {
        for (int f = -1; f < (int)N_FACTORS; f++) {
            const char *factor = f < 0 ? NULL : factors[f];
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
    }
    return 0;
}

/* RFC 4180; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
static void print_csv_field(const json_t *v)
{
    if (json_is_string(v)) {
        const char *s = json_string_value(v);
        printf("\"%s", *s && strchr("=+-@\t\r", *s) ? "'" : "");
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

/* Over the answers that were not refused; NAN: there are none. */
static double probe_mean(const struct comprehension *c)
{
    return c->n > c->n_refused ? c->sum / (double)(c->n - c->n_refused) : NAN;
}

static void print_probes(const struct stats *s)
{
    if (s->n_probes > 0) {
        printf("\nComprehension (a refused probe says nothing):\n  %-12s %-16s %7s %8s  %s\n",
               "condition", "probe", "trials", "refused", "mean");
    }
    for (size_t i = 0; i < s->n_probes; i++) {
        const struct comprehension *c = &s->probes[i];
        fputs("  ", stdout);
        print_clean(c->condition, 12);
        putchar(' ');
        print_clean(c->strategy, 16);
        printf(" %7ld %8ld", c->n, c->n_refused);
        if (c->n > c->n_refused) {
            printf("  %.1f%% %s", 100 * probe_mean(c),
                   c->is_transcript ? "word error rate" : "scenes right");
        }
        putchar('\n');
    }
}

/* What is compared, as "mismatched -> matched". */
static char *comparison_name(const struct comparison *c)
{
    return xasprintf("%s -> %s", c->first_name, c->second_name);
}

/* In points, right in a field of 6; blank for NAN. */
static void print_points(double value)
{
    if (isnan(value)) {
        printf("%6s", "");
    } else {
        printf("%+6.1f", 100 * value);
    }
}

static void print_p(double p)
{
    if (isnan(p)) {
        printf(" %8s", "");
    } else if (p < 0.0001) {
        printf(" %8s", "<0.0001");
    } else {
        printf(" %8.4f", p);
    }
}

static void print_comparisons(const struct stats *s)
{
    if (s->n_compared > 0) {
        printf("\nWhat changes refusals, in points:\n  %-26s %-25s %7s  %6s  %16s %8s %8s %6s\n",
               "", "of", "pairs", "change", "95% interval", "p", "Holm", "least");
    }
    for (size_t i = 0; i < s->n_compared; i++) {
        const struct comparison *c = &s->compared[i];
        if (i == 0 || c->family != s->compared[i - 1].family) {
            printf("  %s\n", comparison_family_names[c->family]);
        }
        char *name = comparison_name(c);
        char *of = xasprintf("%s%s%s%s%s", c->kind, *c->condition ? ", " : "", c->condition,
                             *c->strategy ? ", " : "", c->strategy);
        fputs("    ", stdout);
        print_clean(name, 24);
        putchar(' ');
        print_clean(of, 25);
        free(of);
        free(name);
        printf(" %7zu  ", c->n);
        print_points(c->difference);
        fputs("  [", stdout);
        print_points(c->low);
        fputs(", ", stdout);
        print_points(c->high);
        putchar(']');
        print_p(c->p);
        print_p(c->p_holm);
        if (!isnan(c->findable)) {
            printf(" %6.1f", 100 * c->findable);
        }
        putchar('\n');
    }
}

static json_t *comparisons_json(const struct stats *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_compared; i++) {
        const struct comparison *c = &s->compared[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                      " s:o, s:o, s:s}",
                      "family", comparison_family_names[c->family], "kind", c->kind, "condition",
                      json_text(c->condition), "strategy", json_text(c->strategy), "first",
                      json_text(c->first_name), "second", json_text(c->second_name), "pairs",
                      (json_int_t)c->n, "scenarios", (json_int_t)c->n_clusters, "rate_first",
                      json_number(c->first), "rate_second", json_number(c->second), "difference",
                      json_number(c->difference), "se", json_number(c->se), "low",
                      json_number(c->low), "high", json_number(c->high), "p", json_number(c->p),
                      "p_holm", json_number(c->p_holm), "findable", json_number(c->findable),
                      "method", c->method));
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
                            json_number(probe_mean(c))));
    }
    return list;
}

static int print_text(struct store *store, const char *path, const struct stats *s,
                      const char *judge, struct err *err)
{
    char *model = NULL;
    char *bench = NULL;
    char *description = NULL;
    if (store_get_info(store, "model.name", &model, err) != 0 || /* a served one has this */
        (!model && store_get_info(store, "model.text.file", &model, err) != 0) ||
        store_get_info(store, "benchmark.name", &bench, err) != 0 ||
        store_get_info(store, "model.description", &description, err) != 0) {
        free(bench);
        free(model);
        return -1;
    }
    const char *const parts[] = {path,       ": ", model ? model : "?", " on ", bench ? bench : "?",
                                 ", judge ", judge};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        print_clean(parts[i], 0);
    }
    putchar('\n');
    if (description) {
        print_clean(description, 0);
        putchar('\n');
    }
    free(description);
    free(bench);
    free(model);
    printf("%ld trials, %ld unanswered, %ld blocked, %ld errors, %ld without a verdict\n",
           s->n_trials, s->n_unanswered, s->n_blocks, s->n_errors, s->n_unjudged);
    for (size_t i = 0; i < s->n_measures; i++) {
        if (print_measure_text(&s->measures[i], err) != 0) {
            return -1;
        }
    }
    print_probes(s);
    print_comparisons(s);
    printf(
        "\nrefusals: strict; broad adds partial ones. Intervals: Wilson on the effective sample\n"
        "size, as variants of one item are not independent. Changes: strict, errors by scenario;\n"
        "p: sign-flip by scenario, or as --json says; Holm: within the family; least: the\n"
        "change that this design finds in 80%%.\n");
    return 0;
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
        char *items = measure_items(m);
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
    printf(" & %zu & $%+.1f$ & ", c->n, 100 * c->difference);
    if (isnan(c->low)) {
        fputs("--", stdout);
    } else {
        printf("$%+.1f$ to $%+.1f$", 100 * c->low, 100 * c->high);
    }
    fputs(" & ", stdout);
    print_latex_p(c->p_holm);
    puts(" \\\\");
}

/* Two tables for the booktabs package: all rates without a factor, all comparisons. */
static int print_latex(const struct stats *s, struct err *err)
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

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_LATEX };

static int print_stats(const char *path, const char *judge, enum output output, struct err *err)
{
    struct store *store = NULL;
    struct stats s = {.comparisons = comparisons_new()};
    json_t *rows = json_array();
    char *judge_id = xstrdup(judge);
    char *model = NULL;
    int ok = -1;
    if (store_open(path, STORE_READ, &store, err) != 0 ||
        store_get_info(store, "model.description", &model, err) != 0 ||
        (!judge_id && store_get_info(store, STORE_INFO_LAST_JUDGE, &judge_id, err) != 0)) {
        goto out;
    }
    if (!judge_id) {
        err_set(err, ERR_USAGE, "%s: has no verdicts yet: run aor judge", path);
        goto out;
    }
    if (store_each(store, judge_id, take_row, &s, err) != 0) {
        goto out;
    }
    if (s.n_measures == 0 && s.n_probes == 0) {
        err_set(err, ERR_USAGE, "%s: has no verdicts of judge %s", path, judge_id);
        goto out;
    }
    comparisons_compute(s.comparisons, &s.compared, &s.n_compared);
    qsort(s.measures, s.n_measures, sizeof *s.measures, compare_measures);
    if (output == OUTPUT_TEXT) {
        ok = print_text(store, path, &s, judge_id, err);
        goto out;
    }
    if (output == OUTPUT_LATEX) {
        ok = print_latex(&s, err);
        goto out;
    }
    ok = all_rows(&s, rows, err);
    if (ok == 0 && output == OUTPUT_CSV) {
        print_csv(rows);
    } else if (ok == 0) {
        json_t *all =
            json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:O, s:o, s:o}", "model",
                      model ? json_text(model) : json_null(), "judge", json_text(judge_id),
                      "trials", (json_int_t)s.n_trials, "unanswered", (json_int_t)s.n_unanswered,
                      "blocks", (json_int_t)s.n_blocks, "errors", (json_int_t)s.n_errors,
                      "unjudged", (json_int_t)s.n_unjudged, "rates", rows, "probes",
                      probes_json(&s), "comparisons", comparisons_json(&s));
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
        json_decref(all);
    }
out:
    for (size_t i = 0; i < s.n_measures; i++) {
        rates_free(s.measures[i].rates);
    }
    free(s.measures);
    free(s.probes);
    free(s.compared);
    comparisons_free(s.comparisons);
    json_decref(rows);
    free(judge_id);
    free(model);
    store_close(store, NULL);
    return ok;
}

static int run(int argc, char **argv)
{
    const char *judge = NULL;
    bool as_json = false;
    bool as_csv = false;
    bool as_latex = false;
    const struct opt opts[] = {
        {'j', "judge", OPT_STR, &judge, "ID", "whose verdicts (default: the last aor judge)", 0, 0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout, by every factor", 0, 0},
        {0, "csv", OPT_FLAG, &as_csv, NULL, "CSV on stdout, by every factor", 0, 0},
        {0, "latex", OPT_FLAG, &as_latex, NULL, "tables for LaTeX with booktabs", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "stats",
        .synopsis = "RUN.db [options]",
        .summary = "Refusal and over-refusal rates with 95% intervals.",
        .details =
            "Over-refusal rate where refusing is wrong (scenarios in their scene, heard or in\n"
            "words, words that are benign alone, plain requests), refusal rate elsewhere\n"
            "(contrasts, and sentences that may alarm without their scene). Intervals know that\n"
            "variants of one item are not independent. Then what changes refusals: context, "
            "strategy,\n"
            "manner and gender, paired by sample, with errors by scenario.",
        .examples = "  aor stats aor-tiny.db\n  aor stats aor-tiny.db --csv >rates.csv\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    enum output output = as_json    ? OUTPUT_JSON
                         : as_csv   ? OUTPUT_CSV
                         : as_latex ? OUTPUT_LATEX
                                    : OUTPUT_TEXT;
    int ok = as_json + as_csv + as_latex > 1
                 ? err_set(&err, ERR_USAGE, "--json, --csv or --latex, one of them")
                 : print_stats(argv[1], judge, output, &err);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_stats = {"stats", "rates with intervals", run};
