/*
 * log.h - messages for people, on stderr. Data goes to stdout and is none of this file's business.
 */
#ifndef AOR_BASE_LOG_H
#define AOR_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

/* One line "aor: ..." for people. */
void log_info(const char *fmt, ...) ERR_PRINTF(1, 2);

/*
 * A progress line "label 12/30 40% 3.1/s, 6 s left, note". On a terminal it is drawn over itself,
 * at most ten times a second; elsewhere a line is written every ten seconds and at the end.
 */
struct progress {
    const char *label; /* borrowed */
    long n_total;
    long n_done;
    long n_before; /* done by an earlier call: left out of the rate */
    double started_s;
    double drawn_s;
    bool on_terminal;
};

void progress_start(struct progress *p, const char *label, long n_total, long n_before);
void progress_update(struct progress *p, long n_done, const char *note); /* note: NULL or short */
void progress_end(struct progress *p, const char *note);

/* Seconds on the monotonic clock. */
double clock_s(void);

#endif
