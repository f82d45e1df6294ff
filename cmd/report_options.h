/*
 * report_options.h - what aor report and aor serve have in common: the runs, their benchmark, the
 * judge, and the command that repeats it.
 */
#ifndef AOR_CMD_REPORT_OPTIONS_H
#define AOR_CMD_REPORT_OPTIONS_H

#include "report/report.h"

struct report_options {
    const char *bench, *judge, *labels;
};

/* Rows of a table of options for a struct report_options o. */
/* clang-format off */
#define REPORT_OPTIONS(o) \
    {'b', "bench", OPT_STR, &(o).bench, "BENCH", \
     "the runs' benchmark: sounds, reasons, wanted answers", 0, 0}, \
    {'j', "judge", OPT_STR, &(o).judge, "ID", "whose verdicts (default: the last aor judge)", 0, 0}
/* clang-format on */

/* What the parameters point to. {0} is empty. */
struct report_source {
    struct dataset dataset;
    struct rule_judge *rules;
    struct report_params params;
};

/* "aor" and argv[0..argc-1] as they are typed in a shell; the caller's. */
char *report_command(int argc, char **argv);

/* Open what the options name. All strings are borrowed; report_source_release() frees the rest,
 * also after an error. */
int report_source_open(const struct report_options *o, char **paths, size_t n, const char *command,
                       struct report_source *ret, struct err *err);
void report_source_release(struct report_source *s);

#endif
