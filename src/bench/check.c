#include "bench/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/level.h"
#include "audio/pitch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "speech/tts.h"

struct measured {
    bool is_measured, is_clipped;
    double duration_s, lufs, true_peak_db, active_level_db, snr_db;
    double speech_s, speech_level_db; /* of the stem */
    struct pitch pitch;
    char problem[400]; /* "" when there is none */
};

/* What is kept of each sample until the end, for the cells. */
struct prosody {
    double semitones, f0_range_st, syllables_per_s, speech_level_db;
    bool is_measured;
    bool has_problem;
};

struct checker {
    const struct dataset *dataset;
    check_problem_fn problem;
    void *user;
    struct check_report report;
    struct prosody *prosody; /* [samples] */
    struct progress progress;
};

struct worker {
    const struct dataset *dataset;
    struct renderer renderer;
};

static void *start_worker(void *user)
{
    const struct checker *c = user;
    struct worker *w = xmalloc(sizeof *w);
    w->dataset = c->dataset;
    w->renderer = renderer_init(&c->dataset->bench, c->dataset->stems_dir, NULL);
    return w;
}

static bool is_clipped(const struct audio *a)
{
    for (size_t i = 0; i < a->n_frames; i++) {
        if (a->pcm[i] >= 32767.0f / 32768.0f || a->pcm[i] <= -1.0f) {
            return true;
        }
    }
    return false;
}

static int measure(struct worker *w, size_t i, struct measured *m, struct err *err)
{
    const struct dataset *d = w->dataset;
    const struct sample *s = &d->bench.samples[i];
    struct audio a = {0}, speech = {0};
    struct mix mix = {0};
    int ok = -1;
    if (dataset_check_recipe(d, i, err) != 0 ||
        dataset_audio(d, &w->renderer, i, CONDITION_MATCHED, &a, err) != 0 ||
        level_loudness(&a, &m->lufs, &m->true_peak_db, err) != 0 ||
        render_mix(&w->renderer, s, CONDITION_MATCHED, &mix, err) != 0 ||
        render_speech(&w->renderer, s, &speech, err) != 0 ||
        pitch_measure(&speech, &m->pitch, err) != 0) {
        goto out;
    }
    m->duration_s = (double)a.n_frames / a.rate;
    m->is_clipped = is_clipped(&a);
    m->active_level_db = mix.active_level_db;
    m->snr_db = mix.snr_db;
    m->speech_s = (double)speech.n_frames / speech.rate;
    m->speech_level_db = level_active_db(&speech, NULL);
    m->is_measured = true;
    char hex[SHA256_HEX_SIZE];
    audio_sha256(&mix.sum, hex);
    ok = strcmp(hex, d->facts[i].sha256) == 0
             ? 0
             : err_set(err, ERR_FORMAT,
                       "is not what its stems and scene give: if .stems is damaged, "
                       "remove it, and what is missing is made again");
out:
    mix_release(&mix);
    audio_release(&speech);
    audio_release(&a);
    return ok;
}

/* metadata.jsonl says what was measured, rounded to three decimals. */
static bool agrees(double stated, double measured)
{
    return fabs(stated - measured) <= 0.001;
}

static void find_problem(const struct sample *s, const struct sample_facts *f, struct measured *m)
{
    double snr_error = fabs(m->snr_db - s->snr_db);
    if (!agrees(f->duration_s, m->duration_s) || !agrees(f->lufs, m->lufs) ||
        !agrees(f->true_peak_db, m->true_peak_db) || !agrees(f->achieved_snr_db, m->snr_db) ||
        !agrees(f->active_level_db, m->active_level_db)) {
        snprintf(m->problem, sizeof m->problem, "metadata.jsonl says other numbers of it");
    } else if (m->pitch.n_voiced == 0) {
        snprintf(m->problem, sizeof m->problem, "has no voiced speech");
    } else if (m->is_clipped) {
        snprintf(m->problem, sizeof m->problem, "clips");
    } else if (m->true_peak_db > CHECK_MAX_TRUE_PEAK_DB) {
        snprintf(m->problem, sizeof m->problem, "true peak %.2f dBTP is above %.1f",
                 m->true_peak_db, CHECK_MAX_TRUE_PEAK_DB);
    } else if (!(snr_error <= CHECK_MAX_SNR_ERROR_DB)) {
        snprintf(m->problem, sizeof m->problem, "SNR is %.2f dB, %.2f was wanted", m->snr_db,
                 s->snr_db);
    }
}

static void run_task(size_t index, void *state, void *result)
{
    struct worker *w = state;
    struct measured *m = result;
    struct err err = {0};
    if (measure(w, index, m, &err) != 0) {
        snprintf(m->problem, sizeof m->problem, "%.399s", err.msg);
    } else {
        find_problem(&w->dataset->bench.samples[index], &w->dataset->facts[index], m);
    }
}

static void extend(struct check_range *r, double v, bool is_first)
{
    r->min = is_first || v < r->min ? v : r->min;
    r->max = is_first || v > r->max ? v : r->max;
}

static void report_problem(struct checker *c, size_t index, const char *problem)
{
    c->report.n_bad += !c->prosody[index].has_problem;
    c->prosody[index].has_problem = true;
    c->problem(c->dataset->bench.samples[index].id, problem, c->user);
}

static int take_result(size_t index, const void *result, void *user, struct err *err)
{
    (void)err;
    struct checker *c = user;
    struct check_report *r = &c->report;
    const struct measured *m = result;
    const struct sample *s = &c->dataset->bench.samples[index];
    if (m->is_measured) {
        bool is_first = r->total_s == 0;
        r->total_s += m->duration_s;
        r->n_clipped += m->is_clipped;
        extend(&r->duration_s, m->duration_s, is_first);
        extend(&r->lufs, m->lufs, is_first);
        extend(&r->true_peak_db, m->true_peak_db, is_first);
        extend(&r->active_level_db, m->active_level_db, is_first);
        extend(&r->snr_error_db, m->snr_db - s->snr_db, is_first);
        c->prosody[index] = (struct prosody){
            .semitones = m->pitch.n_voiced > 0 ? 12 * log2(m->pitch.mean_hz) : 0,
            .f0_range_st = m->pitch.range_st,
            .syllables_per_s = (double)tts_syllables(s->item->text) / m->speech_s,
            .speech_level_db = m->speech_level_db,
            .is_measured = m->pitch.n_voiced > 0,
        };
    }
    if (m->problem[0]) {
        report_problem(c, index, m->problem);
    }
    progress_update(&c->progress, (long)++r->n_samples, NULL);
    return 0;
}

static const char *level_of(const struct sample *s, const char *factor, char *out, size_t size)
{
    switch (factor[0]) {
    case 'g':
        return voice_gender_name(s->voice->gender);
    case 'e':
        return s->emotion->id;
    case 'r':
        return s->rate->id;
    case 'v':
        return s->voice->id;
    default:
        snprintf(out, size, "%s/%s/%s", voice_gender_name(s->voice->gender), s->emotion->id,
                 s->rate->id);
        return out;
    }
}

/* Add a sample to the cell of its level, which is made when it is the first. */
static void add_to_cell(struct check_report *r, size_t first, const char *factor, const char *level,
                        const struct prosody *p)
{
    size_t i = first;
    while (i < r->n_cells && strcmp(r->cells[i].level, level) != 0) {
        i++;
    }
    if (i == r->n_cells) {
        r->cells = xrealloc(r->cells, (i + 1) * sizeof *r->cells);
        r->cells[r->n_cells++] = (struct check_cell){.factor = factor};
        snprintf(r->cells[i].level, sizeof r->cells[i].level, "%s", level);
    }
    struct check_cell *cell = &r->cells[i];
    cell->n_samples++;
    cell->f0_hz += p->semitones;
    cell->f0_range_st += p->f0_range_st;
    cell->syllables_per_s += p->syllables_per_s;
    cell->active_level_db += p->speech_level_db;
}

/* Cells hold sums, and F0 in semitones, until here. */
static void finish_cells(struct check_report *r)
{
    for (size_t i = 0; i < r->n_cells; i++) {
        struct check_cell *cell = &r->cells[i];
        double n = (double)cell->n_samples;
        cell->f0_hz = exp2(cell->f0_hz / n / 12);
        cell->f0_range_st /= n;
        cell->syllables_per_s /= n;
        cell->active_level_db /= n;
    }
}

static void count_cells(struct checker *c)
{
    static const char *const factors[] = {"gender", "emotion", "rate", "voice", "cell"};
    const struct bench *b = &c->dataset->bench;
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        size_t first = c->report.n_cells;
        for (size_t i = 0; i < b->n_samples; i++) {
            if (c->prosody[i].is_measured) {
                char text[96];
                add_to_cell(&c->report, first, factors[f],
                            level_of(&b->samples[i], factors[f], text, sizeof text),
                            &c->prosody[i]);
            }
        }
    }
    finish_cells(&c->report);
}

/* The items that the plan speaks; the texts are borrowed from b. */
static struct content measure_content(const struct bench *b)
{
    struct item_set planned = {.items = xcalloc(b->items.n_items, sizeof *planned.items)};
    for (size_t i = 0; i < b->n_samples; i++) {
        if (i == 0 || b->samples[i].item != b->samples[i - 1].item) {
            planned.items[planned.n_items++] = *b->samples[i].item;
        }
    }
    struct content content = content_measure(&planned);
    for (int k = 0; k < 2; k++) {
        content.closest[k] =
            content.closest[k] ? item_find(&b->items, content.closest[k]->id) : NULL;
    }
    free(planned.items);
    return content;
}

struct double_hash {
    const char *sha256;
    const char *id;
    size_t index;
};

static int compare_hashes(const void *a, const void *b)
{
    const struct double_hash *x = a, *y = b;
    int order = strcmp(x->sha256, y->sha256);
    return order != 0 ? order : strcmp(x->id, y->id);
}

static void take_text_problem(long sample, const char *problem, void *user)
{
    struct checker *c = user;
    if (sample >= 0) {
        report_problem(c, (size_t)sample, problem);
    } else {
        c->report.n_bad++;
        c->problem(c->dataset->dir, problem, c->user);
    }
}

static void find_doubles(struct checker *c)
{
    const struct bench *b = &c->dataset->bench;
    struct double_hash *all = xcalloc(b->n_samples, sizeof *all);
    for (size_t i = 0; i < b->n_samples; i++) {
        all[i] = (struct double_hash){c->dataset->facts[i].sha256, b->samples[i].id, i};
    }
    qsort(all, b->n_samples, sizeof *all, compare_hashes);
    for (size_t i = 1; i < b->n_samples; i++) {
        if (strcmp(all[i].sha256, all[i - 1].sha256) == 0) {
            char problem[128];
            snprintf(problem, sizeof problem, "is the same sound as %s", all[i - 1].id);
            report_problem(c, all[i].index, problem);
        }
    }
    free(all);
}

void check_report_release(struct check_report *r)
{
    free(r->cells);
    *r = (struct check_report){0};
}

int check_dataset(const struct dataset *d, int n_workers, check_problem_fn problem, void *user,
                  struct check_report *ret, struct err *err)
{
    struct checker c = {.dataset = d, .problem = problem, .user = user};
    c.prosody = xcalloc(d->bench.n_samples, sizeof *c.prosody);
    progress_start(&c.progress, "check", (long)d->bench.n_samples, 0);
    struct pool pool = {
        .n_workers = n_workers,
        .n_tasks = d->bench.n_samples,
        .result_size = sizeof(struct measured),
        .user = &c,
        .start = start_worker,
        .task = run_task,
        .on_result = take_result,
    };
    int ok = pool_run(&pool, err);
    progress_end(&c.progress, NULL);
    if (ok == 0) {
        ok = dataset_check_texts(d, take_text_problem, &c, err);
    }
    if (ok == 0) {
        find_doubles(&c);
        count_cells(&c);
        for (int k = 0; k < ITEM_N_KINDS; k++) {
            for (int f = 0; f < BALANCE_N_FACTORS; f++) {
                c.report.balance[k][f] = balance_count(&d->bench, (enum item_kind)k, f);
            }
        }
        c.report.content = measure_content(&d->bench);
        *ret = c.report;
    }
    free(c.prosody);
    return ok;
}
