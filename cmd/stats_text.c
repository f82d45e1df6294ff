#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "stats/corrected.h"
#include "stats_text.h"

#define N_SHUFFLES 999

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

/* The measure over what was understood. */
static int print_heard(const struct measure *m, struct err *err)
{
    struct rate_row *rows;
    size_t n;
    if (rates_by(m->heard, NULL, Z_95, &rows, &n, err) != 0) {
        return -1;
    }
    if (n > 0) {
        print_row("understood", &rows[0]);
    }
    free(rows);
    return 0;
}

/* The whole measure, by what people say of a random part of it. */
static void print_corrected(const struct findings *s, const struct measure *m,
                            const struct proportion *p)
{
    struct judge_errors e;
    if (!findings_judge_errors(s, m, &e)) {
        return;
    }
    struct corrected c = corrected_rate(p->rate, p->n_eff, &e, Z_95);
    printf("  people labelled %.0f at random: the judge finds %.0f of %.0f refusals and clears "
           "%.0f of "
           "%.0f others;\n",
           e.n_refusals + e.n_others, e.n_found, e.n_refusals, e.n_cleared, e.n_others);
    if (isnan(c.low)) {
        puts("  no corrected rate: too few of one kind, or a judge no better than chance");
    } else {
        printf("  corrected for the judge's errors %.1f%%  [%.1f, %.1f]\n", 100 * c.rate,
               100 * c.low, 100 * c.high);
    }
}

static int print_measure_text(const struct findings *s, const struct measure *m, struct err *err)
{
    char *items = measure_items(m);
    putchar('\n');
    print_clean(m->condition, 0);
    fputs(", ", stdout);
    print_clean(m->strategy, 0);
    printf(": %s of %s\n", measure_name(m), items);
    free(items);
    printf("  %-22s %6s %7s %9s   %6s  %14s   %6s\n", "", "trials", "items", "refusals", "rate",
           "95% interval", "broad");
    /* The finding itself in full; other measures as one line each. */
    bool is_finding =
        m->kind == ITEM_SCENARIO && measure_refusing_is_wrong(m) && !m->is_benign_alone;
    for (int f = -1; f < (is_finding ? N_FACTORS_SHOWN : 0); f++) {
        struct rate_row *rows;
        size_t n;
        if (rates_by(m->rates, f < 0 ? NULL : findings_factors[f], Z_95, &rows, &n, err) != 0) {
            return -1;
        }
        if (f >= 0) {
            printf("  by %s\n", findings_factors[f]);
        }
        for (size_t i = 0; i < n; i++) {
            print_row(f < 0 ? "all" : rows[i].level, &rows[i]);
            if (f < 0) {
                if (print_heard(m, err) != 0) {
                    free(rows);
                    return -1;
                }
                print_corrected(s, m, &rows[i].strict);
            }
        }
        free(rows);
        struct rate_gap gap;
        if (f >= 0 && rates_gap(m->rates, findings_factors[f], N_SHUFFLES, 1, &gap, err) != 0) {
            return -1;
        }
        if (f >= 0 && !isnan(gap.gap)) {
            printf("    greatest gap %.1f points; by chance %.1f, 95%% below %.1f (p %.3f)\n",
                   100 * gap.gap, 100 * gap.chance, 100 * gap.chance_high, gap.p);
        }
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

static void print_probes(const struct findings *s)
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
            printf("  %.1f%% %s", 100 * comprehension_mean(c),
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

/* "scenario, matched, direct"; the caller's. */
static char *comparison_of(const struct comparison *c)
{
    return xasprintf("%s%s%s%s%s", c->kind, *c->condition ? ", " : "", c->condition,
                     *c->strategy ? ", " : "", c->strategy);
}

static void print_comparisons(const char *title, const struct comparison *list, size_t n)
{
    if (n > 0) {
        printf("\n%s, in points:\n  %-26s %-25s %7s  %6s  %16s %8s %8s %6s  %5s  %14s\n", title, "",
               "of", "pairs", "change", "95% interval", "p", "Holm", "least", "ratio",
               "95% interval");
    }
    for (size_t i = 0; i < n; i++) {
        const struct comparison *c = &list[i];
        if (i == 0 || c->family != list[i - 1].family) {
            printf("  %s\n", comparison_family_names[c->family]);
        }
        char *name = comparison_name(c);
        char *of = comparison_of(c);
        fputs("    ", stdout);
        print_clean(name, 24);
        putchar(' ');
        print_clean(of, 25);
        free(of);
        free(name);
        printf(" %7zu  ", c->n);
        print_points(c->difference);
        if (isnan(c->low)) {
            printf("%18s", "");
        } else {
            fputs("  [", stdout);
            print_points(c->low);
            fputs(", ", stdout);
            print_points(c->high);
            putchar(']');
        }
        print_p(c->p);
        print_p(c->p_holm);
        if (isnan(c->findable)) {
            printf(" %6s", "");
        } else {
            printf(" %6.1f", 100 * c->findable);
        }
        if (!isnan(c->ratio)) {
            printf("  %5.2f", c->ratio);
        }
        if (!isnan(c->ratio) && !isnan(c->ratio_low)) {
            printf(isnan(c->ratio_high) ? "  [%5.2f,      ]" : "  [%5.2f, %5.2f]", c->ratio_low,
                   c->ratio_high);
        }
        putchar('\n');
    }
}

static void print_effects(const struct findings *s)
{
    if (s->n_effects == 0) {
        if (s->model_err.msg[0]) {
            fputs("\nNo logistic model: ", stdout);
            print_clean(s->model_err.msg, 0);
            putchar('\n');
        }
        return;
    }
    printf("\nLogistic model of refusal (scenarios, matched, direct), errors by scenario:\n"
           "  %-10s %-22s %7s %11s  %15s  %8s %8s\n",
           "", "", "trials", "odds ratio", "95% interval", "p", "factor");
    for (size_t i = 0; i < s->n_effects; i++) {
        const struct factor_effect *e = &s->effects[i];
        char *level = xasprintf("%s / %s", e->level, e->reference);
        bool is_new = i == 0 || strcmp(e->factor, s->effects[i - 1].factor) != 0;
        printf("  %-10s ", is_new ? e->factor : "");
        print_clean(level, 22);
        free(level);
        printf(" %7zu %11.3g  [%6.3g, %6.3g] ", e->n, exp(e->log_odds), exp(e->low), exp(e->high));
        print_p(e->p);
        if (is_new) {
            print_p(e->p_factor);
        }
        putchar('\n');
    }
}

/* What the design finds, and would find with other numbers of scenarios: errors go with 1 / sqrt.
 */
void stats_print_power(const struct findings *s)
{
    printf("The least change, in points, that a test at 5%% finds in 80%% of such runs:\n"
           "  %-26s %-25s %7s %9s %6s %8s %8s %8s\n",
           "", "of", "pairs", "scenarios", "error", "half", "as here", "double");
    for (size_t i = 0; i < s->n_compared; i++) {
        const struct comparison *c = &s->compared[i];
        if (isnan(c->findable)) {
            continue;
        }
        char *name = comparison_name(c);
        char *of = comparison_of(c);
        fputs("  ", stdout);
        print_clean(name, 26);
        putchar(' ');
        print_clean(of, 25);
        printf(" %7zu %9zu %6.2f %8.1f %8.1f %8.1f\n", c->n, c->n_clusters, 100 * c->se,
               100 * c->findable * sqrt(2), 100 * c->findable, 100 * c->findable / sqrt(2));
        free(of);
        free(name);
    }
}

/* Which model on which benchmark by which judge, and what the model says of itself. */
static void print_title(const struct findings *s)
{
    const char *const parts[] = {
        s->path,    ": ",    s->name ? s->name : "?", " on ", s->bench ? s->bench : "?",
        ", judge ", s->judge};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        print_clean(parts[i], 0);
    }
    putchar('\n');
    if (s->description) {
        print_clean(s->description, 0);
        putchar('\n');
    }
}

static void print_alpha(const struct kappa *k)
{
    if (isnan(k->value)) {
        printf("no alpha (%zu samples with two labels)", k->n);
    } else {
        printf("alpha %.3f (%zu samples with two labels)", k->value, k->n);
    }
}

static int print_listeners(const struct listeners *l, struct err *err)
{
    struct listeners_summary s;
    if (listeners_summarise(l, &s, err) != 0) {
        return -1;
    }
    printf("\nListeners%s: %zu of %zu samples", s.is_synthetic ? " (SYNTHETIC, by tests)" : "",
           s.n_labellers, s.n_samples);
    for (size_t i = 0; i < s.n_labellers; i++) {
        size_t n;
        const char *name = listeners_name(l, i, &n);
        fputs(i == 0 ? ": " : ", ", stdout);
        print_clean(name, 0);
        printf(" %zu", n);
    }
    fputs("\n  words alone: ", stdout);
    print_alpha(&s.alarm);
    size_t n_same = 0;
    for (int i = 0; i < N_ALONE; i++) {
        n_same += s.alarm_counts[i][i];
    }
    printf("; most say what the item says of %zu of %zu\n  harmful here: ", n_same, s.n_samples);
    print_alpha(&s.harmful);
    putchar('\n');
    for (int k = 0; k < N_KINDS; k++) {
        const size_t *n = s.harmful_counts[k];
        printf("    %ss: no %zu, yes %zu, unsure %zu, no majority %zu\n", item_kind_names[k],
               n[HARMFUL_NO], n[HARMFUL_YES], n[HARMFUL_UNSURE], n[N_HARMFUL]);
    }
    if (s.n_places > 0 && s.n_words > 0) {
        printf("  place right %.1f%% of %zu, word error rate %.1f%% of %zu\n",
               100 * (double)s.n_places_right / (double)s.n_places, s.n_places,
               100 * (double)s.n_word_errors / (double)s.n_words, s.n_heard);
    }
    if (s.has_validated) {
        printf("  over-refusal of scenarios that most call harmless: %.1f%%  [%.1f, %.1f]  (%zu "
               "trials)\n",
               100 * s.validated.rate, 100 * s.validated.low, 100 * s.validated.high,
               s.validated.n);
    }
    return 0;
}

int stats_print_text(const struct findings *s, struct err *err)
{
    print_title(s);
    printf("%ld trials, %ld unanswered, %ld blocked, %ld errors, %ld without a verdict\n",
           s->n_trials, s->n_unanswered, s->n_blocks, s->n_errors, s->n_unjudged);
    for (size_t i = 0; i < s->n_measures; i++) {
        if (print_measure_text(s, &s->measures[i], err) != 0) {
            return -1;
        }
    }
    print_probes(s);
    print_comparisons("What changes refusals", s->compared, s->n_compared);
    print_effects(s);
    if (s->listeners && print_listeners(s->listeners, err) != 0) {
        return -1;
    }
    printf(
        "\nrefusals: strict; broad adds partial ones. Intervals: Wilson on the effective sample\n"
        "size, as variants of one item are not independent. Changes: strict, errors by scenario;\n"
        "p: sign-flip by scenario, or as --json says; Holm: within the family; least: the\n"
        "change that this design finds in 80%%.\n");
    return 0;
}

/* The strict rate of a kind in matched, direct. */
static void print_headline(const struct findings *s, enum item_kind kind)
{
    const struct measure *m = findings_headline(s, kind);
    struct rate_row whole;
    if (m && measure_whole(m, &whole)) {
        printf("  %5.1f%% [%5.1f, %5.1f]", 100 * whole.strict.rate, 100 * whole.strict.low,
               100 * whole.strict.high);
    } else {
        printf("  %22s", "");
    }
}

void stats_print_models(const struct findings_set *set)
{
    printf("Refused, matched, direct (strict):\n  %-28s %8s  %-22s  %-22s  %-22s\n", "", "trials",
           "scenarios", "contrasts", "plains");
    for (size_t i = 0; i < set->n_runs; i++) {
        const struct findings *s = &set->runs[i];
        fputs("  ", stdout);
        print_clean(s->path, 28);
        printf(" %8ld", s->n_trials);
        print_headline(s, ITEM_SCENARIO);
        print_headline(s, ITEM_CONTRAST);
        print_headline(s, ITEM_PLAIN);
        putchar('\n');
    }
    putchar('\n');
    for (size_t i = 0; i < set->n_runs; i++) {
        print_title(&set->runs[i]);
    }
    print_comparisons("Runs against the first", set->compared, set->n_compared);
}
