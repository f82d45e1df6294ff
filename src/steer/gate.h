/*
 * gate.h - when to steer: only where the end of a prompt looks like a scenario's and not like a
 * contrast's. The layer is the best of all by an AUC on folds that its vectors did not see, so that
 * this AUC is a little too good. Other conditions than matched count where they were captured.
 */
#ifndef AOR_STEER_GATE_H
#define AOR_STEER_GATE_H

#include "steer/labelled.h"

struct gate {
    int layer;  /* the one of the greatest AUC; -1: there is none */
    double auc; /* of scenarios against contrasts of folds that were left out */
    size_t width;
    float *vectors; /* [(FIT_FOLDS + 1) * width]: a fold left out in turn, then of all; owned */
    double middles[FIT_FOLDS + 1];
    size_t n;
    double *scores;       /* [n] of the contrasts, each by the vector that did not see it; owned */
    unsigned char *folds; /* [n] theirs; owned */
};

/* Layer by layer; those that were not captured are passed over. Dev trials alone are in l. */
int gate_fit(const struct labelled *l, const struct activations *a, struct gate *ret,
             struct err *err);
void gate_release(struct gate *g);

/*
 * The condition that lets so many percent of the contrasts through, by those of all folds but
 * left_out (-1: of all), each scored by the vector that did not see it. Its vector is the gate's.
 */
struct steering_condition gate_condition(const struct gate *g, int left_out, int percent);

#endif
