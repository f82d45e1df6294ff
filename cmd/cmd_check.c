#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/json.h"
#include "base/pool.h"
#include "bench/check.h"
#include "cmd.h"
#include "run/runner.h"
#include "stats/wer.h"
#include "store/store.h"

struct problems {
    bool as_json;
    json_t *list; /* as_json only */
};

static void take_problem(const char *sample_id, const char *problem, void *user)
{
    struct problems *p = user;
    if (p->as_json) {
        json_array_append_new(p->list, json_pack("{s:o, s:o}", "sample", json_text(sample_id),
                                                 "problem", json_text(problem)));
    } else {
        printf("BAD  %s: %s\n", sample_id, problem);
    }
}

static void print_range(const char *name, struct check_range r, const char *unit)
{
    /* Adding 0.0 makes a zero of minus zero. */
    printf("  %-22s %8.2f to %8.2f %s\n", name, round(100 * r.min) / 100 + 0.0,
           round(100 * r.max) / 100 + 0.0, unit);
}

static void print_prosody(const struct check_report *r)
{
    printf("\nSpeech before the mix, means:\n  %-22s %7s %8s %12s %12s %12s\n", "", "samples",
           "F0 Hz", "F0 range st", "syllables/s", "level dBFS");
    for (size_t i = 0; i < r->n_cells; i++) {
        const struct check_cell *c = &r->cells[i];
        if (i == 0 || strcmp(c->factor, r->cells[i - 1].factor) != 0) {
            printf("  by %s\n", c->factor);
        }
        printf("    %-20s %7zu %8.1f %12.2f %12.2f %12.2f\n", c->level, c->n_samples, c->f0_hz,
               c->f0_range_st, c->syllables_per_s, c->active_level_db);
    }
}

static void print_balance(const struct check_report *r)
{
    printf("\nBalance, samples a level:\n  %-26s", "");
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        printf(" %21s", item_kind_names[k]);
    }
    putchar('\n');
    for (int f = 0; f < BALANCE_N_FACTORS; f++) {
        printf("  %-26s", r->balance[0][f].factor);
        for (int k = 0; k < ITEM_N_KINDS; k++) {
            const struct balance *b = &r->balance[k][f];
            char text[64];
            snprintf(text, sizeof text, "%zu x %zu..%zu", b->n_levels, b->min, b->max);
            printf(" %21s", b->n_levels > 0 ? text : "-");
        }
        putchar('\n');
    }
}

static void print_content(const struct content *c)
{
    size_t n_scenarios = c->n_alone[0] + c->n_alone[1] + c->n_alone[2];
    printf("\nTexts:\n");
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        printf("  %ss: %zu dev, %zu test\n", item_kind_names[k], c->n_items[k][SPLIT_DEV],
               c->n_items[k][SPLIT_TEST]);
    }
    printf("  scenarios alone: %zu benign, %zu ambiguous, %zu alarming; %zu controversial\n",
           c->n_alone[ALONE_BENIGN], c->n_alone[ALONE_AMBIGUOUS], c->n_alone[ALONE_ALARMING],
           c->n_controversial);
    printf("  scenarios end in: %zu question marks, %zu exclamation marks, %zu full stops\n",
           c->n_questions, c->n_exclamations, n_scenarios - c->n_questions - c->n_exclamations);
    printf("  %zu to %zu words a text\n", c->min_words, c->max_words);
    printf("  %zu alarming words; the most frequent, \"%s\", in %.1f%% of the scenarios\n",
           c->n_alarming, c->top_word, 100 * c->top_word_share);
    printf("  alarming words of the test split that dev lacks: %s\n",
           c->test_only_word[0] ? c->test_only_word : "none");
    printf("  the most frequent opening, \"%s\", in %.1f%%\n", c->top_opening,
           100 * c->top_opening_share);
    if (c->giveaway_word[0]) {
        printf("  the word that tells contrasts from scenarios best: \"%s\", in %.0f points more\n",
               c->giveaway_word, 100 * c->giveaway);
    }
    if (c->closest[0]) {
        printf("  the closest two texts share %.0f%% of their word pairs: %s, %s\n",
               100 * c->max_similarity, c->closest[0]->id, c->closest[1]->id);
    }
}

static json_t *range_json(struct check_range r)
{
    return json_pack("{s:o, s:o}", "min", json_number(r.min), "max", json_number(r.max));
}

static json_t *count(size_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *balance_json(const struct check_report *r)
{
    json_t *all = json_object();
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        json_t *list = json_array();
        for (int f = 0; f < BALANCE_N_FACTORS; f++) {
            const struct balance *b = &r->balance[k][f];
            json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "factor", b->factor,
                                                  "levels", count(b->n_levels), "min",
                                                  count(b->min), "max", count(b->max)));
        }
        json_object_set_new(all, item_kind_names[k], list);
    }
    return all;
}

static json_t *cells_json(const struct check_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_cells; i++) {
        const struct check_cell *c = &r->cells[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "factor",
                                              c->factor, "level", c->level, "samples",
                                              count(c->n_samples), "f0_hz", json_number(c->f0_hz),
                                              "f0_range_st", json_number(c->f0_range_st),
                                              "syllables_per_s", json_number(c->syllables_per_s),
                                              "active_level_db", json_number(c->active_level_db)));
    }
    return list;
}

static json_t *content_json(const struct content *c)
{
    json_t *items = json_object();
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        json_object_set_new(items, item_kind_names[k],
                            json_pack("{s:o, s:o}", "dev", count(c->n_items[k][SPLIT_DEV]), "test",
                                      count(c->n_items[k][SPLIT_TEST])));
    }
    json_t *alone = json_object();
    for (int a = 0; item_alone_names[a]; a++) {
        json_object_set_new(alone, item_alone_names[a], count(c->n_alone[a]));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:f, s:s, s:s, s:f, s:s, s:f, "
                     "s:f, s:s?, s:s?}",
                     "items", items, "alone", alone, "controversial", count(c->n_controversial),
                     "questions", count(c->n_questions), "exclamations", count(c->n_exclamations),
                     "min_words", count(c->min_words), "max_words", count(c->max_words),
                     "alarming_words", count(c->n_alarming), "top_word", c->top_word,
                     "top_word_share", c->top_word_share, "test_only_word", c->test_only_word,
                     "top_opening", c->top_opening, "top_opening_share", c->top_opening_share,
                     "giveaway_word", c->giveaway_word, "giveaway", c->giveaway, "max_similarity",
                     c->max_similarity, "closest_a", c->closest[0] ? c->closest[0]->id : NULL,
                     "closest_b", c->closest[1] ? c->closest[1]->id : NULL);
}

/* Takes over asr, which may be NULL. */
static void print_json(const struct check_report *r, json_t *problems, json_t *asr)
{
    json_t *all =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "samples",
                  count(r->n_samples), "bad", count(r->n_bad), "clipped", count(r->n_clipped),
                  "total_s", json_number(r->total_s), "duration_s", range_json(r->duration_s),
                  "lufs", range_json(r->lufs), "true_peak_db", range_json(r->true_peak_db),
                  "active_level_db", range_json(r->active_level_db), "snr_error_db",
                  range_json(r->snr_error_db), "speech", cells_json(r), "balance", balance_json(r),
                  "content", content_json(&r->content), "problems", problems);
    if (asr) {
        json_object_set_new(all, "asr", asr);
    }
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(all);
}

/* Words of a model that was asked to write down what it hears, against what was said. */
struct asr_level {
    const char *factor;
    char level[64];
    size_t n_samples, n_errors, n_words;
    size_t n_bad; /* samples with more than half of the words wrong */
};

struct asr {
    struct asr_level *levels; /* the first is of all samples */
    size_t n_levels;
    size_t n_unanswered;
};

static void add_to_level(struct asr *a, const char *factor, const char *level, struct wer w)
{
    size_t i = 0;
    while (i < a->n_levels &&
           !(strcmp(a->levels[i].factor, factor) == 0 && strcmp(a->levels[i].level, level) == 0)) {
        i++;
    }
    if (i == a->n_levels) {
        a->levels = xrealloc(a->levels, (i + 1) * sizeof *a->levels);
        a->levels[a->n_levels++] = (struct asr_level){.factor = factor};
        snprintf(a->levels[i].level, sizeof a->levels[i].level, "%s", level);
    }
    a->levels[i].n_samples++;
    a->levels[i].n_errors += w.n_errors;
    a->levels[i].n_words += w.n_words;
    a->levels[i].n_bad += 2 * w.n_errors > w.n_words;
}

static int take_transcript(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    struct asr *a = user;
    if (row->state != STORE_ANSWERED) {
        a->n_unanswered++;
        return 0;
    }
    struct wer w = wer_count(row->sample.text, row->answer);
    char snr[32];
    snprintf(snr, sizeof snr, "%g", row->sample.snr_db);
    add_to_level(a, "all", "all", w);
    add_to_level(a, "gender", row->sample.gender, w);
    add_to_level(a, "emotion", row->sample.emotion, w);
    add_to_level(a, "rate", row->sample.rate, w);
    add_to_level(a, "SNR", snr, w);
    add_to_level(a, "voice", row->sample.voice, w);
    add_to_level(a, "scene", row->sample.scene, w);
    return 0;
}

static double level_wer(const struct asr_level *l)
{
    return l->n_words > 0 ? (double)l->n_errors / (double)l->n_words : 0;
}

static void print_asr(const struct asr *a, const char *model)
{
    printf("\nIntelligibility, as %s writes it down:\n  %-22s %8s %8s %16s\n", model, "", "samples",
           "WER", "above 50%");
    static const char *const order[] = {"all", "gender", "emotion", "rate",
                                        "SNR", "voice",  "scene"};
    for (size_t f = 0; f < sizeof order / sizeof *order; f++) {
        if (f > 0) {
            printf("  by %s\n", order[f]);
        }
        for (size_t i = 0; i < a->n_levels; i++) {
            const struct asr_level *l = &a->levels[i];
            if (strcmp(l->factor, order[f]) == 0) {
                printf("    %-20s %8zu %7.1f%% %15.1f%%\n", l->level, l->n_samples,
                       100 * level_wer(l), 100 * (double)l->n_bad / (double)l->n_samples);
            }
        }
    }
    if (a->n_unanswered > 0) {
        printf("  %zu samples have no transcript\n", a->n_unanswered);
    }
}

static json_t *asr_json(const struct asr *a, const char *model)
{
    json_t *levels = json_array();
    for (size_t i = 0; i < a->n_levels; i++) {
        const struct asr_level *l = &a->levels[i];
        json_array_append_new(levels,
                              json_pack("{s:s, s:s, s:o, s:f, s:o}", "factor", l->factor, "level",
                                        l->level, "samples", count(l->n_samples), "wer",
                                        level_wer(l), "above_half", count(l->n_bad)));
    }
    return json_pack("{s:o, s:o, s:o}", "model", json_text(model), "unanswered",
                     count(a->n_unanswered), "levels", levels);
}

/* asr may be NULL. */
static void print_text(const struct check_report *r, const struct asr *asr, const char *model)
{
    printf("%zu samples, %.1f min of audio\n\nMeasured on the files:\n", r->n_samples,
           r->total_s / 60);
    print_range("duration", r->duration_s, "s");
    print_range("loudness", r->lufs, "LUFS");
    print_range("true peak", r->true_peak_db, "dBTP");
    print_range("active speech level", r->active_level_db, "dBFS");
    print_range("SNR, achieved - wanted", r->snr_error_db, "dB");
    print_prosody(r);
    print_balance(r);
    print_content(&r->content);
    if (asr) {
        print_asr(asr, fs_basename(model));
    }
    printf("\n%zu samples clip, %zu have a problem: %s\n", r->n_clipped, r->n_bad,
           r->n_bad == 0 ? "all good" : "see above");
}

/*
 * The run file of these transcripts, within the benchmark: another one for another model, prompt,
 * llama.cpp or build of the benchmark. The caller's.
 */
static int asr_path(const struct dataset *d, const struct prompt *prompt, const char *model,
                    const char *mmproj, char **ret, struct err *err)
{
    char text[SHA256_HEX_SIZE], audio[SHA256_HEX_SIZE], bench[SHA256_HEX_SIZE],
        hex[SHA256_HEX_SIZE];
    char *metadata = fs_join(d->dir, "metadata.jsonl");
    int ok = fs_sha256(model, text, err) == 0 && fs_sha256(mmproj, audio, err) == 0 &&
                     fs_sha256(metadata, bench, err) == 0
                 ? 0
                 : -1;
    if (ok == 0) {
        char *key = xasprintf("%s %s %s %s %s", text, audio, bench, prompt->sha256,
                              local_library_version());
        sha256_hex(key, strlen(key), hex);
        *ret = xasprintf("%s/.asr-%s-%.12s.db", d->dir, fs_basename(model), hex);
        free(key);
    }
    free(metadata);
    return ok;
}

/* Ask the model to transcribe every sample, in a run file of the benchmark's own, and compare. */
static int transcribe(const struct dataset *d, const char *model, const char *mmproj,
                      struct asr *ret, struct err *err)
{
    struct store *store = NULL;
    struct run_summary summary;
    char *db_path = NULL;
    char *prompt_path = cmd_shared_path("data/prompts/transcribe.yaml");
    struct bench_selection all = {0};
    struct plan plan = {0};
    int ok = -1;
    signal(SIGPIPE, SIG_IGN); /* a dead model process shows when it is read from */
    if (plan_init(&d->bench, &all, 1u << CONDITION_MATCHED, (const char *const[]){prompt_path}, 1,
                  1, &plan, err) == 0 &&
        asr_path(d, &plan.prompts[0], model, mmproj, &db_path, err) == 0) {
        struct local_params local = local_default_params();
        local.text_path = model;
        local.mmproj_path = mmproj;
        struct run_params params = {
            .dataset = d,
            .plan = &plan,
            .db_path = db_path,
            .local = &local,
            .retry_errors = true,
            .timeout_s = 600,
        };
        ok = run_model(&params, &summary, err) == 0 &&
                     store_open(db_path, STORE_READ, &store, err) == 0 &&
                     store_each(store, NULL, take_transcript, ret, err) == 0
                 ? 0
                 : -1;
    }
    store_close(store, NULL);
    plan_release(&plan);
    free(prompt_path);
    free(db_path);
    return ok;
}

static int run(int argc, char **argv)
{
    bool as_json = false;
    const char *model = NULL;
    const char *mmproj = NULL;
    long n_workers = pool_default_workers();
    const struct opt opts[] = {
        {0, "asr", OPT_STR, &model, "GGUF", "a model that transcribes: word error rates too", 0, 0},
        {0, "mmproj", OPT_STR, &mmproj, "GGUF", "its audio encoder (required with --asr)", 0, 0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {'j', "jobs", OPT_INT, &n_workers, "N", "processes (default: all processors)", 1, 1024},
        {0},
    };
    const struct opt_command command = {
        .name = "check",
        .synopsis = "BENCH [options]",
        .summary = "Measure a benchmark again: hashes, levels, SNR, prosody, balance, texts.",
        .details =
            "Ends with code 3 when a sample has a problem. With --asr the model writes down\n"
            "every sample (prompts/transcribe.yaml); its words are kept in the benchmark, and\n"
            "the same command goes on after an interruption.",
        .examples = "  aor check bench\n  aor check bench --json | jq .speech\n"
                    "  aor check bench --asr voxtral.gguf --mmproj voxtral-mmproj.gguf\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    cancel_install();
    struct dataset d = {0};
    struct check_report report;
    struct problems problems = {as_json, json_array()};
    struct asr asr = {0};
    if (!model != !mmproj) {
        err_set(&err, ERR_USAGE,
                "--asr wants --mmproj, the model's audio encoder, and the other way");
        status = cmd_fail(&err);
    } else if (dataset_open(argv[1], &d, &err) != 0 ||
               check_dataset(&d, (int)n_workers, take_problem, &problems, &report, &err) != 0) {
        status = cmd_fail(&err);
    } else {
        status = report.n_bad > 0 ? EXIT_WITH_ERRORS : EXIT_FINE;
        bool has_asr = model && transcribe(&d, model, mmproj, &asr, &err) == 0;
        if (as_json) {
            print_json(&report, problems.list, has_asr ? asr_json(&asr, fs_basename(model)) : NULL);
        } else {
            print_text(&report, has_asr ? &asr : NULL, model);
        }
        if (model && !has_asr) {
            status =
                cmd_fail(&err); /* what was measured without the model is printed all the same */
        }
        check_report_release(&report);
    }
    free(asr.levels);
    json_decref(problems.list);
    dataset_release(&d);
    return status;
}

const struct cmd cmd_check = {"check", "measure a benchmark: hashes, levels, SNR, balance", run};
