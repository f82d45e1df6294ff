/*
 * engine.h - what an engine gives to tts.c. Called in a fresh child process, once.
 */
#ifndef AOR_SPEECH_ENGINE_H
#define AOR_SPEECH_ENGINE_H

#include "speech/tts.h"

/*
 * Espeak-ng. Pitch and range map to its own parameters (espeak.c says how) and end where its scales
 * do: pitch at about -9 and +11 semitones, range at a factor of 1.98 (less the higher the pitch). A
 * variant ("en-us+f3") that is not installed is an error.
 */
int espeak_speak(const struct tts_request *request, struct audio *ret, struct err *err);
const char *espeak_version(void);

/* Flite: the voices slt (female), awb and kal16 (male). */
int flite_speak(const struct tts_request *request, struct audio *ret, struct err *err);
const char *flite_version(void);
size_t flite_syllables(const char *text); /* see tts.h */

#endif
