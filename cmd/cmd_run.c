#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "judge/rules.h"
#include "model_options.h"
#include "plan_options.h"
#include "run/runner.h"

struct run_options {
    struct plan_options plan;
    struct model_options model;
    const char *temperature, *db;
    bool retry_errors, is_dry;
    long seed;
};

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
    char blocks[48] = "";
    if (s->n_blocks > 0) {
        snprintf(blocks, sizeof blocks, "%lld blocked, ", (long long)s->n_blocks);
    }
    log_info("%s: %lld of %lld trials answered, %s%lld errors (%lld new in %.1f s)", db_path,
             (long long)s->n_answers, (long long)s->n_trials, blocks, (long long)s->n_errors,
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

/* What cannot be asked of this model. */
static int check_plan(const struct run_options *o, const struct plan *plan,
                      const struct run_params *p, struct err *err)
{
    if (p->remote) {
        if (plan_needs_direction(plan)) {
            return err_set(err, ERR_USAGE, "a served model cannot be steered");
        }
    } else if (plan_needs_audio(plan) && !p->local->mmproj_path) {
        return err_set(err, ERR_USAGE,
                       "conditions with sound need the model's audio encoder: name it with "
                       "--mmproj, or ask -c text,text-scene");
    } else if (plan_needs_direction(plan) != (p->local->direction_path != NULL) ||
               (o->model.strength && !o->model.direction)) {
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

/* Limits are for the whole run: a shard has its part of them. */
static void divide_limits(const struct plan *plan, struct remote_params *p)
{
    int n = plan->n_shards;
    if (n > 1) {
        int64_t rest = plan->shard <= p->max_requests % n;
        int64_t part = p->max_requests / n + rest;
        p->max_requests = p->max_requests > 0 && part == 0 ? -1 : part;
        p->per_minute /= n;
        p->max_cost /= n;
    }
}

/* --dry-run: the first request, and nothing is sent or stored. */
static int show_request(const struct run_params *p, struct err *err)
{
    char *request = p->remote ? run_preview(p, err) : NULL;
    if (!p->remote) {
        err_set(err, ERR_USAGE, "--dry-run is for served models; aor plan previews any run");
    }
    if (request) {
        fputs(request, stdout);
    }
    free(request);
    return request ? 0 : -1;
}

/* remote: where p->remote points, if anywhere. */
static int ask(const char *bench_dir, const struct run_options *o, struct run_params p,
               struct remote_params *remote, struct run_summary *summary, struct err *err)
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
        if (remote) {
            divide_limits(&plan, remote);
        }
        ok = o->is_dry ? show_request(&p, err) : run_model(&p, summary, err);
    }
    rule_judge_free(judge);
    free(rules);
    plan_release(&plan);
    dataset_release(&dataset);
    return ok;
}

static int run_with(const char *bench_dir, const struct run_options *o, struct err *err)
{
    struct run_summary summary = {0};
    struct model_choice model;
    int ok = model_choose(&o->model, &model, err);
    char *db = NULL;
    if (ok == 0 && model.is_served && !o->is_dry) {
        ok = remote_check_key(model.remote.api, err);
    }
    if (ok == 0) {
        ok = plan_db_path(&o->plan, o->db ? o->db : model.db_name, &db, err);
    }
    struct run_params p = {
        .db_path = db,
        .local = &model.local,
        .remote = model.is_served ? &model.remote : NULL,
        .family = model.preset.family,
        .seed = (uint64_t)o->seed,
        .n_workers = (int)o->model.n_workers,
        .retry_errors = o->retry_errors,
        .timeout_s = model.timeout_s,
    };
    if (ok == 0 && o->temperature) {
        ok = model_number(o->temperature, "--temperature", 0, 100, &p.temperature, err);
    }
    if (ok == 0) {
        struct remote_params *remote = model.is_served ? &model.remote : NULL;
        ok = ask(bench_dir, o, p, remote, &summary, err);
    }
    int status = summary.n_trials > 0 ? report(db, &summary) : EXIT_FINE;
    if (ok == 0 && summary.n_trials == 0 && !o->is_dry) {
        log_info("%s: this shard has no trials", db);
    }
    free(db);
    model_choice_release(&model);
    return ok == 0 ? status : cmd_fail(err);
}

static int run(int argc, char **argv)
{
    struct run_options o = {.plan = plan_default_options(), .model = model_default_options()};
    const struct opt opts[] = {
        MODEL_OPTIONS(o.model),
        {'o', "output", OPT_STR, &o.db, "RUN.db", "the run file (default: the model's name)", 0, 0},
        PLAN_OPTIONS(o.plan),
        {0, "temperature", OPT_STR, &o.temperature, "T", "sample the answers (default: 0, greedy)",
         0, 0},
        {0, "seed", OPT_INT, &o.seed, "N", "of the sampling (default: 0)", 0, 1L << 52},
        {0, "retry-errors", OPT_FLAG, &o.retry_errors, NULL,
         "try trials again that ended in an error", 0, 0},
        {0, "dry-run", OPT_FLAG, &o.is_dry, NULL, "print a served model's first request, send none",
         0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "run",
        .synopsis = "BENCH [-m MODEL] [--url URL,..] [options]",
        .summary = "Ask a model every trial of a benchmark and store its answers.",
        .details =
            "Models: the embedded one; any pair of GGUF files that libmtmd loads (text conditions\n"
            "need no --mmproj); those of aor models; whatever a server of OpenAI's chat\n"
            "completions (vLLM, SGLang, llama-server, ...) or of Gemini serves. Keys come from "
            "the\n"
            "environment: the variable that aor models names, else AOR_API_KEY.\n"
            "Conditions: matched, speech, noise, mismatched, text, text-scene. Strategies: "
            "direct,\n"
            "cot, steered, the probes transcribe and scene, and what else data/prompts holds.\n"
            "Each answer is stored when it is there; the same command goes on where an earlier "
            "one\n"
            "stopped. A run file is of one benchmark, model and sampling; conditions, strategies\n"
            "and items may be added by later calls. SIGINT, SIGTERM, SIGUSR1: what is in flight "
            "is\n"
            "stored, then it ends with code 4. Shards are made one run by aor merge.",
        .examples =
            "  aor run bench\n"
            "  aor run bench -c matched,mismatched,text -a direct,cot,transcribe,scene\n"
            "  aor run bench -m qwen2-audio.gguf --mmproj qwen2-audio-mmproj.gguf -o qwen2.db\n"
            "  aor run bench -m llama.gguf -c text,text-scene --only test --limit 200\n"
            "  aor run bench -m Qwen/Qwen2-Audio-7B-Instruct --url http://127.0.0.1:8000/v1\n"
            "  aor run bench -m gpt-audio-1.5 --max-requests 1000 --rpm 300\n"
            "  aor run bench -o run.db --shard 2/8\n",
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
