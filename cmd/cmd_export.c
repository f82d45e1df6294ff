#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "bench/export.h"
#include "cmd.h"

static void put_line(const char *line, void *user)
{
    fputs(line, user);
}

static int run(int argc, char **argv)
{
    const char *format = NULL;
    const char *out = NULL;
    const char *conditions = "matched";
    const struct opt opts[] = {
        {'f', "format", OPT_STR, &format, "FORMAT", "hf or jsonl (required)", 0, 0},
        {'o', "output", OPT_STR, &out, "DIR", "hf: a new folder (required)", 0, 0},
        {'c', "conditions", OPT_STR, &conditions, "LIST",
         "hf: of matched, speech, noise, mismatched (default: matched)", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "export",
        .synopsis = "BENCH -f FORMAT [options]",
        .summary = "A benchmark for other programs.",
        .details = "hf: a folder to publish as a Hugging Face dataset (audiofolder): a dataset\n"
                   "card, a configuration for each condition, the splits dev and test.\n"
                   "jsonl: one JSON object a sample on stdout, with the path of its audio.",
        .examples = "  aor export bench -f hf -o bench-hf\n"
                    "  aor export bench -f jsonl | jq -r 'select(.split == \"test\") | .audio'\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    struct dataset d = {0};
    unsigned set;
    cancel_install();
    bool is_hf = format && strcmp(format, "hf") == 0;
    if (!is_hf && (!format || strcmp(format, "jsonl") != 0)) {
        err_set(&err, ERR_USAGE, "aor export wants -f hf or -f jsonl");
    } else if (!is_hf && out) {
        err_set(&err, ERR_USAGE, "-f jsonl goes to stdout and takes no -o");
    } else if (is_hf && !out) {
        err_set(&err, ERR_USAGE, "aor export -f hf wants -o DIR");
    } else if (cmd_parse_conditions(conditions, &set, &err) == 0 &&
               dataset_open(argv[1], &d, &err) == 0 &&
               (is_hf ? export_hf(&d, set, out, &err) : export_jsonl(&d, put_line, stdout, &err)) ==
                   0) {
        status = EXIT_FINE;
    }
    if (status < 0) {
        status = cmd_fail(&err);
    }
    dataset_release(&d);
    return status;
}

const struct cmd cmd_export = {"export", "a benchmark for other programs", run};
