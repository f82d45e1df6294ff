/*
 * pitch.h - the fundamental frequency of clean speech.
 *
 * YIN (de Cheveigne and Kawahara, J. Acoust. Soc. Am. 111, 2002, steps 1 to 5) at 8 kHz: windows of
 * 25 ms every 10 ms, threshold 0.15, between 60 and 500 Hz. A window counts as voiced when its
 * normalised difference falls below the threshold and its power is within 30 dB of the loudest.
 */
#ifndef AOR_AUDIO_PITCH_H
#define AOR_AUDIO_PITCH_H

#include "audio/audio.h"

struct pitch {
    double mean_hz;  /* geometric mean over voiced windows */
    double range_st; /* from the 10th to the 90th percentile, semitones */
    size_t n_voiced; /* windows; 0: the others are 0 too */
};

int pitch_measure(const struct audio *speech, struct pitch *ret, struct err *err);

#endif
