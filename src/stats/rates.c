#include "stats/rates.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

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

int rates_by(const struct rates *t, const char *factor, double z, struct rate_row **ret_rows,
             size_t *ret_n, struct err *err)
{
    size_t column = 0;
    while (factor && column < t->n_factors && strcmp(t->factors[column], factor) != 0) {
        column++;
    }
    if (factor && column == t->n_factors) {
        return err_set(err, ERR_USAGE, "unknown factor \"%s\"", factor);
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
