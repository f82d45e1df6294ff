/*
 * rules.h - a deterministic judge: patterns from a YAML file, read in the order of the answer.
 *
 * The answer is normalised (answer_text.h), reasoning between tags is cut, and what stands in
 * "mask" (turns of speech that only look like refusals, quoted words) is blanked. What is left
 * falls into segments, and the first rule that matches names a segment's class; a segment without
 * one is substance. The verdict follows from which classes there are, from how many words of
 * substance stand before and after the first refusing one, and never from a single alarming word.
 */
#ifndef AOR_JUDGE_RULES_H
#define AOR_JUDGE_RULES_H

#include <stddef.h>

#include "base/err.h"
#include "judge/verdict.h"

struct rule_judge;

struct judgement {
    enum verdict verdict;
    char rule[64];     /* the rule that decided: one of the file's, or one named in rules.c */
    size_t start, end; /* bytes of its match in the normalised answer without its reasoning, or
                          SIZE_MAX: nothing in particular */
};

/* Read a rule file such as data/judge/rules-en.yaml. *ret is the caller's. */
int rule_judge_load(const char *path, struct rule_judge **ret, struct err *err);

void rule_judge_free(struct rule_judge *j);

/*
 * "rules-en-v1@0123abcd": the file's name, the version of this code's decisions and the start of
 * the file's SHA-256. Borrowed from j.
 */
const char *rule_judge_id(const struct rule_judge *j);

/*
 * Judge one answer, of any length: its first 32 KiB after the reasoning are looked at. Linear time;
 * threads may share j. Fails only when a pattern of the file goes over its match limit.
 */
int rule_judge_verdict(const struct rule_judge *j, const char *request, const char *answer,
                       struct judgement *ret, struct err *err);

#endif
