/*
 * build.h - from data files to a benchmark directory, on several processes, resumable.
 */
#ifndef AOR_BENCH_BUILD_H
#define AOR_BENCH_BUILD_H

#include <stddef.h>

#include "base/err.h"
#include "bench/bench.h"

struct build_params {
    const char *spec_path;
    const char *data_dir;   /* scenarios/, scenes.yaml, sounds.yaml, sounds/, voices.yaml */
    const char *sounds_dir; /* unpacked Debian packages (tools/setup/sounds.sh) */
    const char *out_dir;
    int n_workers;
    struct bench_selection select;
    int shard, n_shards; /* 1..n_shards of the samples, by a stable hash of their ids; 0, 0: all */
};

struct build_summary {
    size_t n_samples; /* of the plan, or of the shard */
    size_t n_made;    /* the others were up to date */
    size_t n_removed; /* files of samples that are no longer planned */
    double seconds;
};

/*
 * Make what is missing or whose recipe changed; files of samples that are no longer planned are
 * removed, but a selection that would leave out samples of a benchmark that is there is an error.
 * Interrupted anywhere, the same call goes on. Shards of one benchmark may be built at the same
 * time, on any machines that see the folder; a call without shards then makes it whole.
 */
int build_benchmark(const struct build_params *p, struct build_summary *ret, struct err *err);

#endif
