#include "study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "report/choice.h"

/* What a study found. */
struct study {
    const char *path;
    long limit; /* points */
    struct choice *choice;
    struct choice_candidates dev;
    bool has_test;
    struct choice_outcome test;
};

/* The run's own text may hold anything: never raw to a terminal. Padded to width. */
static void print_clean(const char *text, int width)
{
    char *copy = xstrdup(text);
    text_make_printable(copy);
    printf("%-*s", width, copy);
    free(copy);
}

/* A share in points, with a space before it; blank for NAN. */
static void print_points(double share, int width, bool is_change)
{
    if (isnan(share)) {
        printf(" %*s", width, "");
    } else {
        printf(is_change ? " %+*.1f" : " %*.1f", width, 100 * share);
    }
}

/* Rates of both, the change and its interval, which is left out where nothing varied. */
static void print_change(const struct paired *p)
{
    printf(" %6zu", p->n);
    print_points(p->first, 6, false);
    print_points(p->second, 6, false);
    print_points(p->difference, 6, true);
    if (p->se > 0) {
        printf("  [%+6.1f, %+6.1f]", 100 * p->low, 100 * p->high);
    } else {
        printf("%18s", "");
    }
}

static void print_reasons(const char *title, unsigned reasons)
{
    const char *between = title;
    for (int i = 0; choice_reason_names[i]; i++) {
        if (reasons >> i & 1) {
            printf("%s%s", between, choice_reason_names[i]);
            between = ", ";
        }
    }
}

static void print_dev(const struct study *s)
{
    printf("\nOn dev, in matched, against " CHOICE_REFERENCE ", in points:\n"
           "  %-15s  scenarios refused %23s  contrasts refused %7s nonresponsive\n"
           "  %-15s %6s %6s %6s %6s  %16s %6s %6s %10s %13s\n",
           "", "", "", "strategy", "pairs", "from", "to", "change", "95% interval", "pairs",
           "change", "loss below", "rise");
    for (size_t i = 0; i < s->dev.n; i++) {
        const struct choice_candidate *c = &s->dev.list[i];
        fputs("  ", stdout);
        print_clean(c->strategy, 15);
        print_change(&c->scenarios.refused);
        printf(" %6zu", c->contrasts.refused.n);
        print_points(c->contrasts.refused.difference, 6, true);
        print_points(c->loss_bound, 10, false);
        print_points(c->scenarios.nonresponsive.difference, 13, true);
        fputs(c == s->dev.chosen ? " chosen" : c->reasons == 0 ? " eligible" : "", stdout);
        print_reasons(" not eligible: ", c->reasons);
        putchar('\n');
    }
    for (size_t i = 0; i < s->dev.n; i++) {
        if (s->dev.list[i].n_unpaired > 0) {
            fputs("  (", stdout);
            print_clean(s->dev.list[i].strategy, 0);
            printf(": no verdict for %zu scenarios and contrasts that " CHOICE_REFERENCE " has)\n",
                   s->dev.list[i].n_unpaired);
        }
    }
    printf("The greatest drop for scenarios, where its interval is below 0, the loss of contrasts\n"
           "at most %ld (upper 95%% bound), nonresponsive answers to scenarios up by at most %g.\n",
           s->limit, 100 * CHOICE_MAX_NONRESPONSIVE);
}

static void print_test(const struct study *s)
{
    const struct choice_outcome *t = &s->test;
    fputs("\nOn test, ", stdout);
    print_clean(t->strategy, 0);
    printf(" against " CHOICE_REFERENCE ", in points:\n"
           "  %-30s  strict refusals %34s  nonresponsive\n"
           "  %-12s %-17s %6s %6s %6s %6s  %16s %8s %6s %6s\n",
           "", "", "condition", "of", "pairs", "from", "to", "change", "95% interval", "p", "from",
           "to");
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct choice_row *r = &t->rows[i];
        bool is_new = i == 0 || strcmp(r->condition, t->rows[i - 1].condition) != 0;
        char *of = *r->category ? xasprintf("  %s", r->category)
                                : xasprintf("%ss", item_kind_names[r->kind]);
        printf("  %-12s ", is_new ? r->condition : "");
        print_clean(of, 17);
        free(of);
        print_change(&r->change.refused);
        if (isnan(r->change.refused.p)) {
            printf(" %8s", "");
        } else {
            printf(" %8.4f", r->change.refused.p);
        }
        print_points(r->change.nonresponsive.first, 6, false);
        print_points(r->change.nonresponsive.second, 6, false);
        putchar('\n');
    }
    unsigned reasons = choice_outcome_reasons(t, (double)s->limit / 100);
    if (reasons == 0) {
        printf("  On test the rule's conditions hold, too");
    } else {
        print_reasons("  On test these conditions of the rule do not hold: ", reasons);
    }
    if (!isnan(t->loss_bound)) {
        printf(" (loss of contrasts at most %.1f)", 100 * t->loss_bound);
    }
    putchar('\n');
    printf("\nTokens, means on test:\n  %-12s %6s   answer, with thoughts      prompt\n"
           "  %-12s %6s   %6s %6s %7s      %6s %6s %7s\n",
           "", "", "condition", "pairs", "from", "to", "ratio", "from", "to", "ratio");
    for (size_t i = 0; i < t->n_costs; i++) {
        const struct choice_cost *c = &t->costs[i];
        printf("  %-12s %6zu", c->condition, c->n);
        if (c->n > 0) {
            printf("   %6.1f %6.1f %7.2f      %6.1f %6.1f %7.2f", c->answer_first, c->answer_second,
                   c->answer_ratio, c->prompt_first, c->prompt_second, c->prompt_ratio);
        }
        putchar('\n');
    }
}

static void print_text(const struct study *s)
{
    print_clean(s->path, 0);
    fputs(", judge ", stdout);
    print_clean(choice_judge(s->choice), 0);
    putchar('\n');
    print_dev(s);
    fputs("\nChosen: ", stdout);
    print_clean(s->dev.chosen ? s->dev.chosen->strategy : "none, as none is eligible", 0);
    putchar('\n');
    if (s->has_test) {
        print_test(s);
    }
    printf("\nPairs: the same sample and repeat. Errors by scenario; p: sign-flip by scenario.\n");
}

static json_t *change_json(const struct paired *p)
{
    bool varies = p->se > 0; /* otherwise the interval would be a point */
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pairs", (json_int_t)p->n,
                     "scenarios", (json_int_t)p->n_clusters, "rate_first", json_number(p->first),
                     "rate_second", json_number(p->second), "difference",
                     json_number(p->difference), "se", json_number(p->se), "low",
                     json_number(varies ? p->low : NAN), "high",
                     json_number(varies ? p->high : NAN), "p", json_number(p->p));
}

static json_t *reasons_json(unsigned reasons)
{
    json_t *list = json_array();
    for (int i = 0; choice_reason_names[i]; i++) {
        if (reasons >> i & 1) {
            json_array_append_new(list, json_string(choice_reason_names[i]));
        }
    }
    return list;
}

static json_t *dev_json(const struct choice_candidates *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->n; i++) {
        const struct choice_candidate *c = &d->list[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:I}", "strategy",
                      json_text(c->strategy), "eligible", c->reasons == 0, "reasons",
                      reasons_json(c->reasons), "scenarios", change_json(&c->scenarios.refused),
                      "contrasts", change_json(&c->contrasts.refused), "nonresponsive",
                      change_json(&c->scenarios.nonresponsive), "loss_bound",
                      json_number(c->loss_bound), "unpaired", (json_int_t)c->n_unpaired));
    }
    return list;
}

static json_t *test_json(const struct choice_outcome *t, double max_loss)
{
    json_t *rows = json_array();
    json_t *costs = json_array();
    for (size_t i = 0; i < t->n_rows; i++) {
        const struct choice_row *r = &t->rows[i];
        json_array_append_new(rows, json_pack("{s:s, s:s, s:o, s:o, s:o}", "condition",
                                              r->condition, "kind", item_kind_names[r->kind],
                                              "category", json_text(r->category), "refused",
                                              change_json(&r->change.refused), "nonresponsive",
                                              change_json(&r->change.nonresponsive)));
    }
    for (size_t i = 0; i < t->n_costs; i++) {
        const struct choice_cost *c = &t->costs[i];
        json_array_append_new(costs,
                              json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "condition",
                                        c->condition, "pairs", (json_int_t)c->n,
                                        "answer_tokens_first", json_number(c->answer_first),
                                        "answer_tokens_second", json_number(c->answer_second),
                                        "answer_tokens_ratio", json_number(c->answer_ratio),
                                        "prompt_tokens_first", json_number(c->prompt_first),
                                        "prompt_tokens_second", json_number(c->prompt_second),
                                        "prompt_tokens_ratio", json_number(c->prompt_ratio)));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "strategy", json_text(t->strategy), "rates", rows,
                     "costs", costs, "loss_bound", json_number(t->loss_bound), "reasons",
                     reasons_json(choice_outcome_reasons(t, max_loss)));
}

static void print_json(const struct study *s, json_t *extra)
{
    json_t *doc =
        json_pack("{s:o, s:o, s:s, s:f, s:f, s:o, s:o, s:o}", "run", json_text(s->path), "judge",
                  json_text(choice_judge(s->choice)), "reference", CHOICE_REFERENCE, "limit",
                  (double)s->limit / 100, "limit_nonresponsive", CHOICE_MAX_NONRESPONSIVE,
                  "candidates", dev_json(&s->dev), "chosen",
                  s->dev.chosen ? json_text(s->dev.chosen->strategy) : json_null(), "test",
                  s->has_test ? test_json(&s->test, (double)s->limit / 100) : json_null());
    if (extra) {
        json_object_set(doc, "controls", extra);
    }
    json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(doc);
}

static int study(const struct choice_params *p, bool is_dev_only, struct study *s, struct err *err)
{
    if (choice_load(p, &s->choice, err) != 0 ||
        choice_dev(s->choice, (double)s->limit / 100, &s->dev, err) != 0) {
        return -1;
    }
    if (is_dev_only) {
        return 0;
    }
    if (!choice_has(s->choice, SPLIT_TEST)) { /* also where nothing was chosen */
        return err_set(err, ERR_USAGE,
                       "%s: has no judged answers by " CHOICE_REFERENCE
                       " to scenarios of the split test in matched",
                       p->path);
    }
    s->has_test = s->dev.chosen != NULL;
    return s->has_test ? choice_test(s->choice, s->dev.chosen->strategy, &s->test, err) : 0;
}

int study_show(const struct study_params *p, struct err *err)
{
    struct study s = {.path = p->path, .limit = p->limit};
    struct choice_params c = {.path = p->path,
                              .judge = p->judge,
                              .strategies = p->strategies,
                              .n_strategies = p->n_strategies};
    int ok = study(&c, p->is_dev_only, &s, err);
    if (ok == 0 && p->as_json) {
        print_json(&s, p->extra);
    } else if (ok == 0) {
        print_text(&s);
    }
    choice_candidates_release(&s.dev);
    choice_outcome_release(&s.test);
    choice_free(s.choice);
    return ok;
}
