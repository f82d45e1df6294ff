/*
 * build.h - from data files to a benchmark directory, on several processes, resumable.
 */
#ifndef AOR_BENCH_BUILD_H
#define AOR_BENCH_BUILD_H

#include <stddef.h>

#include "base/err.h"

struct build_params {
    const char *spec_path;
    const char *data_dir;   /* scenarios/, scenes.yaml, sounds.yaml, voices.yaml */
    const char *sounds_dir; /* unpacked Debian packages (tools/setup/sounds.sh) */
    const char *out_dir;
    int n_workers;
};

struct build_summary {
    size_t n_samples;
    size_t n_made; /* the others were up to date */
    double seconds;
};

/*
 * Make what is missing or whose recipe changed; files of samples that are no longer planned are
 * removed. Interrupted anywhere, the same call goes on.
 */
int build_benchmark(const struct build_params *p, struct build_summary *ret, struct err *err);

#endif
