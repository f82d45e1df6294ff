/*
 * render.h - what a model gets of a sample under a condition: a pure function of its recipe.
 *
 * Speech is cached as stems_dir/speech-<key>.flac, takes of scenes and their clips as take.h and
 * soundbank.h say; what is not there is made and stored.
 */
#ifndef AOR_BENCH_RENDER_H
#define AOR_BENCH_RENDER_H

#include <stdbool.h>

#include "audio/mix.h"
#include "bench/bench.h"

enum condition {
    CONDITION_MATCHED,    /* the speech in its scene */
    CONDITION_SPEECH,     /* the same speech at the same level and place, silence around it */
    CONDITION_NOISE,      /* noise of the speech's own spectrum (speech_noise.h) for the scene */
    CONDITION_MISMATCHED, /* another scene (mismatch.h), from the same place of the same take */
    CONDITION_TEXT,       /* no audio: the words */
    CONDITION_TEXT_SCENE, /* no audio: the words, and the scene in words */
};
extern const char *const condition_names[]; /* ended by NULL */

bool condition_has_audio(enum condition condition);

/*
 * The scene that is heard, or told in words, under a condition. NULL where there is none: speech,
 * noise, text, and mismatched where the data have no scene for it.
 */
const struct scene *render_scene_of(const struct sample *s, enum condition condition);

/* One process's renderer; what it points to is borrowed. Not for several threads. */
struct renderer {
    const struct bench *bench;
    const char *stems_dir;
    struct take_cache takes;
};

/*
 * sounds_dir: where tools/setup/sounds.sh put the packages; NULL for a benchmark that is built:
 * then clips must be in stems_dir, and no speech server is asked, whose address is the benchmark's.
 */
struct renderer renderer_init(const struct bench *bench, const char *stems_dir,
                              const char *sounds_dir);
void renderer_release(struct renderer *r);

/*
 * What decides a sample's matched audio, hashed: text, voice, prosody, engine version, seeds, SNR,
 * scenes, clips, and the version of this code's rendering. 32 hexadecimal digits.
 */
#define RECIPE_HEX_SIZE 33
void render_recipe(const struct bench *b, const struct sample *s, char ret[RECIPE_HEX_SIZE]);

/* The sample's speech alone, as voices.h renders it. */
int render_speech(struct renderer *r, const struct sample *s, struct audio *ret, struct err *err);

/*
 * The sample's parts under a condition, at the same speech level (but where mix.h turns a mix down)
 * and, but for speech, the same SNR: mix.h. The caller's: mix_release(). A condition without audio
 * is an error of the code ERR_USAGE.
 */
int render_mix(struct renderer *r, const struct sample *s, enum condition condition,
               struct mix *ret, struct err *err);

/* The sum of them alone: 16-bit quantised audio at AUDIO_RATE. */
int render_sample(struct renderer *r, const struct sample *s, enum condition condition,
                  struct audio *ret, struct err *err);

#endif
