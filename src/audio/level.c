#include "audio/level.h"

#include <ebur128.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOP_S 0.010 /* frames are of two hops */
#define ACTIVE_RANGE_DB 30.0

static double power_db(double power)
{
    /* cppcheck-suppress invalidFunctionArg ; it does not see the condition */
    return power > 0 ? 10 * log10(power) : -INFINITY;
}

static double mean_power(const float *pcm, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)pcm[i] * pcm[i];
    }
    return n > 0 ? sum / (double)n : 0;
}

double level_peak_db(const struct audio *a)
{
    float peak = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        float x = fabsf(a->pcm[i]);
        peak = x > peak ? x : peak;
    }
    return power_db((double)peak * peak);
}

double level_rms_db(const struct audio *a)
{
    return power_db(mean_power(a->pcm, a->n_frames));
}

double level_rms_where_db(const struct audio *a, const bool *active)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        if (active[i]) {
            sum += (double)a->pcm[i] * a->pcm[i];
            n++;
        }
    }
    return n > 0 ? power_db(sum / (double)n) : -INFINITY;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The 95th percentile of the values above 0, by nearest rank; 0 where there are none. */
static double percentile_95(const double *values, size_t n)
{
    double *sorted = xmalloc(n * sizeof *sorted);
    size_t n_sorted = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i] > 0) {
            sorted[n_sorted++] = values[i];
        }
    }
    double v = 0;
    if (n_sorted > 0) {
        qsort(sorted, n_sorted, sizeof *sorted, compare_doubles);
        v = sorted[(size_t)ceil(0.95 * (double)n_sorted) - 1];
    }
    free(sorted);
    return v;
}

/* Mean power of each window of len frames, two hops, from the sums over hops. */
static double *window_powers(const struct audio *a, size_t len, size_t hop, size_t n_windows)
{
    double *powers = xmalloc(n_windows * sizeof *powers);
    double before = 0;
    for (size_t w = 0; w <= n_windows; w++) {
        size_t start = w * hop < a->n_frames ? w * hop : a->n_frames;
        size_t end = start + hop < a->n_frames ? start + hop : a->n_frames;
        double sum = mean_power(a->pcm + start, end - start) * (double)(end - start);
        if (w > 0) {
            size_t first = start - hop;
            size_t n = a->n_frames - first < len ? a->n_frames - first : len;
            powers[w - 1] = (before + sum) / (double)n;
        }
        before = sum;
    }
    return powers;
}

double level_active_db(const struct audio *speech, bool **ret_active)
{
    size_t n = speech->n_frames;
    bool *active = xcalloc(n, sizeof *active);
    size_t len = 2 * (size_t)lround(HOP_S * speech->rate);
    size_t hop = (size_t)lround(HOP_S * speech->rate);
    if (n > 0 && hop > 0) {
        size_t n_windows = 1 + (n > len ? (n - len + hop - 1) / hop : 0);
        double *powers = window_powers(speech, len, hop, n_windows);
        double threshold = percentile_95(powers, n_windows) * pow(10, -ACTIVE_RANGE_DB / 10);
        for (size_t w = 0; w < n_windows; w++) {
            for (size_t i = w * hop; powers[w] > 0 && powers[w] >= threshold && i < n; i++) {
                if (i >= w * hop + len) {
                    break;
                }
                active[i] = true;
            }
        }
        free(powers);
    }
    double level = level_rms_where_db(speech, active);
    if (ret_active) {
        *ret_active = active;
    } else {
        free(active);
    }
    return level;
}

/*
 * Where a true peak can lie. libebur128 interpolates by a sinc of 49 taps under a Hann window,
 * whose taps for one point sum to at most 1.87 in magnitude, less than PEAK_GROWTH: so no point
 * among samples below peak / PEAK_GROWTH comes up to the sample peak. Blocks that are loud enough,
 * and their neighbours, are copied to out; the joins lie between blocks that are not. Exact, and a
 * fraction of the work.
 */
enum { PEAK_BLOCK = 16 }; /* samples; more than the interpolator reaches */
#define PEAK_GROWTH 2.0f
#define MAX_PARTS_RATE 48000 /* Hz; at 96 kHz the interpolator is another */

static size_t loud_parts(const struct audio *a, float *out)
{
    size_t n_blocks = (a->n_frames + PEAK_BLOCK - 1) / PEAK_BLOCK;
    float *peaks = xcalloc(n_blocks + 2, sizeof *peaks); /* with a silent one at both ends */
    float peak = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        float x = fabsf(a->pcm[i]);
        float *block = &peaks[i / PEAK_BLOCK + 1];
        *block = x > *block ? x : *block;
    }
    for (size_t b = 1; b <= n_blocks; b++) {
        peak = peaks[b] > peak ? peaks[b] : peak;
    }
    size_t n = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        float near = fmaxf(fmaxf(peaks[b], peaks[b + 1]), peaks[b + 2]);
        if (near >= peak / PEAK_GROWTH) {
            size_t start = b * PEAK_BLOCK;
            size_t len = a->n_frames - start < PEAK_BLOCK ? a->n_frames - start : PEAK_BLOCK;
            memcpy(out + n, a->pcm + start, len * sizeof *out);
            n += len;
        }
    }
    free(peaks);
    return n;
}

/* A measurement of n samples by libebur128; what is asked for is in mode. */
static int measure(const float *pcm, size_t n, int rate, int mode, double *ret, struct err *err)
{
    ebur128_state *state = rate > 0 ? ebur128_init(1, (unsigned long)rate, mode) : NULL;
    if (!state) {
        return err_set(err, ERR_FORMAT, "loudness cannot be measured at %d Hz", rate);
    }
    int ok = -1;
    if (ebur128_add_frames_float(state, pcm, n) == EBUR128_SUCCESS &&
        (mode == EBUR128_MODE_TRUE_PEAK ? ebur128_true_peak(state, 0, ret)
                                        : ebur128_loudness_global(state, ret)) == EBUR128_SUCCESS) {
        ok = 0;
    } else {
        err_set(err, ERR_FORMAT, "measuring loudness failed");
    }
    ebur128_destroy(&state);
    return ok;
}

int level_loudness(const struct audio *a, double *ret_lufs, double *ret_true_peak_db,
                   struct err *err)
{
    double lufs, peak;
    float *loud = NULL;
    const float *peaks_in = a->pcm;
    size_t n_loud = a->n_frames;
    if (a->rate <= MAX_PARTS_RATE) {
        loud = xmalloc(a->n_frames * sizeof *loud);
        n_loud = loud_parts(a, loud);
        peaks_in = loud;
    }
    int ok = measure(a->pcm, a->n_frames, a->rate, EBUR128_MODE_I, &lufs, err);
    if (ok == 0) {
        ok = measure(peaks_in, n_loud, a->rate, EBUR128_MODE_TRUE_PEAK, &peak, err);
    }
    if (ok == 0) {
        *ret_lufs = lufs;
        *ret_true_peak_db = power_db(peak * peak);
    }
    free(loud);
    return ok;
}

void level_apply_gain(struct audio *a, double gain_db)
{
    double gain = pow(10, gain_db / 20);
    for (size_t i = 0; i < a->n_frames; i++) {
        a->pcm[i] = (float)(gain * a->pcm[i]);
    }
}
