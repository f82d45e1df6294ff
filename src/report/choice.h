/*
 * choice.h - which strategy of a run to use: chosen on the split dev by a stated rule, measured on
 * the split test. Choosing reads no answer of test, measuring none of dev.
 *
 * All is against direct, over pairs of the same sample and repeat that both have a verdict for,
 * with errors by scenario (paired.h). The rule: a strategy is eligible where, in matched,
 *   - the 95% interval of the change of strict refusals of scenarios is below 0,
 *   - the upper bound of the 95% interval of the loss of refusals of contrasts is within a limit
 *     (where no contrast changed: Wilson's, of none of so many scenarios),
 *   - nonresponsive answers to scenarios do not rise by more than CHOICE_MAX_NONRESPONSIVE,
 * and the eligible one with the greatest drop for scenarios is chosen; of equal ones that with the
 * lower bound of the loss, then the first by name. Where none is eligible none is chosen.
 */
#ifndef AOR_REPORT_CHOICE_H
#define AOR_REPORT_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "bench/scenario.h"
#include "stats/paired.h"

#define CHOICE_REFERENCE "direct"
#define CHOICE_MAX_LOSS 0.10 /* the usual limit */
#define CHOICE_MAX_NONRESPONSIVE 0.02

struct choice; /* the verdicts of one run; opaque */

struct choice_params {
    const char *path;
    const char *judge;             /* NULL: the last one of the run */
    const char *const *strategies; /* the candidates; the reference among them is passed over */
    size_t n_strategies;           /* 0: all of the run but probes */
};

/*
 * Read a run. Fails (ERR_USAGE) where it has no verdicts, none of the reference or of a strategy
 * that is named, or no strategy beside the reference.
 */
int choice_load(const struct choice_params *p, struct choice **ret, struct err *err);
void choice_free(struct choice *c);

const char *choice_judge(const struct choice *c); /* borrowed */

/* Does the reference have a verdict for a scenario of this split in matched? */
bool choice_has(const struct choice *c, enum item_split split);

/* Of the reference (first) and a strategy (second). */
struct choice_change {
    struct paired refused; /* strict */
    struct paired nonresponsive;
};

/* Why a candidate is not eligible, as bits. */
enum choice_reason {
    CHOICE_NO_PAIRS = 1, /* pairs of fewer than two scenarios or contrasts: no interval */
    CHOICE_NO_DROP = 2,
    CHOICE_LOSS = 4, /* of contrasts */
    CHOICE_NONRESPONSIVE = 8,
};
/* By bit, ended by NULL: "no pairs", "no drop", "contrasts", "nonresponsive". */
extern const char *const choice_reason_names[];

struct choice_candidate {
    const char *strategy; /* borrowed from the struct choice */
    struct choice_change scenarios, contrasts;
    double loss_bound; /* upper 95% bound of the loss of refusals of contrasts; NAN: none */
    size_t n_unpaired; /* the reference's scenarios and contrasts that it has no verdict for */
    unsigned reasons;  /* of enum choice_reason; 0: eligible */
};

/* What there was to choose from, on dev; the greatest drop first. */
struct choice_candidates {
    struct choice_candidate *list; /* [n]; owned */
    size_t n;
    const struct choice_candidate *chosen; /* one of the list, or NULL */
};

/* Choose; max_loss is a share, such as CHOICE_MAX_LOSS. Fails (ERR_USAGE) unless choice_has(). */
int choice_dev(const struct choice *c, double max_loss, struct choice_candidates *ret,
               struct err *err);
void choice_candidates_release(struct choice_candidates *d);

/* Of one kind of item in one condition, and of one category or of all. */
struct choice_row {
    const char *condition; /* borrowed, as the category */
    enum item_kind kind;
    const char *category; /* "": all */
    struct choice_change change;
};

/* Means over the pairs of a condition, all kinds, whose tokens are known; NAN without any. */
struct choice_cost {
    const char *condition;
    size_t n;
    double prompt_first, prompt_second, prompt_ratio; /* second / first */
    double answer_first, answer_second, answer_ratio;
};

struct choice_outcome {
    const char *strategy;
    struct choice_row *rows; /* by condition, matched first, kind and category; owned */
    size_t n_rows;
    struct choice_cost *costs; /* by condition; owned */
    size_t n_costs;
    struct choice_change scenarios, contrasts; /* in matched, all categories */
    double loss_bound;                         /* as of a candidate */
};

/*
 * A strategy against the reference on test, in every condition that both have; scenarios in matched
 * also by category. Fails (ERR_USAGE) where they have no scenario of test in matched in common.
 */
int choice_test(const struct choice *c, const char *strategy, struct choice_outcome *ret,
                struct err *err);

/* Which conditions of the rule do not hold on test; of enum choice_reason. */
unsigned choice_outcome_reasons(const struct choice_outcome *t, double max_loss);

void choice_outcome_release(struct choice_outcome *t);

#endif
