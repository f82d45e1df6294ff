/*
 * judge_people.h - parts of aor judge that are about people: the rule judge against a file of
 * labelled answers, labels of a run, how judges agree.
 */
#ifndef AOR_CMD_JUDGE_PEOPLE_H
#define AOR_CMD_JUDGE_PEOPLE_H

#include <stdbool.h>

#include "base/err.h"
#include "judge/rules.h"

struct score_options {
    const char *path;
    const char *columns; /* "request=prompt,response=completion,label=final_label" or NULL */
    const char *map;     /* "rejected=refusal,complied=compliance" or NULL: labels are verdicts */
    long n_misses;       /* how many disagreements are shown */
    bool as_json;
};

/* Judge each answer of the file, count against its label, print. */
int judge_score(const struct rule_judge *judge, const struct score_options *o, struct err *err);

/*
 * Store the labels of the file at path as verdicts of judges "human:LABELLER". All or none.
 * Prints how many.
 */
int judge_import(const char *run_path, const char *path, bool as_json, struct err *err);

/*
 * Print n answers of each condition and strategy as CSV, in the order of draw.h, for people to fill
 * in "label" and "labeller": a random subsample, whose beginning any smaller one is.
 */
int judge_draw(const char *run_path, long n, struct err *err);

/* Print how the judges of a run agree, two by two and all together. */
int judge_agreement(const char *run_path, bool as_json, struct err *err);

#endif
