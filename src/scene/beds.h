/*
 * beds.h - the sounds of a scene that are computed: noise, hum, crackle, clicks, beeps, looped
 * clips. All at AUDIO_RATE, in no particular level; each draws only from the generator it is given.
 */
#ifndef AOR_SCENE_BEDS_H
#define AOR_SCENE_BEDS_H

#include "audio/audio.h"
#include "base/rng.h"

enum noise_colour { NOISE_WHITE, NOISE_PINK, NOISE_BROWN };

struct noise_spec {
    enum noise_colour colour;
    double low_hz; /* band edges, 12 dB an octave beyond them */
    double high_hz;
    double tremolo_hz; /* slow swell of +-tremolo_db; 0: none */
    double tremolo_db;
};

struct hum_spec {
    double hz;
    long n_harmonics;
    double slope_db; /* each harmonic against the one below it */
};

/* Decaying noise bursts at random times (a Poisson process): fire, frying, rain on a roof. */
struct crackle_spec {
    double per_s;
    double low_hz;
    double high_hz;
    double decay_ms; /* to 1/e */
};

/* One or more decaying noise bursts in a row: shutter, switch, chopping. */
struct click_spec {
    double low_hz;
    double high_hz;
    double decay_ms; /* to 1/e */
    long count;
    double gap_ms;
};

/* A beep with 5 ms ramps; the k-th harmonic has 1/k of the first's amplitude. */
struct tone_spec {
    double hz;
    double ms;
    long n_harmonics;
};

struct audio bed_noise(const struct noise_spec *spec, struct rng *rng, size_t n_frames);
struct audio bed_hum(const struct hum_spec *spec, struct rng *rng, size_t n_frames);
struct audio bed_crackle(const struct crackle_spec *spec, struct rng *rng, size_t n_frames);

#define BED_FADE_FRAMES ((size_t)AUDIO_RATE / 20)

/* The clip with its end cross-faded into its start (BED_FADE_FRAMES or a quarter of it, equal
 * power), so that it can go round; as much shorter.
 */
struct audio bed_seamless(const struct audio *clip);

/* Round and round from a random start. */
struct audio bed_repeat(const struct audio *loop, struct rng *rng, size_t n_frames);

struct audio event_click(const struct click_spec *spec, struct rng *rng);
struct audio event_tone(const struct tone_spec *spec);

#endif
