/*
 * engine.h - what an engine gives to tts.c. The _speak functions are called in a fresh child
 * process, once; _prepare before it is forked, for what every child would do again.
 */
#ifndef AOR_SPEECH_ENGINE_H
#define AOR_SPEECH_ENGINE_H

#include "speech/tts.h"

/*
 * Espeak-ng. Pitch and range map to its own parameters (espeak.c says how) and end where its scales
 * do: pitch at about -9 and +11 semitones, range at a factor of 1.98 (less the higher the pitch). A
 * variant ("en-us+f3") that is not installed is an error. The library is
 * initialised in the parent; a voice is set in the child, since what it says depends on the voices
 * that were set before.
 */
int espeak_prepare(struct err *err);
int espeak_speak(const struct tts_request *request, struct audio *ret, struct err *err);
const char *espeak_version(void);

/* Flite: the voices slt (female), awb and kal16 (male). */
int flite_speak(const struct tts_request *request, struct audio *ret, struct err *err);
const char *flite_version(void);
size_t flite_syllables(const char *text); /* see tts.h */

/*
 * An OpenAI-style speech server: POST <url>/audio/speech with model, input, voice, response_format
 * "wav", speed and, where there are any, instructions. Pitch and range are not sent. Up to 6 tries
 * in 120 s (base/http.h says after what). The key of AOR_SPEECH_KEY, where it is set, goes into the
 * Authorization header and nowhere else. Takes what container comes; any other status than 200, and
 * a 200 without sound, is an error with the server's words.
 */
int http_speak(const struct tts_request *request, struct audio *ret, struct err *err);
const char *http_speech_version(void);

#endif
