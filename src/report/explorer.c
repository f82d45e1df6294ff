#include "report/explorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "report/judged_rows.h"
#include "stats/levels.h"

static const char *const state_names[] = {
    [STORE_PENDING] = "pending",
    [STORE_ANSWERED] = "answered",
    [STORE_BLOCKED] = "blocked",
    [STORE_FAILED] = "failed",
};

struct explorer {
    const struct dataset *dataset;
    explorer_piece_fn fn;
    void *user;
    struct levels sample_ids;
    json_t *samples, *scenes, *voices;
    size_t hint; /* where the last sample was in the benchmark */

    /* the piece at work */
    size_t run, n_pieces;
    const char *judge;
    struct levels conditions, strategies, heard;
    json_t *rows;
};

struct explorer *explorer_new(const struct dataset *dataset, explorer_piece_fn fn, void *user)
{
    struct explorer *e = xcalloc(1, sizeof *e);
    *e = (struct explorer){.dataset = dataset,
                           .fn = fn,
                           .user = user,
                           .samples = json_array(),
                           .scenes = json_object(),
                           .voices = json_object(),
                           .rows = json_array()};
    return e;
}

void explorer_free(struct explorer *e)
{
    levels_release(&e->sample_ids);
    levels_release(&e->conditions);
    levels_release(&e->strategies);
    levels_release(&e->heard);
    json_decref(e->samples);
    json_decref(e->scenes);
    json_decref(e->voices);
    json_decref(e->rows);
    free(e);
}

json_t *explorer_samples(const struct explorer *e)
{
    return json_incref(e->samples);
}

const json_t *explorer_voices(const struct explorer *e)
{
    return e->voices;
}

static void add_sample(struct explorer *e, const struct store_sample *s)
{
    json_t *row =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                  json_text(s->id), "kind", json_text(s->kind), "scenario", json_text(s->scenario),
                  "category", json_text(s->category), "text", json_text(s->text), "alone",
                  json_text(s->alone), "gender", json_text(s->gender), "emotion",
                  json_text(s->emotion), "rate", json_text(s->rate), "voice", json_text(s->voice),
                  "engine", json_text(s->engine), "scene", json_text(s->scene), "snr_db",
                  json_number(s->snr_db), "split", json_text(s->split));
    long at = e->dataset ? bench_find(&e->dataset->bench, s->id, e->hint) : -1;
    if (at >= 0) {
        const struct item *item = e->dataset->bench.samples[at].item;
        e->hint = (size_t)at + 1;
        json_object_set_new(row, "answer", json_text(item->answer));
        if (item->reason) {
            json_object_set_new(row, "reason", json_text(item->reason));
        }
    }
    json_array_append_new(e->samples, row);
    json_object_set_new(e->voices, s->voice, json_text(s->gender));
}

static json_t *names_json(const struct levels *l)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->n; i++) {
        json_array_append_new(list, json_text(l->items[i]));
    }
    return list;
}

/* Hand over the rows so far as a piece of trials. */
static int end_trials(struct explorer *e, struct err *err)
{
    if (json_array_size(e->rows) == 0) {
        return 0;
    }
    char *name = xasprintf("trials-%zu-%zu", e->run, e->n_pieces++);
    json_t *data =
        json_pack("{s:I, s:o, s:o, s:o, s:[s, s, s, s, s, s, s, s, s, s, s, s], s:O}", "run",
                  (json_int_t)e->run, "conditions", names_json(&e->conditions), "strategies",
                  names_json(&e->strategies), "scenes", names_json(&e->heard), "columns", "trial",
                  "sample", "condition", "strategy", "repeat", "scene", "state", "verdict", "score",
                  "thoughts", "answer", "detail", "rows", e->rows);
    int ok = e->fn(name, data, e->user, err);
    json_decref(data);
    json_array_clear(e->rows);
    levels_release(&e->conditions);
    levels_release(&e->strategies);
    levels_release(&e->heard);
    free(name);
    return ok;
}

/* What stands before the answer. */
static json_t *thoughts_of(const struct store_row *row)
{
    size_t n = row->answer ? (size_t)(row->answer - row->response) : 0;
    char *thoughts = text_to_utf8(n > 0 ? row->response : "", n);
    json_t *text = json_text(thoughts);
    free(thoughts);
    return text;
}

static int take_row(const struct store_row *row, void *user, struct err *err)
{
    struct explorer *e = user;
    size_t n_samples = e->sample_ids.n;
    uint32_t sample = levels_number(&e->sample_ids, row->sample.id);
    if (sample == n_samples) {
        add_sample(e, &row->sample);
    }
    bool is_judged = row->verdict && row->probe[0] == '\0';
    json_array_append_new(
        e->rows,
        json_pack("[I, I, I, I, i, o, s, o, o, o, o, o]", (json_int_t)row->trial_id,
                  (json_int_t)sample, (json_int_t)levels_number(&e->conditions, row->condition),
                  (json_int_t)levels_number(&e->strategies, row->strategy), row->repeat,
                  row->scene ? json_integer(levels_number(&e->heard, row->scene)) : json_null(),
                  state_names[row->state], is_judged ? json_text(row->verdict) : json_null(),
                  row->is_scored ? json_number(row->score) : json_null(), thoughts_of(row),
                  json_text(row->answer ? row->answer : ""),
                  json_text(is_judged && row->detail ? row->detail : "")));
    return json_array_size(e->rows) < EXPLORER_MAX_ROWS ? 0 : end_trials(e, err);
}

static int take_verdict(int64_t trial_id, const char *judge, const char *verdict,
                        const char *detail, void *user, struct err *err)
{
    (void)err;
    struct explorer *e = user;
    if (strcmp(judge, e->judge) != 0) {
        json_array_append_new(e->rows,
                              json_pack("[I, o, o, o]", (json_int_t)trial_id, json_text(judge),
                                        json_text(verdict), json_text(detail ? detail : "")));
    }
    return 0;
}

static int take_scene(const char *id, const char *category, const char *words, void *user,
                      struct err *err)
{
    (void)err;
    struct explorer *e = user;
    json_object_set_new(
        e->scenes, id,
        json_pack("{s:o, s:o}", "category", json_text(category), "words", json_text(words)));
    return 0;
}

int explorer_add_run(struct explorer *e, struct store *store, size_t run, const char *judge,
                     const struct rule_judge *rules, struct err *err)
{
    e->run = run;
    e->n_pieces = 0;
    e->judge = judge;
    if (store_each_scene(store, take_scene, e, err) != 0 ||
        judged_rows_each(store, judge, rules, take_row, e, err) != 0 || end_trials(e, err) != 0 ||
        store_each_verdict(store, take_verdict, e, err) != 0) {
        return -1;
    }
    int ok = 0;
    if (json_array_size(e->rows) > 0) {
        char *name = xasprintf("verdicts-%zu", run);
        json_t *data = json_pack("{s:I, s:[s, s, s, s], s:O}", "run", (json_int_t)run, "columns",
                                 "trial", "judge", "verdict", "detail", "rows", e->rows);
        ok = e->fn(name, data, e->user, err);
        json_decref(data);
        json_array_clear(e->rows);
        free(name);
    }
    return ok;
}

int explorer_end(struct explorer *e, struct err *err)
{
    json_t *data = json_pack("{s:O, s:O}", "samples", e->samples, "scenes", e->scenes);
    int ok = e->fn("samples", data, e->user, err);
    json_decref(data);
    return ok;
}
