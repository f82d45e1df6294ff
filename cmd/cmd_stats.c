#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cmd.h"
#include "report/tables.h"
#include "stats_text.h"

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_LATEX, OUTPUT_POWER };

static int print_json(const struct findings_set *set, struct err *err)
{
    json_t *doc;
    if ((set->n_runs == 1 ? tables_run_json(&set->runs[0], &doc, err)
                          : tables_set_json(set, &doc, err)) != 0) {
        return -1;
    }
    json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(doc);
    return 0;
}

static int print(const struct findings_set *set, enum output output, struct err *err)
{
    switch (output) {
    case OUTPUT_JSON:
        return print_json(set, err);
    case OUTPUT_CSV:
        return tables_rates_csv(stdout, set, err);
    case OUTPUT_LATEX:
        return tables_latex(stdout, &set->runs[0], err);
    case OUTPUT_POWER:
        stats_print_power(&set->runs[0]);
        return 0;
    case OUTPUT_TEXT:
        break;
    }
    if (set->n_runs == 1) {
        return stats_print_text(&set->runs[0], err);
    }
    stats_print_models(set);
    return 0;
}

static int stats(char **paths, size_t n, const char *judge, const char *labels, enum output output,
                 struct err *err)
{
    struct findings_set set;
    if (n > 1 && (output == OUTPUT_LATEX || output == OUTPUT_POWER)) {
        return err_set(err, ERR_USAGE, "--latex and --power: one run at a time");
    }
    struct findings_params p = {
        .paths = (const char *const *)paths, .n_paths = n, .judge = judge, .labels = labels};
    if (findings_load(&p, &set, err) != 0) {
        return -1;
    }
    int ok = print(&set, output, err);
    findings_release(&set);
    return ok;
}

static int run(int argc, char **argv)
{
    const char *judge = NULL;
    const char *labels = NULL;
    bool as_json = false;
    bool as_csv = false;
    bool as_latex = false;
    bool as_power = false;
    const struct opt opts[] = {
        {'j', "judge", OPT_STR, &judge, "ID", "whose verdicts (default: the last aor judge)", 0, 0},
        {0, "labels", OPT_STR, &labels, "FILE", "listeners' labels, as aor serve writes them", 0,
         0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout, by every factor", 0, 0},
        {0, "csv", OPT_FLAG, &as_csv, NULL, "CSV on stdout, by every factor", 0, 0},
        {0, "latex", OPT_FLAG, &as_latex, NULL, "tables for LaTeX with booktabs", 0, 0},
        {0, "power", OPT_FLAG, &as_power, NULL, "the least change that this design finds", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "stats",
        .synopsis = "RUN.db... [options]",
        .summary = "Refusal and over-refusal rates with 95% intervals.",
        .details =
            "Over-refusal rate where refusing is wrong (scenarios in their scene, heard or in\n"
            "words, words that are benign alone, plain requests), refusal rate elsewhere\n"
            "(contrasts, and sentences that may alarm without their scene). Intervals know that\n"
            "variants of one item are not independent. Then what changes refusals: context, "
            "strategy,\n"
            "manner and gender, paired by sample, with errors by scenario. Several runs: their\n"
            "models side by side.",
        .examples = "  aor stats aor-tiny.db\n  aor stats one.db two.db three.db\n  aor stats "
                    "aor-tiny.db --csv >rates.csv\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, argc, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    enum output output = as_json    ? OUTPUT_JSON
                         : as_csv   ? OUTPUT_CSV
                         : as_latex ? OUTPUT_LATEX
                         : as_power ? OUTPUT_POWER
                                    : OUTPUT_TEXT;
    int ok = as_json + as_csv + as_latex + as_power > 1
                 ? err_set(&err, ERR_USAGE, "--json, --csv, --latex or --power, one of them")
                 : stats(argv + 1, (size_t)n_operands, judge, labels, output, &err);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_stats = {"stats", "rates with intervals", run};
