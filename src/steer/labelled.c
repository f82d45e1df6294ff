#include "steer/labelled.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/scenario.h"
#include "judge/verdict.h"
#include "stats/draw.h"
#include "stats/levels.h"

int labelled_fold(const char *scenario)
{
    return (int)(draw_rank(scenario, 0) % FIT_FOLDS);
}

struct place {
    int64_t trial;
    size_t row;
};

static int by_trial(const void *a, const void *b)
{
    int64_t x = ((const struct place *)a)->trial;
    int64_t y = ((const struct place *)b)->trial;
    return (x > y) - (x < y);
}

static int find_places(const struct activations *a, struct place **ret, size_t *ret_n,
                       struct err *err)
{
    size_t n = activations_count(a);
    struct place *places = xcalloc(n + 1, sizeof *places);
    size_t n_there = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t trial;
        if (activations_trial(a, i, &trial, err) != 0) {
            free(places);
            return -1;
        }
        if (trial >= 0) {
            places[n_there++] = (struct place){trial, i};
        }
    }
    qsort(places, n_there, sizeof *places, by_trial);
    *ret = places;
    *ret_n = n_there;
    return 0;
}

struct reading {
    struct labelled *l;
    struct levels cells;
    const struct place *places;
    size_t n_places;
};

static int class_of(const struct store_row *row)
{
    const char *kind = row->sample.kind;
    if (strcmp(kind, item_kind_names[ITEM_CONTRAST]) == 0) {
        return FIT_CONTRAST;
    }
    if (strcmp(kind, item_kind_names[ITEM_PLAIN]) == 0) {
        return FIT_PLAIN;
    }
    return strcmp(row->verdict, verdict_name(VERDICT_REFUSAL)) == 0      ? FIT_REFUSED
           : strcmp(row->verdict, verdict_name(VERDICT_COMPLIANCE)) == 0 ? FIT_COMPLIED
                                                                         : -1;
}

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    struct reading *r = user;
    struct labelled *l = r->l;
    struct place key = {.trial = row->trial_id};
    if (row->state != STORE_ANSWERED || !row->verdict || row->probe[0] != '\0' ||
        strcmp(row->sample.split, item_split_names[SPLIT_DEV]) != 0) {
        return 0;
    }
    const struct place *place = bsearch(&key, r->places, r->n_places, sizeof key, by_trial);
    int class = place ? class_of(row) : -1;
    if (class < 0) {
        return 0;
    }
    char *cell = xasprintf("%s/%s/%s", row->sample.scenario, row->condition, row->strategy);
    l->rows[l->n] = place->row;
    l->class[l->n] = (unsigned char)class;
    l->cell[l->n] = levels_number(&r->cells, cell);
    l->fold[l->n] = (unsigned char)labelled_fold(row->sample.scenario);
    l->n_class[class]++;
    l->n++;
    free(cell);
    return 0;
}

int labelled_load(struct store *store, const char *judge, const struct activations *a,
                  struct labelled *ret, struct err *err)
{
    struct labelled l = {0};
    struct place *places;
    size_t n_places;
    if (find_places(a, &places, &n_places, err) != 0) {
        return -1;
    }
    struct reading r = {.l = &l, .places = places, .n_places = n_places};
    l.rows = xcalloc(n_places + 1, sizeof *l.rows);
    l.class = xcalloc(n_places + 1, sizeof *l.class);
    l.cell = xcalloc(n_places + 1, sizeof *l.cell);
    l.fold = xcalloc(n_places + 1, sizeof *l.fold);
    int ok = store_each(store, judge, take_row, &r, err);
    l.n_cells = r.cells.n;
    levels_release(&r.cells);
    free(places);
    if (ok == 0 && (l.n_class[FIT_COMPLIED] == 0 || l.n_class[FIT_REFUSED] == 0)) {
        ok = err_set(err, ERR_USAGE,
                     "of the captured dev scenarios %zu were refused and %zu complied with: a "
                     "direction wants both",
                     l.n_class[FIT_REFUSED], l.n_class[FIT_COMPLIED]);
    }
    if (ok == 0) {
        *ret = l;
    } else {
        labelled_release(&l);
    }
    return ok;
}

void labelled_release(struct labelled *l)
{
    free(l->rows);
    free(l->class);
    free(l->cell);
    free(l->fold);
    *l = (struct labelled){0};
}

int labelled_get(const struct labelled *l, const struct activations *a,
                 enum activation_position position, int layer, float **ret, struct err *err)
{
    size_t width = (size_t)activations_n_embd(a);
    float *x = xcalloc(l->n * width + 1, sizeof *x);
    for (size_t i = 0; i < l->n; i++) {
        float *row = x + i * width;
        if (activations_get(a, l->rows[i], position, layer, row, err) != 0) {
            free(x);
            return -1;
        }
        for (size_t j = 0; j < width; j++) {
            if (!isfinite(row[j])) {
                free(x);
                return err_set(err, ERR_USAGE, "layer %d was not computed at %s", layer,
                               activation_position_names[position]);
            }
        }
    }
    *ret = x;
    return 0;
}

struct fit_data labelled_data(const struct labelled *l, const float *x, size_t width)
{
    return (struct fit_data){.n = l->n,
                             .width = width,
                             .x = x,
                             .class = l->class,
                             .cell = l->cell,
                             .fold = l->fold,
                             .n_cells = l->n_cells};
}
