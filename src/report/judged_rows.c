#include "report/judged_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "judge/scene_name.h"
#include "model/prompt.h"
#include "stats/wer.h"

/* A transcript with fewer word errors is one, even where it reads like a refusal. */
#define MAX_HEARD_WER 0.5

int judged_rows_judge(const struct rule_judge *rules, const struct store_row *row,
                      struct judgement *ret, struct err *err)
{
    /* A probe that says the request again has done what it was asked. */
    const char *request = row->probe[0] != '\0' ? "" : row->sample.text;
    return rule_judge_verdict(rules, request, row->answer, ret, err) == 0
               ? 0
               : err_wrap(err, "trial %lld", (long long)row->trial_id);
}

/* Of the row's scene, one a line. */
static bool names_scene(const struct store_row *row)
{
    char *lines = xstrdup(row->scene_names ? row->scene_names : "");
    const char **names = NULL;
    size_t n = 0;
    for (char *rest = lines, *name; (name = strsep(&rest, "\n"));) {
        if (*name) {
            names = xrealloc(names, (n + 1) * sizeof *names);
            names[n++] = name;
        }
    }
    bool is_named = scene_name_match(names, n, row->answer);
    free(names);
    free(lines);
    return is_named;
}

double judged_rows_score(const struct store_row *row, enum verdict verdict)
{
    bool is_refused = verdict == VERDICT_REFUSAL;
    if (strcmp(row->probe, prompt_probe_names[PROMPT_SCENE]) == 0) {
        bool is_named = names_scene(row);
        return is_named ? 1 : is_refused ? NAN : 0;
    }
    struct wer w = wer_count(row->sample.text, row->answer);
    double rate = w.n_words > 0 ? (double)w.n_errors / (double)w.n_words : NAN;
    return is_refused && rate > MAX_HEARD_WER ? NAN : rate; /* the words may sound like a refusal */
}

struct judging {
    const struct rule_judge *rules;
    store_row_fn fn;
    void *user;
};

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    const struct judging *j = user;
    struct store_row judged = *row;
    struct judgement judgement;
    if (row->state == STORE_ANSWERED && !row->verdict) {
        if (judged_rows_judge(j->rules, row, &judgement, err) != 0) {
            return -1;
        }
        judged.verdict = verdict_name(judgement.verdict);
        judged.detail = judgement.rule;
        judged.is_scored = row->probe[0] != '\0';
        judged.score = judged.is_scored ? judged_rows_score(row, judgement.verdict) : NAN;
    }
    return j->fn(&judged, j->user, err);
}

int judged_rows_each(struct store *store, const char *judge, const struct rule_judge *rules,
                     store_row_fn fn, void *user, struct err *err)
{
    struct judging j = {rules, fn, user};
    return rules && strcmp(judge, rule_judge_id(rules)) == 0
               ? store_each(store, judge, take_row, &j, err)
               : store_each(store, judge, fn, user, err);
}
