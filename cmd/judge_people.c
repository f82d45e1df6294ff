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
#include "judge/confusion.h"
#include "report/escape.h"
#include "report/judges.h"
#include "report/tables.h"
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
                escape_csv(stdout, x->condition);
                putchar(',');
                escape_csv(stdout, x->strategy);
                putchar(',');
                escape_csv(stdout, x->sample);
                putchar(',');
                printf("%d,", x->repeat);
                escape_csv(stdout, x->scene);
                putchar(',');
                escape_csv(stdout, x->request);
                putchar(',');
                escape_csv(stdout, x->answer);
                putchar(',');
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

static void print_pair(const struct judges *j, const struct judges_pair *p)
{
    char *a = xstrdup(j->names[p->first]);
    char *b = xstrdup(j->names[p->second]);
    text_make_printable(a);
    text_make_printable(b);
    printf("\n%s (rows) and %s (columns): %zu answers\n", a, b, p->all.n);
    confusion_write(stdout, p->counts, "");
    print_kappa("five verdicts:", &p->all);
    print_kappa("refusal:", &p->strict);
    print_kappa("refusal or partial:", &p->broad);
    free(a);
    free(b);
}

static void print_value(const char *of, const struct kappa *k)
{
    if (k->n > 0 && isnan(k->value)) {
        printf("%s: none, only one verdict (%zu answers)\n", of, k->n);
    } else if (k->n > 0) {
        printf("%s: %.3f (%zu answers)\n", of, k->value, k->n);
    }
}

int judge_agreement(const char *run_path, bool as_json, struct err *err)
{
    struct store *store = NULL;
    struct judges j = {0};
    int ok =
        store_open(run_path, STORE_READ, &store, err) == 0 && judges_compare(store, &j, err) == 0
            ? 0
            : -1;
    if (ok == 0 && j.n_judges < 2) {
        ok = err_set(err, ERR_USAGE, "%s: has verdicts of %s", run_path,
                     j.n_judges == 0 ? "no judge" : "one judge only");
    } else if (ok == 0 && as_json) {
        json_t *doc = tables_judges_json(&j);
        json_dumpf(doc, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(doc);
    } else if (ok == 0) {
        for (size_t i = 0; i < j.n_pairs; i++) {
            print_pair(&j, &j.pairs[i]);
        }
        putchar('\n');
        print_value("Fleiss' kappa of the five verdicts, all judges", &j.fleiss);
        print_value("Krippendorff's alpha of refusal, all judges", &j.alpha);
        print_value("Krippendorff's alpha of refusal, people alone", &j.alpha_people);
    }
    judges_release(&j);
    store_close(store, NULL);
    return ok;
}
