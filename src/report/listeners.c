#include "report/listeners.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/records.h"
#include "bench/scenario.h"
#include "stats/levels.h"
#include "stats/rates.h"
#include "stats/wer.h"

const char *const harmful_names[] = {"no", "yes", "unsure", NULL};

struct label {
    uint32_t sample, labeller;
    int alarm;   /* enum item_alone */
    int harmful; /* enum harmful */
    char *heard, *place;
};

/* A sample with labels. */
struct labelled {
    uint32_t alarm[N_ALONE], harmful[N_HARMFUL]; /* how many said so */
    bool is_known;                               /* a run has it, and these: */
    int kind, alone;
    char *text, *scene;
};

struct listeners {
    struct levels samples, labellers;
    struct label *labels; /* one a sample and labeller */
    size_t n_labels;
    struct labelled *labelled; /* [samples.n] */
    struct rates *validated;
};

/* The number of the name in a list that ends with NULL; -1: not in it. */
static int number_of(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static int get(struct records *r, size_t row, const char *field, const char *const *names, int *ret,
               struct err *err)
{
    const char *value = records_get(r, row, field);
    *ret = value ? number_of(names, value) : -1;
    return *ret >= 0 ? 0
                     : err_set(err, ERR_FORMAT, "%s: \"%.40s\" is no answer to \"%s\"",
                               records_where(r, row), value ? value : "", field);
}

/* Where the label of this sample and labeller is, or shall be. */
static struct label *place_of(struct listeners *l, struct name_set *seen, uint32_t sample,
                              uint32_t labeller)
{
    char *key = xasprintf("%u %u", sample, labeller);
    size_t number;
    if (name_set_add(seen, key, l->n_labels, &number)) {
        number = l->n_labels++;
        if ((number & (number - 1)) == 0) {
            l->labels = xrealloc(l->labels, (number == 0 ? 1 : 2 * number) * sizeof *l->labels);
        }
        l->labels[number] = (struct label){.sample = sample, .labeller = labeller};
    }
    free(key);
    return &l->labels[number];
}

static int read_row(struct listeners *l, struct name_set *seen, struct records *r, size_t row,
                    struct err *err)
{
    const char *sample = records_get(r, row, "sample");
    const char *labeller = records_get(r, row, "labeller");
    const char *harmful = records_get(r, row, "harmful");
    const char *heard = records_get(r, row, "heard");
    const char *place = records_get(r, row, "place");
    int alarm;
    int is_harmful;
    if (!harmful || !*harmful) {
        return 0;
    }
    if (!sample || !*sample || !labeller || !*labeller) {
        return err_set(err, ERR_FORMAT, "%s: no \"sample\" or no \"labeller\"",
                       records_where(r, row));
    }
    if (get(r, row, "alarm", item_alone_names, &alarm, err) != 0 ||
        get(r, row, "harmful", harmful_names, &is_harmful, err) != 0) {
        return -1;
    }
    struct label *label = place_of(l, seen, levels_number(&l->samples, sample),
                                   levels_number(&l->labellers, labeller));
    free(label->heard);
    free(label->place);
    label->alarm = alarm;
    label->harmful = is_harmful;
    label->heard = xstrdup(heard ? heard : "");
    label->place = xstrdup(place ? place : "");
    return 0;
}

int listeners_load(const char *path, struct listeners **ret, struct err *err)
{
    struct records *records = NULL;
    struct name_set seen = {0};
    struct listeners *l = xcalloc(1, sizeof *l);
    int ok = records_load(path, LISTENERS_MAX_FILE, &records, err);
    for (size_t row = 0; ok == 0 && row < records_count(records); row++) {
        ok = read_row(l, &seen, records, row, err);
    }
    if (ok == 0) {
        l->labelled = xcalloc(l->samples.n + 1, sizeof *l->labelled);
        for (size_t i = 0; i < l->n_labels; i++) {
            struct labelled *of = &l->labelled[l->labels[i].sample];
            of->alarm[l->labels[i].alarm]++;
            of->harmful[l->labels[i].harmful]++;
        }
        l->validated = rates_new(NULL, 0);
        *ret = l;
        l = NULL;
    }
    listeners_free(l);
    name_set_release(&seen);
    records_free(records);
    return ok;
}

void listeners_free(struct listeners *l)
{
    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->n_labels; i++) {
        free(l->labels[i].heard);
        free(l->labels[i].place);
    }
    for (size_t i = 0; l->labelled && i < l->samples.n; i++) {
        free(l->labelled[i].text);
        free(l->labelled[i].scene);
    }
    free(l->labels);
    free(l->labelled);
    rates_free(l->validated);
    levels_release(&l->samples);
    levels_release(&l->labellers);
    free(l);
}

void listeners_add_sample(struct listeners *l, const struct store_sample *sample)
{
    long i = levels_find(&l->samples, sample->id); /* -1: nobody labelled it */
    if (i >= 0 && !l->labelled[i].text) {
        int kind = number_of(item_kind_names, sample->kind);
        int alone = number_of(item_alone_names, sample->alone);
        struct labelled *of = &l->labelled[i];
        of->is_known = kind >= 0 && alone >= 0;
        of->kind = kind;
        of->alone = alone;
        of->text = xstrdup(sample->text);
        of->scene = xstrdup(sample->scene);
    }
}

/* The class that more than any other chose; n where there is none. */
static size_t majority(const uint32_t *counts, size_t n)
{
    size_t best = n;
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        if (counts[i] > most) {
            best = i;
            most = counts[i];
        } else if (counts[i] == most) {
            best = n;
        }
    }
    return best;
}

void listeners_add_trial(struct listeners *l, const struct store_sample *sample,
                         bool refused_strict, bool refused_broad)
{
    long i = levels_find(&l->samples, sample->id);
    if (i >= 0 && majority(l->labelled[i].harmful, N_HARMFUL) == HARMFUL_NO) {
        rates_add(l->validated, NULL, sample->scenario, refused_strict, refused_broad);
    }
}

int listeners_summarise(const struct listeners *l, struct listeners_summary *ret, struct err *err)
{
    struct listeners_summary s = {.n_labellers = l->labellers.n};
    uint32_t *alarm = xcalloc(l->samples.n * N_ALONE + 1, sizeof *alarm);
    uint32_t *harmful = xcalloc(l->samples.n * N_HARMFUL + 1, sizeof *harmful);
    for (size_t i = 0; i < l->n_labels; i++) {
        const struct label *label = &l->labels[i];
        const struct labelled *of = &l->labelled[label->sample];
        if (!of->is_known) {
            continue;
        }
        s.is_synthetic =
            s.is_synthetic || strncmp(l->labellers.items[label->labeller], LISTENERS_SYNTHETIC,
                                      strlen(LISTENERS_SYNTHETIC)) == 0;
        if (label->place[0]) {
            s.n_places++;
            s.n_places_right += strcmp(label->place, of->scene) == 0;
        }
        if (label->heard[0]) {
            struct wer w = wer_count(of->text, label->heard);
            s.n_heard++;
            s.n_words += w.n_words;
            s.n_word_errors += w.n_errors;
        }
    }
    for (size_t i = 0; i < l->samples.n; i++) {
        const struct labelled *of = &l->labelled[i];
        if (of->is_known) {
            memcpy(alarm + s.n_samples * N_ALONE, of->alarm, sizeof of->alarm);
            memcpy(harmful + s.n_samples * N_HARMFUL, of->harmful, sizeof of->harmful);
            s.n_samples++;
            s.alarm_counts[of->alone][majority(of->alarm, N_ALONE)]++;
            s.harmful_counts[of->kind][majority(of->harmful, N_HARMFUL)]++;
        }
    }
    s.alarm = krippendorff_alpha(alarm, s.n_samples, N_ALONE);
    s.harmful = krippendorff_alpha(harmful, s.n_samples, N_HARMFUL);
    free(alarm);
    free(harmful);
    struct rate_row *rows;
    size_t n;
    if (rates_by(l->validated, NULL, Z_95, &rows, &n, err) != 0) {
        return -1;
    }
    s.has_validated = n > 0;
    if (n > 0) {
        s.validated = rows[0].strict;
    }
    free(rows);
    *ret = s;
    return 0;
}

const char *listeners_name(const struct listeners *l, size_t i, size_t *ret_n_samples)
{
    *ret_n_samples = 0;
    for (size_t k = 0; k < l->n_labels; k++) {
        *ret_n_samples += l->labels[k].labeller == i && l->labelled[l->labels[k].sample].is_known;
    }
    return l->labellers.items[i];
}

const char *listeners_next_harmful(const struct listeners *l, size_t *at)
{
    for (; *at < l->samples.n; ++*at) {
        const struct labelled *of = &l->labelled[*at];
        if (of->is_known && of->kind == ITEM_SCENARIO &&
            majority(of->harmful, N_HARMFUL) == HARMFUL_YES) {
            return l->samples.items[(*at)++];
        }
    }
    return NULL;
}
