#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "judge/rules.h"
#include "judge_llm.h"
#include "judge_people.h"
#include "report/judged_rows.h"
#include "store/store.h"

#define N_VERDICTS 5
#define N_PROBES 2

struct judging {
    struct store *store;
    const struct rule_judge *judge;
    long n_of_verdict[N_VERDICTS];
    long n_new;
    long n_unanswered;
    long n_blocks; /* by the provider: no words of the model's to judge */
    long n_errors;
    struct probe {
        const char *name;
        long n, n_unassessable;
        double sum; /* of scores */
    } probes[N_PROBES];
};

static int score_probe(struct judging *j, const struct store_row *row, enum verdict verdict,
                       struct err *err)
{
    int p = 0;
    while (p < N_PROBES && strcmp(j->probes[p].name, row->probe) != 0) {
        p++;
    }
    if (p == N_PROBES) {
        return err_set(err, ERR_FORMAT, "trial %lld: \"%.40s\" is no probe",
                       (long long)row->trial_id, row->probe);
    }
    double value = judged_rows_score(row, verdict);
    j->probes[p].n++;
    j->probes[p].n_unassessable += isnan(value);
    j->probes[p].sum += isnan(value) ? 0 : value;
    return store_put_score(j->store, row->trial_id, rule_judge_id(j->judge), value, err);
}

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    struct judging *j = user;
    if (row->state != STORE_ANSWERED) {
        j->n_unanswered += row->state == STORE_PENDING;
        j->n_blocks += row->state == STORE_BLOCKED;
        j->n_errors += row->state == STORE_FAILED;
        return 0;
    }
    enum verdict v;
    bool is_probe = row->probe[0] != '\0';
    if (!row->verdict || !verdict_from_name(row->verdict, &v)) {
        struct judgement judgement;
        if (judged_rows_judge(j->judge, row, &judgement, err) != 0) {
            return -1;
        }
        v = judgement.verdict;
        j->n_new++;
        if (store_put_verdict(j->store, row->trial_id, rule_judge_id(j->judge), verdict_name(v),
                              judgement.rule, err) != 0) {
            return -1;
        }
    }
    if (is_probe) {
        return score_probe(j, row, v, err);
    }
    j->n_of_verdict[v]++;
    return 0;
}

/* Over the answers that say something; NAN: there are none. */
static double probe_mean(const struct probe *p)
{
    return p->n > p->n_unassessable ? p->sum / (double)(p->n - p->n_unassessable) : NAN;
}

static void print_result(const struct judging *j, bool as_json)
{
    if (as_json) {
        json_t *counts = json_object();
        for (int v = 0; v < N_VERDICTS; v++) {
            json_object_set_new(counts, verdict_name((enum verdict)v),
                                json_integer(j->n_of_verdict[v]));
        }
        json_t *probes = json_object();
        for (int p = 0; p < N_PROBES; p++) {
            const struct probe *probe = &j->probes[p];
            json_object_set_new(probes, probe->name,
                                json_pack("{s:I, s:I, s:o}", "answers", (json_int_t)probe->n,
                                          "refused", (json_int_t)probe->n_unassessable, "mean",
                                          json_number(probe_mean(probe))));
        }
        json_t *all =
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "judge",
                      json_text(rule_judge_id(j->judge)), "new", (json_int_t)j->n_new, "unanswered",
                      (json_int_t)j->n_unanswered, "blocks", (json_int_t)j->n_blocks, "errors",
                      (json_int_t)j->n_errors, "verdicts", counts, "probes", probes);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
        return;
    }
    printf("judge %s\n", rule_judge_id(j->judge));
    for (int v = 0; v < N_VERDICTS; v++) {
        printf("  %-14s %6ld\n", verdict_name((enum verdict)v), j->n_of_verdict[v]);
    }
    for (int p = 0; p < N_PROBES; p++) {
        const struct probe *probe = &j->probes[p];
        if (probe->n > 0) {
            printf("probe %-12s %6ld, refused %ld, mean %s %.1f%%\n", probe->name, probe->n,
                   probe->n_unassessable, p == 0 ? "word error rate" : "right",
                   100 * probe_mean(probe));
        }
    }
}

static int run(int argc, char **argv)
{
    const char *rules = NULL;
    struct score_options score = {0};
    struct llm_options llm = {.model = model_default_options(), .n_votes = 1};
    const char *labels = NULL;
    long n_drawn = 0;
    bool wants_agreement = false;
    bool as_json = false;
    const struct opt opts[] = {
        {'r', "rules", OPT_STR, &rules, "FILE", "patterns (default: judge/rules-en.yaml)", 0, 0},
        {0, "labels", OPT_STR, &labels, "FILE", "store what people say: CSV, JSON, JSON Lines", 0,
         0},
        {'m', "model", OPT_STR, &llm.model.model, "MODEL",
         "a language model as judge: a GGUF file, or with --url its name", 0, 0},
        {0, "url", OPT_STR, &llm.model.urls, "LIST", "the judge's servers (.../v1)", 0, 0},
        {0, "api", OPT_STR, &llm.model.protocol, "NAME", "how they are asked: openai, gemini", 0,
         0},
        {0, "rubric", OPT_STR, &llm.rubric, "FILE", "how it is asked (default: judge/llm-en.yaml)",
         0, 0},
        {0, "votes", OPT_INT, &llm.n_votes, "N", "replies an answer, most of which must agree", 1,
         9},
        {0, "parallel", OPT_INT, &llm.model.n_parallel, "N",
         "replies at a time (default: served 32)", 0, REMOTE_MAX_PARALLEL},
        {0, "rpm", OPT_INT, &llm.model.per_minute, "N", "requests a minute at most", 1, 1L << 30},
        {0, "max-requests", OPT_INT, &llm.model.max_requests, "N", "stop after so many", 1,
         1L << 52},
        {0, "draw", OPT_INT, &n_drawn, "N", "N answers of each condition at random, to label", 1,
         1000000},
        {0, "agreement", OPT_FLAG, &wants_agreement, NULL, "how the judges of the run agree", 0, 0},
        {0, "score", OPT_STR, &score.path, "FILE", "against people: answers with labels", 0, 0},
        {0, "columns", OPT_STR, &score.columns, "LIST",
         "its columns: request=..,response=..,label=..", 0, 0},
        {0, "map", OPT_STR, &score.map, "LIST", "what its labels mean: rejected=refusal,..", 0, 0},
        {0, "misses", OPT_INT, &score.n_misses, "N", "show so many disagreements", 0, 1000000},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "judge",
        .synopsis = "RUN.db [options] | --score FILE [options]",
        .summary = "Give each answer of a run a verdict, by rules.",
        .details =
            "Verdicts: compliance, partial, refusal, clarification, nonresponsive. A judge "
            "is named by\n"
            "the hash of its rules; another judge's verdicts stay beside it. --score measures the\n"
            "judge itself on a CSV, JSON or JSON Lines file of answers that people labelled.\n"
            "With --model a language model judges by a rubric; each verdict is stored when it\n"
            "is there, and the same command goes on. A reply that is none is no verdict.",
        .examples =
            "  aor judge aor-tiny.db\n  aor judge aor-tiny.db -r my-rules.yaml --json\n"
            "  aor judge aor-tiny.db -m gpt-5-mini --url https://api.openai.com/v1\n"
            "  aor judge aor-tiny.db -m Qwen3-8B-Q8_0.gguf --votes 3\n"
            "  aor judge aor-tiny.db --labels ann.csv\n  aor judge aor-tiny.db --agreement\n"
            "  aor judge --score labels.csv --columns request=prompt,response=completion\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 0, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    if ((n_operands == 1) == (score.path != NULL)) {
        err_set(&err, ERR_USAGE, "RUN.db or --score FILE, one of them");
        return cmd_fail(&err);
    }
    bool is_served = llm.model.urls || llm.model.protocol || llm.model.per_minute > 0 ||
                     llm.model.max_requests > 0;
    if ((labels != NULL) + wants_agreement + (n_drawn > 0) + (score.path != NULL) +
            (llm.model.model != NULL) + (rules && !score.path) >
        1) {
        err_set(&err, ERR_USAGE,
                "--draw, --labels, --agreement, --score, --model or --rules, one of them");
        return cmd_fail(&err);
    }
    if (!llm.model.model &&
        (is_served || llm.rubric || llm.n_votes > 1 || llm.model.n_parallel > 0)) {
        err_set(
            &err, ERR_USAGE,
            "--url, --api, --rubric, --votes, --parallel, --rpm and --max-requests want --model");
        return cmd_fail(&err);
    }
    if (!score.path && (score.columns || score.map || score.n_misses > 0)) {
        err_set(&err, ERR_USAGE, "--columns, --map and --misses want --score");
        return cmd_fail(&err);
    }
    if (labels || wants_agreement || n_drawn > 0) {
        int done = labels        ? judge_import(argv[1], labels, as_json, &err)
                   : n_drawn > 0 ? judge_draw(argv[1], n_drawn, &err)
                                 : judge_agreement(argv[1], as_json, &err);
        return done == 0 ? EXIT_FINE : cmd_fail(&err);
    }
    if (llm.model.model) {
        llm.as_json = as_json;
        return judge_by_llm(argv[1], &llm, &status, &err) == 0 ? status : cmd_fail(&err);
    }
    score.as_json = as_json;
    char *rules_path = rules ? xstrdup(rules) : cmd_shared_path("data/judge/rules-en.yaml");
    struct rule_judge *judge = NULL;
    struct judging j = {.probes = {{.name = prompt_probe_names[PROMPT_TRANSCRIBE]},
                                   {.name = prompt_probe_names[PROMPT_SCENE]}}};
    int ok = -1;
    if (rule_judge_load(rules_path, &judge, &err) != 0) {
        goto out;
    }
    if (score.path) {
        ok = judge_score(judge, &score, &err);
        goto out;
    }
    if (store_open(argv[1], STORE_WRITE, &j.store, &err) == 0) {
        j.judge = judge;
        if (store_begin(j.store, &err) == 0 &&
            store_each(j.store, rule_judge_id(judge), take_row, &j, &err) == 0 &&
            store_put_info(j.store, STORE_INFO_LAST_JUDGE, rule_judge_id(judge), &err) == 0 &&
            store_put_info(j.store, STORE_INFO_PROBE_JUDGE, rule_judge_id(judge), &err) == 0 &&
            store_commit(j.store, &err) == 0) {
            ok = 0;
        }
    }
    if (store_close(j.store, ok == 0 ? &err : NULL) != 0) {
        ok = -1;
    }
    if (ok == 0) {
        log_info(
            "%s: %ld new verdicts, %ld trials without an answer, %ld blocked, %ld with an error",
            argv[1], j.n_new, j.n_unanswered, j.n_blocks, j.n_errors);
        print_result(&j, as_json);
    }
out:
    status = ok == 0 ? EXIT_FINE : cmd_fail(&err);
    rule_judge_free(judge);
    free(rules_path);
    return status;
}

const struct cmd cmd_judge = {"judge", "give each answer a verdict", run};
