#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "cmd.h"
#include "report/folder.h"
#include "report_options.h"

/* "none" or conditions with sound. */
static int parse_sounds(const char *list, unsigned *ret, struct err *err)
{
    if (strcmp(list, "none") == 0) {
        *ret = 0;
        return 0;
    }
    if (cmd_parse_conditions(list, ret, err) != 0) {
        return -1;
    }
    for (int c = 0; condition_names[c]; c++) {
        if ((*ret & (1u << c)) != 0 && !condition_has_audio((enum condition)c)) {
            return err_set(err, ERR_USAGE, "--sounds: condition %s has none", condition_names[c]);
        }
    }
    return 0;
}

static int report(struct report_source *source, const struct folder_params *folder, bool as_json,
                  struct err *err)
{
    struct report r;
    int ok = folder->dir ? folder_write(&source->params, folder, &r, err)
                         : report_make(&source->params, NULL, NULL, &r, err);
    if (ok != 0) {
        return -1;
    }
    if (as_json) {
        json_dumpf(r.document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
    }
    if (folder->dir) {
        log_info("%s/index.html", folder->dir);
    }
    report_release(&r);
    return 0;
}

static int run(int argc, char **argv)
{
    struct report_options o = {0};
    struct folder_params folder = {0};
    const char *sounds = NULL;
    bool as_json = false;
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &folder.dir, "DIR",
         "the report's folder (required but for --json)", 0, 0},
        REPORT_OPTIONS(o),
        {0, "labels", OPT_STR, &o.labels, "FILE", "listeners' labels, as aor serve writes them", 0,
         0},
        {0, "sounds", OPT_STR, &sounds, "LIST",
         "conditions whose sounds come along, or none (default: matched, with -b)", 0, 0},
        {0, "tables", OPT_FLAG, &folder.has_tables, NULL, "CSV and LaTeX tables in DIR/tables", 0,
         0},
        {0, "json", OPT_FLAG, &as_json, NULL, "the findings as JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "report",
        .synopsis = "RUN.db... -o DIR [options]",
        .summary = "A page to see and hear what runs show.",
        .details = "DIR/index.html opens from disk, without a network: the findings in words,\n"
                   "figures, warnings, methods, and every sample with its sound and answers. DIR\n"
                   "is new, empty, or an earlier report, which is replaced. What nobody has\n"
                   "judged yet is judged by the rules, for the report alone.",
        .examples =
            "  aor report aor-tiny.db -b aor-bench -o report\n"
            "  aor report one.db two.db -b aor-bench -o report --sounds matched,mismatched\n"
            "  aor report aor-tiny.db --json | jq -r '.summary[]'\n",
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
    unsigned conditions = 0;
    int ok = -1;
    cancel_install();
    if (!folder.dir && !as_json) {
        err_set(&err, ERR_USAGE, "aor report wants -o DIR");
    } else if (!folder.dir && (folder.has_tables || sounds)) {
        err_set(&err, ERR_USAGE, "--tables and --sounds want -o DIR");
    } else if (sounds && !o.bench) {
        err_set(&err, ERR_USAGE, "--sounds wants the benchmark: -b BENCH");
    } else if (parse_sounds(sounds    ? sounds
                            : o.bench ? "matched"
                                      : "none",
                            &conditions, &err) == 0 &&
               report_source_open(&o, argv + 1, (size_t)n_operands, typed, &source, &err) == 0) {
        source.params.sounds = conditions;
        ok = report(&source, &folder, as_json, &err);
    }
    report_source_release(&source);
    free(typed);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_report = {"report", "a page to see and hear what runs show", run};
