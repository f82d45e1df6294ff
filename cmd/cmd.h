/*
 * cmd.h - the commands: one file each, one descriptor each. Only cmd/ prints to stdout and exits.
 */
#ifndef AOR_CMD_CMD_H
#define AOR_CMD_CMD_H

#include "base/err.h"
#include "base/opt.h"

enum exit_code {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_WITH_ERRORS = 3, /* finished, but with failed samples or trials */
    EXIT_CANCELLED = 4,   /* stopped by SIGINT, SIGTERM or SIGUSR1; the same command goes on */
};

struct cmd {
    const char *name;
    const char *summary; /* for aor -h */
    int (*run)(int argc, char **argv);
};

extern const struct cmd cmd_build;
extern const struct cmd cmd_check;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_judge;
extern const struct cmd cmd_export;
extern const struct cmd cmd_merge;
extern const struct cmd cmd_models;
extern const struct cmd cmd_plan;
extern const struct cmd cmd_pull;
extern const struct cmd cmd_report;
extern const struct cmd cmd_run;
extern const struct cmd cmd_serve;
extern const struct cmd cmd_show;
extern const struct cmd cmd_slurm;
extern const struct cmd cmd_sounds;
extern const struct cmd cmd_stats;
extern const struct cmd cmd_steer;
extern const struct cmd cmd_study;

/* Log *err and give its exit code. */
int cmd_fail(const struct err *err);

/*
 * Parse options and check the number of operands. Returns -1 to go on, or an exit code (0 after
 * -h, 2 after a mistake, which was logged).
 */
int cmd_parse(const struct opt_command *command, const struct opt *opts, int argc, char **argv,
              int min_operands, int max_operands, int *ret_n_operands);

/* The parts of a list with commas (NULL: none), without blanks around them, empty ones left out;
 * the caller's. */
void cmd_split(const char *list, char ***ret_parts, size_t *ret_n);
void cmd_free_list(char **parts, size_t n);

/* "matched,speech" gives a bit for each enum condition; names of no condition are usage errors. */
int cmd_parse_conditions(const char *text, unsigned *ret, struct err *err);

/*
 * "2/4" gives 2 and 4; NULL gives 0 and 0. "auto" asks what started the process: a Slurm job array,
 * Open MPI, PMI or Slurm's srun, by their environment. Anything else is a usage error. (shard.c)
 */
int cmd_parse_shard(const char *text, int *ret_shard, int *ret_n_shards, struct err *err);

/*
 * A file that comes with aor, such as "data/spec.yaml": beside the installed program
 * (<prefix>/share/aor) or in the source tree. The caller's.
 */
char *cmd_shared_path(const char *name);

/* $AOR_CACHE, $XDG_CACHE_HOME/aor or ~/.cache/aor, with "/name" added. The caller's. */
char *cmd_cache_path(const char *name);

#endif
