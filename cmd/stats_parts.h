/*
 * stats_parts.h - what aor stats has counted, and how it prints it. For cmd_stats.c, stats_text.c
 * and stats_tables.c only.
 */
#ifndef AOR_CMD_STATS_PARTS_H
#define AOR_CMD_STATS_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "base/names.h"
#include "bench/scenario.h"
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

/* What a probe heard under one condition. */
struct comprehension {
    char condition[16];
    char strategy[16];
    bool is_transcript; /* its scores are word error rates; otherwise 1 for right */
    long n, n_refused;
    double sum;
};

/* An answer with a verdict, and what people say of it. */
struct judged {
    int64_t trial_id;
    uint64_t rank; /* draw.h */
    char condition[16], strategy[16];
    bool refused;
    int n_labels, n_refusals; /* by people */
};

struct stats {
    const char *path;
    char *name, *bench, *bench_sha256, *description, *judge,
        *probe_judge;              /* the model's name; NULL where the run has none */
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
    long n_trials, n_unanswered, n_blocks, n_errors, n_unjudged;
};

/* The factors of an observation, in the order that the text shows them. */
extern const char *const stats_factors[];
#define N_FACTORS 10
#define N_FACTORS_SHOWN 4 /* by the text: the others are in --json and --csv */

/* Over-refusal where refusing is wrong, refusal rate elsewhere. */
bool stats_refusing_is_wrong(const struct measure *m);
const char *stats_measure_name(const struct measure *m);
char *stats_measure_items(const struct measure *m); /* the caller's */

/*
 * How judge and people differ on the random subsample of a condition and strategy that people have
 * labelled: in the order of draw.h, the answers up to the first without a label. False where there
 * is none. A refusal is what most of the labels call one.
 */
struct judge_errors;
bool stats_judge_errors(const struct stats *s, const struct measure *m, struct judge_errors *ret);

/* Over the answers that were not refused; NAN: there are none. */
double stats_probe_mean(const struct comprehension *c);

int stats_print_text(const struct stats *s, struct err *err);
int stats_print_power(const struct stats *s);
int stats_print_csv(const struct stats *s, struct err *err);
int stats_print_latex(const struct stats *s, struct err *err);
int stats_print_json(const struct stats *s, struct err *err);

/* Several runs side by side, and how the others differ from the first. */
struct models {
    const struct stats *runs;
    size_t n_runs;
    const struct comparison *compared;
    size_t n_compared;
};
int stats_print_models(const struct models *m, struct err *err);
int stats_print_models_json(const struct models *m, struct err *err);
int stats_print_models_csv(const struct models *m, struct err *err);

#endif
