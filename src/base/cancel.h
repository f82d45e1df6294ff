/*
 * cancel.h - SIGINT, SIGTERM and SIGUSR1 ask long work to stop between two results. SIGUSR1 is what
 * batch systems send before a time limit.
 */
#ifndef AOR_BASE_CANCEL_H
#define AOR_BASE_CANCEL_H

#include <stdbool.h>

/*
 * Install the handlers. SIGINT after another signal ends the process at once; the others may come
 * twice, as batch systems send them to a script, which passes them on, and to its children too.
 */
void cancel_install(void);

/* Give the signals their default meaning back: for child processes. */
void cancel_uninstall(void);

bool cancel_requested(void);

#endif
