#include "base/cancel.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested;

static void on_signal(int signal_number)
{
    if (requested && signal_number == SIGINT) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
    requested = 1;
}

static void set_handler(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

void cancel_install(void)
{
    set_handler(on_signal);
}

void cancel_uninstall(void)
{
    set_handler(SIG_DFL);
}

bool cancel_requested(void)
{
    return requested != 0;
}
