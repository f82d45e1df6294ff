/*
 * tts.h - speech from text by an engine of this machine, or by a speech server.
 *
 * Each utterance is rendered in a child process of its own: espeak-ng's output depends on what the
 * process spoke before, and an engine that crashes takes only its child along. The caller must be
 * single-threaded at the call. The same request gives the same samples, but for "http": a server
 * gives what it gives.
 */
#ifndef AOR_SPEECH_TTS_H
#define AOR_SPEECH_TTS_H

#include <stdint.h>

#include "audio/audio.h"

/* Of the engine "http". */
struct speech_server {
    char *url;   /* "http://127.0.0.1:8880/v1", without a slash at the end; owned */
    char *model; /* owned */
};

struct tts_request {
    const char *engine; /* "espeak", "flite" or "http" */
    const char *voice;  /* the engine's name for it: "en-us+f3", "slt", "af_heart" */
    const char *text;   /* UTF-8, at most 1000 bytes */
    double speed;       /* 1: the engine's normal rate; 0.5..2 */
    double pitch;       /* semitones from the voice's own mean F0; -12..12; not for http */
    double range;       /* factor on the voice's F0 range; 0..3; not for http */
    uint32_t seed;      /* for engines that draw random numbers */
    const struct speech_server *server; /* for http; otherwise NULL */
    const char *instructions;           /* for http: how to speak, in words; NULL or "": none */
};

/*
 * Speak; *ret is mono at the engine's rate (not resampled), untrimmed. An engine that says nothing
 * within 30 s (http: 130 s), dies, or gives no sound is an error that names engine and voice.
 */
int tts_render(const struct tts_request *request, struct audio *ret, struct err *err);

/*
 * The linked library's version, such as "1.51" or "2.2"; "http" of http; NULL for an engine that is
 * not known.
 */
const char *tts_engine_version(const char *engine);

/* The engines' names, ended by NULL. */
const char *const *tts_engines(void);

/* Syllables of an English text (letters and apostrophes), by the CMU lexicon and flite's rules. */
size_t tts_syllables(const char *text);

#endif
