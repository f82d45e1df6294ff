#include "audio/level.h"

#include <ebur128.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_S 0.020
#define HOP_S 0.010
#define ACTIVE_RANGE_DB 30.0

static double power_db(double power)
{
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

double level_active_db(const struct audio *speech, bool **ret_active)
{
    size_t n = speech->n_frames;
    bool *active = xcalloc(n, sizeof *active);
    size_t len = (size_t)lround(FRAME_S * speech->rate);
    size_t hop = (size_t)lround(HOP_S * speech->rate);
    if (n > 0 && hop > 0) {
        size_t n_windows = 1 + (n > len ? (n - len + hop - 1) / hop : 0);
        double *powers = xmalloc(n_windows * sizeof *powers);
        for (size_t w = 0; w < n_windows; w++) {
            size_t start = w * hop;
            powers[w] = mean_power(speech->pcm + start, start + len < n ? len : n - start);
        }
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

int level_loudness(const struct audio *a, double *ret_lufs, double *ret_true_peak_db,
                   struct err *err)
{
    double lufs, peak;
    int ok = -1;
    ebur128_state *state = a->rate > 0 ? ebur128_init(1, (unsigned long)a->rate,
                                                      EBUR128_MODE_I | EBUR128_MODE_TRUE_PEAK)
                                       : NULL;
    if (!state) {
        return err_set(err, ERR_FORMAT, "loudness cannot be measured at %d Hz", a->rate);
    }
    if (ebur128_add_frames_float(state, a->pcm, a->n_frames) != EBUR128_SUCCESS ||
        ebur128_loudness_global(state, &lufs) != EBUR128_SUCCESS ||
        ebur128_true_peak(state, 0, &peak) != EBUR128_SUCCESS) {
        err_set(err, ERR_FORMAT, "measuring loudness failed");
        goto out;
    }
    *ret_lufs = lufs;
    *ret_true_peak_db = power_db(peak * peak);
    ok = 0;
out:
    ebur128_destroy(&state);
    return ok;
}

void level_apply_gain(struct audio *a, double gain_db)
{
    double gain = pow(10, gain_db / 20);
    for (size_t i = 0; i < a->n_frames; i++) {
        a->pcm[i] = (float)(gain * a->pcm[i]);
    }
}
