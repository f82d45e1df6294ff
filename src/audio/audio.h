/*
 * audio.h - mono float PCM in memory and in files.
 * A struct audio owns its samples; {0} is a valid empty one.
 */
#ifndef AOR_AUDIO_AUDIO_H
#define AOR_AUDIO_AUDIO_H

#include <stddef.h>

#include "base/err.h"
#include "base/fs.h"

#define AUDIO_RATE 16000 /* Hz, of everything the benchmark stores */

struct audio {
    float *pcm; /* [n_frames], -1..1; owned */
    size_t n_frames;
    int rate; /* Hz */
};

/* n_frames of silence. */
struct audio audio_silence(size_t n_frames, int rate);

/*
 * Decode the file at path, mixed down to mono and resampled to rate (0 keeps the file's).
 * WAV, AIFF, FLAC, Ogg and MP3. More than max_s seconds, no frames at all, fewer than the header
 * promises (MP3 promises nothing), or samples that are not finite are errors.
 * Returns 0 and fills *ret; or -1, *ret untouched, and *err says why.
 */
int audio_load(const char *path, int rate, double max_s, struct audio *ret, struct err *err);

/* The same for n bytes in memory; name stands in errors. */
int audio_load_memory(const void *data, size_t n, const char *name, int rate, double max_s,
                      struct audio *ret, struct err *err);

/*
 * A WAV that was sent while it was made states 0 or some gigabytes of sound: where it does, make
 * the n bytes in memory state what is there. Other bytes are left as they are.
 */
void audio_mend_wav(void *data, size_t n);

/* Resample in place (libsoxr, high quality); the result has round(n_frames * rate / old) frames. */
int audio_resample(struct audio *a, int rate, struct err *err);

/* Round to the 16-bit grid, clipping to it, so that memory holds what a 16-bit file would. */
void audio_quantize(struct audio *a);

/* A whole file of 16-bit samples, rounded as by quantize, or of MP3 at libsndfile's own bit rate.
 */
enum audio_format { AUDIO_FLAC, AUDIO_WAV, AUDIO_MP3 };
int audio_encode(const struct audio *a, enum audio_format format, struct buf *ret, struct err *err);

/* Write 16-bit FLAC (fs_write_unsynced). Samples are rounded as by quantize. */
int audio_save_flac(const char *path, const struct audio *a, struct err *err);

/* SHA-256 of the samples as 16-bit little-endian PCM: what a FLAC or WAV of it decodes to. */
void audio_sha256(const struct audio *a, char ret[SHA256_HEX_SIZE]);

/* Free what *a owns and zero it. Safe on {0}. */
void audio_release(struct audio *a);

#endif
