#include <inttypes.h>

#include "base/cancel.h"
#include "base/json.h"
#include "base/pool.h"
#include "bench/check.h"
#include "cmd.h"

struct problems {
    bool as_json;
    json_t *list; /* as_json only */
};

static void take_problem(const char *sample_id, const char *problem, void *user)
{
    struct problems *p = user;
    if (p->as_json) {
        json_array_append_new(
            p->list, json_pack("{s:s, s:o}", "sample", sample_id, "problem", json_text(problem)));
    } else {
        printf("BAD  %s: %s\n", sample_id, problem);
    }
}

static void print_range(const char *name, struct check_range r, const char *unit)
{
    printf("  %-22s %8.2f to %8.2f %s\n", name, r.min, r.max, unit);
}

static void print_text(const struct check_report *r)
{
    printf("%zu samples, %.1f min of audio\n\nMeasured on the files:\n", r->n_samples,
           r->total_s / 60);
    print_range("duration", r->duration_s, "s");
    print_range("loudness", r->lufs, "LUFS");
    print_range("true peak", r->true_peak_db, "dBTP");
    print_range("active speech level", r->active_level_db, "dBFS");
    print_range("SNR, achieved - wanted", r->snr_error_db, "dB");
    printf("\nBalance of the scenarios (samples a level):\n");
    for (int f = 0; f < CHECK_N_FACTORS; f++) {
        const struct check_balance *b = &r->balance[f];
        printf("  %-24s %3zu levels, %zu to %zu\n", b->factor, b->n_levels, b->min, b->max);
    }
    printf("\n%zu samples clip, %zu have a problem: %s\n", r->n_clipped, r->n_bad,
           r->n_bad == 0 ? "all good" : "see above");
}

static json_t *range_json(struct check_range r)
{
    return json_pack("{s:o, s:o}", "min", json_number(r.min), "max", json_number(r.max));
}

static void print_json(const struct check_report *r, json_t *problems)
{
    json_t *balance = json_array();
    for (int f = 0; f < CHECK_N_FACTORS; f++) {
        const struct check_balance *b = &r->balance[f];
        json_array_append_new(balance, json_pack("{s:s, s:I, s:I, s:I}", "factor", b->factor,
                                                 "levels", (json_int_t)b->n_levels, "min",
                                                 (json_int_t)b->min, "max", (json_int_t)b->max));
    }
    json_t *all = json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "samples",
                            (json_int_t)r->n_samples, "bad", (json_int_t)r->n_bad, "clipped",
                            (json_int_t)r->n_clipped, "total_s", json_number(r->total_s),
                            "duration_s", range_json(r->duration_s), "lufs", range_json(r->lufs),
                            "true_peak_db", range_json(r->true_peak_db), "active_level_db",
                            range_json(r->active_level_db), "snr_error_db",
                            range_json(r->snr_error_db), "balance", balance, "problems", problems);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(all);
}

static int run(int argc, char **argv)
{
    bool as_json = false;
    long n_workers = pool_default_workers();
    const struct opt opts[] = {
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {'j', "jobs", OPT_INT, &n_workers, "N", "processes (default: all processors)", 1, 1024},
        {0},
    };
    const struct opt_command command = {
        .name = "check",
        .synopsis = "BENCH [options]",
        .summary = "Measure a benchmark again: hashes, levels, SNR, clipping, balance.",
        .details = "Ends with code 3 when a sample has a problem.",
        .examples = "  aor check bench\n  aor check bench --json | jq .balance\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    cancel_install();
    struct dataset d = {0};
    struct check_report report;
    struct problems problems = {as_json, json_array()};
    if (dataset_open(argv[1], &d, &err) != 0 ||
        check_dataset(&d, (int)n_workers, take_problem, &problems, &report, &err) != 0) {
        status = cmd_fail(&err);
    } else {
        if (as_json) {
            print_json(&report, problems.list);
        } else {
            print_text(&report);
        }
        status = report.n_bad > 0 ? EXIT_WITH_ERRORS : EXIT_FINE;
    }
    json_decref(problems.list);
    dataset_release(&d);
    return status;
}

const struct cmd cmd_check = {"check", "measure a benchmark: hashes, levels, SNR, balance", run};
