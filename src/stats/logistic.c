#include "stats/logistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/matrix.h"

#define MAX_ITERATIONS 50
#define MAX_HALVINGS 20
#define CONVERGED 1e-10 /* of the greatest step */
#define MAX_LOG_ODDS 25 /* a row further out has been told apart for good */

struct problem {
    const double *x;
    const bool *y;
    const uint32_t *cluster;
    size_t n, m;
};

static double eta_of(const struct problem *p, size_t row, const double *beta)
{
    double sum = 0;
    for (size_t j = 0; j < p->m; j++) {
        sum += p->x[row * p->m + j] * beta[j];
    }
    return sum;
}

static double log_likelihood(const struct problem *p, const double *beta)
{
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        double eta = eta_of(p, i, beta);
        double signed_eta = p->y[i] ? eta : -eta;
        sum -= signed_eta > 0 ? log1p(exp(-signed_eta)) : log1p(exp(signed_eta)) - signed_eta;
    }
    return sum;
}

/* The score [m] and the information [m * m] at beta. */
static void derive(const struct problem *p, const double *beta, double *score, double *information)
{
    size_t m = p->m;
    memset(score, 0, m * sizeof *score);
    memset(information, 0, m * m * sizeof *information);
    for (size_t i = 0; i < p->n; i++) {
        const double *x = p->x + i * m;
        double mu = 1 / (1 + exp(-eta_of(p, i, beta)));
        double weight = mu * (1 - mu);
        for (size_t a = 0; a < m; a++) {
            if (x[a] == 0) { /* most of a design of indicators */
                continue;
            }
            score[a] += x[a] * ((p->y[i] ? 1 : 0) - mu);
            for (size_t b = 0; b <= a; b++) {
                information[a * m + b] += weight * x[a] * x[b];
            }
        }
    }
    for (size_t a = 0; a < m; a++) {
        for (size_t b = 0; b < a; b++) {
            information[b * m + a] = information[a * m + b];
        }
    }
}

static bool is_separated(const struct problem *p, const double *beta)
{
    for (size_t i = 0; i < p->n; i++) {
        if (fabs(eta_of(p, i, beta)) > MAX_LOG_ODDS) {
            return true;
        }
    }
    return false;
}

/* Newton's method from 0, with halved steps where the likelihood would fall. */
static int climb(const struct problem *p, double *beta, double *inverse, double *ret_ll, int *ret_n,
                 struct err *err)
{
    size_t m = p->m;
    double *score = xcalloc(3 * m, sizeof *score);
    double *step = score + m;
    double *tried = step + m;
    double ll = log_likelihood(p, beta);
    int ok = -1;
    for (int n = 1; n <= MAX_ITERATIONS; n++) {
        derive(p, beta, score, inverse);
        if (!invert_positive(inverse, m)) {
            err_set(err, ERR_FORMAT, "the factors depend on each other");
            break;
        }
        double greatest = 0;
        for (size_t a = 0; a < m; a++) {
            step[a] = 0;
            for (size_t b = 0; b < m; b++) {
                step[a] += inverse[a * m + b] * score[b];
            }
            greatest = fmax(greatest, fabs(step[a]));
        }
        double to = ll;
        double part = 1;
        for (int h = 0; h < MAX_HALVINGS; h++, part /= 2) {
            for (size_t a = 0; a < m; a++) {
                tried[a] = beta[a] + part * step[a];
            }
            to = log_likelihood(p, tried);
            if (to >= ll - 1e-9 * fabs(ll)) {
                break;
            }
        }
        memcpy(beta, tried, m * sizeof *beta);
        ll = to;
        if (is_separated(p, beta)) {
            err_set(err, ERR_FORMAT, "some factor tells all outcomes: no finite estimate");
            break;
        }
        if (greatest < CONVERGED) {
            derive(p, beta, score, inverse);
            ok = invert_positive(inverse, m) ? 0 : err_set(err, ERR_FORMAT, "no finite estimate");
            *ret_ll = ll;
            *ret_n = n;
            break;
        }
        if (n == MAX_ITERATIONS) {
            err_set(err, ERR_FORMAT, "no estimate after %d iterations", MAX_ITERATIONS);
        }
    }
    free(score);
    return ok;
}

/* In place of the inverse information: the sandwich. */
static int make_sandwich(const struct problem *p, const double *beta, size_t n_clusters,
                         double *inverse, struct err *err)
{
    size_t m = p->m;
    double *scores = xcalloc(n_clusters * m + 1, sizeof *scores); /* of each cluster */
    bool *occurs = xcalloc(n_clusters + 1, sizeof *occurs);
    double *meat = xcalloc(2 * m * m, sizeof *meat);
    double *ret = meat + m * m;
    double n_seen = 0;
    for (size_t i = 0; i < p->n; i++) {
        double residual = (p->y[i] ? 1 : 0) - 1 / (1 + exp(-eta_of(p, i, beta)));
        n_seen += !occurs[p->cluster[i]];
        occurs[p->cluster[i]] = true;
        for (size_t a = 0; a < m; a++) {
            scores[p->cluster[i] * m + a] += p->x[i * m + a] * residual;
        }
    }
    for (size_t k = 0; k < n_clusters; k++) {
        for (size_t a = 0; a < m; a++) {
            for (size_t b = 0; b < m; b++) {
                meat[a * m + b] += scores[k * m + a] * scores[k * m + b];
            }
        }
    }
    double n = (double)p->n;
    if (n_seen < 2 || p->n <= m) {
        free(scores);
        free(occurs);
        free(meat);
        return err_set(err, ERR_FORMAT, "too few clusters or observations");
    }
    double scale = n_seen / (n_seen - 1) * (n - 1) / (n - (double)m);
    sandwich_product(inverse, meat, m, scale, ret);
    memcpy(inverse, ret, m * m * sizeof *inverse);
    free(scores);
    free(occurs);
    free(meat);
    return 0;
}

int logistic_fit(const double *x, const bool *y, const uint32_t *cluster, size_t n,
                 size_t n_columns, size_t n_clusters, struct logistic *ret, struct err *err)
{
    struct problem p = {x, y, cluster, n, n_columns};
    struct logistic l = {.n_columns = n_columns};
    if (n == 0 || n_columns == 0) {
        return err_set(err, ERR_FORMAT, "nothing to fit");
    }
    l.beta = xcalloc(n_columns, sizeof *l.beta);
    l.covariance = xcalloc(n_columns * n_columns, sizeof *l.covariance);
    if (climb(&p, l.beta, l.covariance, &l.log_likelihood, &l.n_iterations, err) != 0 ||
        make_sandwich(&p, l.beta, n_clusters, l.covariance, err) != 0) {
        logistic_release(&l);
        return -1;
    }
    *ret = l;
    return 0;
}

void logistic_release(struct logistic *l)
{
    free(l->beta);
    free(l->covariance);
    *l = (struct logistic){0};
}

double logistic_wald(const struct logistic *l, size_t first, size_t n, int *ret_df)
{
    double *part = xcalloc(n * n + n + 1, sizeof *part);
    double *beta = part + n * n;
    for (size_t a = 0; a < n; a++) {
        beta[a] = l->beta[first + a];
        for (size_t b = 0; b < n; b++) {
            part[a * n + b] = l->covariance[(first + a) * l->n_columns + first + b];
        }
    }
    double q = quadratic_form(part, beta, n, ret_df);
    free(part);
    return q;
}
