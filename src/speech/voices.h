/*
 * voices.h - the voices, emotions and rates of the benchmark, read from voices.yaml.
 */
#ifndef AOR_SPEECH_VOICES_H
#define AOR_SPEECH_VOICES_H

#include <stddef.h>
#include <stdint.h>

#include "audio/audio.h"
#include "speech/tts.h"

#define VOICE_LEVEL_DB (-26.0) /* active level of every rendered utterance, dBFS */

#define VOICE_MAX_ID 24 /* bytes, of voices, emotions and rates */

enum voice_gender { VOICE_FEMALE, VOICE_MALE };

struct voice {
    char *id;
    enum voice_gender gender;
    char *engine;                       /* of tts.h */
    char *voice;                        /* the engine's name for it */
    double pitch;                       /* semitones added to every utterance; 0 with a server */
    const struct speech_server *server; /* of the set, for the engine http; otherwise NULL */
};

/*
 * Intended prosody. Leaves speed and level alone, which are factors of their own. A speech server
 * gets the instructions and nothing else of it.
 */
struct emotion {
    char *id;
    double pitch;   /* semitones */
    double range;   /* factor on the F0 range */
    double tilt_db; /* high shelf, see effects.h */
    double tremor_hz;
    double tremor_cents;
    double tremor_db;
    char *instructions; /* how to speak, in words; NULL: none */
};

struct rate {
    char *id;
    double speed; /* factor */
};

struct voice_set {
    struct speech_server *server; /* owned; NULL: none */
    struct voice *voices;
    size_t n_voices;
    struct emotion *emotions;
    size_t n_emotions;
    struct rate *rates;
    size_t n_rates;
};

/*
 * Unknown keys, doubled ids, engines that are not there, and voices of http without a server are
 * errors with file:line:column.
 */
int voice_set_load(const char *path, struct voice_set *ret, struct err *err);
void voice_set_release(struct voice_set *set);

/* NULL when there is none. Borrowed from set. */
const struct voice *voice_find(const struct voice_set *set, const char *id);
const struct emotion *emotion_find(const struct voice_set *set, const char *id);
const struct rate *rate_find(const struct voice_set *set, const char *id);

const char *voice_gender_name(enum voice_gender gender);

/*
 * Speak text: at AUDIO_RATE, silence at the ends trimmed (40 dB below the loudest frame), tilt and
 * tremor applied, ends faded over 5 ms, active level VOICE_LEVEL_DB. As tts_render, wants a
 * single-threaded caller and is, but for http, a pure function of its arguments. To a voice of http
 * pitch, range, tilt and tremor are NOT applied: its server is told the emotion in words.
 */
int voice_render(const struct voice *voice, const struct emotion *emotion, const struct rate *rate,
                 const char *text, uint32_t seed, struct audio *ret, struct err *err);

#endif
