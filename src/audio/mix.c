#include "audio/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/level.h"

#define SILENT_DB (-100.0) /* below the 16-bit grid's own noise: nothing that could be scaled */

struct mix_params mix_default_params(void)
{
    return (struct mix_params){
        .speech_level_db = -26,
        .snr_db = 10,
        .lead_s = 0.5,
        .tail_s = 0.5,
        .max_peak_db = -1,
    };
}

static size_t lead_frames(const struct mix_params *p)
{
    return (size_t)lround(p->lead_s * AUDIO_RATE);
}

size_t mix_n_frames(const struct mix_params *p, size_t n_speech_frames)
{
    return lead_frames(p) + n_speech_frames + (size_t)lround(p->tail_s * AUDIO_RATE);
}

static struct audio copy_at(const struct audio *a, size_t offset, size_t n_frames)
{
    struct audio copy = audio_silence(n_frames, a->rate);
    if (a->n_frames > 0) {
        memcpy(copy.pcm + offset, a->pcm, a->n_frames * sizeof *a->pcm);
    }
    return copy;
}

static struct audio add(const struct audio *a, const struct audio *b)
{
    struct audio sum = audio_silence(a->n_frames, a->rate);
    for (size_t i = 0; i < a->n_frames; i++) {
        sum.pcm[i] = a->pcm[i] + b->pcm[i];
    }
    return sum;
}

int mix_build(const struct mix_params *p, const struct audio *speech, const struct audio *scene,
              struct mix *ret, struct err *err)
{
    size_t n = mix_n_frames(p, speech->n_frames);
    if (speech->rate != AUDIO_RATE || scene->rate != AUDIO_RATE || scene->n_frames != n) {
        return err_set(err, ERR_FORMAT, "a mix wants %d Hz and a scene of %zu frames, not %zu",
                       AUDIO_RATE, n, scene->n_frames);
    }
    struct mix m = {
        .speech = copy_at(speech, lead_frames(p), n),
        .scene = copy_at(scene, 0, n),
    };
    struct audio sum = {0};
    bool *active;
    int ok = -1;
    double speech_db = level_active_db(&m.speech, &active);
    double scene_db = level_rms_where_db(&m.scene, active);
    if (!(speech_db > SILENT_DB)) {
        err_set(err, ERR_FORMAT, "the speech is silent");
        goto out;
    }
    if (!(scene_db > SILENT_DB)) {
        err_set(err, ERR_FORMAT, "the scene is silent under the speech");
        goto out;
    }
    level_apply_gain(&m.speech, p->speech_level_db - speech_db);
    level_apply_gain(&m.scene, p->speech_level_db - p->snr_db - scene_db);

    sum = add(&m.speech, &m.scene);
    double lufs, peak_db;
    if (level_loudness(&sum, &lufs, &peak_db, err) != 0) {
        goto out;
    }
    if (peak_db > p->max_peak_db) {
        level_apply_gain(&m.speech, p->max_peak_db - peak_db);
        level_apply_gain(&m.scene, p->max_peak_db - peak_db);
    }
    m.snr_db = level_rms_where_db(&m.speech, active) - level_rms_where_db(&m.scene, active);
    *ret = m;
    m = (struct mix){0};
    ok = 0;
out:
    free(active);
    audio_release(&sum);
    mix_release(&m);
    return ok;
}

struct audio mix_sum(const struct mix *m)
{
    struct audio sum = add(&m->speech, &m->scene);
    audio_quantize(&sum);
    return sum;
}

void mix_release(struct mix *m)
{
    audio_release(&m->speech);
    audio_release(&m->scene);
    m->snr_db = 0;
}
