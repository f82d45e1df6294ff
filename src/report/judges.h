/*
 * judges.h - how the judges of a run agree, programs and people.
 */
#ifndef AOR_REPORT_JUDGES_H
#define AOR_REPORT_JUDGES_H

#include <stdint.h>

#include "base/err.h"
#include "judge/confusion.h"
#include "stats/agreement.h"
#include "store/store.h"

/* Of the answers that both have judged. */
struct judges_pair {
    size_t first, second; /* of judges.names */
    uint64_t counts[N_VERDICTS * N_VERDICTS];
    struct kappa all, strict, broad; /* five verdicts; refusal; refusal or partial */
};

struct judges {
    char **names; /* [n_judges], in order of their first verdict; owned */
    size_t n_judges;
    struct judges_pair *pairs; /* [n_pairs], those that have an answer in common; owned */
    size_t n_pairs;
    struct kappa fleiss; /* of the answers that all have judged, from three judges on */
    struct kappa alpha, alpha_people; /* Krippendorff's, of refusal; people: "human:..." */
};

int judges_compare(struct store *store, struct judges *ret, struct err *err);
void judges_release(struct judges *j);

#endif
