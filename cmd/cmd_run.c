#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/fs.h"
#include "base/log.h"
#include "cmd.h"
#include "judge/rules.h"
#include "plan_options.h"
#include "run/runner.h"

#define MAX_TEMPLATE (1u << 20)

struct run_options {
    struct plan_options plan;
    const char *model, *mmproj, *chat_template, *direction, *strength, *temperature, *db;
    bool retry_errors, is_fast;
    long seed, n_workers, n_threads, n_ctx, n_parallel, n_gpu_layers, timeout_s;
};

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

/* Refusals in the progress line, by the rules of aor judge; nothing of it is stored. */
static bool is_refusal(const char *request, const char *answer, void *user)
{
    struct judgement j;
    struct err ignored = {0};
    return rule_judge_verdict(user, request, answer, &j, &ignored) == 0 &&
           j.verdict == VERDICT_REFUSAL;
}

static int report(const char *db_path, const struct run_summary *s)
{
    log_info("%s: %lld of %lld trials answered, %lld errors (%lld new in %.1f s)", db_path,
             (long long)s->n_answers, (long long)s->n_trials, (long long)s->n_errors,
             (long long)s->n_new, s->seconds);
    if (s->first_error[0]) {
        log_info("%s: the first error: %s", db_path, s->first_error);
    }
    if (s->checks.n_checked > 0) {
        log_info("%s: %lld of %lld answers that were given a second time exactly differ%s", db_path,
                 (long long)s->checks.n_different, (long long)s->checks.n_checked,
                 s->checks.n_different > 0 ? ":" : "");
    }
    if (s->checks.n_different > 0) {
        log_info("%s: where they part, the exact logit leads by at most %.4f", db_path,
                 s->checks.max_margin);
    }
    return s->n_errors > 0 ? EXIT_WITH_ERRORS : EXIT_FINE;
}

static int parse_number(const char *text, const char *option, double low, double high, double *ret,
                        struct err *err)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(v >= low && v <= high)) {
        return err_set(err, ERR_USAGE, "%s wants a number from %g to %g", option, low, high);
    }
    *ret = v;
    return 0;
}

/* What cannot be asked of this model. */
static int check_plan(const struct run_options *o, const struct plan *plan,
                      const struct run_params *p, struct err *err)
{
    if (plan_needs_audio(plan) && !p->model.mmproj_path) {
        return err_set(err, ERR_USAGE,
                       "conditions with sound need the model's audio encoder: name it with "
                       "--mmproj, or ask -c text,text-scene");
    }
    if (plan_needs_direction(plan) != (o->direction != NULL) || (o->strength && !o->direction)) {
        return err_set(
            err, ERR_USAGE,
            "a steered prompt (-a steered) and --direction, with --strength, want each other");
    }
    if (plan->n_repeats > 1 && p->temperature <= 0) {
        return err_set(err, ERR_USAGE,
                       "greedy answers are all the same: --repeats wants --temperature");
    }
    return 0;
}

static int ask(const char *bench_dir, const struct run_options *o, struct run_params p,
               struct run_summary *summary, struct err *err)
{
    struct dataset dataset = {0};
    struct plan plan = {0};
    struct rule_judge *judge = NULL;
    char *rules = cmd_shared_path("data/judge/rules-en.yaml");
    int ok = -1;
    if (dataset_open(bench_dir, &dataset, err) == 0 &&
        plan_from_options(&o->plan, &dataset.bench, &plan, err) == 0 &&
        check_plan(o, &plan, &p, err) == 0 && rule_judge_load(rules, &judge, err) == 0) {
        p.dataset = &dataset;
        p.plan = &plan;
        p.is_refusal = is_refusal;
        p.user = judge;
        ok = run_model(&p, summary, err);
    }
    rule_judge_free(judge);
    free(rules);
    plan_release(&plan);
    dataset_release(&dataset);
    return ok;
}

static int run_with(const char *bench_dir, const struct run_options *o, struct err *err)
{
    struct buf template_text = {0};
    struct run_summary summary = {0};
    char *model = o->model ? xstrdup(o->model) : cmd_shared_path("models/organism.gguf");
    char *mmproj = o->mmproj  ? xstrdup(o->mmproj)
                   : o->model ? NULL
                              : cmd_shared_path("models/organism-mmproj.gguf");
    char *db = o->db ? xstrdup(o->db) : default_db_path(model);
    struct run_params p = {
        .db_path = db,
        .model = local_default_params(),
        .n_workers = (int)o->n_workers,
        .seed = (uint64_t)o->seed,
        .retry_errors = o->retry_errors,
        .timeout_s = (double)o->timeout_s,
    };
    p.model.text_path = model;
    p.model.mmproj_path = mmproj;
    p.model.direction_path = o->direction;
    p.model.n_threads = (int)o->n_threads;
    p.model.n_ctx = (int)o->n_ctx;
    p.model.n_parallel = (int)o->n_parallel;
    p.model.n_gpu_layers = (int)o->n_gpu_layers;
    p.model.is_fast = o->is_fast;
    int ok = 0;
    if ((o->temperature &&
         parse_number(o->temperature, "--temperature", 0, 100, &p.temperature, err) != 0) ||
        (o->strength &&
         parse_number(o->strength, "--strength", -1e6, 1e6, &p.model.strength, err) != 0) ||
        (o->chat_template && fs_read(o->chat_template, MAX_TEMPLATE, &template_text, err) != 0)) {
        ok = -1;
    }
    if (ok == 0 && o->chat_template && template_text.len == 0) {
        ok = err_set(err, ERR_FORMAT, "%s: is empty", o->chat_template);
    }
    p.model.chat_template = template_text.data;
    if (ok == 0) {
        ok = ask(bench_dir, o, p, &summary, err);
    }
    int status = summary.n_trials > 0 ? report(db, &summary) : EXIT_FINE;
    buf_release(&template_text);
    free(db);
    free(mmproj);
    free(model);
    return ok == 0 ? status : cmd_fail(err);
}

static int run(int argc, char **argv)
{
    struct local_params d = local_default_params();
    struct run_options o = {
        .plan = plan_default_options(),
        .n_ctx = d.n_ctx,
        .n_parallel = d.n_parallel,
        .n_gpu_layers = d.n_gpu_layers,
        .timeout_s = 600,
    };
    const struct opt opts[] = {
        {'m', "model", OPT_STR, &o.model, "GGUF", "the language model (default: the embedded one)",
         0, 0},
        {0, "mmproj", OPT_STR, &o.mmproj, "GGUF", "its audio encoder (needed with -m, for sound)",
         0, 0},
        {'o', "output", OPT_STR, &o.db, "RUN.db", "the run file (default: the model's name)", 0, 0},
        PLAN_OPTIONS(o.plan),
        {0, "temperature", OPT_STR, &o.temperature, "T", "sample the answers (default: 0, greedy)",
         0, 0},
        {0, "seed", OPT_INT, &o.seed, "N", "of the sampling (default: 0)", 0, 1L << 52},
        {0, "direction", OPT_STR, &o.direction, "GGUF", "control vector for -a steered", 0, 0},
        {0, "strength", OPT_STR, &o.strength, "X", "its factor (default: 1)", 0, 0},
        {0, "chat-template", OPT_STR, &o.chat_template, "FILE",
         "a Jinja template instead of the model's", 0, 0},
        {0, "retry-errors", OPT_FLAG, &o.retry_errors, NULL,
         "try trials again that ended in an error", 0, 0},
        {0, "fast", OPT_FLAG, &o.is_fast, NULL,
         "decode trials together: some answers differ from llama.cpp's", 0, 0},
        {0, "parallel", OPT_INT, &o.n_parallel, "N",
         "trials at a time, 0: 1, with --fast by the model's size (default: 0)", 0,
         LOCAL_MAX_PARALLEL},
        {'j', "processes", OPT_INT, &o.n_workers, "N",
         "model processes, 0: by the model's size (default: 0)", 0, RUN_MAX_WORKERS},
        {'t', "threads", OPT_INT, &o.n_threads, "N",
         "threads of each, 0: by the model's size (default: 0)", 0, 1024},
        {0, "ctx", OPT_INT, &o.n_ctx, "N",
         "tokens of a trial at most (default: 2048, or the model's if less)", 16, 1 << 24},
        {0, "timeout", OPT_INT, &o.timeout_s, "S", "seconds a model may say nothing (default: 600)",
         1, 1 << 20},
        {0, "gpu-layers", OPT_INT, &o.n_gpu_layers, "N", "layers on the GPU, -1: all that fit", -1,
         10000},
        {0},
    };
    const struct opt_command command = {
        .name = "run",
        .synopsis = "BENCH [-m TEXT.gguf --mmproj MMPROJ.gguf] [options]",
        .summary = "Ask a model every trial of a benchmark and store its answers.",
        .details =
            "Any pair of GGUF files that libmtmd loads; text conditions need no --mmproj.\n"
            "Conditions: matched, speech, noise, mismatched, text, text-scene. Strategies: "
            "direct,\n"
            "cot, steered, the probes transcribe and scene, and what else data/prompts holds.\n"
            "Each answer is stored when it is there; the same command goes on where an earlier "
            "one\n"
            "stopped. A run file is of one benchmark, model, template, context size, sampling and\n"
            "llama.cpp version; conditions, strategies and items may be added by later calls.\n"
            "SIGINT and SIGTERM: what is in flight is stored, then it ends with code 4.",
        .examples =
            "  aor run bench\n"
            "  aor run bench -c matched,mismatched,text -a direct,cot,transcribe,scene\n"
            "  aor run bench -m qwen2-audio.gguf --mmproj qwen2-audio-mmproj.gguf -o qwen2.db\n"
            "  aor run bench -m llama.gguf -c text,text-scene --only test --limit 200\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    cancel_install();
    signal(SIGPIPE, SIG_IGN); /* a dead model process shows when it is read from */
    return run_with(argv[1], &o, &err);
}

const struct cmd cmd_run = {"run", "ask a model every trial of a benchmark", run};
