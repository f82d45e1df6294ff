#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/pool.h"
#include "cmd.h"
#include "steer_parts.h"

/* Files below this have models that are quicker in several processes of one thread each. */
#define SMALL_FILE (400 << 20)

static const struct {
    const char *name, *synopsis;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"capture", "BENCH RUN.db -o ACTS [options]", steer_capture},
    {"fit", "ACTS RUN.db [options]", steer_fit},
    {"sweep", "BENCH ACTS RUN.db -o SWEEP.db [options]", steer_sweep},
};
#define N_PARTS (sizeof parts / sizeof *parts)

int steer_load_prompt(const char *strategy, struct prompt *ret, struct err *err)
{
    char *name = xasprintf("data/prompts/%s.yaml", strategy);
    char *path = cmd_shared_path(name);
    int ok = prompt_load(path, ret, err);
    free(path);
    free(name);
    return ok;
}

int steer_n_workers(const struct local_params *model, long wanted)
{
    struct stat st;
    if (wanted > 0) {
        return (int)wanted;
    }
    return stat(model->text_path, &st) == 0 && st.st_size < SMALL_FILE ? pool_default_workers() : 1;
}

int steer_parse_name(const char *option, const char *text, const char *const *names, int *ret,
                     struct err *err)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *ret = i;
            return 0;
        }
    }
    struct buf all = {0};
    for (int i = 0; names[i]; i++) {
        buf_addf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    err_set(err, ERR_USAGE, "%s \"%.40s\": one of %s", option, text, all.data);
    buf_release(&all);
    return -1;
}

static void print_help(void)
{
    fputs("usage: aor steer PART ...\n\n"
          "Directions of a model's residual stream: steer it away from over-refusal, with the\n"
          "refusal of harm beside it.\n\n"
          "Parts:\n",
          stdout);
    for (size_t i = 0; i < N_PARTS; i++) {
        printf("  aor steer %s %s\n", parts[i].name, parts[i].synopsis);
    }
    fputs("\naor steer PART -h shows a part's options and examples.\n\n"
          "Options:\n"
          "  -h, --help              this text\n"
          "\n"
          "Examples:\n"
          "  aor steer capture aor-bench aor-tiny.db -o acts.safetensors\n"
          "  aor steer fit acts.safetensors aor-tiny.db -o refusal.gguf\n"
          "  aor steer sweep aor-bench acts.safetensors aor-tiny.db -o sweep.db\n",
          stdout);
}

static int run(int argc, char **argv)
{
    struct err err = {0};
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        print_help();
        return EXIT_FINE;
    }
    for (size_t i = 0; argc > 1 && i < N_PARTS; i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            return parts[i].run(argc - 1, argv + 1);
        }
    }
    err_set(&err, ERR_USAGE, "usage: aor steer capture|fit|sweep ... (aor steer -h says more)");
    return cmd_fail(&err);
}

const struct cmd cmd_steer = {"steer", "directions that steer a model: capture, fit, sweep", run};
