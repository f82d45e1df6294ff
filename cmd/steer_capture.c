#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/pool.h"
#include "cmd.h"
#include "steer_parts.h"

/* A trial whose activations are wanted. */
struct wanted {
    int64_t trial;
    size_t sample;
    enum condition condition;
    char *text; /* the response that is stored: what is said now must be the same */
};

struct capture {
    const char *path;
    const struct dataset *dataset;
    const struct local_params *model;
    struct prompt prompt;
    const char *strategy, *split;
    unsigned conditions;
    struct wanted *list;
    size_t n;
    struct progress progress;
    long n_done, n_different;
};

/* In a worker. */
struct worker {
    const struct capture *capture;
    struct asker *asker;
    struct activation_reader reader;
    struct activations *file;
    struct err err;
};

struct result {
    bool was_there, is_different;
    char error[sizeof(((struct err *)0)->msg)];
};

static int condition_number(const char *name)
{
    for (int c = 0; condition_names[c]; c++) {
        if (strcmp(condition_names[c], name) == 0) {
            return c;
        }
    }
    return -1;
}

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    struct capture *c = user;
    int condition = condition_number(row->condition);
    if (row->state != STORE_ANSWERED || strcmp(row->strategy, c->strategy) != 0 ||
        row->repeat != 1 || condition < 0 || (c->conditions >> condition & 1) == 0 ||
        (strcmp(c->split, "all") != 0 && strcmp(row->sample.split, c->split) != 0)) {
        return 0;
    }
    size_t hint = c->n > 0 ? c->list[c->n - 1].sample : 0;
    long sample = bench_find(&c->dataset->bench, row->sample.id, hint);
    if (sample < 0) {
        return err_set(err, ERR_USAGE, "%s: has no sample \"%.60s\"", c->dataset->dir,
                       row->sample.id);
    }
    if ((c->n & (c->n - 1)) == 0) {
        c->list = xrealloc(c->list, (c->n == 0 ? 1 : 2 * c->n) * sizeof *c->list);
    }
    c->list[c->n++] = (struct wanted){row->trial_id, (size_t)sample, (enum condition)condition,
                                      xstrdup(row->response)};
    return 0;
}

/* A worker that cannot begin says so at its first task. */
static void *start(void *user)
{
    const struct capture *c = user;
    struct worker *w = xcalloc(1, sizeof *w);
    struct asker_params p = {c->dataset, c->model, &c->prompt};
    int n_layers;
    int n_embd;
    w->capture = c;
    if (asker_open(&p, &w->asker, &w->err) == 0) {
        asker_shape(w->asker, &n_layers, &n_embd);
        w->reader = activation_reader_new(n_layers, n_embd);
        char *hash = xcalloc(1, SHA256_HEX_SIZE);
        if (fs_sha256(c->model->text_path, hash, &w->err) == 0) {
            activations_create(c->path, c->n, n_layers, n_embd, hash, &w->file, &w->err);
        }
        free(hash);
    }
    return w;
}

static int read_trial(struct worker *w, size_t i, struct result *r, struct err *err)
{
    const struct wanted *t = &w->capture->list[i];
    struct asker_answer answer;
    int64_t there;
    if (activations_trial(w->file, i, &there, err) != 0) {
        return -1;
    }
    if (there == t->trial) {
        r->was_there = true;
        return 0;
    }
    if (asker_read(w->asker, t->sample, t->condition, &w->reader, &answer, err) != 0) {
        return -1;
    }
    r->is_different = answer.is_failed || strcmp(answer.text, t->text) != 0;
    free(answer.text);
    /* A verdict on other words says nothing of these activations: the row stays empty. */
    return r->is_different ? 0 : activations_put(w->file, i, t->trial, &w->reader, err);
}

static void task(size_t index, void *state, void *result)
{
    struct worker *w = state;
    struct result *r = result;
    struct err err = w->err;
    if (!w->file || read_trial(w, index, r, &err) != 0) {
        snprintf(r->error, sizeof r->error, "%s", err.msg);
    }
}

static int on_result(size_t index, const void *result, void *user, struct err *err)
{
    (void)index;
    struct capture *c = user;
    const struct result *r = result;
    if (r->error[0]) {
        return err_set(err, ERR_MODEL, "%s", r->error);
    }
    c->n_done++;
    c->n_different += r->is_different;
    progress_update(&c->progress, c->n_done, NULL);
    return 0;
}

/* The file's first process makes it, so that workers only open it. */
static int make_file(const struct capture *c, struct err *err)
{
    struct worker *w = start((void *)c);
    int ok = w->file ? activations_close(w->file, err) : -1;
    if (ok != 0 && err->code == ERR_NONE) {
        *err = w->err;
    }
    activation_reader_free(&w->reader);
    asker_close(w->asker);
    free(w);
    return ok;
}

static int capture(struct capture *c, const char *run, const char *judge, long n_workers,
                   struct err *err)
{
    struct store *store = NULL;
    int ok = store_open(run, STORE_READ, &store, err) == 0
                 ? store_each(store, judge, take_row, c, err)
                 : -1;
    store_close(store, NULL);
    if (ok == 0 && c->n == 0) {
        ok = err_set(err, ERR_USAGE, "%s: has no answers of this strategy, split and condition",
                     run);
    }
    if (ok != 0 || make_file(c, err) != 0) {
        return -1;
    }
    struct pool pool = {.n_workers = steer_n_workers(c->model, n_workers),
                        .n_tasks = c->n,
                        .result_size = sizeof(struct result),
                        .user = c,
                        .start = start,
                        .task = task,
                        .on_result = on_result};
    progress_start(&c->progress, "capture", (long)c->n, 0);
    ok = pool_run(&pool, err);
    if (ok == 0) {
        progress_end(&c->progress, NULL);
        log_info("%s: %ld trials, %ld with another answer than the run's are left out", c->path,
                 c->n_done, c->n_different);
    }
    return ok;
}

int steer_capture(int argc, char **argv)
{
    struct model_options model = model_default_options();
    struct capture c = {.strategy = "direct", .split = item_split_names[SPLIT_DEV]};
    const char *conditions = condition_names[CONDITION_MATCHED];
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &c.path, "ACTS", "the safetensors file (required)", 0, 0},
        {'c', "conditions", OPT_STR, &conditions, "LIST", "default: matched", 0, 0},
        {'a', "strategy", OPT_STR, &c.strategy, "NAME", "default: direct", 0, 0},
        {0, "split", OPT_STR, &c.split, "NAME", "dev, test or all (default: dev)", 0, 0},
        {'m', "model", OPT_STR, &model.model, "MODEL", "as of aor run", 0, 0},
        {0, "mmproj", OPT_STR, &model.mmproj, "GGUF", "as of aor run", 0, 0},
        {0, "ctx", OPT_INT, &model.n_ctx, "N", "as of aor run", 64, 1 << 20},
        {0, "gpu-layers", OPT_INT, &model.n_gpu_layers, "N", "as of aor run", -1, 100000},
        {0, "processes", OPT_INT, &model.n_workers, "N", "each with the model", 1, RUN_MAX_WORKERS},
        {0},
    };
    const struct opt_command command = {
        .name = "steer capture",
        .synopsis = "BENCH RUN.db -o ACTS [options]",
        .summary = "Residual streams of trials that a run has answers of.",
        .details =
            "Asks them again, greedily, and stores what each layer says at the end of the\n"
            "instruction, the end of the prompt, and as means over the audio, the prompt and the\n"
            "answer's first tokens. The same command goes on after an interruption.",
        .examples = "  aor steer capture aor-bench aor-tiny.db -o acts.safetensors\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 2, 2, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    struct dataset dataset = {0};
    struct model_choice choice = {0};
    int ok = -1;
    cancel_install();
    if (!c.path) {
        err_set(&err, ERR_USAGE, "aor steer capture wants -o ACTS");
    } else if (cmd_parse_conditions(conditions, &c.conditions, &err) == 0 &&
               model_choose(&model, &choice, &err) == 0 &&
               dataset_open(argv[1], &dataset, &err) == 0 &&
               steer_load_prompt(c.strategy, &c.prompt, &err) == 0) {
        c.dataset = &dataset;
        c.model = &choice.local;
        ok = capture(&c, argv[2], NULL, model.n_workers, &err);
    }
    for (size_t i = 0; i < c.n; i++) {
        free(c.list[i].text);
    }
    free(c.list);
    prompt_release(&c.prompt);
    dataset_release(&dataset);
    model_choice_release(&choice);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}
