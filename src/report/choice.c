#include "report/choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/render.h"
#include "judge/verdict.h"
#include "stats/interval.h"
#include "stats/levels.h"
#include "store/store.h"

#define N_CONDITIONS (CONDITION_TEXT_SCENE + 1)
#define N_FLIPS 9999
#define SEED 1
#define ROUNDING 1e-12 /* of shares: what is just at a limit is within it */

const char *const choice_reason_names[] = {"no pairs", "no drop", "contrasts", "nonresponsive",
                                           NULL};

/* A sample and repeat. */
struct unit {
    uint32_t scenario, category;
    enum item_kind kind;
    enum item_split split; /* SPLIT_N: none that is known */
};

struct answer {
    uint32_t unit;
    enum verdict verdict;
    int n_prompt_tokens, n_answer_tokens;
};

/* The answers by a strategy in a condition. */
struct cell {
    struct answer *answers;
    size_t n;
};

struct choice {
    char *path, *judge;
    struct levels strategies, scenarios, categories, unit_names;
    struct unit *units;
    struct cell (*cells)[N_CONDITIONS]; /* [strategies.n] */
    bool *is_candidate;                 /* [strategies.n] */
};

void choice_free(struct choice *c)
{
    if (!c) {
        return;
    }
    for (size_t s = 0; s < c->strategies.n; s++) {
        for (int i = 0; i < N_CONDITIONS; i++) {
            free(c->cells[s][i].answers);
        }
    }
    levels_release(&c->strategies);
    levels_release(&c->scenarios);
    levels_release(&c->categories);
    levels_release(&c->unit_names);
    free(c->cells);
    free(c->is_candidate);
    free(c->units);
    free(c->path);
    free(c->judge);
    free(c);
}

const char *choice_judge(const struct choice *c)
{
    return c->judge;
}

/* The place of name in names, which NULL ends; its length where it is none of them. */
static size_t place_of(const char *const *names, const char *name)
{
    size_t i = 0;
    while (names[i] && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

static uint32_t unit_of(struct choice *c, const struct store_row *row)
{
    char *name = xasprintf("%d/%s", row->repeat, row->sample.id);
    size_t n = c->unit_names.n;
    uint32_t unit = levels_number(&c->unit_names, name);
    free(name);
    if (unit == n) {
        if ((n & (n - 1)) == 0) {
            c->units = xrealloc(c->units, (n == 0 ? 1 : 2 * n) * sizeof *c->units);
        }
        c->units[unit] =
            (struct unit){levels_number(&c->scenarios, row->sample.scenario),
                          levels_number(&c->categories, row->sample.category),
                          (enum item_kind)place_of(item_kind_names, row->sample.kind),
                          (enum item_split)place_of(item_split_names, row->sample.split)};
    }
    return unit;
}

static struct cell *cell_of(struct choice *c, const char *strategy, size_t condition)
{
    size_t n = c->strategies.n;
    uint32_t s = levels_number(&c->strategies, strategy);
    if (s == n) {
        c->cells = xrealloc(c->cells, (n + 1) * sizeof *c->cells);
        memset(c->cells[n], 0, sizeof c->cells[n]);
    }
    return &c->cells[s][condition];
}

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    struct choice *c = user;
    enum verdict v;
    size_t condition = place_of(condition_names, row->condition);
    if (row->state != STORE_ANSWERED || row->probe[0] != '\0' || !row->verdict) {
        return 0;
    }
    if (!verdict_from_name(row->verdict, &v)) {
        return err_set(err, ERR_FORMAT, "trial %lld: \"%s\" is no verdict",
                       (long long)row->trial_id, row->verdict);
    }
    if (condition == N_CONDITIONS ||
        !item_kind_names[place_of(item_kind_names, row->sample.kind)]) {
        return err_set(err, ERR_FORMAT, "trial %lld: \"%s\" of \"%s\" is not known",
                       (long long)row->trial_id, row->condition, row->sample.kind);
    }
    struct cell *cell = cell_of(c, row->strategy, condition);
    if ((cell->n & (cell->n - 1)) == 0) {
        cell->answers =
            xrealloc(cell->answers, (cell->n == 0 ? 1 : 2 * cell->n) * sizeof *cell->answers);
    }
    cell->answers[cell->n++] =
        (struct answer){unit_of(c, row), v, row->n_prompt_tokens, row->n_answer_tokens};
    return 0;
}

static int name_candidates(struct choice *c, const struct choice_params *p, struct err *err)
{
    size_t n = 0;
    long reference = levels_find(&c->strategies, CHOICE_REFERENCE);
    if (c->strategies.n == 0) {
        return err_set(err, ERR_USAGE, "%s: has no verdicts of judge %s", p->path, c->judge);
    }
    if (reference < 0) {
        return err_set(err, ERR_USAGE,
                       "%s: has no judged answers by " CHOICE_REFERENCE ", with "
                       "which others are compared",
                       p->path);
    }
    c->is_candidate = xcalloc(c->strategies.n, sizeof *c->is_candidate);
    for (size_t i = 0; i < p->n_strategies; i++) {
        long s = levels_find(&c->strategies, p->strategies[i]);
        if (s < 0) {
            return err_set(err, ERR_USAGE, "%s: has no judged answers by %s", p->path,
                           p->strategies[i]);
        }
        c->is_candidate[s] = true;
    }
    for (size_t s = 0; s < c->strategies.n; s++) {
        c->is_candidate[s] = (c->is_candidate[s] || p->n_strategies == 0) && (long)s != reference;
        n += c->is_candidate[s];
    }
    return n > 0 ? 0
                 : err_set(err, ERR_USAGE,
                           "%s: no strategy beside " CHOICE_REFERENCE " to choose from", p->path);
}

int choice_load(const struct choice_params *p, struct choice **ret, struct err *err)
{
    struct choice *c = xcalloc(1, sizeof *c);
    struct store *store = NULL;
    int ok = -1;
    c->path = xstrdup(p->path);
    c->judge = xstrdup(p->judge);
    if (store_open(p->path, STORE_READ, &store, err) != 0 ||
        (!c->judge && store_get_info(store, STORE_INFO_LAST_JUDGE, &c->judge, err) != 0)) {
        goto out;
    }
    if (!c->judge) {
        err_set(err, ERR_USAGE, "%s: has no verdicts yet: run aor judge", p->path);
        goto out;
    }
    if (store_each(store, c->judge, take_row, c, err) != 0 || name_candidates(c, p, err) != 0) {
        goto out;
    }
    *ret = c;
    c = NULL;
    ok = 0;
out:
    choice_free(c);
    store_close(store, NULL);
    return ok;
}

static const struct cell *reference_of(const struct choice *c, int condition)
{
    return &c->cells[levels_find(&c->strategies, CHOICE_REFERENCE)][condition];
}

bool choice_has(const struct choice *c, enum item_split split)
{
    const struct cell *cell = reference_of(c, CONDITION_MATCHED);
    for (size_t i = 0; i < cell->n; i++) {
        const struct unit *u = &c->units[cell->answers[i].unit];
        if (u->split == split && u->kind == ITEM_SCENARIO) {
            return true;
        }
    }
    return false;
}

/* Answers of both cells to the same unit. */
struct pair {
    const struct answer *first, *second;
};

/* The pairs of a split, and how many answers of first have no partner. The caller's. */
static struct pair *pair_up(const struct choice *c, const struct cell *first,
                            const struct cell *second, enum item_split split, size_t *ret_n,
                            size_t *ret_n_unpaired)
{
    const struct answer **by_unit = xcalloc(c->unit_names.n + 1, sizeof(struct answer *));
    struct pair *pairs = xcalloc(first->n + 1, sizeof *pairs);
    size_t n = 0;
    size_t n_first = 0;
    for (size_t i = 0; i < second->n; i++) {
        by_unit[second->answers[i].unit] = &second->answers[i];
    }
    for (size_t i = 0; i < first->n; i++) {
        const struct answer *a = &first->answers[i];
        if (c->units[a->unit].split != split) {
            continue;
        }
        n_first += c->units[a->unit].kind != ITEM_PLAIN;
        if (by_unit[a->unit]) {
            n_first -= c->units[a->unit].kind != ITEM_PLAIN;
            pairs[n++] = (struct pair){a, by_unit[a->unit]};
        }
    }
    free(by_unit);
    *ret_n = n;
    *ret_n_unpaired = n_first;
    return pairs;
}

static void count(struct pair_counts *k, bool first, bool second)
{
    k->n++;
    k->both += first && second;
    k->first_only += first && !second;
    k->second_only += second && !first;
}

/* Over the pairs of a kind, and of a category where it is not negative. */
static struct choice_change compare(const struct choice *c, const struct pair *pairs, size_t n,
                                    enum item_kind kind, long category)
{
    size_t n_clusters = c->scenarios.n;
    struct pair_counts *refused = xcalloc(n_clusters + 1, sizeof *refused);
    struct pair_counts *nonresponsive = xcalloc(n_clusters + 1, sizeof *nonresponsive);
    for (size_t i = 0; i < n; i++) {
        const struct unit *u = &c->units[pairs[i].first->unit];
        if (u->kind == kind && (category < 0 || u->category == category)) {
            enum verdict a = pairs[i].first->verdict;
            enum verdict b = pairs[i].second->verdict;
            count(&refused[u->scenario], a == VERDICT_REFUSAL, b == VERDICT_REFUSAL);
            count(&nonresponsive[u->scenario], a == VERDICT_NONRESPONSIVE,
                  b == VERDICT_NONRESPONSIVE);
        }
    }
    struct choice_change change = {paired_compare(refused, n_clusters, Z_95, N_FLIPS, SEED),
                                   paired_compare(nonresponsive, n_clusters, Z_95, N_FLIPS, SEED)};
    free(refused);
    free(nonresponsive);
    return change;
}

/*
 * Where no contrast changed, the paired interval is a point. The bound is that of a share then:
 * none of so many scenarios lost one.
 */
static double loss_bound_of(const struct choice_change *contrasts)
{
    const struct paired *p = &contrasts->refused;
    double low;
    double high;
    if (p->se > 0 || isnan(p->low)) {
        return -p->low;
    }
    wilson_interval(0, (double)p->n_clusters, Z_95, &low, &high);
    return high;
}

/* Which conditions of the rule do not hold. */
static unsigned reasons_of(const struct choice_change *scenarios,
                           const struct choice_change *contrasts, double max_loss)
{
    double loss_bound = loss_bound_of(contrasts);
    if (isnan(loss_bound) || isnan(scenarios->refused.high)) {
        return CHOICE_NO_PAIRS;
    }
    bool drops = scenarios->refused.high < 0;
    bool keeps = loss_bound <= max_loss + ROUNDING;
    bool responds = scenarios->nonresponsive.difference <= CHOICE_MAX_NONRESPONSIVE + ROUNDING;
    return (drops ? 0 : CHOICE_NO_DROP) | (keeps ? 0 : CHOICE_LOSS) |
           (responds ? 0 : CHOICE_NONRESPONSIVE);
}

static struct choice_candidate judge_candidate(const struct choice *c, size_t s, double max_loss)
{
    struct choice_candidate found = {.strategy = c->strategies.items[s]};
    size_t n;
    struct pair *pairs = pair_up(c, reference_of(c, CONDITION_MATCHED),
                                 &c->cells[s][CONDITION_MATCHED], SPLIT_DEV, &n, &found.n_unpaired);
    found.scenarios = compare(c, pairs, n, ITEM_SCENARIO, -1);
    found.contrasts = compare(c, pairs, n, ITEM_CONTRAST, -1);
    found.loss_bound = loss_bound_of(&found.contrasts);
    found.reasons = reasons_of(&found.scenarios, &found.contrasts, max_loss);
    free(pairs);
    return found;
}

/* NAN, which qsort wants in some place, last. */
static int compare_numbers(double a, double b)
{
    return isnan(a) || isnan(b) ? isnan(a) - isnan(b) : (a > b) - (a < b);
}

static int by_drop(const void *a, const void *b)
{
    const struct choice_candidate *x = a;
    const struct choice_candidate *y = b;
    int drop = compare_numbers(x->scenarios.refused.difference, y->scenarios.refused.difference);
    int loss = compare_numbers(x->loss_bound, y->loss_bound);
    return drop != 0 ? drop : loss != 0 ? loss : strcmp(x->strategy, y->strategy);
}

static int no_split(const struct choice *c, enum item_split split, struct err *err)
{
    return err_set(err, ERR_USAGE,
                   "%s: has no judged answers by " CHOICE_REFERENCE
                   " to scenarios of the split %s in matched",
                   c->path, item_split_names[split]);
}

int choice_dev(const struct choice *c, double max_loss, struct choice_candidates *ret,
               struct err *err)
{
    if (!choice_has(c, SPLIT_DEV)) {
        return no_split(c, SPLIT_DEV, err);
    }
    struct choice_candidates d = {.list = xcalloc(c->strategies.n, sizeof *d.list)};
    for (size_t s = 0; s < c->strategies.n; s++) {
        if (c->is_candidate[s]) {
            d.list[d.n++] = judge_candidate(c, s, max_loss);
        }
    }
    qsort(d.list, d.n, sizeof *d.list, by_drop);
    for (size_t i = 0; i < d.n && !d.chosen; i++) {
        d.chosen = d.list[i].reasons == 0 ? &d.list[i] : NULL;
    }
    *ret = d;
    return 0;
}

void choice_candidates_release(struct choice_candidates *d)
{
    free(d->list);
    *d = (struct choice_candidates){0};
}

static int by_place(const void *a, const void *b)
{
    const struct choice_row *x = a;
    const struct choice_row *y = b;
    size_t cx = place_of(condition_names, x->condition);
    size_t cy = place_of(condition_names, y->condition);
    return cx != cy             ? (cx > cy ? 1 : -1)
           : x->kind != y->kind ? (x->kind > y->kind ? 1 : -1)
                                : strcmp(x->category, y->category);
}

static void add_row(struct choice_outcome *t, const char *condition, enum item_kind kind,
                    const char *category, struct choice_change change)
{
    if (change.refused.n > 0) {
        t->rows = xrealloc(t->rows, (t->n_rows + 1) * sizeof *t->rows);
        t->rows[t->n_rows++] = (struct choice_row){condition, kind, category, change};
    }
}

static struct choice_cost cost_of(const struct pair *pairs, size_t n, const char *condition)
{
    struct choice_cost cost = {.condition = condition};
    for (size_t i = 0; i < n; i++) {
        const struct answer *a = pairs[i].first;
        const struct answer *b = pairs[i].second;
        if (a->n_prompt_tokens > 0 && b->n_prompt_tokens > 0) {
            cost.n++;
            cost.prompt_first += a->n_prompt_tokens;
            cost.prompt_second += b->n_prompt_tokens;
            cost.answer_first += a->n_answer_tokens;
            cost.answer_second += b->n_answer_tokens;
        }
    }
    double total = (double)cost.n; /* 0 / 0 is NAN */
    cost.prompt_first /= total;
    cost.prompt_second /= total;
    cost.answer_first /= total;
    cost.answer_second /= total;
    cost.prompt_ratio = cost.prompt_second / cost.prompt_first;
    cost.answer_ratio = cost.answer_first > 0 ? cost.answer_second / cost.answer_first : NAN;
    return cost;
}

int choice_test(const struct choice *c, const char *strategy, struct choice_outcome *ret,
                struct err *err)
{
    struct choice_change in_matched[ITEM_N_KINDS];
    long s = levels_find(&c->strategies, strategy);
    if (s < 0) {
        return err_set(err, ERR_USAGE, "%s: has no judged answers by %s", c->path, strategy);
    }
    struct choice_outcome t = {.strategy = c->strategies.items[s],
                               .costs = xcalloc(N_CONDITIONS, sizeof *t.costs)};
    for (int i = 0; i < N_CONDITIONS; i++) {
        size_t n;
        size_t n_unpaired;
        struct pair *pairs =
            pair_up(c, reference_of(c, i), &c->cells[s][i], SPLIT_TEST, &n, &n_unpaired);
        for (int kind = 0; kind < ITEM_N_KINDS; kind++) {
            struct choice_change change = compare(c, pairs, n, kind, -1);
            add_row(&t, condition_names[i], kind, "", change);
            if (i == CONDITION_MATCHED) {
                in_matched[kind] = change;
            }
        }
        for (size_t k = 0; i == CONDITION_MATCHED && k < c->categories.n; k++) {
            add_row(&t, condition_names[i], ITEM_SCENARIO, c->categories.items[k],
                    compare(c, pairs, n, ITEM_SCENARIO, (long)k));
        }
        if (n > 0) {
            t.costs[t.n_costs++] = cost_of(pairs, n, condition_names[i]);
        }
        free(pairs);
    }
    if (t.n_rows > 0) {
        qsort(t.rows, t.n_rows, sizeof *t.rows, by_place);
    }
    if (in_matched[ITEM_SCENARIO].refused.n == 0) {
        choice_outcome_release(&t);
        return choice_has(c, SPLIT_TEST)
                   ? err_set(err, ERR_USAGE,
                             "%s: %s has no judged answers to scenarios of the split test in "
                             "matched",
                             c->path, strategy)
                   : no_split(c, SPLIT_TEST, err);
    }
    t.scenarios = in_matched[ITEM_SCENARIO];
    t.contrasts = in_matched[ITEM_CONTRAST];
    t.loss_bound = loss_bound_of(&t.contrasts);
    *ret = t;
    return 0;
}

unsigned choice_outcome_reasons(const struct choice_outcome *t, double max_loss)
{
    return reasons_of(&t->scenarios, &t->contrasts, max_loss);
}

void choice_outcome_release(struct choice_outcome *t)
{
    free(t->rows);
    free(t->costs);
    *t = (struct choice_outcome){0};
}
