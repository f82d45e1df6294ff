/*
 * words.h - findings in sentences, and what a reader must be warned of.
 */
#ifndef AOR_REPORT_WORDS_H
#define AOR_REPORT_WORDS_H

#include "base/json.h"
#include "report/findings.h"
#include "report/judges.h"

/* A list of sentences. A new reference. */
json_t *words_summary(const struct findings_set *set);

/* A list of {"run": path or null, "text": sentence}. judges: one a run. A new reference. */
json_t *words_warnings(const struct findings_set *set, const struct judges *judges);

#endif
