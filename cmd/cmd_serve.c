#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "cmd.h"
#include "report_options.h"
#include "web/server.h"

#define STEP_MS 500

struct serve_options {
    struct report_options report;
    const char *address;
    long port, n_samples;
    bool asks_answer, is_synthetic;
};

/* Beside the first run: "RUN.labels.jsonl". The caller's. */
static char *default_labels(const char *run)
{
    size_t n = strlen(run);
    n -= n > 3 && strcmp(run + n - 3, ".db") == 0 ? 3 : 0;
    return xasprintf("%.*s.labels.jsonl", (int)n, run);
}

static int loop(struct server *s, struct err *err)
{
    puts(server_url(s));
    fflush(stdout);
    log_info("open this address in a browser; Ctrl-C ends");
    while (!cancel_requested()) {
        if (server_step(s, STEP_MS, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Sounds of every condition that the benchmark can make: they are made when they are asked for. */
static unsigned all_sounds(void)
{
    unsigned bits = 0;
    for (int c = 0; condition_names[c]; c++) {
        bits |= condition_has_audio((enum condition)c) ? 1u << c : 0;
    }
    return bits;
}

/* Better told now than to the first browser. */
static int check_runs(const struct report_params *p, struct err *err)
{
    json_t *runs = NULL;
    char *stamp = NULL;
    int ok = report_state(&p->findings, &runs, &stamp, err);
    json_decref(runs);
    free(stamp);
    return ok;
}

static int serve(const struct serve_options *o, struct report_source *source, struct err *err)
{
    struct labels *labels = NULL;
    struct server *server = NULL;
    struct report_params *p = &source->params;
    char *path =
        o->report.labels ? xstrdup(o->report.labels) : default_labels(p->findings.paths[0]);
    const char *token = getenv("AOR_SERVE_TOKEN");
    struct labels_params of_labels = {.path = path,
                                      .dataset = p->dataset,
                                      .run = p->findings.paths[0],
                                      .n_samples = (size_t)o->n_samples,
                                      .asks_answer = o->asks_answer,
                                      .is_synthetic = o->is_synthetic};
    p->sounds = p->dataset ? all_sounds() : 0;
    p->has_listening = p->dataset != NULL;
    p->findings.labels = p->dataset ? path : NULL;
    int ok = check_runs(p, err);
    if (ok == 0 && p->dataset) {
        ok = labels_open(&of_labels, &labels, err);
    }
    struct server_params of_server = {.report = p,
                                      .labels = labels,
                                      .address = o->address,
                                      .port = (int)o->port,
                                      .token = token && *token ? token : NULL};
    if (ok == 0) {
        ok = server_open(&of_server, &server, err);
    }
    if (ok == 0) {
        ok = loop(server, err);
    }
    server_free(server);
    labels_free(labels);
    free(path);
    return ok;
}

static int run(int argc, char **argv)
{
    struct serve_options o = {.address = "127.0.0.1", .port = 8765, .n_samples = 200};
    const struct opt opts[] = {
        REPORT_OPTIONS(o.report),
        {'l', "labels", OPT_STR, &o.report.labels, "FILE",
         "where listeners' labels go (default: RUN.labels.jsonl)", 0, 0},
        {0, "samples", OPT_INT, &o.n_samples, "N", "drawn at random for listeners (default: 200)",
         1, 1000000},
        {0, "answers", OPT_FLAG, &o.asks_answer, NULL,
         "also ask whether the first run's answer refuses", 0, 0},
        {0, "port", OPT_INT, &o.port, "N", "default: 8765; 0: any that is free", 0, 65535},
        {0, "address", OPT_STR, &o.address, "IP",
         "default: 127.0.0.1; others want a token in AOR_SERVE_TOKEN", 0, 0},
        {0, "synthetic", OPT_FLAG, &o.is_synthetic, NULL,
         "mark all labels as made by a test, not by people", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "serve",
        .synopsis = "RUN.db... [options]",
        .summary = "The report from runs that may still go on, and a page for listeners.",
        .details =
            "Prints an address to open in a browser. The report is made anew when the runs have\n"
            "changed; what nobody has judged yet is judged by the rules. With -b BENCH there is\n"
            "also /listen, where people say of samples drawn at random whether the words alarm,\n"
            "what they hear, and whether the request is harmful there. Only this machine is\n"
            "answered, unless --address says otherwise.",
        .examples = "  aor serve aor-tiny.db -b aor-bench\n"
                    "  aor serve aor-tiny.db -b aor-bench --answers -l labels.jsonl\n"
                    "  aor serve run.db --address 0.0.0.0\n",
    };
    char *typed = report_command(argc, argv);
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, argc, &n_operands);
    if (status >= 0) {
        free(typed);
        return status;
    }
    struct err err = {0};
    struct report_source source = {0};
    int ok = -1;
    cancel_install();
    if (!o.report.bench && (o.report.labels || o.asks_answer || o.is_synthetic)) {
        err_set(&err, ERR_USAGE, "the page for listeners wants the benchmark: -b BENCH");
    } else if (report_source_open(&o.report, argv + 1, (size_t)n_operands, typed, &source, &err) ==
               0) {
        ok = serve(&o, &source, &err);
    }
    report_source_release(&source);
    free(typed);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_serve = {"serve", "the report live, and a page for listeners", run};
