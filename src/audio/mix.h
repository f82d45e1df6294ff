/*
 * mix.h - speech in its scene at a stated signal-to-noise ratio.
 *
 * SNR here: mean power of the speech over speech-active samples, over the mean power of the scene
 * over the same samples, in dB (level.h says what is active).
 */
#ifndef AOR_AUDIO_MIX_H
#define AOR_AUDIO_MIX_H

#include "audio/audio.h"

struct mix_params {
    double speech_level_db; /* active level of the speech in the mix, dBFS */
    double snr_db;
    double lead_s;      /* scene alone before the speech */
    double tail_s;      /* and after it */
    double max_peak_db; /* true peak of the mix; a louder mix is turned down as a whole, dBTP */
};

/* The two parts of a mix after gains, and their sum, all of equal length. */
struct mix {
    struct audio speech; /* placed, the rest silent */
    struct audio scene;
    struct audio sum;       /* the sample: quantised to 16 bits */
    double snr_db;          /* achieved, measured on the parts; NAN without a scene */
    double active_level_db; /* of the speech, dBFS */
    double lufs;            /* of the sum, see level.h */
    double true_peak_db;
};

struct mix_params mix_default_params(void);

/* Frames of a mix around n_speech_frames of speech. */
size_t mix_n_frames(const struct mix_params *p, size_t n_speech_frames);

/*
 * Scale and place both parts; scene has mix_n_frames() frames. Silent speech or a scene without
 * power under the speech is an error. Both inputs at AUDIO_RATE.
 */
int mix_build(const struct mix_params *p, const struct audio *speech, const struct audio *scene,
              struct mix *ret, struct err *err);

/* Leave the speech alone as it is in the mix: the scene is silent then, and the sum is measured
 * anew.
 */
int mix_mute_scene(struct mix *m, struct err *err);

void mix_release(struct mix *m);

#endif
