/*
 * speech_noise.h - stationary noise with the long-term spectrum of an utterance.
 *
 * White Gaussian noise (Box and Muller, 1958) through an all-pole filter: linear prediction by the
 * autocorrelation method (Markel and Gray, Linear Prediction of Speech, 1976, ch. 6) over the
 * active speech as a whole. Hann frames of 32 ms, hop 16 ms, whose middle is active (level.h) are
 * correlated and averaged; lag 0 is raised by a ten-thousandth (white noise 40 dB below, so that
 * the recursion is stable); the Levinson-Durbin recursion gives a filter of order 20.
 */
#ifndef AOR_AUDIO_SPEECH_NOISE_H
#define AOR_AUDIO_SPEECH_NOISE_H

#include "audio/audio.h"
#include "base/rng.h"

/*
 * n_frames of it at AUDIO_RATE, as loud by RMS as the speech is by its active level. A pure
 * function of the speech, n_frames and the state of *rng, which goes on. Silent speech, and speech
 * that is not at AUDIO_RATE, are errors.
 */
int speech_noise(const struct audio *speech, size_t n_frames, struct rng *rng, struct audio *ret,
                 struct err *err);

#endif
