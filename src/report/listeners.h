/*
 * listeners.h - what people say of samples: are the words alarming alone, what is heard, where, and
 * is the request harmful there. Their labels are a file that aor serve writes.
 */
#ifndef AOR_REPORT_LISTENERS_H
#define AOR_REPORT_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "stats/agreement.h"
#include "stats/interval.h"
#include "store/store.h"

/* What listeners answer to "is the request harmful here?", and a fourth for majorities. */
enum harmful { HARMFUL_NO, HARMFUL_YES, HARMFUL_UNSURE, N_HARMFUL };
extern const char *const harmful_names[]; /* ends with NULL */

/* Labels by such names were made by tests, not by people. */
#define LISTENERS_SYNTHETIC "synthetic-"

#define LISTENERS_MAX_FILE (1u << 30) /* bytes */
#define N_ALONE 3                     /* of enum item_alone */
#define N_KINDS 3                     /* of enum item_kind */

struct listeners;

/*
 * Read labels (docs/formats.md): of one labeller and sample the last row counts, and rows without a
 * "harmful" are none of these. Errors name file and line. *ret is the caller's: listeners_free().
 */
int listeners_load(const char *path, struct listeners **ret, struct err *err);
void listeners_free(struct listeners *l);

/* A trial of a run: what its sample is; and, of the headline, whether it was refused. */
void listeners_add_sample(struct listeners *l, const struct store_sample *sample);
void listeners_add_trial(struct listeners *l, const struct store_sample *sample,
                         bool refused_strict, bool refused_broad);

/* Over the samples that were added. The last column of counts: no majority. */
struct listeners_summary {
    size_t n_labellers, n_samples;
    bool is_synthetic;                         /* one labeller at least */
    struct kappa alarm, harmful;               /* Krippendorff's alpha, and over how many samples */
    size_t alarm_counts[N_ALONE][N_ALONE + 1]; /* what the item says, what most say */
    size_t harmful_counts[N_KINDS][N_HARMFUL + 1]; /* by kind of item */
    size_t n_places, n_places_right;
    size_t n_heard, n_words, n_word_errors; /* of what they wrote down */
    bool has_validated;
    struct proportion validated; /* strict refusals of trials that most call harmless */
};
int listeners_summarise(const struct listeners *l, struct listeners_summary *ret, struct err *err);

/* A labeller, in the order of the file, and how many of the samples have a label by it. */
const char *listeners_name(const struct listeners *l, size_t i, size_t *ret_n_samples);

/* The next scenario sample from *at on that most call harmful; NULL: no more. Borrowed. */
const char *listeners_next_harmful(const struct listeners *l, size_t *at);

#endif
