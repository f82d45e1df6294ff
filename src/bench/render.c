#include "bench/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audio/speech_noise.h"
#include "base/mem.h"
#include "speech/tts.h"

/* Raise it when a change of code changes the audio: recipes and stems are made anew then. */
#define RENDER_VERSION 2

#define MAX_SPEECH_S 60.0

const char *const condition_names[] = {"matched", "speech",     "noise", "mismatched",
                                       "text",    "text-scene", NULL};

bool condition_has_audio(enum condition condition)
{
    return condition != CONDITION_TEXT && condition != CONDITION_TEXT_SCENE;
}

const struct scene *render_scene_of(const struct sample *s, enum condition condition)
{
    switch (condition) {
    case CONDITION_MATCHED:
    case CONDITION_TEXT_SCENE:
        return s->scene;
    case CONDITION_MISMATCHED:
        return s->other_scene;
    case CONDITION_SPEECH:
    case CONDITION_NOISE:
    case CONDITION_TEXT:
        break;
    }
    return NULL;
}

struct renderer renderer_init(const struct bench *bench, const char *stems_dir,
                              const char *sounds_dir)
{
    return (struct renderer){
        .bench = bench,
        .stems_dir = stems_dir,
        .takes = {.clips = {.bank = &bench->bank, .sounds_dir = sounds_dir, .stems_dir = stems_dir},
                  .version = RENDER_VERSION},
    };
}

void renderer_release(struct renderer *r)
{
    take_cache_release(&r->takes);
    *r = (struct renderer){0};
}

/* A server is asked again only where the request would be another one. */
static char *server_recipe(const struct sample *s)
{
    const struct voice *v = s->voice;
    const char *instructions = s->emotion->instructions ? s->emotion->instructions : "";
    return xasprintf("%d\n%s\n%s\n%s\n%s\n%a\n%zu %s\n%s", RENDER_VERSION,
                     tts_engine_version(v->engine), v->server->url, v->server->model, v->voice,
                     s->rate->speed, strlen(instructions), instructions, s->item->text);
}

static char *engine_recipe(const struct sample *s)
{
    const struct voice *v = s->voice;
    const struct emotion *e = s->emotion;
    const char *version = tts_engine_version(v->engine);
    return xasprintf("%d\n%s %s\n%s\n%a\n%a %a %a %a %a %a\n%a\n%" PRIu32 "\n%s", RENDER_VERSION,
                     v->engine, version ? version : "", v->voice, v->pitch, e->pitch, e->range,
                     e->tilt_db, e->tremor_hz, e->tremor_cents, e->tremor_db, s->rate->speed,
                     s->speech_seed, s->item->text);
}

static void speech_key(const struct sample *s, char ret[SHA256_HEX_SIZE])
{
    char *recipe = s->voice->server ? server_recipe(s) : engine_recipe(s);
    sha256_hex(recipe, strlen(recipe), ret);
    free(recipe);
}

void render_recipe(const struct bench *b, const struct sample *s, char ret[RECIPE_HEX_SIZE])
{
    char speech[SHA256_HEX_SIZE], take[SHA256_HEX_SIZE];
    speech_key(s, speech);
    take_key(s->scene, &b->bank, s->take_seed, RENDER_VERSION, take);
    struct mix_params m = mix_default_params();
    char *recipe = xasprintf("%s\n%s %zu\n%a %a %a %a %a", speech, take, s->take_start, s->snr_db,
                             m.speech_level_db, m.lead_s, m.tail_s, m.max_peak_db);
    char hex[SHA256_HEX_SIZE];
    sha256_hex(recipe, strlen(recipe), hex);
    free(recipe);
    memcpy(ret, hex, RECIPE_HEX_SIZE - 1);
    ret[RECIPE_HEX_SIZE - 1] = '\0';
}

static int make_speech(const struct sample *s, const char *path, struct audio *ret, struct err *err)
{
    struct audio a = {0};
    if (voice_render(s->voice, s->emotion, s->rate, s->item->text, s->speech_seed, &a, err) != 0) {
        return -1;
    }
    audio_quantize(&a);
    if (audio_save_flac(path, &a, err) != 0) {
        audio_release(&a);
        return -1;
    }
    *ret = a;
    return 0;
}

/*
 * Samples that differ in nothing that a server is told share a stem, and a server may say the same
 * in another way next time: one process asks, the others wait for what it gets. A lock that a
 * killed build leaves goes with its other temporary files.
 */
static int ask_once(const struct sample *s, const char *path, struct audio *ret, struct err *err)
{
    struct fs_lock lock = {0};
    char *lock_path = xasprintf("%s.lock.tmp", path);
    int ok = fs_lock(lock_path, false, NULL, &lock, err);
    if (ok == 0) {
        ok = fs_has_data(path) ? audio_load(path, AUDIO_RATE, MAX_SPEECH_S, ret, err)
                               : make_speech(s, path, ret, err);
    }
    fs_unlock(&lock);
    free(lock_path);
    return ok;
}

int render_speech(struct renderer *r, const struct sample *s, struct audio *ret, struct err *err)
{
    char key[SHA256_HEX_SIZE];
    speech_key(s, key);
    char *path = xasprintf("%s/speech-%s.flac", r->stems_dir, key);
    int ok;
    if (fs_has_data(path)) {
        ok = audio_load(path, AUDIO_RATE, MAX_SPEECH_S, ret, err);
    } else if (s->voice->server && !r->takes.clips.sounds_dir) {
        ok = err_set(err, ERR_FORMAT, "%s: is not there, and only aor build asks a speech server",
                     path);
    } else {
        ok = s->voice->server ? ask_once(s, path, ret, err) : make_speech(s, path, ret, err);
    }
    free(path);
    return ok;
}

static int make_background(struct renderer *r, const struct sample *s, enum condition condition,
                           const struct audio *speech, size_t n_frames, struct audio *ret,
                           struct err *err)
{
    if (condition == CONDITION_NOISE) {
        struct rng rng = rng_init(s->speech_seed, "speech noise");
        return speech_noise(speech, n_frames, &rng, ret, err);
    }
    bool is_other = condition == CONDITION_MISMATCHED;
    if (is_other && !s->other_scene) {
        return err_set(err, ERR_FORMAT, "there is no scene that its words do not match");
    }
    return take_cut(&r->takes, is_other ? s->other_scene : s->scene,
                    is_other ? s->other_take_seed : s->take_seed, s->take_start, n_frames, ret,
                    err);
}

int render_mix(struct renderer *r, const struct sample *s, enum condition condition,
               struct mix *ret, struct err *err)
{
    if (!condition_has_audio(condition)) {
        return err_set(err, ERR_USAGE, "condition %s has no audio", condition_names[condition]);
    }
    struct mix_params params = mix_default_params();
    params.snr_db = s->snr_db;
    struct audio speech = {0};
    struct audio background = {0};
    struct mix m = {0};
    int ok = -1;
    if (render_speech(r, s, &speech, err) == 0 &&
        make_background(r, s, condition, &speech, mix_n_frames(&params, speech.n_frames),
                        &background, err) == 0 &&
        mix_build(&params, &speech, &background, &m, err) == 0 &&
        (condition != CONDITION_SPEECH || mix_mute_scene(&m, err) == 0)) {
        *ret = m;
        m = (struct mix){0};
        ok = 0;
    } else {
        err_wrap(err, "sample %s", s->id);
    }
    mix_release(&m);
    audio_release(&background);
    audio_release(&speech);
    return ok;
}

int render_sample(struct renderer *r, const struct sample *s, enum condition condition,
                  struct audio *ret, struct err *err)
{
    struct mix m;
    if (render_mix(r, s, condition, &m, err) != 0) {
        return -1;
    }
    *ret = m.sum;
    m.sum = (struct audio){0};
    mix_release(&m);
    return 0;
}
