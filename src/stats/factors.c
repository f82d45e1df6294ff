#include "stats/factors.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/distribution.h"
#include "stats/interval.h"
#include "stats/levels.h"
#include "stats/logistic.h"

struct factor {
    char *name, *reference;
    struct levels levels;
};

struct factor_model {
    struct factor *factors;
    size_t n_factors;
    struct levels clusters;
    uint32_t *rows; /* [n * (n_factors + 1)]: levels, and the cluster last */
    bool *refused;
    size_t n, cap;
};

struct factor_model *factor_model_new(const char *const *factors, const char *const *references,
                                      size_t n)
{
    struct factor_model *m = xcalloc(1, sizeof *m);
    m->factors = xcalloc(n + 1, sizeof *m->factors);
    m->n_factors = n;
    for (size_t i = 0; i < n; i++) {
        m->factors[i].name = xstrdup(factors[i]);
        m->factors[i].reference = xstrdup(references[i]);
    }
    return m;
}

void factor_model_free(struct factor_model *m)
{
    if (m) {
        for (size_t i = 0; i < m->n_factors; i++) {
            free(m->factors[i].name);
            free(m->factors[i].reference);
            levels_release(&m->factors[i].levels);
        }
        levels_release(&m->clusters);
        free(m->factors);
        free(m->rows);
        free(m->refused);
        free(m);
    }
}

void factor_model_add(struct factor_model *m, const char *const *levels, const char *cluster,
                      bool refused)
{
    size_t width = m->n_factors + 1;
    if (m->n == m->cap) {
        m->cap = m->cap > 0 ? 2 * m->cap : 256;
        m->rows = xrealloc(m->rows, m->cap * width * sizeof *m->rows);
        m->refused = xrealloc(m->refused, m->cap * sizeof *m->refused);
    }
    uint32_t *row = m->rows + m->n * width;
    for (size_t i = 0; i < m->n_factors; i++) {
        row[i] = levels_number(&m->factors[i].levels, levels[i]);
    }
    row[m->n_factors] = levels_number(&m->clusters, cluster);
    m->refused[m->n++] = refused;
}

/* The number of the reference level: the named one, where it occurs, or the first by its bytes. */
static size_t reference_of(const struct factor *f)
{
    size_t first = 0;
    for (size_t i = 0; i < f->levels.n; i++) {
        if (f->reference && strcmp(f->levels.items[i], f->reference) == 0) {
            return i;
        }
        first = strcmp(f->levels.items[i], f->levels.items[first]) < 0 ? i : first;
    }
    return first;
}

/* The columns of the design after the intercept: a level each. The caller's. */
struct column {
    size_t factor, level;
};

static struct column *columns_of(const struct factor_model *m, size_t *ret_n)
{
    struct column *columns = NULL;
    size_t n = 0;
    for (size_t f = 0; f < m->n_factors; f++) {
        for (size_t level = 0; level < m->factors[f].levels.n; level++) {
            if (level != reference_of(&m->factors[f])) {
                columns = xrealloc(columns, (n + 1) * sizeof *columns);
                columns[n++] = (struct column){f, level};
            }
        }
    }
    *ret_n = n;
    return columns;
}

static void fill_effects(const struct factor_model *m, const struct logistic *l,
                         const struct column *columns, size_t n, struct factor_effect *effects)
{
    for (size_t i = 0; i < n; i++) {
        const struct factor *f = &m->factors[columns[i].factor];
        size_t j = i + 1; /* after the intercept */
        double se = sqrt(l->covariance[j * l->n_columns + j]);
        size_t first = i;
        size_t last = i;
        while (first > 0 && columns[first - 1].factor == columns[i].factor) {
            first--;
        }
        while (last + 1 < n && columns[last + 1].factor == columns[i].factor) {
            last++;
        }
        int df;
        double wald = logistic_wald(l, first + 1, last - first + 1, &df);
        effects[i] = (struct factor_effect){.factor = f->name,
                                            .level = f->levels.items[columns[i].level],
                                            .reference = f->levels.items[reference_of(f)],
                                            .log_odds = l->beta[j],
                                            .se = se,
                                            .low = l->beta[j] - Z_95 * se,
                                            .high = l->beta[j] + Z_95 * se,
                                            .p = normal_two_sided(l->beta[j] / se),
                                            .p_factor = df > 0 ? chi_square_tail(wald, df) : NAN};
        uint32_t cluster = 0;
        bool is_one_cluster = true;
        for (size_t row = 0; row < m->n; row++) {
            const uint32_t *levels = m->rows + row * (m->n_factors + 1);
            if (levels[columns[i].factor] == columns[i].level) {
                is_one_cluster =
                    is_one_cluster && (effects[i].n == 0 || levels[m->n_factors] == cluster);
                cluster = levels[m->n_factors];
                effects[i].n++;
            }
        }
        if (is_one_cluster) { /* which cannot tell its own effect from the level's */
            effects[i].se = effects[i].low = effects[i].high = effects[i].p = NAN;
        }
    }
}

int factor_model_fit(struct factor_model *m, struct factor_effect **ret, size_t *ret_n,
                     struct err *err)
{
    size_t n;
    size_t width = m->n_factors + 1;
    struct column *columns = columns_of(m, &n);
    double *x = xcalloc(m->n * (n + 1) + 1, sizeof *x);
    uint32_t *clusters = xcalloc(m->n + 1, sizeof *clusters);
    struct logistic l = {0};
    for (size_t row = 0; row < m->n; row++) {
        x[row * (n + 1)] = 1;
        clusters[row] = m->rows[row * width + m->n_factors];
        for (size_t i = 0; i < n; i++) {
            x[row * (n + 1) + i + 1] = m->rows[row * width + columns[i].factor] == columns[i].level;
        }
    }
    int ok = logistic_fit(x, m->refused, clusters, m->n, n + 1, m->clusters.n, &l, err);
    if (ok == 0) {
        struct factor_effect *effects = xcalloc(n + 1, sizeof *effects);
        fill_effects(m, &l, columns, n, effects);
        *ret = effects;
        *ret_n = n;
    }
    logistic_release(&l);
    free(clusters);
    free(x);
    free(columns);
    return ok;
}
