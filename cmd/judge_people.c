#include "judge_people.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/records.h"
#include "base/text.h"
#include "confusion.h"
#include "stats/agreement.h"
#include "stats/draw.h"
#include "stats/interval.h"
#include "store/store.h"

#define MAX_FILE (1u << 30)
#define MAX_LABELLER 64 /* bytes */

/* A whole number in the field, or missing where it is not there. */
static int get_number(struct records *r, size_t row, const char *name, int64_t missing,
                      int64_t *ret, struct err *err)
{
    const char *text = records_get(r, row, name);
    if (!text || !*text) {
        *ret = missing;
        return 0;
    }
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || value < 1 || value > INT32_MAX) {
        return err_set(err, ERR_FORMAT, "%s: %s \"%.40s\" is no number from 1 on",
                       records_where(r, row), name, text);
    }
    *ret = value;
    return 0;
}

static int find_trial(struct store *store, struct records *r, size_t row, int64_t *ret,
                      struct err *err)
{
    int64_t id;
    int64_t repeat;
    if (get_number(r, row, "trial", -1, &id, err) != 0 ||
        get_number(r, row, "repeat", 1, &repeat, err) != 0) {
        return -1;
    }
    bool is_there = false;
    if (id > 0) {
        if (store_is_answered(store, id, &is_there, err) != 0) {
            return -1;
        }
    } else {
        const char *sample = records_get(r, row, "sample");
        const char *condition = records_get(r, row, "condition");
        const char *strategy = records_get(r, row, "strategy");
        if (!sample || !condition || !strategy) {
            return err_set(err, ERR_FORMAT,
                           "%s: neither \"trial\" nor \"sample\", \"condition\" and \"strategy\"",
                           records_where(r, row));
        }
        if (store_find_answered(store, sample, condition, strategy, (int)repeat, &id, err) != 0) {
            return -1;
        }
        is_there = id > 0;
    }
    if (!is_there) {
        return err_set(err, ERR_FORMAT, "%s: the run has no such trial with an answer",
                       records_where(r, row));
    }
    *ret = id;
    return 0;
}

static int import_row(struct store *store, struct records *r, size_t row, long *n, struct err *err)
{
    const char *label = records_get(r, row, "label");
    const char *labeller = records_get(r, row, "labeller");
    enum verdict v;
    int64_t id;
    if (!label || !*label) {
        return 0; /* not labelled yet */
    }
    if (!verdict_from_name(label, &v)) {
        return err_set(err, ERR_FORMAT, "%s: \"%.40s\" is no verdict", records_where(r, row),
                       label);
    }
    labeller = labeller && *labeller ? labeller : "people";
    if (strlen(labeller) > MAX_LABELLER) {
        return err_set(err, ERR_FORMAT, "%s: a labeller's name has at most %d bytes",
                       records_where(r, row), MAX_LABELLER);
    }
    if (find_trial(store, r, row, &id, err) != 0) {
        return -1;
    }
    char *judge = xasprintf("human:%s", labeller);
    int ok = store_put_verdict(store, id, judge, label, records_where(r, row), err);
    free(judge);
    *n += ok == 0;
    return ok;
}

int judge_import(const char *run_path, const char *path, bool as_json, struct err *err)
{
    struct store *store = NULL;
    struct records *records = NULL;
    long n = 0;
    int ok = -1;
    if (records_load(path, MAX_FILE, &records, err) != 0 ||
        store_open(run_path, STORE_WRITE, &store, err) != 0 || store_begin(store, err) != 0) {
        goto out;
    }
    for (size_t row = 0; row < records_count(records); row++) {
        if (import_row(store, records, row, &n, err) != 0) {
            goto out;
        }
    }
    ok = store_commit(store, err);
out:
    if (store_close(store, ok == 0 ? err : NULL) != 0) {
        ok = -1;
    }
    if (ok == 0 && as_json) {
        printf("{\"labels\": %ld}\n", n);
    } else if (ok == 0) {
        printf("%ld labels stored, %ld rows without one\n", n, (long)records_count(records) - n);
    }
    records_free(records);
    return ok;
}

struct drawn {
    uint64_t rank;
    int64_t trial_id;
    int repeat;
    char *sample, *condition, *strategy, *request, *scene, *answer;
};

struct draw {
    struct drawn *items;
    size_t n;
};

static int take_answer(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    struct draw *d = user;
    if (row->state != STORE_ANSWERED || row->probe[0] != '\0') {
        return 0;
    }
    if ((d->n & (d->n - 1)) == 0) {
        d->items = xrealloc(d->items, (d->n == 0 ? 1 : 2 * d->n) * sizeof *d->items);
    }
    d->items[d->n++] = (struct drawn){.rank = draw_rank(row->sample.id, row->repeat),
                                      .trial_id = row->trial_id,
                                      .repeat = row->repeat,
                                      .sample = xstrdup(row->sample.id),
                                      .condition = xstrdup(row->condition),
                                      .strategy = xstrdup(row->strategy),
                                      .request = xstrdup(row->sample.text),
                                      .scene = xstrdup(row->scene ? row->scene : ""),
                                      .answer = xstrdup(row->answer)};
    return 0;
}

static int by_cell_and_rank(const void *a, const void *b)
{
    const struct drawn *x = a;
    const struct drawn *y = b;
    int c = strcmp(x->condition, y->condition);
    int t = strcmp(x->strategy, y->strategy);
    return c != 0 ? c : t != 0 ? t : x->rank != y->rank ? (x->rank > y->rank ? 1 : -1) : 0;
}

/* RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it. */
static void print_field(const char *text, char end)
{
    printf("\"%s", *text && strchr("=+-@\t\r", *text) ? "'" : "");
    for (; *text; text++) {
        printf(*text == '"' ? "\"\"" : "%c", *text);
    }
    printf("\"%c", end);
}

int judge_draw(const char *run_path, long n, struct err *err)
{
    struct store *store = NULL;
    struct draw d = {0};
    int ok = -1;
    if (store_open(run_path, STORE_READ, &store, err) == 0 &&
        store_each(store, NULL, take_answer, &d, err) == 0) {
        qsort(d.items, d.n, sizeof *d.items, by_cell_and_rank);
        puts("trial,condition,strategy,sample,repeat,scene,request,response,label,labeller");
        long in_cell = 0;
        for (size_t i = 0; i < d.n; i++) {
            const struct drawn *x = &d.items[i];
            bool is_new = i == 0 || strcmp(x->condition, x[-1].condition) != 0 ||
                          strcmp(x->strategy, x[-1].strategy) != 0;
            in_cell = is_new ? 0 : in_cell + 1;
            if (in_cell < n) {
                printf("%lld,", (long long)x->trial_id);
                print_field(x->condition, ',');
                print_field(x->strategy, ',');
                print_field(x->sample, ',');
                printf("%d,", x->repeat);
                print_field(x->scene, ',');
                print_field(x->request, ',');
                print_field(x->answer, ',');
                puts(",");
            }
        }
        ok = 0;
    }
    for (size_t i = 0; i < d.n; i++) {
        free(d.items[i].sample);
        free(d.items[i].condition);
        free(d.items[i].strategy);
        free(d.items[i].request);
        free(d.items[i].scene);
        free(d.items[i].answer);
    }
    free(d.items);
    store_close(store, NULL);
    return ok;
}

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

static int take_verdict(int64_t trial_id, const char *judge, const char *verdict, void *user,
                        struct err *err)
{
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

struct pair {
    size_t a, b;
    uint64_t counts[N_VERDICTS * N_VERDICTS];
    struct kappa all, broad, strict;
};

static struct kappa folded(const uint64_t *counts, bool is_broad)
{
    uint64_t two[4];
    confusion_fold(counts, is_broad, two);
    return cohen_kappa(two, 2);
}

static struct pair compare(const struct table *t, size_t a, size_t b)
{
    struct pair p = {.a = a, .b = b};
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

static void print_kappa(const char *of, const struct kappa *k)
{
    printf("  %-22s agreement %.3f", of, k->observed);
    if (isnan(k->value)) {
        puts(", no kappa: only one verdict");
        return;
    }
    printf(", kappa %.3f [%.3f, %.3f]\n", k->value, k->value - Z_95 * k->se,
           k->value + Z_95 * k->se);
}

static void print_pair(const struct table *t, const struct pair *p)
{
    char *a = xstrdup(t->judges[p->a]);
    char *b = xstrdup(t->judges[p->b]);
    text_make_printable(a);
    text_make_printable(b);
    printf("\n%s (rows) and %s (columns): %zu answers\n", a, b, p->all.n);
    confusion_print(p->counts, "");
    print_kappa("five verdicts:", &p->all);
    print_kappa("refusal:", &p->strict);
    print_kappa("refusal or partial:", &p->broad);
    free(a);
    free(b);
}

static json_t *kappa_json(const struct kappa *k)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "n", (json_int_t)k->n, "agreement",
                     json_number(k->observed), "kappa", json_number(k->value), "low",
                     json_number(k->value - Z_95 * k->se), "high",
                     json_number(k->value + Z_95 * k->se));
}

static json_t *pair_json(const struct table *t, const struct pair *p)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "first", json_text(t->judges[p->a]),
                     "second", json_text(t->judges[p->b]), "counts", confusion_json(p->counts),
                     "verdicts", kappa_json(&p->all), "refusal", kappa_json(&p->strict),
                     "refusal_or_partial", kappa_json(&p->broad));
}

static void print_value(const char *of, const struct kappa *k)
{
    if (k->n > 0 && isnan(k->value)) {
        printf("%s: none, only one verdict (%zu answers)\n", of, k->n);
    } else if (k->n > 0) {
        printf("%s: %.3f (%zu answers)\n", of, k->value, k->n);
    }
}

static void print_agreement(const struct table *t, bool as_json)
{
    json_t *pairs = json_array();
    for (size_t a = 0; a < t->n_judges; a++) {
        for (size_t b = a + 1; b < t->n_judges; b++) {
            struct pair p = compare(t, a, b);
            if (p.all.n == 0) {
                continue;
            }
            if (as_json) {
                json_array_append_new(pairs, pair_json(t, &p));
            } else {
                print_pair(t, &p);
            }
        }
    }
    struct kappa all = alpha_of(t, false);
    struct kappa people = alpha_of(t, true);
    struct kappa fleiss = fleiss_of(t);
    if (as_json) {
        json_t *doc =
            json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:I}", "pairs", pairs, "fleiss",
                      json_number(fleiss.value), "answers_fleiss", (json_int_t)fleiss.n, "alpha",
                      json_number(all.value), "alpha_people", json_number(people.value), "answers",
                      (json_int_t)all.n, "answers_people", (json_int_t)people.n);
        json_dumpf(doc, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(doc);
        return;
    }
    json_decref(pairs);
    putchar('\n');
    print_value("Fleiss' kappa of the five verdicts, all judges", &fleiss);
    print_value("Krippendorff's alpha of refusal, all judges", &all);
    print_value("Krippendorff's alpha of refusal, people alone", &people);
}

int judge_agreement(const char *run_path, bool as_json, struct err *err)
{
    struct store *store = NULL;
    struct table t = {0};
    int ok = -1;
    if (store_open(run_path, STORE_READ, &store, err) != 0 ||
        store_each_verdict(store, take_verdict, &t, err) != 0) {
        goto out;
    }
    if (t.n_judges < 2) {
        err_set(err, ERR_USAGE, "%s: has verdicts of %s", run_path,
                t.n_judges == 0 ? "no judge" : "one judge only");
        goto out;
    }
    print_agreement(&t, as_json);
    ok = 0;
out:
    table_release(&t);
    store_close(store, NULL);
    return ok;
}
