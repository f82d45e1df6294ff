/*
 * picture.h - what a sample looks like: waveform and spectrogram as a PNG.
 */
#ifndef AOR_PLOT_PICTURE_H
#define AOR_PLOT_PICTURE_H

#include "audio/audio.h"

struct picture {
    const char *title;          /* UTF-8, one line; cut where it is too long */
    const char *subtitle;       /* the same */
    const struct audio *mix;    /* drawn as waveform and spectrogram */
    const struct audio *speech; /* drawn over the mix's waveform; of the same length, or NULL */
};

/* Write a PNG of 1200 x 700 pixels; the file appears whole or not at all. */
int picture_save(const char *path, const struct picture *p, struct err *err);

#endif
