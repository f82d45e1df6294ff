#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/effects.h"
#include "audio/level.h"
#include "base/mem.h"
#include "scene/recipe.h"
#include "scene/scene.h"

#define LAYER_RMS_DB (-20.0)
#define EVENT_PEAK_DB (-6.0)
#define SILENT_DB (-100.0)
#define CUT_FADE_MS 20.0

void scene_cache_release(struct scene_cache *cache)
{
    for (size_t i = 0; cache->clips && i < cache->bank->n_clips; i++) {
        audio_release(&cache->clips[i]);
    }
    free(cache->clips);
    cache->clips = NULL;
}

static int get_clip(struct scene_cache *cache, size_t clip, const struct audio **ret,
                    struct err *err)
{
    const struct soundbank *bank = cache->bank;
    if (!cache->clips) {
        cache->clips = xcalloc(bank->n_clips, sizeof *cache->clips);
    }
    if (!cache->clips[clip].pcm &&
        soundbank_clip_audio(bank, &bank->clips[clip], cache->sounds_dir, cache->stems_dir,
                             &cache->clips[clip], err) != 0) {
        return -1;
    }
    *ret = &cache->clips[clip];
    return 0;
}

static void add_at(struct audio *sum, const struct audio *a, size_t start)
{
    for (size_t i = 0; i < a->n_frames && start + i < sum->n_frames; i++) {
        sum->pcm[start + i] += a->pcm[i];
    }
}

/* A layer's choice. Where there is none, nothing is drawn: what follows stays as it was. */
static size_t draw(const struct clip_choice *choice, struct rng *rng)
{
    return choice->clips[choice->n > 1 ? rng_below(rng, (uint32_t)choice->n) : 0];
}

static int render_layer(const struct layer *l, struct scene_cache *cache, struct rng *rng,
                        struct audio *sum, struct err *err)
{
    struct audio a = {0}, loop = {0};
    const struct audio *clip;
    size_t n = sum->n_frames;
    double level_db = 0;
    switch (l->kind) {
    case LAYER_NOISE:
        a = bed_noise(&l->spec.noise, rng, n);
        level_db = level_rms_db(&a);
        break;
    case LAYER_HUM:
        a = bed_hum(&l->spec.hum, rng, n);
        level_db = level_rms_db(&a);
        break;
    case LAYER_CRACKLE:
        a = bed_crackle(&l->spec.crackle, rng, n);
        level_db = level_rms_db(&a);
        break;
    case LAYER_CLIP:
        if (get_clip(cache, draw(&l->clips, rng), &clip, err) != 0) {
            return -1;
        }
        loop = bed_seamless(clip);
        a = bed_repeat(&loop, rng, n);
        level_db = level_rms_db(&loop); /* of all of it, so that where it starts changes no gain */
        audio_release(&loop);
        break;
    }
    if (level_db > SILENT_DB) { /* a short crackle may hold no burst at all */
        level_apply_gain(&a, LAYER_RMS_DB - level_db + l->gain_db);
        add_at(sum, &a, 0);
    }
    audio_release(&a);
    return 0;
}

static struct audio cut(const struct audio *clip, double max_s)
{
    size_t n = clip->n_frames;
    bool is_cut = max_s > 0 && (double)n > max_s * AUDIO_RATE;
    if (is_cut) {
        n = (size_t)lround(max_s * AUDIO_RATE);
    }
    struct audio a = audio_silence(n, AUDIO_RATE);
    memcpy(a.pcm, clip->pcm, n * sizeof *a.pcm);
    if (is_cut) {
        effect_fade_out(&a, CUT_FADE_MS);
    }
    return a;
}

/* *ret_what names the sound in errors; borrowed. */
static int make_event(const struct event *e, struct scene_cache *cache, struct rng *rng,
                      struct audio *ret, const char **ret_what, struct err *err)
{
    const struct audio *clip;
    size_t index;
    switch (e->kind) {
    case EVENT_CLICK:
        *ret = event_click(&e->spec.click, rng);
        *ret_what = "a click";
        return 0;
    case EVENT_TONE:
        *ret = event_tone(&e->spec.tone);
        *ret_what = "a tone";
        return 0;
    case EVENT_CLIP:
        index = e->clips.clips[rng_below(rng, (uint32_t)e->clips.n)];
        if (get_clip(cache, index, &clip, err) != 0) {
            return -1;
        }
        *ret = cut(clip, e->max_s);
        *ret_what = cache->bank->clips[index].id;
        return 0;
    }
    return -1;
}

static int render_event(const struct event *e, struct scene_cache *cache, struct rng *rng,
                        struct audio *sum, struct err *err)
{
    for (double at_s = rng_range(rng, 0, e->every_s[1]); at_s * AUDIO_RATE < (double)sum->n_frames;
         at_s += rng_range(rng, e->every_s[0], e->every_s[1])) {
        struct audio a = {0};
        const char *what;
        double gain_db = rng_range(rng, e->gain_db[0], e->gain_db[1]);
        if (make_event(e, cache, rng, &a, &what, err) != 0) {
            return -1;
        }
        double level_db = level_peak_db(&a);
        if (!(level_db > SILENT_DB)) {
            audio_release(&a);
            return err_set(err, ERR_FORMAT, "%s is silent before its max_s of %g", what, e->max_s);
        }
        level_apply_gain(&a, EVENT_PEAK_DB - level_db + gain_db);
        add_at(sum, &a, (size_t)(at_s * AUDIO_RATE));
        audio_release(&a);
    }
    return 0;
}

/* Every part draws from a stream of its own, so that changing one leaves the others as they are. */
static struct rng part_rng(const struct scene *scene, uint64_t seed, const char *what, size_t i)
{
    char *name = xasprintf("%s/%s/%zu", scene->id, what, i);
    struct rng rng = rng_init(seed, name);
    free(name);
    return rng;
}

int scene_render(const struct scene *scene, struct scene_cache *cache, uint64_t seed,
                 size_t n_frames, struct audio *ret, struct err *err)
{
    struct audio sum = audio_silence(n_frames, AUDIO_RATE);
    int ok = -1;
    for (size_t i = 0; i < scene->n_layers; i++) {
        struct rng rng = part_rng(scene, seed, "bed", i);
        if (render_layer(&scene->layers[i], cache, &rng, &sum, err) != 0) {
            goto out;
        }
    }
    for (size_t i = 0; i < scene->n_events; i++) {
        struct rng rng = part_rng(scene, seed, "event", i);
        if (render_event(&scene->events[i], cache, &rng, &sum, err) != 0) {
            goto out;
        }
    }
    if (!(level_rms_db(&sum) > SILENT_DB)) {
        err_set(err, ERR_FORMAT, "nothing is heard");
        goto out;
    }
    *ret = sum;
    sum = (struct audio){0};
    ok = 0;
out:
    if (ok != 0) {
        err_wrap(err, "scene %s", scene->id);
    }
    audio_release(&sum);
    return ok;
}
