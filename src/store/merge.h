/*
 * merge.h - several run files of one run as one: the shards of aor run --shard.
 */
#ifndef AOR_STORE_MERGE_H
#define AOR_STORE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The info key of a file that holds a shard, such as "2/8". A merged file has none. */
#define STORE_INFO_SHARD "run.shard"
#define STORE_MAX_SHARDS 100000

struct store_merged {
    int64_t n_trials, n_answers, n_errors; /* blocks count as answers; the rest is pending */
    int n_shards;                          /* 0: no file was a shard */
    bool *has_shard;                       /* [n_shards], owned: is in the merged file */
};

/*
 * Write to path what the sources hold, and what path holds where it is there: an earlier merge, or
 * a part. The sources are only read (one of an older schema is brought up to date first); path is
 * replaced as a whole at the end, or not at all. The content depends on what is merged, not on its
 * order: trials get ids in the order of sample, condition, strategy and repeat. Of a trial an
 * answer or block stands before an error and an error before nothing; of equals the latest.
 *
 * Errors: a source that is damaged, no run, or being written; info keys with other values, but for
 * those in facts (NULL-ended; of these the greatest value stays); prompts of one name that differ;
 * another answer to one trial; shards of another number.
 */
int store_merge(const char *path, const char *const *sources, size_t n_sources,
                const char *const *facts, struct store_merged *ret, struct err *err);
void store_merged_release(struct store_merged *m);

#endif
