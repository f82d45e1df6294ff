/*
 * effects.h - voice quality and edges.
 */
#ifndef AOR_AUDIO_EFFECTS_H
#define AOR_AUDIO_EFFECTS_H

#include "audio/audio.h"

/* High shelf at 1500 Hz (RBJ cookbook, slope 1): gain_db > 0 brightens (tense), < 0 dulls (lax). */
void effect_tilt(struct audio *a, double gain_db);

/* Vibrato by a modulated delay, depth in cents at rate_hz, and amplitude tremor of depth_db. */
void effect_tremor(struct audio *a, double rate_hz, double depth_cents, double depth_db);

/* Raised-cosine fades over the first and last ms milliseconds. */
void effect_fade(struct audio *a, double ms);
void effect_fade_out(struct audio *a, double ms); /* the end only */

/* Second-order Butterworth high-pass and low-pass; hz outside (0, rate/2) leaves *a as it is. */
void effect_high_pass(struct audio *a, double hz);
void effect_low_pass(struct audio *a, double hz);

/* Drop leading and trailing frames quieter than threshold_db below the loudest 20 ms frame. */
void effect_trim(struct audio *a, double threshold_db);

#endif
