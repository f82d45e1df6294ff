#include "judge_people.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/records.h"
#include "base/text.h"
#include "cmd.h"
#include "judge/confusion.h"
#include "stats/agreement.h"
#include "stats/interval.h"

#define MAX_FILE (1u << 30)
#define SHOWN_BYTES 200 /* of an answer that is shown */

struct pairs {
    char **parts; /* "name=value", cut in two in place */
    size_t n;
};

/* "a=b,c=d"; the caller's. */
static int parse_pairs(const char *list, const char *option, struct pairs *ret, struct err *err)
{
    struct pairs p = {0};
    cmd_split(list, &p.parts, &p.n);
    for (size_t i = 0; i < p.n; i++) {
        char *at = strchr(p.parts[i], '=');
        if (!at || at == p.parts[i] || !at[1]) {
            err_set(err, ERR_USAGE, "--%s: \"%s\" is not NAME=VALUE", option, p.parts[i]);
            cmd_free_list(p.parts, p.n);
            return -1;
        }
        *at = '\0';
    }
    *ret = p;
    return 0;
}

static const char *value_of(const struct pairs *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->parts[i], name) == 0) {
            return p->parts[i] + strlen(name) + 1;
        }
    }
    return NULL;
}

struct tally {
    uint64_t counts[N_VERDICTS * N_VERDICTS]; /* a row a verdict of people */
    long n, n_other;                          /* labels that are no verdicts are counted apart */
    size_t n_bytes;
    double seconds;
};

static void show_miss(struct records *r, size_t row, const char *label,
                      const struct judgement *found, const char *answer)
{
    char *text = xmalloc(SHOWN_BYTES + 1);
    snprintf(text, SHOWN_BYTES + 1, "%s", answer);
    text_make_printable(text);
    char *clean = xstrdup(label);
    text_make_printable(clean);
    printf("%s: people %s, judge %s (%s): %s\n", records_where(r, row), clean,
           verdict_name(found->verdict), found->rule, text);
    free(clean);
    free(text);
}

static int take_row(const struct rule_judge *judge, struct records *r, size_t row,
                    const struct pairs *columns, const struct pairs *map, long *n_misses,
                    struct tally *t, struct err *err)
{
    static const char *const names[] = {"request", "response", "label"};
    const char *fields[3];
    for (int i = 0; i < 3; i++) {
        const char *name = value_of(columns, names[i]);
        fields[i] = records_get(r, row, name ? name : names[i]);
        if (!fields[i] && i > 0) {
            return err_set(err, ERR_FORMAT, "%s: no \"%s\" (see --columns)", records_where(r, row),
                           name ? name : names[i]);
        }
    }
    const char *label = map->n > 0 ? value_of(map, fields[2]) : fields[2];
    enum verdict people;
    if (!label || !verdict_from_name(label, &people)) {
        t->n_other++;
        return 0;
    }
    struct judgement found;
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    if (rule_judge_verdict(judge, fields[0] ? fields[0] : "", fields[1], &found, err) != 0) {
        return err_wrap(err, "%s", records_where(r, row));
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    t->seconds += (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    t->n_bytes += strlen(fields[1]);
    t->n++;
    t->counts[(int)people * N_VERDICTS + (int)found.verdict]++;
    bool says_no = found.verdict == VERDICT_REFUSAL || found.verdict == VERDICT_PARTIAL;
    if (says_no != (people == VERDICT_REFUSAL || people == VERDICT_PARTIAL) && *n_misses > 0) {
        (*n_misses)--;
        show_miss(r, row, fields[2], &found, fields[1]);
    }
    return 0;
}

struct two_way {
    uint64_t counts[4];
    struct kappa kappa;
    double sensitivity, specificity;
};

static struct two_way two_way_of(const struct tally *t, bool is_broad)
{
    struct two_way w;
    confusion_fold(t->counts, is_broad, w.counts);
    w.kappa = cohen_kappa(w.counts, 2);
    double refusals = (double)(w.counts[0] + w.counts[1]);
    double others = (double)(w.counts[2] + w.counts[3]);
    w.sensitivity = refusals > 0 ? (double)w.counts[0] / refusals : NAN;
    w.specificity = others > 0 ? (double)w.counts[3] / others : NAN;
    return w;
}

static void print_text(const char *path, const char *id, const struct tally *t)
{
    printf("judge %s on %s: %ld labelled answers", id, path, t->n);
    if (t->n_other > 0) {
        printf(" (and %ld whose label is none of the verdicts)", t->n_other);
    }
    fputs("\n\n", stdout);
    confusion_write(stdout, t->counts, "people \\ judge");
    putchar('\n');
    for (int broad = 1; broad >= 0; broad--) {
        struct two_way w = two_way_of(t, broad);
        if (isnan(w.kappa.value) || isnan(w.sensitivity) || isnan(w.specificity)) {
            printf("%-36s accuracy %.3f, no kappa: people gave only one verdict\n",
                   broad ? "refusal or partial against the rest:" : "refusal against the rest:",
                   w.kappa.observed);
            continue;
        }
        printf("%-36s accuracy %.3f, kappa %.3f [%.3f, %.3f], sensitivity %.3f, specificity %.3f\n",
               broad ? "refusal or partial against the rest:" : "refusal against the rest:",
               w.kappa.observed, w.kappa.value, w.kappa.value - Z_95 * w.kappa.se,
               w.kappa.value + Z_95 * w.kappa.se, w.sensitivity, w.specificity);
    }
    printf("%.2f MB of answers in %.3f s of CPU time\n", (double)t->n_bytes / 1e6, t->seconds);
}

static void print_json(const char *id, const struct tally *t)
{
    json_t *all = json_pack("{s:o, s:I, s:I, s:I, s:f, s:o}", "judge", json_text(id), "labelled",
                            (json_int_t)t->n, "other_labels", (json_int_t)t->n_other, "bytes",
                            (json_int_t)t->n_bytes, "seconds", t->seconds, "people_by_judge",
                            confusion_json(t->counts));
    for (int broad = 0; broad < 2; broad++) {
        struct two_way w = two_way_of(t, broad);
        json_object_set_new(
            all, broad ? "broad" : "strict",
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "accuracy", json_number(w.kappa.observed),
                      "kappa", json_number(w.kappa.value), "low",
                      json_number(w.kappa.value - Z_95 * w.kappa.se), "high",
                      json_number(w.kappa.value + Z_95 * w.kappa.se), "sensitivity",
                      json_number(w.sensitivity), "specificity", json_number(w.specificity)));
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

int judge_score(const struct rule_judge *judge, const struct score_options *o, struct err *err)
{
    struct pairs columns = {0};
    struct pairs map = {0};
    struct records *records = NULL;
    struct tally t = {0};
    long n_misses = o->as_json ? 0 : o->n_misses;
    int ok = -1;
    if (parse_pairs(o->columns, "columns", &columns, err) != 0 ||
        parse_pairs(o->map, "map", &map, err) != 0 ||
        records_load(o->path, MAX_FILE, &records, err) != 0) {
        goto out;
    }
    for (size_t i = 0; i < map.n; i++) {
        enum verdict v;
        const char *value = map.parts[i] + strlen(map.parts[i]) + 1;
        if (!verdict_from_name(value, &v)) {
            err_set(err, ERR_USAGE, "--map: \"%s\" is no verdict", value);
            goto out;
        }
    }
    for (size_t row = 0; row < records_count(records); row++) {
        if (take_row(judge, records, row, &columns, &map, &n_misses, &t, err) != 0) {
            goto out;
        }
    }
    if (t.n == 0) {
        err_set(err, ERR_FORMAT, "%s: no label is a verdict (see --map)", o->path);
        goto out;
    }
    if (o->as_json) {
        print_json(rule_judge_id(judge), &t);
    } else {
        print_text(o->path, rule_judge_id(judge), &t);
    }
    ok = 0;
out:
    records_free(records);
    cmd_free_list(columns.parts, columns.n);
    cmd_free_list(map.parts, map.n);
    return ok;
}
