#include "audio/pitch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PITCH_RATE 8000
#define THRESHOLD 0.15
#define SILENT_RANGE_DB 30.0

enum {
    WINDOW = PITCH_RATE / 40,
    HOP = PITCH_RATE / 100,
    MIN_LAG = PITCH_RATE / 500,
    MAX_LAG = PITCH_RATE / 60,
    SPAN = WINDOW + MAX_LAG + 1, /* samples that one window looks at */
};

/* YIN's d'(lag), 1 at lag 0; x has SPAN samples. */
static void normalised_difference(const float *x, float d[MAX_LAG + 2])
{
    float sum = 0;
    d[0] = 1;
    for (int lag = 1; lag <= MAX_LAG + 1; lag++) {
        float diff = 0;
        for (int i = 0; i < WINDOW; i++) {
            float e = x[i] - x[i + lag];
            diff += e * e;
        }
        sum += diff;
        d[lag] = sum > 0 ? diff * (float)lag / sum : 1;
    }
}

/* Hz; 0 where the window is not voiced. */
static double window_pitch(const float *x)
{
    float d[MAX_LAG + 2];
    normalised_difference(x, d);
    int lag = MIN_LAG;
    while (lag <= MAX_LAG && (double)d[lag] >= THRESHOLD) {
        lag++;
    }
    if (lag > MAX_LAG) {
        return 0;
    }
    while (lag < MAX_LAG && d[lag + 1] < d[lag]) {
        lag++;
    }
    /* The vertex of the parabola through the minimum and its neighbours. */
    double left = (double)d[lag - 1], here = (double)d[lag], right = (double)d[lag + 1];
    double bend = left - 2 * here + right;
    double shift = bend > 0 ? (left - right) / (2 * bend) : 0;
    return PITCH_RATE / (lag + (fabs(shift) < 1 ? shift : 0));
}

static double power(const float *x)
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int pitch_measure(const struct audio *speech, struct pitch *ret, struct err *err)
{
    struct audio a = audio_silence(speech->n_frames, speech->rate);
    memcpy(a.pcm, speech->pcm, a.n_frames * sizeof *a.pcm);
    if (audio_resample(&a, PITCH_RATE, err) != 0) {
        audio_release(&a);
        return -1;
    }
    size_t n_windows = a.n_frames >= SPAN ? 1 + (a.n_frames - SPAN) / HOP : 0;
    double *semitones = xmalloc(n_windows * sizeof *semitones);
    double loudest = 0;
    for (size_t w = 0; w < n_windows; w++) {
        loudest = fmax(loudest, power(a.pcm + w * HOP));
    }
    struct pitch p = {0};
    double sum = 0;
    for (size_t w = 0; w < n_windows; w++) {
        const float *x = a.pcm + w * HOP;
        double hz = power(x) > loudest * pow(10, -SILENT_RANGE_DB / 10) ? window_pitch(x) : 0;
        if (hz > 0) {
            semitones[p.n_voiced] = 12 * log2(hz);
            sum += semitones[p.n_voiced++];
        }
    }
    if (p.n_voiced > 0) {
        qsort(semitones, p.n_voiced, sizeof *semitones, compare_doubles);
        p.mean_hz = exp2(sum / (double)p.n_voiced / 12);
        size_t last = p.n_voiced - 1;
        p.range_st = semitones[last * 9 / 10] - semitones[last / 10];
    }
    free(semitones);
    audio_release(&a);
    *ret = p;
    return 0;
}
