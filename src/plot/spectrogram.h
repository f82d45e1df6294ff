/*
 * spectrogram.h - short-time power spectra: Hann windows of 512 frames (32 ms at 16 kHz), hop 128.
 */
#ifndef AOR_PLOT_SPECTROGRAM_H
#define AOR_PLOT_SPECTROGRAM_H

#include "audio/audio.h"

#define SPECTROGRAM_WINDOW 512
#define SPECTROGRAM_HOP 128
#define SPECTROGRAM_BINS (SPECTROGRAM_WINDOW / 2 + 1) /* from 0 to half the rate */

struct spectrogram {
    float *
        db; /* [n_frames * SPECTROGRAM_BINS], frame after frame; a full-scale sine is 0 dB; owned */
    size_t n_frames;
};

/* Windows start at multiples of the hop; what reaches over the end is silence. */
struct spectrogram spectrogram_measure(const struct audio *a);
void spectrogram_release(struct spectrogram *s);

#endif
