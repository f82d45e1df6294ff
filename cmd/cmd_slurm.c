#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "bench/dataset.h"
#include "cmd.h"
#include "store/merge.h"

extern char **environ;

struct slurm {
    const char *bench, *db, *dir, *sbatch;
    long n_shards, n_at_once;
    bool is_print;
    char **options; /* of aor run */
    int n_options;

    char *aor, *cwd;           /* owned, absolute */
    char *out, *folder;        /* RUN.db and the shards' folder, likewise */
    char *stem;                /* "RUN" of RUN.db, owned */
    const char *tail;          /* ".db" or "" */
    struct buf array, merging; /* the scripts */
};

static void slurm_release(struct slurm *s)
{
    free(s->aor);
    free(s->cwd);
    free(s->out);
    free(s->folder);
    free(s->stem);
    buf_release(&s->array);
    buf_release(&s->merging);
}

/* A word of a shell command. */
static void add_word(struct buf *b, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./,:=+@";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        buf_adds(b, word);
        return;
    }
    buf_adds(b, "'");
    for (const char *p = word; *p; p++) {
        buf_adds(b, *p == '\'' ? "'\\''" : (const char[]){*p, '\0'});
    }
    buf_adds(b, "'");
}

/* Slurm reads an #SBATCH line itself: double quotes, and a backslash before what is meant as is. */
static void add_sbatch_word(struct buf *b, const char *word)
{
    buf_adds(b, "\"");
    for (const char *p = word; *p; p++) {
        buf_addf(b, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    }
    buf_adds(b, "\"");
}

static char *absolute(const struct slurm *s, const char *path)
{
    return *path == '/' ? xstrdup(path) : fs_join(s->cwd, path);
}

static int set_paths(struct slurm *s, struct err *err)
{
    char buffer[4096];
    ssize_t n = readlink("/proc/self/exe", buffer, sizeof buffer - 1);
    if (n < 0) {
        return err_errno(err, "/proc/self/exe");
    }
    s->aor = xasprintf("%.*s", (int)n, buffer);
    if (!getcwd(buffer, sizeof buffer)) {
        return err_errno(err, "the current folder");
    }
    s->cwd = xstrdup(buffer);
    s->out = absolute(s, s->db);
    const char *name = fs_basename(s->out);
    size_t len = strlen(name);
    s->tail = len > 3 && strcmp(name + len - 3, ".db") == 0 ? ".db" : "";
    s->stem = xasprintf("%.*s", (int)(len - strlen(s->tail)), name);
    if (*s->stem == '\0') {
        return err_set(err, ERR_USAGE, "%s: is no file's name", s->db);
    }
    s->folder = s->dir ? absolute(s, s->dir)
                       : xasprintf("%.*s.shards", (int)(strlen(s->out) - strlen(s->tail)), s->out);
    return 0;
}

static int refuse_line_breaks(const struct slurm *s, struct err *err)
{
    const char *const texts[] = {s->aor, s->cwd, s->bench, s->out, s->folder, s->sbatch};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i] && strpbrk(texts[i], "\n\r")) {
            return err_set(err, ERR_USAGE, "%s: has a line break in it", texts[i]);
        }
    }
    return 0;
}

/* The array and its parts are ours. */
static int check_sbatch(const char *words, struct err *err)
{
    for (const char *p = words; p && *p;) {
        p += strspn(p, " \t");
        if (strncmp(p, "--arr", 5) == 0 || strncmp(p, "-a", 2) == 0) {
            return err_set(err, ERR_USAGE, "--sbatch: the array is said by -n and --at-once");
        }
        p += strcspn(p, " \t");
    }
    return 0;
}

/* "--outp=x" means --output. */
static bool is_long_option(const char *word, const char *name, size_t min_length)
{
    size_t n = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
    return n >= min_length && n <= strlen(name) && strncmp(word + 2, name, n) == 0;
}

/*
 * aor run itself looks at its options and says what is wrong; *err says nothing then. The -h at the
 * end ends it before it does anything.
 */
static int ask_run(const struct slurm *s, struct err *err)
{
    char name[] = "run", help[] = "-h";
    char **argv = xcalloc((size_t)s->n_options + 4, sizeof *argv);
    argv[0] = name;
    for (int i = 0; i < s->n_options; i++) {
        argv[i + 1] = s->options[i];
    }
    argv[s->n_options + 1] = help; /* once more where the last option takes this for its argument */
    argv[s->n_options + 2] = help;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        bool is_quiet = freopen("/dev/null", "w", stdout) != NULL;
        _exit(is_quiet ? cmd_run.run(s->n_options + 3, argv) : EXIT_FAILED);
    }
    free(argv);
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return err_errno(err, "a process");
    }
    return status == 0 ? 0 : -1;
}

static int check_options(const struct slurm *s, struct err *err)
{
    for (int i = 0; i < s->n_options; i++) {
        const char *word = s->options[i];
        if (strncmp(word, "-o", 2) == 0 || is_long_option(word, "output", 1) ||
            is_long_option(word, "shard", 2)) {
            return err_set(err, ERR_USAGE, "%s: aor slurm says this to aor run itself", word);
        }
        if (strcmp(word, "--") == 0 || (i == 0 && *word != '-')) {
            return err_set(err, ERR_USAGE, "%s: is no option of aor run", word);
        }
    }
    return ask_run(s, err);
}

static int check_bench(const struct slurm *s, struct err *err)
{
    struct dataset dataset = {0};
    int ok = dataset_open(s->bench, &dataset, err);
    dataset_release(&dataset);
    return ok;
}

/* Shards of another number would be left out of the merge. */
static int check_folder(const struct slurm *s, struct err *err)
{
    char **paths = NULL;
    size_t n = 0;
    if (!fs_is_dir(s->folder)) {
        return 0;
    }
    char *prefix = xasprintf("%s-", s->stem);
    int ok = fs_list(s->folder, prefix, s->tail, &paths, &n, err);
    for (size_t i = 0; i < n && ok == 0; i++) {
        char *end;
        const char *part = fs_basename(paths[i]) + strlen(prefix);
        long n_shards = strtol(part, &end, 10) > 0 && strncmp(end, "-of-", 4) == 0
                            ? strtol(end + 4, &end, 10)
                            : 0;
        if (n_shards > 0 && strcmp(end, s->tail) == 0 && n_shards != s->n_shards) {
            ok = err_set(err, ERR_USAGE,
                         "%s: is a shard of %ld, not of %ld; merge it, or name another --dir",
                         paths[i], n_shards, s->n_shards);
        }
    }
    fs_free_paths(paths, n);
    free(prefix);
    return ok;
}

static void begin_script(const struct slurm *s, const char *comment, const char *job, struct buf *b)
{
    buf_addf(b, "#!/bin/sh\n# %s\n#SBATCH --job-name=aor-%s\n#SBATCH --chdir=", comment, job);
    add_sbatch_word(b, s->folder);
    buf_adds(b, "\n#SBATCH --open-mode=append\n");
}

static void begin_commands(const struct slurm *s, struct buf *b)
{
    if (s->sbatch) {
        buf_addf(b, "#SBATCH %s\n", s->sbatch);
    }
    buf_adds(b, "\ncd ");
    add_word(b, s->cwd);
    buf_adds(b, " || exit 1\n");
}

static void write_array(struct slurm *s)
{
    struct buf *b = &s->array;
    begin_script(s, "The shards of a run. Written by aor slurm.", "run", b);
    buf_addf(b, "#SBATCH --array=1-%ld", s->n_shards);
    if (s->n_at_once > 0) {
        buf_addf(b, "%%%ld", s->n_at_once);
    }
    buf_adds(b, "\n#SBATCH --output=run-%A_%a.log\n#SBATCH --requeue\n"
                "#SBATCH --signal=B:USR1@120\n");
    begin_commands(s, b);
    buf_adds(b, "# Slurm's signals come to this shell.\n"
                "trap 'caught=1; kill -s USR1 \"$pid\" 2>/dev/null' USR1 TERM\n");
    add_word(b, s->aor);
    buf_adds(b, " run ");
    add_word(b, s->bench);
    buf_adds(b, " --shard auto -o ");
    char *name = xasprintf("%s%s", s->stem, s->tail);
    char *shard = fs_join(s->folder, name);
    add_word(b, shard);
    free(shard);
    free(name);
    for (int i = 0; i < s->n_options; i++) {
        buf_adds(b, " ");
        add_word(b, s->options[i]);
    }
    buf_adds(b, " &\n"
                "pid=$!\n"
                "code=255\n"
                "caught=1\n"
                "while [ $code -gt 128 ] && [ $caught ]; do # a signal ends wait, too\n"
                "    caught=\n"
                "    wait $pid\n"
                "    code=$?\n"
                "done\n"
                "# Stopped by a signal: once more, but for a task that Slurm ends itself.\n"
                "task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\n"
                "if [ $code -eq 4 ] && [ \"${SLURM_RESTART_COUNT:-0}\" -lt 100 ] &&\n"
                "    [ \"$(squeue -h -j \"$task\" -o %T)\" = RUNNING ]; then\n"
                "    scontrol requeue \"$task\"\n"
                "fi\n"
                "exit $code\n");
}

static void write_merging(struct slurm *s)
{
    struct buf *b = &s->merging;
    begin_script(s, "Their merge, after the array: sbatch --dependency=afterany:JOB.", "merge", b);
    buf_adds(b, "#SBATCH --output=merge-%j.log\n");
    begin_commands(s, b);
    /* By number: the folder may hold those of RUN-2.db too. */
    buf_addf(b, "k=1\nwhile [ $k -le %ld ]; do\n    shard=", s->n_shards);
    char *begin = xasprintf("%s/%s-", s->folder, s->stem);
    add_word(b, begin);
    free(begin);
    buf_addf(b,
             "$k-of-%ld%s\n"
             "    [ -e \"$shard\" ] && set -- \"$@\" \"$shard\"\n"
             "    k=$((k + 1))\n"
             "done\nexec ",
             s->n_shards, s->tail);
    add_word(b, s->aor);
    buf_adds(b, " merge -o ");
    add_word(b, s->out);
    buf_adds(b, " \"$@\"\n");
}

/* What sbatch says of the job: "12" or "12;cluster". */
static int read_job(int fd, char ret[32], struct err *err)
{
    char text[256];
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1; n += (size_t)got) {
        got = read(fd, text + n, sizeof text - 1 - n);
        if (got < 0 && errno == EINTR) {
            got = 0;
        } else if (got <= 0) {
            break;
        }
    }
    text[n] = '\0';
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 20 || !strchr(";\n", text[digits])) {
        return err_set(err, ERR_IO, "sbatch says no job number");
    }
    snprintf(ret, 32, "%.*s", (int)digits, text);
    return 0;
}

static int submit(const char *script, const char *after, char ret_job[32], struct err *err)
{
    char name[] = "sbatch", parsable[] = "--parsable";
    char *path = xstrdup(script);
    char *dependency = after ? xasprintf("--dependency=afterany:%s", after) : NULL;
    char *argv[] = {name, parsable, dependency ? dependency : path, dependency ? path : NULL, NULL};
    posix_spawn_file_actions_t actions;
    int pipe_fds[2];
    int ok = -1;
    if (pipe(pipe_fds) != 0) {
        err_errno(err, "a pipe");
        goto out;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipe_fds[0]);
    pid_t pid;
    int code = posix_spawnp(&pid, name, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    if (code != 0) {
        err_set(err, ERR_IO, "sbatch: %s: there is no Slurm here (--print shows the scripts)",
                strerror(code));
    } else {
        ok = read_job(pipe_fds[0], ret_job, err);
        int status;
        if (waitpid(pid, &status, 0) < 0 || status != 0) {
            ok = err_set(err, ERR_IO, "sbatch does not take %s", script);
        }
    }
    close(pipe_fds[0]);
out:
    free(dependency);
    free(path);
    return ok;
}

static int submit_all(const struct slurm *s, struct err *err)
{
    char *array = fs_join(s->folder, "run.sh");
    char *merging = fs_join(s->folder, "merge.sh");
    char array_job[32], merge_job[32];
    int ok = -1;
    if (fs_mkdirs(s->folder, err) != 0 || fs_write(array, s->array.data, s->array.len, err) != 0 ||
        fs_write(merging, s->merging.data, s->merging.len, err) != 0 ||
        submit(array, NULL, array_job, err) != 0) {
        goto out;
    }
    printf("run %s\n", array_job);
    if (submit(merging, array_job, merge_job, err) != 0) {
        err_wrap(err, "the run is job %s, but nothing merges it", array_job);
        goto out;
    }
    printf("merge %s\n", merge_job);
    log_info("%s: %ld shards in %s", s->db, s->n_shards, s->folder);
    ok = 0;
out:
    free(merging);
    free(array);
    return ok;
}

static int slurm(struct slurm *s, struct err *err)
{
    if (!s->db || s->n_shards == 0) {
        return err_set(err, ERR_USAGE, "aor slurm wants -o RUN.db and -n SHARDS");
    }
    if (set_paths(s, err) != 0 || refuse_line_breaks(s, err) != 0 ||
        check_sbatch(s->sbatch, err) != 0 || check_options(s, err) != 0 ||
        check_bench(s, err) != 0 || check_folder(s, err) != 0) {
        return -1;
    }
    write_array(s);
    write_merging(s);
    if (s->is_print) {
        printf("%s\n%s", s->array.data, s->merging.data);
        return 0;
    }
    return submit_all(s, err);
}

static int run(int argc, char **argv)
{
    struct slurm s = {0};
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &s.db, "RUN.db", "the run file to be (required)", 0, 0},
        {'n', "shards", OPT_INT, &s.n_shards, "N", "tasks of the array (required)", 1,
         STORE_MAX_SHARDS},
        {0, "at-once", OPT_INT, &s.n_at_once, "N", "tasks at a time (default: all)", 1,
         STORE_MAX_SHARDS},
        {0, "sbatch", OPT_STR, &s.sbatch, "OPTIONS", "of sbatch, for both jobs", 0, 0},
        {0, "dir", OPT_STR, &s.dir, "DIR", "shards, scripts and logs (default: RUN.shards)", 0, 0},
        {0, "print", OPT_FLAG, &s.is_print, NULL, "print the scripts and submit nothing", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "slurm",
        .synopsis = "BENCH -o RUN.db -n N [options] [-- OPTIONS OF aor run]",
        .summary = "Submit a run as a Slurm job array, and its merge.",
        .details = "Each task is aor run --shard auto with the options after --, into a shard in "
                   "RUN.shards;\n"
                   "a second job merges them when all tasks have ended. A task that is preempted, "
                   "or whose\n"
                   "time runs out, stores what it has and is queued again. The same command goes "
                   "on with\n"
                   "what is left.",
        .examples =
            "  aor slurm bench -o aor-tiny.db -n 8\n"
            "  aor slurm bench -o q.db -n 32 --at-once 8 --sbatch \"--gres=gpu:1 --time=4:00:00\" "
            "-- -m q.gguf --mmproj qm.gguf\n"
            "  aor slurm bench -o aor-tiny.db -n 8 --print -- -c matched,text -a direct,cot\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, argc, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    s.bench = argv[1];
    s.options = argv + 2;
    s.n_options = n_operands - 1;
    status = slurm(&s, &err) == 0 ? EXIT_FINE : err.msg[0] ? cmd_fail(&err) : EXIT_USAGE;
    slurm_release(&s);
    return status;
}

const struct cmd cmd_slurm = {"slurm", "submit a run as a Slurm job array", run};
