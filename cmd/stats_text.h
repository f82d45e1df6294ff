/*
 * stats_text.h - findings on a terminal.
 */
#ifndef AOR_CMD_STATS_TEXT_H
#define AOR_CMD_STATS_TEXT_H

#include "report/findings.h"

/* One run in full. */
int stats_print_text(const struct findings *f, struct err *err);

/* What its design finds, in 80% of such runs. */
void stats_print_power(const struct findings *f);

/* Several runs side by side, and how the others differ from the first. */
void stats_print_models(const struct findings_set *set);

#endif
