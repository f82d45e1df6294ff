#include "audio/effects.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

struct biquad {
    double b0, b1, b2, a0, a1, a2;
};

/* Direct form I, in place. */
static void filter(struct audio *a, struct biquad q)
{
    double b0 = q.b0 / q.a0, b1 = q.b1 / q.a0, b2 = q.b2 / q.a0;
    double a1 = q.a1 / q.a0, a2 = q.a2 / q.a0;
    double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        double x = a->pcm[i];
        double y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
        x2 = x1;
        x1 = x;
        y2 = y1;
        y1 = y;
        a->pcm[i] = (float)y;
    }
}

void effect_tilt(struct audio *a, double gain_db)
{
    if (gain_db == 0) {
        return;
    }
    double amp = pow(10, gain_db / 40);
    double w = 2 * PI * 1500.0 / a->rate;
    double c = cos(w);
    double beta = 2 * sqrt(amp) * sin(w) / sqrt(2); /* 2 sqrt(A) alpha at slope 1 */
    filter(a, (struct biquad){
                  .b0 = amp * ((amp + 1) + (amp - 1) * c + beta),
                  .b1 = -2 * amp * ((amp - 1) + (amp + 1) * c),
                  .b2 = amp * ((amp + 1) + (amp - 1) * c - beta),
                  .a0 = (amp + 1) - (amp - 1) * c + beta,
                  .a1 = 2 * ((amp - 1) - (amp + 1) * c),
                  .a2 = (amp + 1) - (amp - 1) * c - beta,
              });
}

/* sign: 1 for the low-pass, -1 for the high-pass. */
static void butterworth(struct audio *a, double hz, double sign)
{
    if (!(hz > 0 && hz < a->rate / 2.0)) {
        return;
    }
    double w = 2 * PI * hz / a->rate;
    double c = cos(w);
    double alpha = sin(w) / sqrt(2);
    double b = 1 - sign * c;
    filter(a, (struct biquad){
                  .b0 = b / 2,
                  .b1 = sign * b,
                  .b2 = b / 2,
                  .a0 = 1 + alpha,
                  .a1 = -2 * c,
                  .a2 = 1 - alpha,
              });
}

void effect_high_pass(struct audio *a, double hz)
{
    butterworth(a, hz, -1);
}

void effect_low_pass(struct audio *a, double hz)
{
    butterworth(a, hz, 1);
}

/*
 * The signal between samples: a sinc under a Hann window of N_TAPS samples, tabled at N_PHASES
 * fractions of a sample and straight in between.
 */
enum { HALF_TAPS = 8, N_TAPS = 2 * HALF_TAPS, N_PHASES = 256 };
struct kernel {
    float taps[N_PHASES + 1][N_TAPS];
};

static void fill_kernel(struct kernel *k)
{
    for (int p = 0; p <= N_PHASES; p++) {
        for (int i = 0; i < N_TAPS; i++) {
            double d = (double)p / N_PHASES - (i + 1 - HALF_TAPS);
            double window = 0.5 + 0.5 * cos(PI * d / HALF_TAPS);
            k->taps[p][i] = (float)(d == 0 ? 1 : sin(PI * d) / (PI * d) * window);
        }
    }
}

static double sample_at(const struct kernel *k, const float *pcm, size_t n, double t)
{
    double base = floor(t);
    double phase = (t - base) * N_PHASES;
    size_t p = (size_t)phase;
    float between = (float)(phase - (double)p);
    ptrdiff_t first = (ptrdiff_t)base + 1 - HALF_TAPS;
    ptrdiff_t from = first < 0 ? -first : 0;
    ptrdiff_t to = (ptrdiff_t)n - first < N_TAPS ? (ptrdiff_t)n - first : N_TAPS;
    float low = 0, high = 0;
    for (ptrdiff_t i = from; i < to; i++) {
        low += k->taps[p][i] * pcm[first + i];
        high += k->taps[p + 1][i] * pcm[first + i];
    }
    return (double)(low + between * (high - low));
}

void effect_tremor(struct audio *a, double rate_hz, double depth_cents, double depth_db)
{
    if (rate_hz <= 0 || (depth_cents == 0 && depth_db == 0)) {
        return;
    }
    double w = 2 * PI * rate_hz / a->rate;
    /* Reading at t + d sin(w t) plays at a speed of 1 + d w cos(w t). */
    double d = (pow(2, depth_cents / 1200) - 1) / w;
    struct kernel *kernel = xmalloc(sizeof *kernel);
    fill_kernel(kernel);
    float *out = xmalloc(a->n_frames * sizeof *out);
    /* Both are slow: sine and gain are computed every STEP frames and go straight in between. */
    enum { STEP = 16 };
    double s = 0, gain = 1;
    for (size_t i = 0; i < a->n_frames; i += STEP) {
        double next_s = sin(w * (double)(i + STEP));
        double next_gain = pow(10, depth_db * next_s / 20);
        for (size_t k = 0; k < STEP && i + k < a->n_frames; k++) {
            double share = (double)k / STEP;
            double at = (double)(i + k) + d * (s + (next_s - s) * share);
            double x = sample_at(kernel, a->pcm, a->n_frames, at);
            out[i + k] = (float)(x * (gain + (next_gain - gain) * share));
        }
        s = next_s;
        gain = next_gain;
    }
    free(kernel);
    free(a->pcm);
    a->pcm = out;
}

static size_t fade_frames(const struct audio *a, double ms)
{
    size_t n = (size_t)lround(ms / 1000 * a->rate);
    return n < a->n_frames / 2 ? n : a->n_frames / 2;
}

static double fade_gain(size_t i, size_t n)
{
    return 0.5 - 0.5 * cos(PI * ((double)i + 0.5) / (double)n);
}

void effect_fade_out(struct audio *a, double ms)
{
    size_t n = fade_frames(a, ms);
    for (size_t i = 0; i < n; i++) {
        float *sample = &a->pcm[a->n_frames - 1 - i];
        *sample = (float)(*sample * fade_gain(i, n));
    }
}

void effect_fade(struct audio *a, double ms)
{
    size_t n = fade_frames(a, ms);
    for (size_t i = 0; i < n; i++) {
        a->pcm[i] = (float)(a->pcm[i] * fade_gain(i, n));
    }
    effect_fade_out(a, ms);
}

static double frame_power(const struct audio *a, size_t frame, size_t len)
{
    size_t start = frame * len;
    size_t end = start + len < a->n_frames ? start + len : a->n_frames;
    double sum = 0;
    for (size_t i = start; i < end; i++) {
        sum += (double)a->pcm[i] * a->pcm[i];
    }
    return sum / (double)(end - start);
}

void effect_trim(struct audio *a, double threshold_db)
{
    size_t len = (size_t)lround(0.020 * a->rate);
    size_t n = len > 0 ? (a->n_frames + len - 1) / len : 0;
    double loudest = 0;
    for (size_t f = 0; f < n; f++) {
        loudest = fmax(loudest, frame_power(a, f, len));
    }
    if (loudest == 0) {
        return;
    }
    double threshold = loudest * pow(10, -threshold_db / 10);
    size_t first = 0, end = n;
    while (frame_power(a, first, len) < threshold) {
        first++;
    }
    while (frame_power(a, end - 1, len) < threshold) {
        end--;
    }
    size_t last_sample = end * len < a->n_frames ? end * len : a->n_frames;
    a->n_frames = last_sample - first * len;
    memmove(a->pcm, a->pcm + first * len, a->n_frames * sizeof *a->pcm);
}
