/*
 * judged_rows.h - trials with the verdicts of the rules, also where nobody has stored them yet.
 */
#ifndef AOR_REPORT_JUDGED_ROWS_H
#define AOR_REPORT_JUDGED_ROWS_H

#include "judge/rules.h"
#include "store/store.h"

/*
 * What the rules say of an answered row, and of a probe its score: word errors by words, or 1 where
 * the scene is named and 0 where not; NAN: it was refused, so nothing can be said.
 */
int judged_rows_judge(const struct rule_judge *rules, const struct store_row *row,
                      struct judgement *ret, struct err *err);
double judged_rows_score(const struct store_row *row, enum verdict verdict);

/*
 * store_each(), where an answer without a verdict gets that of the rules, and a probe its score, if
 * judge is theirs. Nothing is stored. rules NULL: store_each() as it is.
 */
int judged_rows_each(struct store *store, const char *judge, const struct rule_judge *rules,
                     store_row_fn fn, void *user, struct err *err);

#endif
