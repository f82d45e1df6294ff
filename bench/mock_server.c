/*
 * mock_server.c - a chat server for bench/remote.sh: mock_server LATENCY_MS
 *
 * Prints its port, reads each POST to its end, waits, and answers the same chat completion. At
 * SIGTERM it prints how many requests it has answered, how many waited at once, and the seconds
 * from the first to the last.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CONNECTIONS 2048

static const char answer[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"mock\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Use a short "
    "exposure and the light from the window; ask them to look at each other.\"},"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,"
    "\"total_tokens\":120}}";

struct request {
    size_t n_bytes;
    double due_s; /* 0: its body is not whole yet */
};

struct waiting {
    struct MHD_Connection *connection;
    double due_s;
};

/* Those that wait, in the order of their time: each waits equally long. */
struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct waiting ring[MAX_CONNECTIONS];
    size_t first, n;
    size_t n_waiting; /* with the one that is no longer in the ring, but not yet woken */
    size_t n_most, n_answered;
    double first_s, last_s; /* when the first request came and the last answer went */
    double latency_s;
};

static struct queue queue = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void push(struct MHD_Connection *c, double due_s)
{
    pthread_mutex_lock(&queue.mutex);
    queue.ring[(queue.first + queue.n++) % MAX_CONNECTIONS] = (struct waiting){c, due_s};
    if (++queue.n_waiting > queue.n_most)
        queue.n_most = queue.n_waiting;
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.mutex);
}

static void *wake(void *unused)
{
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&queue.mutex);
        while (!queue.n)
            pthread_cond_wait(&queue.changed, &queue.mutex);
        struct waiting w = queue.ring[queue.first];
        queue.first = (queue.first + 1) % MAX_CONNECTIONS;
        queue.n--;
        pthread_mutex_unlock(&queue.mutex);
        double left = w.due_s - now();
        if (left > 0) {
            struct timespec t = {.tv_sec = (time_t)left,
                                 .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
            nanosleep(&t, NULL);
        }
        pthread_mutex_lock(&queue.mutex);
        queue.n_waiting--;
        pthread_mutex_unlock(&queue.mutex);
        MHD_resume_connection(w.connection);
    }
    return NULL;
}

static enum MHD_Result send_answer(struct MHD_Connection *c, unsigned status, const char *text)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), (void *)(size_t)text, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result handle(void *unused, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data, size_t *n,
                              void **state)
{
    (void)unused;
    (void)url;
    (void)version;
    (void)data;
    struct request *r = *state;
    if (!r) {
        if (queue.first_s == 0)
            queue.first_s = now();
        *state = calloc(1, sizeof *r);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*n) {
        r->n_bytes += *n;
        *n = 0;
        return MHD_YES;
    }
    if (strcmp(method, "POST") != 0)
        return send_answer(c, MHD_HTTP_NOT_FOUND, "{\"error\":{\"message\":\"nothing here\"}}");
    if (r->due_s == 0 && queue.latency_s > 0) {
        r->due_s = now() + queue.latency_s;
        MHD_suspend_connection(c);
        push(c, r->due_s);
        return MHD_YES;
    }
    queue.n_answered++;
    queue.last_s = now();
    return send_answer(c, MHD_HTTP_OK, answer);
}

static void done(void *unused, struct MHD_Connection *c, void **state,
                 enum MHD_RequestTerminationCode why)
{
    (void)unused;
    (void)c;
    (void)why;
    free(*state);
    *state = NULL;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: mock_server LATENCY_MS\n");
        return 2;
    }
    queue.latency_s = strtod(argv[1], NULL) / 1000;
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    pthread_sigmask(SIG_BLOCK, &end, NULL);

    pthread_t waker;
    if (pthread_create(&waker, NULL, wake, NULL) != 0)
        return 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                         handle, NULL, MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_NOTIFY_COMPLETED,
                         done, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
                         MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)MAX_CONNECTIONS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 << 10, MHD_OPTION_END);
    if (!d) {
        fprintf(stderr, "mock_server: does not start\n");
        return 1;
    }
    printf("%u\n", (unsigned)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    int signal_number;
    sigwait(&end, &signal_number);
    printf("%zu %zu %.2f\n", queue.n_answered, queue.n_most, queue.last_s - queue.first_s);
    return 0;
}
