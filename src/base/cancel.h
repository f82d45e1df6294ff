/*
 * cancel.h - SIGINT and SIGTERM ask long work to stop between two results.
 */
#ifndef AOR_BASE_CANCEL_H
#define AOR_BASE_CANCEL_H

#include <stdbool.h>

/* Install the handlers; a second signal ends the process at once. */
void cancel_install(void);

/* Give the signals their default meaning back: for child processes. */
void cancel_uninstall(void);

bool cancel_requested(void);

#endif
