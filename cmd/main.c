#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "bench/render.h"
#include "cmd.h"

static const struct cmd *const commands[] = {
    &cmd_build,  &cmd_check, &cmd_show,   &cmd_export, &cmd_plan,   &cmd_run,
    &cmd_merge,  &cmd_slurm, &cmd_judge,  &cmd_stats,  &cmd_study,  &cmd_steer,
    &cmd_report, &cmd_serve, &cmd_models, &cmd_pull,   &cmd_sounds, &cmd_doctor};
#define N_COMMANDS (sizeof commands / sizeof *commands)

int cmd_fail(const struct err *err)
{
    log_info("%s", err->msg);
    return err->code == ERR_USAGE       ? EXIT_USAGE
           : err->code == ERR_CANCELLED ? EXIT_CANCELLED
                                        : EXIT_FAILED;
}

void cmd_split(const char *list, char ***ret_parts, size_t *ret_n)
{
    char **parts = NULL;
    size_t n = 0;
    for (const char *p = list; p && *p;) {
        size_t len = strcspn(p, ",");
        const char *next = p + len + (p[len] == ',');
        for (; len > 0 && *p == ' '; p++) {
            len--;
        }
        while (len > 0 && p[len - 1] == ' ') {
            len--;
        }
        if (len > 0) {
            parts = xrealloc(parts, (n + 1) * sizeof *parts);
            parts[n++] = xasprintf("%.*s", (int)len, p);
        }
        p = next;
    }
    *ret_parts = parts;
    *ret_n = n;
}

void cmd_free_list(char **parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(parts[i]);
    }
    free(parts);
}

static int no_condition(const char *text, size_t n, struct err *err)
{
    struct buf names = {0};
    for (int c = 0; condition_names[c]; c++) {
        buf_addf(&names, "%s%s", c == 0 ? "" : ", ", condition_names[c]);
    }
    err_set(err, ERR_USAGE, "\"%.*s\" is no condition: %s", (int)n, text, names.data);
    buf_release(&names);
    return -1;
}

int cmd_parse_conditions(const char *text, unsigned *ret, struct err *err)
{
    unsigned bits = 0;
    while (*text) {
        size_t n = strcspn(text, ",");
        int c = 0;
        while (condition_names[c] &&
               !(strlen(condition_names[c]) == n && strncmp(condition_names[c], text, n) == 0)) {
            c++;
        }
        if (!condition_names[c]) {
            return no_condition(text, n, err);
        }
        bits |= 1u << c;
        text += n + (text[n] == ',');
    }
    if (bits == 0) {
        return err_set(err, ERR_USAGE, "-c names no condition");
    }
    *ret = bits;
    return 0;
}

int cmd_parse(const struct opt_command *command, const struct opt *opts, int argc, char **argv,
              int min_operands, int max_operands, int *ret_n_operands)
{
    struct err err = {0};
    int n = 0;
    int status = opt_parse(command, opts, argc, argv, &n, &err);
    if (status > 0) {
        return EXIT_FINE;
    }
    if (status == 0 && (n < min_operands || n > max_operands)) {
        status = err_set(&err, ERR_USAGE, "usage: aor %s %s (aor %s -h says more)", command->name,
                         command->synopsis, command->name);
    }
    if (status < 0) {
        return cmd_fail(&err);
    }
    *ret_n_operands = n;
    return -1;
}

char *cmd_shared_path(const char *name)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = '\0';
        *strrchr(exe, '/') = '\0';
        char *installed = xasprintf("%s/../share/aor/%s", exe, name);
        if (fs_exists(installed)) {
            return installed;
        }
        free(installed);
    }
    return xasprintf("%s/%s", AOR_SOURCE_DIR, name);
}

char *cmd_cache_path(const char *name)
{
    const char *own = getenv("AOR_CACHE");
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (own && *own) {
        return fs_join(own, name);
    }
    if (xdg && *xdg) {
        return xasprintf("%s/aor/%s", xdg, name);
    }
    return xasprintf("%s/.cache/aor/%s", home ? home : "", name);
}

static void print_help(FILE *f)
{
    fputs("usage: aor COMMAND [options]\n\n"
          "Measure over-refusal of large audio language models: build a benchmark of benign\n"
          "requests that sound harmful, run a model over it, judge its answers, see the rates.\n\n"
          "Commands:\n",
          f);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        fprintf(f, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\naor --version prints the version.\naor COMMAND -h shows a command's options and "
          "examples.\n"
          "Exit codes: 0 fine, 1 failure, 2 usage, 3 finished but with failed samples or trials,\n"
          "4 stopped by a signal (the same command goes on).\n",
          f);
}

/* Data that did not reach stdout is a failure, whatever the command thought. */
static int finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("aor: writing to stdout failed\n", stderr);
        return status == EXIT_FINE ? EXIT_FAILED : status;
    }
    return status;
}

/* A standard descriptor that was closed would become the next file that is opened. */
static void open_standard_files(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

int main(int argc, char **argv)
{
    open_standard_files();
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return finish(EXIT_FINE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("aor " AOR_VERSION);
        return finish(EXIT_FINE);
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->name) == 0) {
            return finish(commands[i]->run(argc - 1, argv + 1));
        }
    }
    fprintf(stderr, "aor: \"%s\" is no command; aor -h lists them\n", argv[1]);
    return EXIT_USAGE;
}
