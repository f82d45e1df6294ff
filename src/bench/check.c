#include "bench/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/level.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"

struct measured {
    bool is_clipped;
    double duration_s, lufs, true_peak_db, active_level_db, snr_db;
    bool is_measured;
    char problem[400]; /* "" when there is none */
};

struct checker {
    const struct dataset *dataset;
    check_problem_fn problem;
    void *user;
    struct check_report report;
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
    struct audio a = {0};
    struct mix mix = {0};
    int ok = -1;
    if (dataset_audio(d, &w->renderer, i, CONDITION_MATCHED, &a, err) == 0 &&
        level_loudness(&a, &m->lufs, &m->true_peak_db, err) == 0 &&
        render_mix(&w->renderer, s, &mix, err) == 0) {
        m->duration_s = (double)a.n_frames / a.rate;
        m->is_clipped = is_clipped(&a);
        bool *active;
        m->active_level_db = level_active_db(&mix.speech, &active);
        m->snr_db = m->active_level_db - level_rms_where_db(&mix.scene, active);
        free(active);
        struct audio sum = mix_sum(&mix);
        char hex[SHA256_HEX_SIZE];
        audio_sha256(&sum, hex);
        audio_release(&sum);
        m->is_measured = true;
        ok = strcmp(hex, d->facts[i].sha256) == 0
                 ? 0
                 : err_set(err, ERR_FORMAT, "is not what its stems and scene give");
    }
    mix_release(&mix);
    audio_release(&a);
    return ok;
}

static void find_problem(const struct sample *s, struct measured *m)
{
    double snr_error = fabs(m->snr_db - s->snr_db);
    if (m->is_clipped) {
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
        find_problem(&w->dataset->bench.samples[index], m);
    }
}

static void extend(struct check_range *r, double v, bool is_first)
{
    r->min = is_first || v < r->min ? v : r->min;
    r->max = is_first || v > r->max ? v : r->max;
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
    }
    if (m->problem[0]) {
        r->n_bad++;
        c->problem(s->id, m->problem, c->user);
    }
    progress_update(&c->progress, (long)++r->n_samples, NULL);
    return 0;
}

/* A sample's level of factor number f, as text. */
static void level_name(const struct sample *s, int f, char *out, size_t size)
{
    const char *gender = voice_gender_name(s->voice->gender);
    switch (f) {
    case 0:
        snprintf(out, size, "%s/%s/%s", gender, s->emotion->id, s->rate->id);
        break;
    case 1:
        snprintf(out, size, "%s", gender);
        break;
    case 2:
        snprintf(out, size, "%s", s->voice->id);
        break;
    case 3:
        snprintf(out, size, "%g", s->snr_db);
        break;
    case 4:
        snprintf(out, size, "%s", s->item->category);
        break;
    case 5:
        snprintf(out, size, "%s", scene_id(s->scene));
        break;
    default:
        snprintf(out, size, "%s/%g", s->voice->id, s->snr_db);
        break;
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct check_balance count_levels(const struct bench *b, int f)
{
    static const char *const factors[CHECK_N_FACTORS] = {
        "gender x emotion x rate", "gender", "voice", "SNR", "category", "scene", "voice x SNR"};
    struct check_balance balance = {.factor = factors[f]};
    char(*names)[96] = xcalloc(b->n_samples, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < b->n_samples; i++) {
        if (b->samples[i].item->kind == ITEM_SCENARIO) {
            level_name(&b->samples[i], f, names[n++], sizeof *names);
        }
    }
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n;) {
        size_t j = i;
        while (j < n && strcmp(names[i], names[j]) == 0) {
            j++;
        }
        size_t count = j - i;
        balance.min = balance.n_levels == 0 || count < balance.min ? count : balance.min;
        balance.max = count > balance.max ? count : balance.max;
        balance.n_levels++;
        i = j;
    }
    free(names);
    return balance;
}

int check_dataset(const struct dataset *d, int n_workers, check_problem_fn problem, void *user,
                  struct check_report *ret, struct err *err)
{
    struct checker c = {.dataset = d, .problem = problem, .user = user};
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
    if (ok != 0) {
        return -1;
    }
    for (int f = 0; f < CHECK_N_FACTORS; f++) {
        c.report.balance[f] = count_levels(&d->bench, f);
    }
    *ret = c.report;
    return 0;
}
