#include <stdlib.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "run/record.h"
#include "store/merge.h"

#define MAX_NAMED 20 /* shards in a message */

/* "; shards 3, 5 of 8 are missing" or "". The caller's. */
static char *describe_missing(const struct store_merged *m)
{
    struct buf names = {0};
    int n = 0;
    for (int i = 0; i < m->n_shards; i++) {
        if (!m->has_shard[i] && n++ < MAX_NAMED) {
            buf_addf(&names, "%s%d", n > 1 ? ", " : "", i + 1);
        }
    }
    if (n > MAX_NAMED) {
        buf_addf(&names, " and %d more", n - MAX_NAMED);
    }
    char *text = n == 0   ? xstrdup("")
                 : n == 1 ? xasprintf("; shard %s of %d is missing", names.data, m->n_shards)
                          : xasprintf("; shards %s of %d are missing", names.data, m->n_shards);
    buf_release(&names);
    return text;
}

static int report(const char *path, const struct store_merged *m)
{
    char *missing = describe_missing(m);
    bool is_whole = *missing == '\0' && m->n_answers == m->n_trials;
    log_info("%s: %lld trials, %lld answered, %lld errors, %lld pending%s", path,
             (long long)m->n_trials, (long long)m->n_answers, (long long)m->n_errors,
             (long long)(m->n_trials - m->n_answers - m->n_errors), missing);
    free(missing);
    return is_whole ? EXIT_FINE : EXIT_WITH_ERRORS;
}

static int run(int argc, char **argv)
{
    const char *out = NULL;
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &out, "RUN.db", "the run file to write (required)", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "merge",
        .synopsis = "-o RUN.db SHARD.db..",
        .summary = "Make one run file of the shards of a run.",
        .details = "The shards are only read, in any order; merging again adds what is new. RUN.db "
                   "may be\n"
                   "there and hold an earlier merge. It is replaced as a whole at the end or not "
                   "at all.\n"
                   "Ends with code 3 where shards are missing or trials have no answer.",
        .examples = "  aor merge -o run.db run-1-of-2.db run-2-of-2.db\n"
                    "  aor merge -o run.db run-*-of-8.db\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, argc, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    struct store_merged merged = {0};
    cancel_install();
    if (!out) {
        err_set(&err, ERR_USAGE, "aor merge wants -o RUN.db");
        return cmd_fail(&err);
    }
    if (store_merge(out, (const char *const *)argv + 1, (size_t)n_operands, record_facts, &merged,
                    &err) != 0) {
        return cmd_fail(&err);
    }
    status = report(out, &merged);
    store_merged_release(&merged);
    return status;
}

const struct cmd cmd_merge = {"merge", "make one run file of its shards", run};
