/*
 * tables.h - findings as JSON, CSV and LaTeX. aor-stats(1) says what the fields are.
 */
#ifndef AOR_REPORT_TABLES_H
#define AOR_REPORT_TABLES_H

#include <stdio.h>

#include "base/json.h"
#include "report/findings.h"
#include "report/judges.h"

/* One run; all runs, each with its file as "run", and their comparisons. New references. */
int tables_run_json(const struct findings *f, json_t **ret, struct err *err);
int tables_set_json(const struct findings_set *set, json_t **ret, struct err *err);

/* How runs differ from the first. */
json_t *tables_models_json(const struct findings_set *set);

/* New references. */
json_t *tables_kappa_json(const struct kappa *k);
json_t *tables_judges_json(const struct judges *j);

/* Every rate by every factor, a row each; with the run as the first column where there are several.
 */
int tables_rates_csv(FILE *out, const struct findings_set *set, struct err *err);

/* All comparisons, a row each, with the run; of runs with each other it is empty. */
void tables_comparisons_csv(FILE *out, const struct findings_set *set);

/* Two tables for the package booktabs: all measures as wholes, all comparisons. */
int tables_latex(FILE *out, const struct findings *f, struct err *err);

#endif
