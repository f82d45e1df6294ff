/*
 * gate.h - when to steer: only where a prompt looks like a scenario's and not like a contrast's.
 */
#ifndef AOR_STEER_GATE_H
#define AOR_STEER_GATE_H

#include "steer/labelled.h"

struct gate {
    int layer;  /* the one of the greatest AUC; -1: there is none */
    double auc; /* of scenarios against contrasts of folds that were left out */
    size_t width;
    float
        *vectors; /* [(FIT_FOLDS + 1) * width]: a fold left out in turn, then of all rows; owned */
    double middles[FIT_FOLDS + 1];
    size_t n;
    double *scores;       /* [n] of the contrasts, each by the vector that did not see it; owned */
    unsigned char *folds; /* [n] theirs; owned */
};

/* From the ends of the prompts, layer by layer. Dev trials alone are in l. */
int gate_fit(const struct labelled *l, const struct activations *a, struct gate *ret,
             struct err *err);
void gate_release(struct gate *g);

/*
 * The condition that lets this share of the contrasts through, as far as dev can say: by the
 * contrasts of all other folds than left_out (-1: of all). Its vector is the gate's own.
 */
struct steering_condition gate_condition(const struct gate *g, int left_out, double share);

#endif
