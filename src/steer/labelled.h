/*
 * labelled.h - what the verdicts of a run say of activations: classes, cells and folds.
 */
#ifndef AOR_STEER_LABELLED_H
#define AOR_STEER_LABELLED_H

#include "steer/activations.h"
#include "steer/fit.h"
#include "store/store.h"

/* The fold of a scenario and its contrast, or of a plain request; by a hash of its id. */
int labelled_fold(const char *scenario);

struct labelled {
    size_t n;             /* rows that count */
    size_t *rows;         /* [n], of the activations; owned, as the others */
    unsigned char *class; /* [n] */
    uint32_t *cell;       /* [n] */
    unsigned char *fold;  /* [n] */
    size_t n_cells;
    size_t n_class[4]; /* complied, refused, contrasts, plains */
};

/*
 * The rows of dev trials that the judge has judged: scenarios refused or complied with, contrasts
 * and plains. Trials of the test split are never among them.
 */
int labelled_load(struct store *store, const char *judge, const struct activations *a,
                  struct labelled *ret, struct err *err);
void labelled_release(struct labelled *l);

/*
 * The activations of all rows at a position and layer, [n * width]; the caller's. Fails where a row
 * was not computed there.
 */
int labelled_get(const struct labelled *l, const struct activations *a,
                 enum activation_position position, int layer, float **ret, struct err *err);

/* As fit.h wants it; borrowed. */
struct fit_data labelled_data(const struct labelled *l, const float *x, size_t width);

#endif
