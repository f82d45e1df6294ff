/*
 * level.h - how loud a sound is, by the measures the benchmark states.
 */
#ifndef AOR_AUDIO_LEVEL_H
#define AOR_AUDIO_LEVEL_H

#include <stdbool.h>

#include "audio/audio.h"

/* Largest sample in dBFS; -INFINITY for silence. */
double level_peak_db(const struct audio *a);

/* Root mean square of all frames in dBFS (a full-scale square wave is 0); -INFINITY for silence. */
double level_rms_db(const struct audio *a);

/*
 * Active speech level in dBFS: the mean power over speech-active samples, those that lie in an
 * active frame. A frame (20 ms, hop 10 ms) is active when its power is within 30 dB of the 95th
 * percentile of the powers of frames that are not digital silence, so that silence around speech
 * changes nothing. -INFINITY for silence.
 * *ret_active (may be NULL) receives one bool for each sample: the caller's.
 */
double level_active_db(const struct audio *speech, bool **ret_active);

/* Mean power in dBFS of a over the samples that active[] marks ([a->n_frames]). */
double level_rms_where_db(const struct audio *a, const bool *active);

/*
 * Integrated loudness (EBU R 128, gated) in LUFS and true peak in dBTP, by libebur128. Loudness is
 * -INFINITY for less than 400 ms or nothing above -70 LUFS.
 */
int level_loudness(const struct audio *a, double *ret_lufs, double *ret_true_peak_db,
                   struct err *err);

/* Multiply by 10^(gain_db / 20). */
void level_apply_gain(struct audio *a, double gain_db);

#endif
