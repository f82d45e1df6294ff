#include "audio/speech_noise.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "audio/level.h"

#define PI 3.14159265358979323846
#define SILENT_DB (-100.0)
#define CORRECTION 1.0001 /* of lag 0 */

enum {
    ORDER = 20,
    FRAME = 512, /* 32 ms */
    HOP = FRAME / 2,
    RUN_IN = 4096, /* the filter settles before the first sample we keep */
};

/* The sum of the autocorrelations of Hann frames in the active speech, lags 0..ORDER. */
static void autocorrelate(const struct audio *speech, const bool *active, double ret[ORDER + 1])
{
    double window[FRAME], x[FRAME];
    for (size_t i = 0; i < FRAME; i++) {
        window[i] = 0.5 - 0.5 * cos(2 * PI * ((double)i + 0.5) / FRAME);
    }
    memset(ret, 0, (ORDER + 1) * sizeof *ret);
    for (size_t middle = 0; middle < speech->n_frames; middle += HOP) {
        if (!active[middle]) {
            continue;
        }
        for (size_t i = 0; i < FRAME; i++) {
            size_t at = middle + i; /* with half a frame of silence before the first sample */
            bool is_in = at >= HOP && at - HOP < speech->n_frames;
            x[i] = is_in ? window[i] * speech->pcm[at - HOP] : 0;
        }
        for (size_t lag = 0; lag <= ORDER; lag++) {
            for (size_t i = lag; i < FRAME; i++) {
                ret[lag] += x[i] * x[i - lag];
            }
        }
    }
}

/* Levinson-Durbin: the prediction error filter 1 + a[1] z^-1 + ... + a[ORDER] z^-ORDER. r[0] > 0.
 */
static void predict(const double r[ORDER + 1], double a[ORDER + 1])
{
    double error = r[0];
    memset(a, 0, (ORDER + 1) * sizeof *a);
    a[0] = 1;
    for (size_t i = 1; i <= ORDER; i++) {
        double sum = 0;
        for (size_t j = 0; j < i; j++) {
            sum += a[j] * r[i - j];
        }
        double k = -sum / error;
        for (size_t j = 1; 2 * j <= i; j++) {
            double low = a[j], high = a[i - j];
            a[j] = low + k * high;
            a[i - j] = high + k * low;
        }
        a[i] = k;
        error *= 1 - k * k;
    }
}

static void fill_white(double *x, size_t n, struct rng *rng)
{
    for (size_t i = 0; i < n; i += 2) {
        double radius = sqrt(-2 * log(1 - rng_uniform(rng)));
        double angle = 2 * PI * rng_uniform(rng);
        x[i] = radius * cos(angle);
        if (i + 1 < n) {
            x[i + 1] = radius * sin(angle);
        }
    }
}

static struct audio shape(const double a[ORDER + 1], size_t n_frames, struct rng *rng)
{
    size_t n = n_frames + RUN_IN;
    double *y = xmalloc(n * sizeof *y);
    struct audio noise = audio_silence(n_frames, AUDIO_RATE);
    fill_white(y, n, rng);
    for (size_t i = ORDER; i < n; i++) {
        for (size_t j = 1; j <= ORDER; j++) {
            y[i] -= a[j] * y[i - j];
        }
    }
    for (size_t i = 0; i < n_frames; i++) {
        noise.pcm[i] = (float)y[i + RUN_IN];
    }
    free(y);
    return noise;
}

int speech_noise(const struct audio *speech, size_t n_frames, struct rng *rng, struct audio *ret,
                 struct err *err)
{
    if (speech->rate != AUDIO_RATE) {
        return err_set(err, ERR_FORMAT, "speech-shaped noise wants %d Hz, not %d", AUDIO_RATE,
                       speech->rate);
    }
    bool *active;
    double r[ORDER + 1], a[ORDER + 1];
    double level_db = level_active_db(speech, &active);
    autocorrelate(speech, active, r);
    free(active);
    if (!(level_db > SILENT_DB) || !(r[0] > 0)) {
        return err_set(err, ERR_FORMAT, "the speech is silent");
    }
    r[0] *= CORRECTION;
    predict(r, a);
    struct audio noise = shape(a, n_frames, rng);
    level_apply_gain(&noise, level_db - level_rms_db(&noise));
    *ret = noise;
    return 0;
}
