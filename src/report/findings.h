/*
 * findings.h - all that aor counts in runs: refusal rates, what changes them, what was heard, and
 * what people say.
 */
#ifndef AOR_REPORT_FINDINGS_H
#define AOR_REPORT_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/names.h"
#include "bench/scenario.h"
#include "judge/rules.h"
#include "report/listeners.h"
#include "stats/comparisons.h"
#include "stats/factors.h"
#include "stats/rates.h"
#include "store/store.h"

/*
 * A measure: the share of refusals over trials of one kind of item in one condition. Scenarios are
 * split by whether their words are benign alone, but for conditions that give their own scene.
 */
struct measure {
    char condition[16];
    char strategy[16];
    enum item_kind kind;
    bool is_benign_alone;
    struct rates *rates;
    struct rates *heard; /* the same over trials whose probes show that they were understood */
    long n_verdicts, n_nonresponsive, n_clarification;
    long n_blocks; /* the provider's, which no rate counts */
};

/* Over-refusal where refusing is wrong, refusal rate elsewhere. */
bool measure_refusing_is_wrong(const struct measure *m);
const char *measure_name(const struct measure *m);
char *measure_items(const struct measure *m); /* the caller's */

/* What a probe heard under one condition. */
struct comprehension {
    char condition[16];
    char strategy[16];
    bool is_transcript; /* its scores are word error rates; otherwise 1 for right */
    long n, n_refused;
    double sum;
};

/* Over the answers that were not refused; NAN: there are none. */
double comprehension_mean(const struct comprehension *c);

/* An answer with a verdict, and what people say of it. */
struct judged {
    int64_t trial_id;
    uint64_t rank; /* draw.h */
    char condition[16], strategy[16];
    bool refused;
    int n_labels, n_refusals; /* by people */
};

/* One run, by the verdicts of one judge. */
struct findings {
    const char *path; /* borrowed from the caller */
    char *name, *family, *bench, *bench_sha256, *description, *judge,
        *probe_judge;              /* NULL where the run has none, but for the judges */
    struct comparisons *of_models; /* between runs; borrowed, or NULL */
    struct name_set heard_names;   /* "sample/condition", numbers into heard */
    signed char *heard;            /* [n_heard] */
    size_t n_heard;
    struct measure *measures;
    size_t n_measures;
    struct comprehension *probes;
    size_t n_probes;
    struct comparisons *comparisons;
    struct comparison *compared;
    size_t n_compared;
    struct factor_model *model; /* of scenarios in matched, direct */
    struct factor_effect *effects;
    size_t n_effects;
    struct err model_err; /* why there are none */
    struct judged *judged;
    size_t n_judged;
    struct listeners *listeners; /* NULL: no labels were given */
    long n_trials, n_unanswered, n_blocks, n_errors, n_unjudged;
};

/* The factors of an observation, in the order that the text shows them. */
extern const char *const findings_factors[];
#define N_FACTORS 10
#define N_FACTORS_SHOWN 4 /* by the text: the others are in --json and --csv */

/*
 * The measure of the headline, matched and direct, of a kind; NULL where the run has none.
 */
const struct measure *findings_headline(const struct findings *f, enum item_kind kind);

/* The whole of a measure. False where no answer of it is in any rate. */
bool measure_whole(const struct measure *m, struct rate_row *ret);

/*
 * How judge and people differ on the random subsample of a condition and strategy that people have
 * labelled: in the order of draw.h, the answers up to the first without a label. False where there
 * is none. A refusal is what most of the labels call one.
 */
struct judge_errors;
bool findings_judge_errors(const struct findings *f, const struct measure *m,
                           struct judge_errors *ret);

/* Several runs of one benchmark, and how the others differ from the first. */
struct findings_set {
    struct findings *runs; /* [n_runs] */
    size_t n_runs;
    struct comparisons *of_models;
    struct comparison *compared; /* none with one run */
    size_t n_compared;
};

struct findings_params {
    const char *const *paths; /* [n_paths], borrowed until findings_release() */
    size_t n_paths;
    const char *judge;              /* NULL: the last one of each run */
    const char *labels;             /* a file of listeners' labels, or NULL: none */
    const struct rule_judge *rules; /* judge what nobody has judged yet (judged_rows.h), or NULL */
};

/* Count runs. Fails where one has no verdicts, is named twice, or is of another benchmark. */
int findings_load(const struct findings_params *p, struct findings_set *ret, struct err *err);
void findings_release(struct findings_set *set);

#endif
