#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "store/merge.h"

/* How a starter of processes says which of how many one is. */
struct starter {
    const char *name;
    const char *rank;        /* the variable that is there where it started us */
    const char *first;       /* of the lowest rank; NULL: ranks begin with 0 */
    const char *last, *size; /* of the highest rank (may be NULL), and their number */
};

/*
 * In this order: mpirun in a Slurm job leaves the job's own SLURM_PROCID standing, and the tasks of
 * an array have one each.
 */
static const struct starter starters[] = {
    {"a Slurm job array", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX",
     "SLURM_ARRAY_TASK_COUNT"},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", NULL, NULL, "OMPI_COMM_WORLD_SIZE"},
    {"PMI", "PMI_RANK", NULL, NULL, "PMI_SIZE"},
    {"Slurm", "SLURM_PROCID", NULL, NULL, "SLURM_NTASKS"},
};

static int read_number(const char *name, long *ret, struct err *err)
{
    const char *text = getenv(name);
    char *end = NULL;
    long v = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end != '\0' || v < 0 || v > INT32_MAX) {
        return err_set(err, ERR_USAGE, "--shard auto: %s is %s; say --shard K/N", name,
                       text ? "no number" : "not set");
    }
    *ret = v;
    return 0;
}

static int ask_starter(const struct starter *s, int *ret_shard, int *ret_n_shards, struct err *err)
{
    long rank, size, first = 0, last;
    if (read_number(s->rank, &rank, err) != 0 || read_number(s->size, &size, err) != 0 ||
        (s->first && read_number(s->first, &first, err) != 0)) {
        return -1;
    }
    last = first + size - 1;
    if (s->last && read_number(s->last, &last, err) != 0) {
        return -1;
    }
    if (last - first != size - 1) {
        return err_set(err, ERR_USAGE,
                       "--shard auto: %s from %ld to %ld has %ld tasks, but wants each number; say "
                       "--shard K/N",
                       s->name, first, last, size);
    }
    if (rank < first || rank > last || size > STORE_MAX_SHARDS) {
        return err_set(err, ERR_USAGE, "--shard auto: %s says %s=%ld and %s=%ld; say --shard K/N",
                       s->name, s->rank, rank, s->size, size);
    }
    *ret_shard = (int)(rank - first + 1);
    *ret_n_shards = (int)size;
    return 0;
}

static int ask_environment(int *ret_shard, int *ret_n_shards, struct err *err)
{
    for (size_t i = 0; i < sizeof starters / sizeof *starters; i++) {
        if (getenv(starters[i].rank)) {
            return ask_starter(&starters[i], ret_shard, ret_n_shards, err);
        }
    }
    return err_set(err, ERR_USAGE,
                   "--shard auto: neither a Slurm job array nor MPI nor srun started this; say "
                   "--shard K/N");
}

int cmd_parse_shard(const char *text, int *ret_shard, int *ret_n_shards, struct err *err)
{
    long shard = 0, n_shards = 0;
    char *end = NULL;
    if (text && strcmp(text, "auto") == 0) {
        return ask_environment(ret_shard, ret_n_shards, err);
    }
    if (text) {
        shard = strtol(text, &end, 10);
        n_shards = *end == '/' ? strtol(end + 1, &end, 10) : 0;
    }
    if (text && (*end != '\0' || shard < 1 || shard > n_shards || n_shards > STORE_MAX_SHARDS)) {
        return err_set(err, ERR_USAGE, "--shard wants K/N with 1 <= K <= N, such as 2/4, or auto");
    }
    *ret_shard = (int)shard;
    *ret_n_shards = (int)n_shards;
    return 0;
}
