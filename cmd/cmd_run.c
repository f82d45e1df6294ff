#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "cmd.h"
#include "run/runner.h"

#define MAX_TEMPLATE (1u << 20)

/* "dir/NAME.gguf" to "NAME.db". */
static char *default_db_path(const char *model)
{
    const char *name = fs_basename(model);
    size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0) {
        n -= 5;
    }
    return xasprintf("%.*s.db", (int)n, name);
}

static int report(const char *db_path, const struct run_summary *s)
{
    log_info("%s: %lld of %lld trials answered, %lld errors (%lld new in %.1f s)", db_path,
             (long long)s->n_answers, (long long)s->n_trials, (long long)s->n_errors,
             (long long)s->n_new, s->seconds);
    if (s->first_error[0]) {
        log_info("%s: the first error: %s", db_path, s->first_error);
    }
    return s->n_errors > 0 ? EXIT_WITH_ERRORS : EXIT_FINE;
}

static int run(int argc, char **argv)
{
    const char *conditions = "matched,speech";
    const char *db = NULL;
    const char *prompt = NULL;
    const char *model = NULL;
    const char *mmproj = NULL;
    const char *chat_template = NULL;
    bool retry_errors = false;
    struct local_params local = local_default_params();
    long n_threads = local.n_threads;
    long n_ctx = local.n_ctx;
    long n_gpu_layers = local.n_gpu_layers;
    long timeout_s = 600;
    const struct opt opts[] = {
        {'m', "model", OPT_STR, &model, "GGUF", "the language model (default: the embedded one)", 0,
         0},
        {0, "mmproj", OPT_STR, &mmproj, "GGUF", "its audio encoder (required with -m)", 0, 0},
        {'c', "conditions", OPT_STR, &conditions, "LIST", "matched,speech (default: both)", 0, 0},
        {'o', "output", OPT_STR, &db, "RUN.db", "the run file (default: the model's name)", 0, 0},
        {'p', "prompt", OPT_STR, &prompt, "FILE", "how it is asked (default: prompts/direct.yaml)",
         0, 0},
        {0, "chat-template", OPT_STR, &chat_template, "FILE",
         "a Jinja template instead of the model's", 0, 0},
        {0, "retry-errors", OPT_FLAG, &retry_errors, NULL,
         "try trials again that ended in an error", 0, 0},
        {'t', "threads", OPT_INT, &n_threads, "N", "threads, 0: by the model's size (default: 0)",
         0, 1024},
        {0, "ctx", OPT_INT, &n_ctx, "N",
         "context in tokens (default: 4096, or the model's if less)", 16, 1 << 24},
        {0, "timeout", OPT_INT, &timeout_s, "S", "seconds an answer may take (default: 600)", 1,
         1 << 20},
        {0, "gpu-layers", OPT_INT, &n_gpu_layers, "N", "layers on the GPU, -1: all that fit", -1,
         10000},
        {0},
    };
    const struct opt_command command = {
        .name = "run",
        .synopsis = "BENCH [-m TEXT.gguf --mmproj MMPROJ.gguf] [options]",
        .summary = "Ask a model every trial of a benchmark and store its answers.",
        .details =
            "Any pair of GGUF files that libmtmd loads. Answers are greedy. Each is stored when\n"
            "it is there; the same command goes on where an earlier one stopped. A run file is of\n"
            "one benchmark, model, prompt, template, context size and llama.cpp version.",
        .examples =
            "  aor run bench\n"
            "  aor run bench -m qwen2-audio.gguf --mmproj qwen2-audio-mmproj.gguf -o qwen2.db\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    cancel_install();
    signal(SIGPIPE, SIG_IGN); /* a dead model process shows when it is read from */
    struct buf template_text = {0};
    struct run_summary summary = {0};
    char *model_path = model ? xstrdup(model) : cmd_shared_path("models/organism.gguf");
    char *mmproj_path = mmproj  ? xstrdup(mmproj)
                        : model ? NULL
                                : cmd_shared_path("models/organism-mmproj.gguf");
    char *prompt_path = prompt ? xstrdup(prompt) : cmd_shared_path("data/prompts/direct.yaml");
    char *db_path = db ? xstrdup(db) : default_db_path(model_path);
    struct run_params params = {
        .bench_dir = argv[1],
        .db_path = db_path,
        .prompt_path = prompt_path,
        .model = local,
        .retry_errors = retry_errors,
        .timeout_s = (double)timeout_s,
    };
    int ok = cmd_parse_conditions(conditions, &params.conditions, &err);
    if (ok == 0 && !mmproj_path) {
        ok = err_set(&err, ERR_USAGE,
                     "conditions with sound need the model's audio encoder: name it with --mmproj");
    }
    if (ok == 0 && chat_template) {
        ok = fs_read(chat_template, MAX_TEMPLATE, &template_text, &err);
    }
    if (ok == 0) {
        params.model.text_path = model_path;
        params.model.mmproj_path = mmproj_path;
        params.model.chat_template = template_text.data;
        params.model.n_threads = (int)n_threads;
        params.model.n_ctx = (int)n_ctx;
        params.model.n_gpu_layers = (int)n_gpu_layers;
        ok = run_model(&params, &summary, &err);
    }
    if (summary.n_trials > 0) {
        status = report(db_path, &summary);
    }
    if (ok != 0) {
        status = cmd_fail(&err);
    }
    buf_release(&template_text);
    free(db_path);
    free(prompt_path);
    free(mmproj_path);
    free(model_path);
    return status;
}

const struct cmd cmd_run = {"run", "ask a model every trial of a benchmark", run};
