#include "stats/comparisons.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/bootstrap.h"
#include "stats/distribution.h"
#include "stats/interval.h"
#include "stats/levels.h"
#include "stats/linear.h"
#include "stats/paired.h"

#define N_FLIPS 9999
#define N_DRAWS ((size_t)10000)
#define LEVEL 0.95
#define SEED 1
#define MAX_VOICES 20 /* whose every partition is tried */

const char *const comparison_family_names[] = {"context", "strategy", "manner", "snr",
                                               "gender",  "twin",     "model",  NULL};

/* Factors that vary within a scenario, and the level that others are compared with. */
enum manner { EMOTION, RATE, SNR, N_MANNERS };
static const char *const manner_references[N_MANNERS] = {"neutral", "normal", "SNR 10 dB"};

/* A sample and repeat: what is asked in several cells. */
struct unit {
    uint32_t kind, scenario, gender, voice;
    uint32_t manner[N_MANNERS];
};

struct seen {
    uint32_t condition, strategy, unit;
    bool refused;
};

struct comparisons {
    struct levels strings, unit_names;
    struct unit *units;
    struct seen *seen;
    size_t n_seen, cap;
    struct comparison *found;
    size_t n_found;
};

struct comparisons *comparisons_new(void)
{
    return xcalloc(1, sizeof(struct comparisons));
}

void comparisons_free(struct comparisons *c)
{
    if (c) {
        levels_release(&c->strings);
        levels_release(&c->unit_names);
        free(c->units);
        free(c->seen);
        free(c);
    }
}

void comparisons_add(struct comparisons *c, const struct observation *o)
{
    char *unit_name = xasprintf("%d/%s", o->repeat, o->sample);
    size_t n_units = c->unit_names.n;
    uint32_t unit = levels_number(&c->unit_names, unit_name);
    free(unit_name);
    if (unit == n_units) {
        if ((n_units & (n_units - 1)) == 0) {
            c->units = xrealloc(c->units, (n_units == 0 ? 1 : 2 * n_units) * sizeof *c->units);
        }
        struct levels *s = &c->strings;
        char snr[40] = "";
        if (o->snr) {
            snprintf(snr, sizeof snr, "SNR %.20s dB", o->snr);
        }
        c->units[unit] = (struct unit){
            levels_number(s, o->kind),
            levels_number(s, o->scenario),
            levels_number(s, o->gender),
            levels_number(s, o->voice),
            {levels_number(s, o->emotion), levels_number(s, o->rate), levels_number(s, snr)}};
    }
    if (c->n_seen == c->cap) {
        c->cap = c->cap > 0 ? 2 * c->cap : 256;
        c->seen = xrealloc(c->seen, c->cap * sizeof *c->seen);
    }
    c->seen[c->n_seen++] = (struct seen){levels_number(&c->strings, o->condition),
                                         levels_number(&c->strings, o->strategy), unit, o->refused};
}

/* The number of a string that was added; one that occurs nowhere where it was not. */
static uint32_t find(struct comparisons *c, const char *name)
{
    return levels_number(&c->strings, name);
}

static const char *string_of(const struct comparisons *c, uint32_t number)
{
    return c->strings.items[number];
}

/* 0 or 1 for each unit of the kind in the cell, -1 where it was not asked. The caller's. */
static signed char *cell_of(const struct comparisons *c, uint32_t kind, uint32_t condition,
                            uint32_t strategy, size_t *ret_n)
{
    signed char *cell = xmalloc(c->unit_names.n + 1);
    memset(cell, -1, c->unit_names.n + 1);
    *ret_n = 0;
    for (size_t i = 0; i < c->n_seen; i++) {
        const struct seen *s = &c->seen[i];
        if (s->condition == condition && s->strategy == strategy &&
            c->units[s->unit].kind == kind) {
            *ret_n += cell[s->unit] < 0;
            cell[s->unit] = s->refused;
        }
    }
    return cell;
}

static void append(struct comparisons *c, struct comparison found)
{
    found.findable = found.se > 0 ? (Z_95 + normal_quantile(0.8)) * found.se : NAN;
    if (!(found.se > 0)) { /* nothing varied: that is no certainty */
        found.low = found.high = NAN;
    }
    found.p_holm = found.p;
    c->found = xrealloc(c->found, (c->n_found + 1) * sizeof *c->found);
    c->found[c->n_found++] = found;
}

static struct comparison from_paired(const struct paired *p)
{
    return (struct comparison){.condition = "",
                               .strategy = "",
                               .n = p->n,
                               .n_clusters = p->n_clusters,
                               .first = p->first,
                               .second = p->second,
                               .difference = p->difference,
                               .p_durkalski = NAN,
                               .ratio = NAN,
                               .ratio_low = NAN,
                               .ratio_high = NAN,
                               .se = p->se,
                               .low = p->low,
                               .high = p->high,
                               .p = p->p,
                               .method = p->test};
}

static void count_pair(struct pair_counts *k, bool first, bool second)
{
    k->n++;
    k->both += first && second;
    k->first_only += first && !second;
    k->second_only += second && !first;
}

/* second / first with its bootstrap interval. */
static void find_ratio(const struct pair_counts *pairs, size_t n, struct comparison *ret)
{
    if (!(ret->first > 0)) {
        return;
    }
    size_t n_clusters = 0;
    size_t *kept = xcalloc(n + 1, sizeof *kept);
    for (size_t k = 0; k < n; k++) { /* empty clusters would be drawn, too */
        if (pairs[k].n > 0) {
            kept[n_clusters++] = k;
        }
    }
    ret->ratio = ret->second / ret->first;
    if (n_clusters < 2) {
        free(kept);
        return;
    }
    float *successes = xcalloc(4 * n_clusters, sizeof *successes);
    float *trials = successes + 2 * n_clusters;
    for (size_t i = 0; i < n_clusters; i++) {
        const struct pair_counts *p = &pairs[kept[i]];
        successes[i] = (float)(p->both + p->first_only);
        successes[n_clusters + i] = (float)(p->both + p->second_only);
        trials[i] = trials[n_clusters + i] = (float)p->n;
    }
    struct clustered c = {2, n_clusters, successes, trials};
    float *drawn = xcalloc(2 * N_DRAWS, sizeof *drawn);
    double *ratios = xcalloc(N_DRAWS, sizeof *ratios);
    double n_open = 0;
    bootstrap_rates(&c, N_DRAWS, SEED, 0, drawn);
    for (size_t i = 0; i < N_DRAWS; i++) {
        n_open += !(drawn[2 * i] > 0);
        ratios[i] = drawn[2 * i] > 0 ? (double)drawn[2 * i + 1] / (double)drawn[2 * i] : NAN;
    }
    percentile_interval(ratios, N_DRAWS, LEVEL, &ret->ratio_low, &ret->ratio_high);
    if (2 * n_open > (1 - LEVEL) * N_DRAWS) { /* first was 0 in too many */
        ret->ratio_high = NAN;
    }
    free(ratios);
    free(drawn);
    free(successes);
    free(kept);
}

/* Do the cells differ at all, over the units that are in each of them? */
static void compare_all(struct comparisons *c, struct comparison like, uint32_t kind,
                        uint32_t (*cells)[2], size_t n_cells)
{
    size_t n_strings = c->strings.n;
    signed char **of = xcalloc(n_cells + 1, sizeof *of);
    uint32_t *refused = xcalloc(n_cells * n_strings + 1, sizeof *refused);
    uint32_t *n_of = xcalloc(n_strings + 1, sizeof *n_of);
    size_t n_kept = 0;
    size_t n_units = 0;
    size_t n_clusters = 0;
    for (size_t i = 0; i < n_cells; i++) {
        size_t n;
        signed char *cell = cell_of(c, kind, cells[i][0], cells[i][1], &n);
        if (n > 0) {
            of[n_kept++] = cell;
        } else {
            free(cell);
        }
    }
    for (size_t u = 0; u < c->unit_names.n; u++) {
        bool in_all = true;
        for (size_t i = 0; i < n_kept; i++) {
            in_all = in_all && of[i][u] >= 0;
        }
        uint32_t k = c->units[u].scenario;
        n_units += in_all;
        n_clusters += in_all && n_of[k] == 0;
        n_of[k] += in_all;
        for (size_t i = 0; in_all && i < n_kept; i++) {
            refused[i * n_strings + k] += of[i][u] == 1;
        }
    }
    int df = 0;
    double q = n_kept > 2 ? clustered_cochran_q(refused, n_of, n_strings, n_kept, &df) : NAN;
    if (df > 0) {
        append(c, (struct comparison){.family = like.family,
                                      .kind = string_of(c, kind),
                                      .condition = like.condition,
                                      .strategy = like.strategy,
                                      .first_name = "any",
                                      .second_name = "other",
                                      .n = n_units,
                                      .n_clusters = n_clusters,
                                      .first = NAN,
                                      .second = NAN,
                                      .difference = NAN,
                                      .se = NAN,
                                      .low = NAN,
                                      .high = NAN,
                                      .p_durkalski = NAN,
                                      .ratio = NAN,
                                      .ratio_low = NAN,
                                      .ratio_high = NAN,
                                      .p = chi_square_tail(q, df),
                                      .method = "clustered Cochran's Q"});
    }
    for (size_t i = 0; i < n_kept; i++) {
        free(of[i]);
    }
    free(of);
    free(refused);
    free(n_of);
}

/* Two cells of one kind, by unit. */
static void compare_cells(struct comparisons *c, struct comparison like, uint32_t kind,
                          const uint32_t first[2], const uint32_t second[2])
{
    size_t n_first;
    size_t n_second;
    signed char *a = cell_of(c, kind, first[0], first[1], &n_first);
    signed char *b = cell_of(c, kind, second[0], second[1], &n_second);
    struct pair_counts *pairs = xcalloc(c->strings.n + 1, sizeof *pairs);
    for (size_t u = 0; u < c->unit_names.n; u++) {
        if (a[u] >= 0 && b[u] >= 0) {
            count_pair(&pairs[c->units[u].scenario], a[u], b[u]);
        }
    }
    struct paired p = paired_compare(pairs, c->strings.n, Z_95, N_FLIPS, SEED);
    if (p.n > 0) {
        struct comparison found = from_paired(&p);
        found.family = like.family;
        found.kind = string_of(c, kind);
        found.condition = like.condition;
        found.strategy = like.strategy;
        found.first_name = like.first_name;
        found.second_name = like.second_name;
        double chi = durkalski_chi_square(pairs, c->strings.n);
        found.p_durkalski = isnan(chi) ? NAN : chi_square_tail(chi, 1);
        find_ratio(pairs, c->strings.n, &found);
        append(c, found);
    }
    free(pairs);
    free(a);
    free(b);
}

/* The strings that occur as conditions or strategies, in the order of the strings. The caller's. */
static uint32_t *occurring(const struct comparisons *c, bool strategies, size_t *ret_n)
{
    bool *occurs = xcalloc(c->strings.n + 1, sizeof *occurs);
    uint32_t *list = xcalloc(c->strings.n + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < c->n_seen; i++) {
        occurs[strategies ? c->seen[i].strategy : c->seen[i].condition] = true;
    }
    for (size_t i = 0; i < c->strings.n; i++) {
        if (occurs[i]) {
            list[n++] = (uint32_t)i;
        }
    }
    free(occurs);
    *ret_n = n;
    return list;
}

static void compare_contexts(struct comparisons *c)
{
    static const char *const pairs[][2] = {{"mismatched", "matched"}, {"speech", "matched"},
                                           {"noise", "matched"},      {"speech", "noise"},
                                           {"text", "speech"},        {"text", "text-scene"}};
    size_t n;
    size_t n_conditions;
    uint32_t scenario = find(c, "scenario");
    uint32_t *strategies = occurring(c, true, &n);
    uint32_t *conditions = occurring(c, false, &n_conditions);
    uint32_t(*cells)[2] = xcalloc(n_conditions + 1, sizeof *cells);
    for (size_t s = 0; s < n; s++) {
        for (size_t i = 0; i < n_conditions; i++) {
            cells[i][0] = conditions[i];
            cells[i][1] = strategies[s];
        }
        compare_all(c,
                    (struct comparison){.family = FAMILY_CONTEXT,
                                        .condition = "",
                                        .strategy = string_of(c, strategies[s])},
                    scenario, cells, n_conditions);
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            struct comparison like = {.family = FAMILY_CONTEXT,
                                      .condition = "",
                                      .strategy = string_of(c, strategies[s]),
                                      .first_name = pairs[i][0],
                                      .second_name = pairs[i][1]};
            compare_cells(c, like, find(c, "scenario"),
                          (uint32_t[]){find(c, pairs[i][0]), strategies[s]},
                          (uint32_t[]){find(c, pairs[i][1]), strategies[s]});
        }
    }
    free(cells);
    free(conditions);
    free(strategies);
}

/* Each strategy against the reference, in one condition. */
static void compare_with(struct comparisons *c, enum comparison_family family, uint32_t condition,
                         uint32_t reference)
{
    static const char *const kinds[] = {"scenario", "contrast", "plain"};
    size_t n;
    uint32_t *strategies = occurring(c, true, &n);
    uint32_t(*cells)[2] = xcalloc(n + 1, sizeof *cells);
    struct comparison like = {
        .family = family, .condition = string_of(c, condition), .strategy = ""};
    for (size_t s = 0; s < n; s++) {
        cells[s][0] = condition;
        cells[s][1] = strategies[s];
    }
    for (int k = 0; k < 3; k++) {
        uint32_t kind = find(c, kinds[k]);
        compare_all(c, like, kind, cells, n);
        for (size_t s = 0; s < n; s++) {
            if (strategies[s] != reference) {
                like.first_name = string_of(c, reference);
                like.second_name = string_of(c, strategies[s]);
                compare_cells(c, like, kind, (uint32_t[]){condition, reference}, cells[s]);
            }
        }
    }
    free(cells);
    free(strategies);
}

static void compare_strategies(struct comparisons *c)
{
    size_t n;
    uint32_t *conditions = occurring(c, false, &n);
    for (size_t i = 0; i < n; i++) {
        compare_with(c, FAMILY_STRATEGY, conditions[i], find(c, "direct"));
    }
    free(conditions);
}

/* A column of the linear model: a level of a manner that is not its reference. */
struct manner_level {
    enum manner manner;
    uint32_t level;
};

/* Add the levels of a manner among the units of a cell, where its reference is one of them. */
static void add_levels(struct comparisons *c, const signed char *cell, enum manner manner,
                       struct manner_level *list, size_t *n)
{
    uint32_t reference = find(c, manner_references[manner]);
    bool *occurs = xcalloc(c->strings.n + 1, sizeof *occurs);
    for (size_t u = 0; u < c->unit_names.n; u++) {
        if (cell[u] >= 0) {
            occurs[c->units[u].manner[manner]] = true;
        }
    }
    for (size_t i = 0; occurs[reference] && i < c->strings.n; i++) {
        if (occurs[i] && i != reference) {
            list[(*n)++] = (struct manner_level){manner, (uint32_t)i};
        }
    }
    free(occurs);
}

/* By the first n_manners of them. False where they cannot be told apart. */
static bool fit_manners(struct comparisons *c, enum manner n_manners)
{
    size_t n;
    size_t n_levels = 0;
    uint32_t female = find(c, "female");
    signed char *cell = cell_of(c, find(c, "scenario"), find(c, "matched"), find(c, "direct"), &n);
    struct manner_level *levels = xcalloc(c->strings.n + N_MANNERS, sizeof *levels);
    for (enum manner manner = 0; manner < n_manners; manner++) {
        add_levels(c, cell, manner, levels, &n_levels);
    }
    size_t m = n_levels + 1; /* the last: gender */
    double *x = xcalloc(n * m + 1, sizeof *x);
    double *y = xcalloc(n + 1, sizeof *y);
    uint32_t *cluster = xcalloc(n + 1, sizeof *cluster);
    signed char *gender_of =
        xcalloc(c->strings.n + 1, sizeof *gender_of); /* of a scenario, plus 1 */
    bool gender_varies = false;
    bool *occurs = xcalloc(c->strings.n + 1, sizeof *occurs);
    size_t n_clusters = 0;
    size_t row = 0;
    for (size_t u = 0; u < c->unit_names.n; u++) {
        const struct unit *unit = &c->units[u];
        if (cell[u] < 0) {
            continue;
        }
        for (size_t j = 0; j < n_levels; j++) {
            x[row * m + j] = unit->manner[levels[j].manner] == levels[j].level;
        }
        x[row * m + m - 1] = unit->gender == female;
        signed char gender = unit->gender == female ? 2 : 1;
        gender_varies = gender_varies ||
                        (gender_of[unit->scenario] != 0 && gender_of[unit->scenario] != gender);
        gender_of[unit->scenario] = gender;
        y[row] = cell[u];
        cluster[row++] = unit->scenario;
        n_clusters += !occurs[unit->scenario];
        occurs[unit->scenario] = true;
    }
    size_t n_columns = gender_varies ? m : m - 1;
    for (size_t i = 0; n_columns < m && i < n; i++) { /* without the last column */
        memmove(x + i * n_columns, x + i * m, n_columns * sizeof *x);
    }
    double *beta = xcalloc(m + m * m, sizeof *beta);
    double *covariance = beta + m;
    bool is_fitted = n > 0 && n_columns > 0 &&
                     linear_within(x, y, cluster, n, n_columns, c->strings.n, beta, covariance);
    for (size_t j = 0; is_fitted && j < n_levels; j++) {
        double se = sqrt(covariance[j * n_columns + j]);
        append(c,
               (struct comparison){.family = levels[j].manner == SNR ? FAMILY_SNR : FAMILY_MANNER,
                                   .kind = "scenario",
                                   .condition = "matched",
                                   .strategy = "direct",
                                   .first_name = manner_references[levels[j].manner],
                                   .second_name = string_of(c, levels[j].level),
                                   .n = n,
                                   .n_clusters = n_clusters,
                                   .first = NAN,
                                   .second = NAN,
                                   .p_durkalski = NAN,
                                   .ratio = NAN,
                                   .ratio_low = NAN,
                                   .ratio_high = NAN,
                                   .difference = beta[j],
                                   .se = se,
                                   .low = beta[j] - Z_95 * se,
                                   .high = beta[j] + Z_95 * se,
                                   .p = se > 0 ? normal_two_sided(beta[j] / se) : NAN,
                                   .method = "within scenarios"});
    }
    free(beta);
    free(occurs);
    free(gender_of);
    free(cluster);
    free(y);
    free(x);
    free(levels);
    free(cell);
    return is_fitted;
}

static void compare_manners(struct comparisons *c)
{
    if (!fit_manners(c, N_MANNERS)) { /* a small run may not tell SNRs from the others */
        fit_manners(c, SNR);
    }
}

/* How extreme is the difference of mean rates among all ways to give n_first of n voices to one
 * side? */
static double permute_voices(const double *rates, size_t n, size_t n_first)
{
    double total = 0;
    double first = 0;
    for (size_t i = 0; i < n; i++) {
        total += rates[i];
        first += i < n_first ? rates[i] : 0;
    }
    double n_a = (double)n_first;
    double n_b = (double)(n - n_first);
    double seen = fabs(first / n_a - (total - first) / n_b);
    double n_extreme = 0;
    double n_ways = 0;
    for (uint32_t set = 0; set < UINT32_C(1) << n; set++) {
        if ((size_t)__builtin_popcount(set) != n_first) {
            continue;
        }
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            sum += set >> i & 1 ? rates[i] : 0;
        }
        n_ways++;
        n_extreme += fabs(sum / n_a - (total - sum) / n_b) >= seen - 1e-12;
    }
    return n_extreme / n_ways;
}

struct voice_rate {
    uint32_t n, refused;
    bool is_female, is_other;
};

static double voices_p(const struct comparisons *c, const signed char *cell, uint32_t female,
                       uint32_t male)
{
    struct voice_rate *voices = xcalloc(c->strings.n + 1, sizeof *voices);
    double rates[MAX_VOICES + 1] = {0};
    size_t n_of[2] = {0};
    size_t n = 0;
    for (size_t u = 0; u < c->unit_names.n; u++) {
        const struct unit *unit = &c->units[u];
        if (cell[u] >= 0 && (unit->gender == female || unit->gender == male)) {
            struct voice_rate *v = &voices[unit->voice];
            v->n++;
            v->refused += cell[u] == 1;
            v->is_female = v->is_female || unit->gender == female;
            v->is_other = v->is_other || unit->gender == male;
        }
    }
    for (int side = 0; side < 2; side++) { /* the female ones first */
        for (size_t i = 0; i < c->strings.n; i++) {
            const struct voice_rate *v = &voices[i];
            if (v->n > 0 && (side == 0 ? v->is_female : v->is_other) && n <= MAX_VOICES) {
                rates[n++] = (double)v->refused / v->n;
                n_of[side]++;
            }
        }
    }
    free(voices);
    return n_of[0] > 1 && n_of[1] > 1 && n <= MAX_VOICES ? permute_voices(rates, n, n_of[0]) : NAN;
}

static void compare_genders(struct comparisons *c)
{
    size_t n;
    uint32_t female = find(c, "female");
    uint32_t male = find(c, "male");
    signed char *cell = cell_of(c, find(c, "scenario"), find(c, "matched"), find(c, "direct"), &n);
    struct pair_counts *pairs = xcalloc(c->strings.n + 1, sizeof *pairs);
    struct levels keys = {0};
    size_t *partner = xcalloc(c->unit_names.n + 1, sizeof *partner); /* by key: a unit, plus one */
    for (size_t u = 0; u < c->unit_names.n; u++) {
        const struct unit *unit = &c->units[u];
        if (cell[u] < 0 || (unit->gender != female && unit->gender != male)) {
            continue;
        }
        char key[96];
        const char *repeat = c->unit_names.items[u];
        snprintf(key, sizeof key, "%u/%u/%u/%.*s", unit->scenario, unit->manner[EMOTION],
                 unit->manner[RATE], (int)strcspn(repeat, "/"), repeat);
        uint32_t k = levels_number(&keys, key);
        size_t other = partner[k];
        if (other == 0) {
            partner[k] = u + 1;
        } else if (c->units[other - 1].gender != unit->gender) {
            bool is_female = unit->gender == female;
            count_pair(&pairs[unit->scenario], cell[is_female ? other - 1 : u],
                       cell[is_female ? u : other - 1]);
            partner[k] = 0;
        }
    }
    struct paired p = paired_compare(pairs, c->strings.n, Z_95, N_FLIPS, SEED);
    if (p.n > 0) {
        struct comparison found = from_paired(&p);
        found.family = FAMILY_GENDER;
        found.kind = "scenario";
        found.condition = "matched";
        found.strategy = "direct";
        found.first_name = "male";
        found.second_name = "female";
        found.p = voices_p(c, cell, female, male);
        found.method = "voices permuted";
        append(c, found);
    }
    levels_release(&keys);
    free(partner);
    free(pairs);
    free(cell);
}

/* Youden's J over twins: the sum over scenarios of what they weigh in both rates. */
static void compare_twins(struct comparisons *c)
{
    size_t n_strategies;
    uint32_t matched = find(c, "matched");
    uint32_t *strategies = occurring(c, true, &n_strategies);
    for (size_t s = 0; s < n_strategies; s++) {
        size_t n_a;
        size_t n_b;
        signed char *a = cell_of(c, find(c, "scenario"), matched, strategies[s], &n_a);
        signed char *b = cell_of(c, find(c, "contrast"), matched, strategies[s], &n_b);
        double(*sums)[4] = xcalloc(c->strings.n + 1, sizeof *sums); /* n, refused; of both */
        for (size_t u = 0; u < c->unit_names.n; u++) {
            double *sum = sums[c->units[u].scenario];
            if (a[u] >= 0) {
                sum[0]++;
                sum[1] += a[u];
            }
            if (b[u] >= 0) {
                sum[2]++;
                sum[3] += b[u];
            }
        }
        /* A scenario and its twin are a pair of rates; every pair counts alike. */
        double n = 0;
        double first = 0;
        double second = 0;
        double squares = 0;
        size_t n_units = 0;
        for (size_t k = 0; k < c->strings.n; k++) {
            if (sums[k][0] > 0 && sums[k][2] > 0) {
                n++;
                n_units += (size_t)(sums[k][0] + sums[k][2]);
                first += sums[k][1] / sums[k][0];
                second += sums[k][3] / sums[k][2];
            }
        }
        for (size_t k = 0; k < c->strings.n; k++) {
            if (sums[k][0] > 0 && sums[k][2] > 0) {
                double residual =
                    sums[k][3] / sums[k][2] - sums[k][1] / sums[k][0] - (second - first) / n;
                squares += residual * residual;
            }
        }
        if (n > 1) {
            double se = sqrt(squares / (n - 1) / n);
            double j = (second - first) / n;
            append(c, (struct comparison){.family = FAMILY_TWIN,
                                          .kind = "twins",
                                          .condition = "matched",
                                          .strategy = string_of(c, strategies[s]),
                                          .first_name = "scenario",
                                          .second_name = "contrast",
                                          .n = n_units,
                                          .n_clusters = (size_t)n,
                                          .first = first / n,
                                          .second = second / n,
                                          .p_durkalski = NAN,
                                          .ratio = NAN,
                                          .ratio_low = NAN,
                                          .ratio_high = NAN,
                                          .difference = j,
                                          .se = se,
                                          .low = fmax(-1, j - Z_95 * se),
                                          .high = fmin(1, j + Z_95 * se),
                                          .p = se > 0 ? normal_two_sided(j / se) : NAN,
                                          .method = "Youden's J, Wald"});
        }
        free(sums);
        free(a);
        free(b);
    }
    free(strategies);
}

static void adjust(struct comparison *list, size_t n)
{
    double *p = xcalloc(n + 1, sizeof *p);
    for (int family = 0; family < N_FAMILIES; family++) {
        int m = 0;
        for (size_t i = 0; i < n; i++) {
            if ((int)list[i].family == family) {
                p[m++] = list[i].p;
            }
        }
        holm_adjust(p, m);
        m = 0;
        for (size_t i = 0; i < n; i++) {
            if ((int)list[i].family == family) {
                list[i].p_holm = p[m++];
            }
        }
    }
    free(p);
}

static void hand_over(struct comparisons *c, struct comparison **ret, size_t *ret_n)
{
    adjust(c->found, c->n_found);
    *ret = c->found;
    *ret_n = c->n_found;
    c->found = NULL;
    c->n_found = 0;
}

void comparisons_compute_models(struct comparisons *c, const char *reference, const char *condition,
                                struct comparison **ret, size_t *ret_n)
{
    compare_with(c, FAMILY_MODEL, find(c, condition), find(c, reference));
    hand_over(c, ret, ret_n);
}

void comparisons_compute(struct comparisons *c, struct comparison **ret, size_t *ret_n)
{
    compare_contexts(c);
    compare_strategies(c);
    compare_manners(c);
    compare_genders(c);
    compare_twins(c);
    hand_over(c, ret, ret_n);
}
