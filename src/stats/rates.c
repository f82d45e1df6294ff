#include "stats/rates.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { REFUSED_STRICT = 1, REFUSED_BROAD = 2 };

/* Strings by number; slots is an open hash table of numbers + 1, its size a power of two. */
struct strings {
    char **items;
    uint32_t n;
    uint32_t *slots;
    uint32_t n_slots;
};

struct rates {
    char **factors;
    size_t n_factors;
    struct strings strings;
    uint32_t *ids; /* [n][n_factors + 1]: the levels, and the cluster last */
    uint8_t *refused;
    size_t n, cap;
};

/* FNV-1a. */
static uint32_t hash(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++) {
        h = (h ^ (unsigned char)*s) * 16777619u;
    }
    return h;
}

static uint32_t *find_slot(const struct strings *t, const char *s)
{
    uint32_t at = hash(s) & (t->n_slots - 1);
    while (t->slots[at] != 0 && strcmp(t->items[t->slots[at] - 1], s) != 0) {
        at = (at + 1) & (t->n_slots - 1);
    }
    return &t->slots[at];
}

static void grow_strings(struct strings *t)
{
    t->n_slots = t->n_slots > 0 ? 2 * t->n_slots : 64;
    free(t->slots);
    t->slots = xcalloc(t->n_slots, sizeof *t->slots);
    t->items = xrealloc(t->items, t->n_slots / 2 * sizeof *t->items);
    for (uint32_t i = 0; i < t->n; i++) {
        *find_slot(t, t->items[i]) = i + 1;
    }
}

static uint32_t intern(struct strings *t, const char *s)
{
    if (t->n == t->n_slots / 2) {
        grow_strings(t);
    }
    uint32_t *slot = find_slot(t, s);
    if (*slot == 0) {
        t->items[t->n] = xstrdup(s);
        *slot = ++t->n;
    }
    return *slot - 1;
}

struct rates *rates_new(const char *const *factors, size_t n_factors)
{
    struct rates *t = xcalloc(1, sizeof *t);
    t->factors = xcalloc(n_factors + 1, sizeof *t->factors);
    t->n_factors = n_factors;
    for (size_t i = 0; i < n_factors; i++) {
        t->factors[i] = xstrdup(factors[i]);
    }
    return t;
}

void rates_free(struct rates *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->n_factors; i++) {
        free(t->factors[i]);
    }
    for (uint32_t i = 0; i < t->strings.n; i++) {
        free(t->strings.items[i]);
    }
    free(t->strings.items);
    free(t->strings.slots);
    free(t->factors);
    free(t->ids);
    free(t->refused);
    free(t);
}

void rates_add(struct rates *t, const char *const *levels, const char *cluster, bool refused_strict,
               bool refused_broad)
{
    size_t width = t->n_factors + 1;
    if (t->n == t->cap) {
        t->cap = t->cap > 0 ? 2 * t->cap : 256;
        t->ids = xrealloc(t->ids, t->cap * width * sizeof *t->ids);
        t->refused = xrealloc(t->refused, t->cap);
    }
    uint32_t *ids = t->ids + t->n * width;
    for (size_t i = 0; i < t->n_factors; i++) {
        ids[i] = intern(&t->strings, levels[i]);
    }
    ids[t->n_factors] = intern(&t->strings, cluster);
    t->refused[t->n++] =
        (uint8_t)((refused_strict ? REFUSED_STRICT : 0) | (refused_broad ? REFUSED_BROAD : 0));
}

/* An observation on its way into a row. */
struct member {
    const char *level;
    uint32_t cluster;
    uint8_t refused;
};

static int by_level(const void *a, const void *b)
{
    const char *x = ((const struct member *)a)->level;
    const char *y = ((const struct member *)b)->level;
    return x == y ? 0 : strcmp(x, y);
}

static struct proportion rate_of_members(const struct member *m, size_t n, uint8_t which, double z,
                                         struct outcome *scratch)
{
    for (size_t i = 0; i < n; i++) {
        scratch[i] = (struct outcome){m[i].cluster, (m[i].refused & which) != 0};
    }
    return proportion_of(scratch, n, z);
}

/* The column of a factor. */
static int find_column(const struct rates *t, const char *factor, size_t *ret, struct err *err)
{
    size_t column = 0;
    while (column < t->n_factors && strcmp(t->factors[column], factor) != 0) {
        column++;
    }
    if (column == t->n_factors) {
        return err_set(err, ERR_USAGE, "unknown factor \"%s\"", factor);
    }
    *ret = column;
    return 0;
}

int rates_by(const struct rates *t, const char *factor, double z, struct rate_row **ret_rows,
             size_t *ret_n, struct err *err)
{
    size_t column = 0;
    if (factor && find_column(t, factor, &column, err) != 0) {
        return -1;
    }
    size_t width = t->n_factors + 1;
    struct member *members = xcalloc(t->n + 1, sizeof *members);
    for (size_t i = 0; i < t->n; i++) {
        const uint32_t *ids = t->ids + i * width;
        members[i] = (struct member){factor ? t->strings.items[ids[column]] : "", ids[t->n_factors],
                                     t->refused[i]};
    }
    qsort(members, t->n, sizeof *members, by_level);
    size_t n_rows = 0;
    for (size_t i = 0; i < t->n; i++) {
        n_rows += i == 0 || by_level(&members[i - 1], &members[i]) != 0;
    }
    struct rate_row *rows = xcalloc(n_rows + 1, sizeof *rows);
    struct outcome *scratch = xcalloc(t->n + 1, sizeof *scratch);
    struct rate_row *row = rows;
    for (size_t start = 0, end; start < t->n; start = end, row++) {
        for (end = start + 1; end < t->n && by_level(&members[start], &members[end]) == 0;) {
            end++;
        }
        row->level = members[start].level;
        row->strict = rate_of_members(members + start, end - start, REFUSED_STRICT, z, scratch);
        row->broad = rate_of_members(members + start, end - start, REFUSED_BROAD, z, scratch);
    }
    free(scratch);
    free(members);
    *ret_rows = rows;
    *ret_n = n_rows;
    return 0;
}

/* Observations by cluster, levels and clusters numbered from 0. */
struct shuffled {
    uint32_t *levels, *clusters;
    uint8_t *refused;
    size_t n, n_levels, n_clusters;
    bool is_between; /* each cluster has one level */
};

struct numbered {
    uint32_t cluster, level;
    uint8_t refused;
};

static int by_cluster_number(const void *a, const void *b)
{
    uint32_t x = ((const struct numbered *)a)->cluster;
    uint32_t y = ((const struct numbered *)b)->cluster;
    return (x > y) - (x < y);
}

static struct shuffled number_all(const struct rates *t, size_t column)
{
    size_t width = t->n_factors + 1;
    struct shuffled s = {.n = t->n, .is_between = true};
    struct numbered *all = xcalloc(t->n + 1, sizeof *all);
    uint32_t *of_string =
        xcalloc(t->strings.n + 1, sizeof *of_string); /* a level's number, plus 1 */
    for (size_t i = 0; i < t->n; i++) {
        uint32_t id = t->ids[i * width + column];
        if (of_string[id] == 0) {
            of_string[id] = (uint32_t)++s.n_levels;
        }
        all[i] = (struct numbered){t->ids[i * width + t->n_factors], of_string[id] - 1,
                                   (t->refused[i] & REFUSED_STRICT) != 0};
    }
    qsort(all, t->n, sizeof *all, by_cluster_number);
    s.levels = xcalloc(t->n + 1, sizeof *s.levels);
    s.clusters = xcalloc(t->n + 1, sizeof *s.clusters);
    s.refused = xcalloc(t->n + 1, sizeof *s.refused);
    for (size_t i = 0; i < t->n; i++) {
        bool is_new = i == 0 || all[i].cluster != all[i - 1].cluster;
        s.n_clusters += is_new;
        s.clusters[i] = (uint32_t)s.n_clusters - 1;
        s.levels[i] = all[i].level;
        s.refused[i] = all[i].refused;
        s.is_between = s.is_between && (is_new || all[i].level == all[i - 1].level);
    }
    free(of_string);
    free(all);
    return s;
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t c = *a;
    *a = *b;
    *b = c;
}

/* Fisher and Yates, of the stretch [from, to). */
static void shuffle(uint32_t *items, size_t from, size_t to, struct rng *rng)
{
    for (size_t i = to; i > from + 1; i--) {
        swap(&items[i - 1], &items[from + rng_below(rng, (uint32_t)(i - from))]);
    }
}

/* of_cluster: [n_clusters], only where the levels are the clusters'. */
static void shuffle_levels(struct shuffled *s, uint32_t *of_cluster, struct rng *rng)
{
    if (s->is_between) {
        shuffle(of_cluster, 0, s->n_clusters, rng);
        for (size_t i = 0; i < s->n; i++) {
            s->levels[i] = of_cluster[s->clusters[i]];
        }
        return;
    }
    for (size_t from = 0, to; from < s->n; from = to) {
        for (to = from + 1; to < s->n && s->clusters[to] == s->clusters[from];) {
            to++;
        }
        shuffle(s->levels, from, to, rng);
    }
}

/* counts: [2 * n_levels], scratch. */
static double gap_of(const struct shuffled *s, double *counts)
{
    double low = 1;
    double high = 0;
    memset(counts, 0, 2 * s->n_levels * sizeof *counts);
    for (size_t i = 0; i < s->n; i++) {
        size_t k = s->levels[i];
        counts[2 * k]++;
        counts[2 * k + 1] += s->refused[i];
    }
    for (size_t k = 0; k < s->n_levels; k++) {
        double rate = counts[2 * k + 1] / counts[2 * k]; /* each level has observations */
        low = fmin(low, rate);
        high = fmax(high, rate);
    }
    return high - low;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

int rates_gap(const struct rates *t, const char *factor, uint32_t n_shuffles, uint64_t seed,
              struct rate_gap *ret, struct err *err)
{
    size_t column;
    if (find_column(t, factor, &column, err) != 0) {
        return -1;
    }
    struct shuffled s = number_all(t, column);
    struct rate_gap r = {NAN, NAN, NAN, NAN};
    double *counts = xcalloc(2 * s.n_levels + 1, sizeof *counts);
    double *gaps = xcalloc((size_t)n_shuffles + 1, sizeof *gaps);
    uint32_t *of_cluster = xcalloc(s.n_clusters + 1, sizeof *of_cluster);
    struct rng rng = rng_init(seed, factor);
    for (size_t i = 0; i < s.n; i++) {
        of_cluster[s.clusters[i]] = s.levels[i];
    }
    if (s.n_levels > 1 && n_shuffles > 0) {
        double n_wide = 0;
        double sum = 0;
        r.gap = gap_of(&s, counts);
        for (uint32_t i = 0; i < n_shuffles; i++) {
            shuffle_levels(&s, of_cluster, &rng);
            gaps[i] = gap_of(&s, counts);
            sum += gaps[i];
            n_wide += gaps[i] >= r.gap - 1e-12;
        }
        qsort(gaps, n_shuffles, sizeof *gaps, compare_doubles);
        r.chance = sum / n_shuffles;
        r.chance_high = gaps[(size_t)(0.95 * (n_shuffles - 1))];
        r.p = (1 + n_wide) / (1.0 + n_shuffles);
    }
    free(of_cluster);
    free(gaps);
    free(counts);
    free(s.levels);
    free(s.clusters);
    free(s.refused);
    *ret = r;
    return 0;
}
