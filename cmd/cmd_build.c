#include <stdlib.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/pool.h"
#include "bench/build.h"
#include "cmd.h"

static int run(int argc, char **argv)
{
    const char *spec = NULL;
    const char *data = NULL;
    const char *sounds = NULL;
    const char *out = NULL;
    const char *only = NULL;
    const char *shard = NULL;
    long limit = 0;
    long n_workers = pool_default_workers();
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &out, "BENCH", "the benchmark directory (required)", 0, 0},
        {'s', "spec", OPT_STR, &spec, "FILE", "the design (default: spec.yaml of the data folder)",
         0, 0},
        {'d', "data", OPT_STR, &data, "DIR", "spec, scenarios, scenes, voices (default: aor's own)",
         0, 0},
        {0, "sounds", OPT_STR, &sounds, "DIR",
         "unpacked sound packages (default: ~/.cache/aor/sounds)", 0, 0},
        {0, "only", OPT_STR, &only, "NAMES",
         "only these items, scenes, categories or kinds: names with commas", 0, 0},
        {0, "limit", OPT_INT, &limit, "N", "whole items of at most N samples, spread evenly", 1,
         1000000000},
        {0, "shard", OPT_STR, &shard, "K/N", "make the K-th of N parts; see below", 0, 0},
        {'j', "jobs", OPT_INT, &n_workers, "N", "processes (default: all processors)", 1, 1024},
        {0},
    };
    const struct opt_command command = {
        .name = "build",
        .synopsis = "[options] -o BENCH",
        .summary = "Synthesise a benchmark: speech in sound scenes, FLAC files and metadata.",
        .details = "What is there and still fits is kept, so the same command goes on after an\n"
                   "interruption. The same spec and seed give the same samples for any number of\n"
                   "processes. BENCH loads as a Hugging Face audiofolder.\n\n"
                   "Shards may be built at the same time into one folder, also from several\n"
                   "machines; when all are there, aor build -o BENCH without --shard makes the\n"
                   "benchmark whole.",
        .examples = "  aor build -o bench\n"
                    "  aor build -o small --only kitchen,gaming-001 --limit 100\n"
                    "  aor build -o bench --shard 2/4 && aor build -o bench\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 0, 0, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    cancel_install();
    if (!out) {
        err_set(&err, ERR_USAGE, "aor build wants -o BENCH");
        return cmd_fail(&err);
    }
    char *data_dir = data ? xstrdup(data) : cmd_shared_path("data");
    char *spec_path = spec ? xstrdup(spec) : fs_join(data_dir, "spec.yaml");
    char *sounds_dir = sounds ? xstrdup(sounds) : cmd_cache_path("sounds");
    struct build_params params = {
        .spec_path = spec_path,
        .data_dir = data_dir,
        .sounds_dir = sounds_dir,
        .out_dir = out,
        .n_workers = (int)n_workers,
        .select = {.limit = limit},
    };
    cmd_split(only, &params.select.only, &params.select.n_only);
    struct build_summary summary;
    status = EXIT_FINE;
    if (only && params.select.n_only == 0) {
        err_set(&err, ERR_USAGE, "--only names nothing");
        status = cmd_fail(&err);
    } else if (cmd_parse_shard(shard, &params.shard, &params.n_shards, &err) != 0 ||
               build_benchmark(&params, &summary, &err) != 0) {
        status = cmd_fail(&err);
    } else if (params.n_shards > 0) {
        log_info("%s: shard %s, %zu samples, %zu made in %.1f s", out, shard, summary.n_samples,
                 summary.n_made, summary.seconds);
    } else if (summary.n_removed > 0) {
        log_info("%s: %zu samples, %zu made in %.1f s; %zu that are no longer planned removed", out,
                 summary.n_samples, summary.n_made, summary.seconds, summary.n_removed);
    } else if (summary.n_made == 0) {
        log_info("%s: %zu samples, all up to date", out, summary.n_samples);
    } else {
        log_info("%s: %zu samples, %zu made in %.1f s", out, summary.n_samples, summary.n_made,
                 summary.seconds);
    }
    cmd_free_list(params.select.only, params.select.n_only);
    free(sounds_dir);
    free(spec_path);
    free(data_dir);
    return status;
}

const struct cmd cmd_build = {"build", "synthesise a benchmark", run};
