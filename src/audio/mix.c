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

/* Sum and measure the parts as they are. Only what fits 16 bits is brought to them, since clipping
 * would hide how far a mix must be turned down. */
static int sum_parts(struct mix *m, struct err *err)
{
    for (size_t i = 0; i < m->sum.n_frames; i++) {
        m->sum.pcm[i] = m->speech.pcm[i] + m->scene.pcm[i];
    }
    if (level_peak_db(&m->sum) <= 0) {
        audio_quantize(&m->sum);
    }
    return level_loudness(&m->sum, &m->lufs, &m->true_peak_db, err);
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
        .sum = audio_silence(n, AUDIO_RATE),
    };
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

    if (sum_parts(&m, err) != 0) {
        goto out;
    }
    if (m.true_peak_db > p->max_peak_db) {
        /* A tenth of a decibel below, since the sum is quantised again. */
        double gain_db = p->max_peak_db - 0.1 - m.true_peak_db;
        level_apply_gain(&m.speech, gain_db);
        level_apply_gain(&m.scene, gain_db);
        if (sum_parts(&m, err) != 0) {
            goto out;
        }
    }
    m.active_level_db = level_rms_where_db(&m.speech, active);
    m.snr_db = m.active_level_db - level_rms_where_db(&m.scene, active);
    *ret = m;
    m = (struct mix){0};
    ok = 0;
out:
    free(active);
    mix_release(&m);
    return ok;
}

int mix_mute_scene(struct mix *m, struct err *err)
{
    memset(m->scene.pcm, 0, m->scene.n_frames * sizeof *m->scene.pcm);
    m->snr_db = NAN;
    return sum_parts(m, err);
}

void mix_release(struct mix *m)
{
    audio_release(&m->speech);
    audio_release(&m->scene);
    audio_release(&m->sum);
}
