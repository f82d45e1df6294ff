#include "base/pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"

struct message {
    size_t index;
    char result[POOL_MAX_RESULT];
};

int pool_default_workers(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static void work(const struct pool *p, atomic_size_t *next, int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cancel_uninstall();
    void *state = p->start ? p->start(p->user) : NULL;
    struct message m;
    for (size_t i; (i = atomic_fetch_add(next, 1)) < p->n_tasks;) {
        memset(m.result, 0, p->result_size);
        m.index = i;
        p->task(i, state, m.result);
        if (fs_write_all(fd, &m, offsetof(struct message, result) + p->result_size) != 0) {
            break;
        }
    }
    _exit(0);
}

/* Wait for all workers. Returns the signal that one died of, 0 for none. */
static int reap(const pid_t *pids, int n)
{
    int signal_number = 0;
    for (int i = 0; i < n; i++) {
        int status;
        while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR) {
        }
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
            signal_number = WTERMSIG(status);
        }
    }
    return signal_number;
}

int pool_run(const struct pool *p, struct err *err)
{
    int ok = -1;
    int fds[2];
    int n_started = 0;
    size_t n_results = 0;
    pid_t *pids = xcalloc((size_t)p->n_workers, sizeof *pids);
    atomic_size_t *next =
        mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int size = 2 * sizeof(struct message); /* the system's own may be less than one needs */
    if (next == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0 ||
        setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0) {
        err_errno(err, "starting workers");
        free(pids);
        return -1;
    }
    for (; n_started < p->n_workers; n_started++) {
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            work(p, next, fds[1]);
        }
        if (pid < 0) {
            err_errno(err, "starting a worker");
            break;
        }
        pids[n_started] = pid;
    }
    close(fds[1]);
    bool failed = n_started < p->n_workers;
    struct message m;
    while (!failed && n_results < p->n_tasks && !cancel_requested()) {
        if (fs_read_all(fds[0], &m, offsetof(struct message, result) + p->result_size) != 0) {
            break;
        }
        n_results++;
        failed = p->on_result(m.index, m.result, p->user, err) != 0;
    }
    if (n_results < p->n_tasks) {
        for (int i = 0; i < n_started; i++) {
            kill(pids[i], SIGKILL);
        }
    }
    int signal_number = reap(pids, n_started);
    if (failed) {
        goto out;
    }
    if (cancel_requested()) {
        err_set(err, ERR_CANCELLED, "stopped by a signal; the same command goes on from here");
    } else if (n_results < p->n_tasks) {
        err_set(err, ERR_MODEL, "a worker process died (%s)",
                signal_number ? strsignal(signal_number) : "unexpectedly");
    } else {
        ok = 0;
    }
out:
    close(fds[0]);
    munmap(next, sizeof *next);
    free(pids);
    return ok;
}
