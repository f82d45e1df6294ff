#include "scene/beds.h"

#include <math.h>
#include <string.h>

#include "audio/effects.h"

#define PI 3.14159265358979323846

static void band_pass(struct audio *a, double low_hz, double high_hz)
{
    effect_high_pass(a, low_hz);
    effect_low_pass(a, high_hz);
}

static double white(struct rng *rng)
{
    return rng_range(rng, -1, 1);
}

static void fill_pink(struct audio *a, struct rng *rng)
{
    /* -3 dB an octave by three poles: Kellet's economy filter. */
    double b0 = 0, b1 = 0, b2 = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        double w = white(rng);
        b0 = 0.99765 * b0 + 0.0990460 * w;
        b1 = 0.96300 * b1 + 0.2965164 * w;
        b2 = 0.57000 * b2 + 1.0526913 * w;
        a->pcm[i] = (float)(0.1 * (b0 + b1 + b2 + 0.1848 * w));
    }
}

static void fill_brown(struct audio *a, struct rng *rng)
{
    double y = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        y = 0.998 * y + 0.05 * white(rng); /* -6 dB an octave above 5 Hz */
        a->pcm[i] = (float)y;
    }
}

/* A swell is slow: its gain is computed every STEP frames and goes straight in between. */
static void tremolo(struct audio *a, double hz, double db, double phase)
{
    enum { STEP = 32 };
    double gain = pow(10, db * sin(phase) / 20);
    for (size_t i = 0; i < a->n_frames; i += STEP) {
        double angle = 2 * PI * hz * (double)(i + STEP) / a->rate + phase;
        double next = pow(10, db * sin(angle) / 20);
        for (size_t k = 0; k < STEP && i + k < a->n_frames; k++) {
            a->pcm[i + k] *= (float)(gain + (next - gain) * (double)k / STEP);
        }
        gain = next;
    }
}

struct audio bed_noise(const struct noise_spec *spec, struct rng *rng, size_t n_frames)
{
    enum { WARM_UP = AUDIO_RATE / 4 }; /* the filters settle before the first sample we keep */
    double phase = rng_range(rng, 0, 2 * PI);
    struct audio a = audio_silence(n_frames + WARM_UP, AUDIO_RATE);
    switch (spec->colour) {
    case NOISE_WHITE:
        for (size_t i = 0; i < a.n_frames; i++) {
            a.pcm[i] = (float)white(rng);
        }
        break;
    case NOISE_PINK:
        fill_pink(&a, rng);
        break;
    case NOISE_BROWN:
        fill_brown(&a, rng);
        break;
    }
    band_pass(&a, spec->low_hz, spec->high_hz);
    memmove(a.pcm, a.pcm + WARM_UP, n_frames * sizeof *a.pcm);
    a.n_frames = n_frames;
    if (spec->tremolo_hz > 0 && spec->tremolo_db > 0) {
        tremolo(&a, spec->tremolo_hz, spec->tremolo_db, phase);
    }
    return a;
}

static void add_sine(struct audio *a, double hz, double gain, double phase)
{
    /* A phasor turned by one sample's angle; its rounding grows by 1e-16 a sample. */
    double w = 2 * PI * hz / a->rate;
    double turn_re = cos(w), turn_im = sin(w);
    double re = gain * cos(phase), im = gain * sin(phase);
    for (size_t i = 0; i < a->n_frames; i++) {
        a->pcm[i] += (float)im;
        double next = re * turn_re - im * turn_im;
        im = re * turn_im + im * turn_re;
        re = next;
    }
}

struct audio bed_hum(const struct hum_spec *spec, struct rng *rng, size_t n_frames)
{
    struct audio a = audio_silence(n_frames, AUDIO_RATE);
    for (long k = 1; k <= spec->n_harmonics && (double)k * spec->hz < AUDIO_RATE / 2.0; k++) {
        double gain = pow(10, spec->slope_db * (double)(k - 1) / 20);
        add_sine(&a, (double)k * spec->hz, gain, rng_range(rng, 0, 2 * PI));
    }
    return a;
}

/* A noise burst from frame start on, down to -60 dB; what is beyond the end is cut. */
static void add_burst(struct audio *a, size_t start, double gain, double decay_ms, struct rng *rng)
{
    double decay = decay_ms / 1000 * a->rate;
    size_t n = (size_t)ceil(7 * decay);
    for (size_t i = 0; i < n; i++) {
        double x = gain * exp(-(double)i / decay) * white(rng);
        if (start + i < a->n_frames) {
            a->pcm[start + i] += (float)x;
        }
    }
}

struct audio bed_crackle(const struct crackle_spec *spec, struct rng *rng, size_t n_frames)
{
    struct audio a = audio_silence(n_frames, AUDIO_RATE);
    double at = 0;
    for (;;) {
        at += -log(1 - rng_uniform(rng)) / spec->per_s * AUDIO_RATE;
        if (at >= (double)n_frames) {
            break;
        }
        add_burst(&a, (size_t)at, rng_range(rng, 0.3, 1), spec->decay_ms, rng);
    }
    band_pass(&a, spec->low_hz, spec->high_hz);
    return a;
}

struct audio bed_seamless(const struct audio *clip)
{
    size_t n_fade = BED_FADE_FRAMES;
    if (n_fade > clip->n_frames / 4) {
        n_fade = clip->n_frames / 4;
    }
    struct audio loop = audio_silence(clip->n_frames - n_fade, AUDIO_RATE);
    memcpy(loop.pcm, clip->pcm, loop.n_frames * sizeof *loop.pcm);
    for (size_t i = 0; i < n_fade; i++) {
        double angle = PI / 2 * ((double)i + 0.5) / (double)n_fade;
        double end = clip->pcm[loop.n_frames + i];
        loop.pcm[i] = (float)(clip->pcm[i] * sin(angle) + end * cos(angle));
    }
    return loop;
}

struct audio bed_repeat(const struct audio *loop, struct rng *rng, size_t n_frames)
{
    struct audio a = audio_silence(n_frames, AUDIO_RATE);
    size_t at = rng_below(rng, (uint32_t)loop->n_frames);
    for (size_t i = 0; i < n_frames; i++) {
        a.pcm[i] = loop->pcm[at];
        at = at + 1 < loop->n_frames ? at + 1 : 0;
    }
    return a;
}

struct audio event_click(const struct click_spec *spec, struct rng *rng)
{
    double gap = spec->gap_ms / 1000 * AUDIO_RATE;
    double tail = 7 * spec->decay_ms / 1000 * AUDIO_RATE;
    size_t n_frames = (size_t)ceil((double)(spec->count - 1) * gap + tail);
    struct audio a = audio_silence(n_frames, AUDIO_RATE);
    for (long i = 0; i < spec->count; i++) {
        double gain = i == 0 ? 1 : rng_range(rng, 0.7, 1);
        add_burst(&a, (size_t)((double)i * gap), gain, spec->decay_ms, rng);
    }
    band_pass(&a, spec->low_hz, spec->high_hz);
    return a;
}

struct audio event_tone(const struct tone_spec *spec)
{
    struct audio a = audio_silence((size_t)ceil(spec->ms / 1000 * AUDIO_RATE), AUDIO_RATE);
    for (long k = 1; k <= spec->n_harmonics && (double)k * spec->hz < AUDIO_RATE / 2.0; k++) {
        add_sine(&a, (double)k * spec->hz, 1.0 / (double)k, 0);
    }
    effect_fade(&a, 5);
    return a;
}
