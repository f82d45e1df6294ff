#include <ctype.h>
#include <flite/cst_cg.h>
#include <flite/flite.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <flite/flite_version.h>

#include "speech/engine.h"

/* The voice libraries come without headers. */
cst_voice *register_cmu_us_slt(const char *voxdir);
cst_voice *register_cmu_us_awb(const char *voxdir);
cst_voice *register_cmu_us_kal16(const char *voxdir);

cst_lexicon *cmu_lex_init(void);

/*
 * mean_z: where the mean of spoken F0 lies, in the voice's own standard deviations from its stated
 * mean (measured), so that a changed range can leave the mean where it is. The library's rms is not
 * among them: its F0 model ignores the wanted mean and range.
 */
static const struct voice_entry {
    const char *name;
    cst_voice *(*add)(const char *voxdir);
    double mean_z;
} voices[] = {
    {"slt", register_cmu_us_slt, 0.10},
    {"awb", register_cmu_us_awb, -0.19},
    {"kal16", register_cmu_us_kal16, -0.53},
};

const char *flite_version(void)
{
    return FLITE_PROJECT_VERSION;
}

/* The CMU lexicon's vowels end in their stress: "aa1". */
static size_t syllables_of(const cst_lexicon *lexicon, const char *word)
{
    cst_val *phones = lex_lookup(lexicon, word, NULL, NULL);
    size_t n = 0;
    for (const cst_val *p = phones; p; p = val_cdr(p)) {
        const char *phone = val_string(val_car(p));
        n += isdigit((unsigned char)phone[strlen(phone) - 1]) != 0;
    }
    delete_val(phones);
    return n;
}

size_t flite_syllables(const char *text)
{
    flite_init();
    const cst_lexicon *lexicon = cmu_lex_init();
    size_t n = 0;
    char word[64];
    for (const char *p = text; *p;) {
        size_t len = 0;
        for (; isalpha((unsigned char)*p) || *p == '\''; p++) {
            if (len < sizeof word - 1) {
                word[len++] = (char)tolower((unsigned char)*p);
            }
        }
        word[len] = '\0';
        n += len > 0 ? syllables_of(lexicon, word) : 0;
        p += len == 0;
    }
    return n;
}

/* Mean and range are features of the voice; a clustergen voice has its own in its database. */
static void set_prosody(cst_voice *voice, double mean_z, const struct tts_request *request)
{
    cst_features *f = voice->features;
    float mean = 100, stddev = 12; /* the diphone intonation model's defaults */
    if (feat_present(f, "cg_db")) {
        const cst_cg_db *db = val_cg_db(feat_val(f, "cg_db"));
        mean = db->f0_mean;
        stddev = db->f0_stddev;
    }
    mean = flite_get_param_float(f, "int_f0_target_mean", mean);
    stddev = flite_get_param_float(f, "int_f0_target_stddev", stddev);
    double stretch = flite_get_param_float(f, "duration_stretch", 1);
    double shift = pow(2, request->pitch / 12);
    double kept = mean_z * stddev * (1 - request->range);
    flite_feat_set_float(f, "int_f0_target_mean", (float)(shift * (mean + kept)));
    flite_feat_set_float(f, "int_f0_target_stddev", (float)(shift * stddev * request->range));
    flite_feat_set_float(f, "duration_stretch", (float)(stretch / request->speed));
}

int flite_speak(const struct tts_request *request, struct audio *ret, struct err *err)
{
    const struct voice_entry *entry = NULL;
    for (size_t i = 0; i < sizeof voices / sizeof *voices; i++) {
        if (strcmp(request->voice, voices[i].name) == 0) {
            entry = &voices[i];
        }
    }
    if (!entry) {
        return err_set(err, ERR_USAGE, "no such voice");
    }
    flite_init();
    cst_voice *voice = entry->add(NULL);
    set_prosody(voice, entry->mean_z, request);
    srand(request->seed); /* the noise of unvoiced sounds is drawn with rand() */
    cst_wave *wave = flite_text_to_wave(request->text, voice);
    if (!wave || wave->num_samples <= 0 || wave->num_channels != 1) {
        return err_set(err, ERR_MODEL, "gave no sound");
    }
    struct audio a = audio_silence((size_t)wave->num_samples, wave->sample_rate);
    for (size_t i = 0; i < a.n_frames; i++) {
        a.pcm[i] = (float)wave->samples[i] / 32768.0f;
    }
    delete_wave(wave);
    *ret = a;
    return 0;
}
