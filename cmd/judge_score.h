/*
 * judge_score.h - part of aor judge: the rule judge against people, on a file of labelled answers.
 */
#ifndef AOR_CMD_JUDGE_SCORE_H
#define AOR_CMD_JUDGE_SCORE_H

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

#endif
