#include "report/judges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "judge/verdict.h"

/* Verdicts as numbers, a column a judge; -1: none. */
struct table {
    char **judges;
    size_t n_judges;
    signed char **rows; /* [n_rows], each n_judges of its time: short ones end in none */
    size_t *widths;
    int64_t last_trial;
    size_t n_rows;
};

static size_t judge_number(struct table *t, const char *judge)
{
    for (size_t i = 0; i < t->n_judges; i++) {
        if (strcmp(t->judges[i], judge) == 0) {
            return i;
        }
    }
    t->judges = xrealloc(t->judges, (t->n_judges + 1) * sizeof *t->judges);
    t->judges[t->n_judges] = xstrdup(judge);
    return t->n_judges++;
}

static int take_verdict(int64_t trial_id, const char *judge, const char *verdict,
                        const char *detail, void *user, struct err *err)
{
    (void)detail;
    struct table *t = user;
    enum verdict v;
    if (!verdict_from_name(verdict, &v)) {
        return err_set(err, ERR_FORMAT, "trial %lld: \"%.40s\" is no verdict", (long long)trial_id,
                       verdict);
    }
    size_t column = judge_number(t, judge);
    if (t->n_rows == 0 || trial_id != t->last_trial) {
        if ((t->n_rows & (t->n_rows - 1)) == 0) {
            size_t cap = t->n_rows == 0 ? 1 : 2 * t->n_rows;
            t->rows = xrealloc(t->rows, cap * sizeof *t->rows);
            t->widths = xrealloc(t->widths, cap * sizeof *t->widths);
        }
        t->rows[t->n_rows] = NULL;
        t->widths[t->n_rows++] = 0;
        t->last_trial = trial_id;
    }
    signed char **row = &t->rows[t->n_rows - 1];
    size_t *width = &t->widths[t->n_rows - 1];
    if (column >= *width) {
        *row = xrealloc(*row, column + 1);
        memset(*row + *width, -1, column + 1 - *width);
        *width = column + 1;
    }
    (*row)[column] = (signed char)v;
    return 0;
}

static void table_release(struct table *t)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        free(t->rows[i]);
    }
    for (size_t i = 0; i < t->n_judges; i++) {
        free(t->judges[i]);
    }
    free(t->rows);
    free(t->widths);
    free(t->judges);
}

static int cell(const struct table *t, size_t row, size_t judge)
{
    return judge < t->widths[row] ? t->rows[row][judge] : -1;
}

static struct kappa folded(const uint64_t *counts, bool is_broad)
{
    uint64_t two[4];
    confusion_fold(counts, is_broad, two);
    return cohen_kappa(two, 2);
}

static struct judges_pair compare(const struct table *t, size_t a, size_t b)
{
    struct judges_pair p = {.first = a, .second = b};
    for (size_t row = 0; row < t->n_rows; row++) {
        int x = cell(t, row, a);
        int y = cell(t, row, b);
        if (x >= 0 && y >= 0) {
            p.counts[x * N_VERDICTS + y]++;
        }
    }
    p.all = cohen_kappa(p.counts, N_VERDICTS);
    p.strict = folded(p.counts, false);
    p.broad = folded(p.counts, true);
    return p;
}

/* All judges, or people alone, over refusals: alpha. */
static struct kappa alpha_of(const struct table *t, bool people_only)
{
    uint32_t *counts = xcalloc(t->n_rows * 2 + 1, sizeof *counts);
    for (size_t row = 0; row < t->n_rows; row++) {
        for (size_t j = 0; j < t->n_judges; j++) {
            int v = cell(t, row, j);
            if (v >= 0 && (!people_only || strncmp(t->judges[j], "human:", 6) == 0)) {
                counts[row * 2 + (v != VERDICT_REFUSAL)]++;
            }
        }
    }
    struct kappa k = krippendorff_alpha(counts, t->n_rows, 2);
    free(counts);
    return k;
}

/* Over the answers that every judge has judged, where there are at least three. */
static struct kappa fleiss_of(const struct table *t)
{
    uint32_t *counts = xcalloc(t->n_rows * N_VERDICTS + 1, sizeof *counts);
    size_t n = 0;
    for (size_t row = 0; t->n_judges > 2 && row < t->n_rows; row++) {
        bool is_whole = true;
        for (size_t j = 0; j < t->n_judges; j++) {
            is_whole = is_whole && cell(t, row, j) >= 0;
        }
        for (size_t j = 0; is_whole && j < t->n_judges; j++) {
            counts[n * N_VERDICTS + (size_t)cell(t, row, j)]++;
        }
        n += is_whole;
    }
    struct kappa k = fleiss_kappa(counts, n, N_VERDICTS);
    free(counts);
    return k;
}

int judges_compare(struct store *store, struct judges *ret, struct err *err)
{
    struct table t = {0};
    int ok = store_each_verdict(store, take_verdict, &t, err);
    if (ok == 0) {
        struct judges j = {.fleiss = fleiss_of(&t),
                           .alpha = alpha_of(&t, false),
                           .alpha_people = alpha_of(&t, true)};
        j.pairs = xcalloc(t.n_judges * t.n_judges + 1, sizeof *j.pairs);
        for (size_t a = 0; a < t.n_judges; a++) {
            for (size_t b = a + 1; b < t.n_judges; b++) {
                struct judges_pair p = compare(&t, a, b);
                if (p.all.n > 0) {
                    j.pairs[j.n_pairs++] = p;
                }
            }
        }
        j.names = t.judges;
        j.n_judges = t.n_judges;
        t.judges = NULL;
        t.n_judges = 0;
        *ret = j;
    }
    table_release(&t);
    return ok;
}

void judges_release(struct judges *j)
{
    for (size_t i = 0; i < j->n_judges; i++) {
        free(j->names[i]);
    }
    free(j->names);
    free(j->pairs);
    *j = (struct judges){0};
}
