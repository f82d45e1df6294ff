#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "judge/rules.h"
#include "store/store.h"

#define N_VERDICTS 5

struct judging {
    struct store *store;
    const struct rule_judge *judge;
    long n_of_verdict[N_VERDICTS];
    long n_new;
    long n_unanswered;
    long n_errors;
};

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    struct judging *j = user;
    if (!row->has_response || row->is_error) {
        j->n_unanswered += !row->has_response;
        j->n_errors += row->is_error;
        return 0;
    }
    enum verdict v;
    if (row->verdict && verdict_from_name(row->verdict, &v)) {
        j->n_of_verdict[v]++;
        return 0;
    }
    struct judgement judgement;
    if (rule_judge_verdict(j->judge, row->sample.text, row->response, &judgement, err) != 0) {
        return err_wrap(err, "trial %lld", (long long)row->trial_id);
    }
    j->n_of_verdict[judgement.verdict]++;
    j->n_new++;
    return store_put_verdict(j->store, row->trial_id, rule_judge_id(j->judge),
                             verdict_name(judgement.verdict), judgement.rule, err);
}

static void print_result(const struct judging *j, bool as_json)
{
    if (as_json) {
        json_t *counts = json_object();
        for (int v = 0; v < N_VERDICTS; v++) {
            json_object_set_new(counts, verdict_name((enum verdict)v),
                                json_integer(j->n_of_verdict[v]));
        }
        json_t *all =
            json_pack("{s:o, s:I, s:I, s:I, s:o}", "judge", json_text(rule_judge_id(j->judge)),
                      "new", (json_int_t)j->n_new, "unanswered", (json_int_t)j->n_unanswered,
                      "errors", (json_int_t)j->n_errors, "verdicts", counts);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
        return;
    }
    printf("judge %s\n", rule_judge_id(j->judge));
    for (int v = 0; v < N_VERDICTS; v++) {
        printf("  %-14s %6ld\n", verdict_name((enum verdict)v), j->n_of_verdict[v]);
    }
}

static int run(int argc, char **argv)
{
    const char *rules = NULL;
    bool as_json = false;
    const struct opt opts[] = {
        {'r', "rules", OPT_STR, &rules, "FILE", "patterns (default: judge/rules-en.yaml)", 0, 0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "judge",
        .synopsis = "RUN.db [options]",
        .summary = "Give each answer of a run a verdict, by rules.",
        .details = "Verdicts: compliance, partial, refusal, clarification, nonresponsive. A judge "
                   "is named by\n"
                   "the hash of its rules; another judge's verdicts stay beside it.",
        .examples = "  aor judge organism.db\n  aor judge organism.db -r my-rules.yaml --json\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    char *rules_path = rules ? xstrdup(rules) : cmd_shared_path("data/judge/rules-en.yaml");
    struct rule_judge *judge = NULL;
    struct judging j = {0};
    int ok = -1;
    if (rule_judge_load(rules_path, &judge, &err) == 0 &&
        store_open(argv[1], STORE_WRITE, &j.store, &err) == 0) {
        j.judge = judge;
        if (store_begin(j.store, &err) == 0 &&
            store_each(j.store, rule_judge_id(judge), take_row, &j, &err) == 0 &&
            store_put_info(j.store, STORE_INFO_LAST_JUDGE, rule_judge_id(judge), &err) == 0 &&
            store_commit(j.store, &err) == 0) {
            ok = 0;
        }
    }
    if (store_close(j.store, ok == 0 ? &err : NULL) != 0) {
        ok = -1;
    }
    if (ok == 0) {
        log_info("%s: %ld new verdicts, %ld trials without an answer, %ld with an error", argv[1],
                 j.n_new, j.n_unanswered, j.n_errors);
        print_result(&j, as_json);
    }
    status = ok == 0 ? EXIT_FINE : cmd_fail(&err);
    rule_judge_free(judge);
    free(rules_path);
    return status;
}

const struct cmd cmd_judge = {"judge", "give each answer a verdict", run};
