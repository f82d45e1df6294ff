/*
 * server.h - the report's page from runs that may still grow, and the listening page, to browsers.
 *
 * One thread, which is the caller's: one request at a time. Every answer carries a content security
 * policy that allows nothing but this server's own files.
 */
#ifndef AOR_WEB_SERVER_H
#define AOR_WEB_SERVER_H

#include "report/report.h"
#include "web/labels.h"

#define SERVER_MAX_BODY 65536 /* bytes of a label */

struct server_params {
    const struct report_params *report;
    struct labels *labels; /* NULL: no listening page */
    const char *address;   /* to listen at, in numbers: "127.0.0.1", "0.0.0.0", "::1" */
    int port;              /* 0: any that is free */
    const char *token;     /* that browsers must show; NULL: loopback only, and no token */
};

struct server;

/* Listen. Fails where the address is in use, or not loopback and without a token. */
int server_open(const struct server_params *p, struct server **ret, struct err *err);
void server_free(struct server *s);

/* "http://127.0.0.1:8765/", with the token where there is one; borrowed. */
const char *server_url(const struct server *s);

/* Answer what comes within so many milliseconds. */
int server_step(struct server *s, int timeout_ms, struct err *err);

#endif
