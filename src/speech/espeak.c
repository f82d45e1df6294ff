#include <espeak-ng/speak_lib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "speech/engine.h"

/*
 * The engine's mean F0 is b * 2^((PITCH - 50) / 50) + c + d * RANGE / 50 of a voice's own: PITCH
 * moves only b. Shares measured over the voices of data/voices.yaml; they hold within a quarter
 * semitone.
 */
#define SHARE_B 0.71
#define SHARE_C 0.175
#define SHARE_D 0.115

const char *espeak_version(void)
{
    const char *path;
    return espeak_Info(&path);
}

/* espeak_SetVoiceByName silently drops a variant that it does not find. */
static bool has_variant(const char *voice)
{
    const char *plus = strchr(voice, '+');
    const char *folder;
    espeak_Info(&folder);
    char *path = xasprintf("%s/voices/!v/%s", folder, plus ? plus + 1 : "");
    bool found = !plus || (!strchr(plus, '/') && fs_exists(path));
    free(path);
    return found;
}

static struct buf samples; /* of this process's one utterance; the callback has no user pointer */

static int on_samples(short *wave, int n, espeak_EVENT *events)
{
    (void)events;
    if (wave && n > 0) {
        buf_add(&samples, wave, (size_t)n * sizeof *wave);
    }
    return 0;
}

static void set_prosody(const struct tts_request *request)
{
    double shift = pow(2, request->pitch / 12);
    double range = request->range * shift; /* the range is asked for in semitones, set in Hz */
    double base = (shift - SHARE_C - SHARE_D * range) / SHARE_B;
    double pitch = base > 0.5 ? 50 + 50 * log2(base) : 0;
    espeak_SetParameter(espeakRATE, (int)lround(espeakRATE_NORMAL * request->speed), 0);
    espeak_SetParameter(espeakPITCH, (int)lround(pitch), 0);
    espeak_SetParameter(espeakRANGE, (int)lround(50 * range), 0);
}

static int sample_rate; /* of the library, once it is initialised; 0 before */

int espeak_prepare(struct err *err)
{
    if (sample_rate == 0) {
        int rate = espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, NULL, espeakINITIALIZE_DONT_EXIT);
        if (rate <= 0) {
            return err_set(err, ERR_MODEL, "espeak-ng-data is not installed");
        }
        sample_rate = rate;
        /* Or each child would read some hundred voice files to find one by its name. */
        espeak_ListVoices(NULL);
    }
    return 0;
}

int espeak_speak(const struct tts_request *request, struct audio *ret, struct err *err)
{
    if (!has_variant(request->voice) || espeak_SetVoiceByName(request->voice) != EE_OK) {
        return err_set(err, ERR_USAGE, "no such voice");
    }
    set_prosody(request);
    espeak_SetSynthCallback(on_samples);
    if (espeak_Synth(request->text, strlen(request->text) + 1, 0, POS_CHARACTER, 0,
                     espeakCHARS_UTF8, NULL, NULL) != EE_OK) {
        return err_set(err, ERR_MODEL, "synthesis failed");
    }
    size_t n = samples.len / sizeof(short);
    if (n == 0) {
        return err_set(err, ERR_MODEL, "gave no sound");
    }
    struct audio a = audio_silence(n, sample_rate);
    const short *pcm = (const short *)(const void *)samples.data;
    for (size_t i = 0; i < n; i++) {
        a.pcm[i] = (float)pcm[i] / 32768.0f;
    }
    buf_release(&samples);
    *ret = a;
    return 0;
}
