#include "scene/take.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/level.h"
#include "base/mem.h"
#include "scene/beds.h"
#include "scene/recipe.h"

#define PEAK_DB (-1.0) /* of a stored take: all of the 16 bits; the mix sets the level */

static void describe_noise(struct buf *b, const struct noise_spec *s)
{
    buf_addf(b, "noise %d %a %a %a %a", (int)s->colour, s->low_hz, s->high_hz, s->tremolo_hz,
             s->tremolo_db);
}

static void describe_clips(struct buf *b, const struct clip_choice *choice,
                           const struct soundbank *bank)
{
    for (size_t i = 0; i < choice->n; i++) {
        buf_addf(b, " %s", bank->clips[choice->clips[i]].sha256);
    }
}

static void describe_layer(struct buf *b, const struct layer *l, const struct soundbank *bank)
{
    switch (l->kind) {
    case LAYER_NOISE:
        describe_noise(b, &l->spec.noise);
        break;
    case LAYER_HUM:
        buf_addf(b, "hum %a %ld %a", l->spec.hum.hz, l->spec.hum.n_harmonics, l->spec.hum.slope_db);
        break;
    case LAYER_CRACKLE:
        buf_addf(b, "crackle %a %a %a %a", l->spec.crackle.per_s, l->spec.crackle.low_hz,
                 l->spec.crackle.high_hz, l->spec.crackle.decay_ms);
        break;
    case LAYER_CLIP:
        buf_adds(b, "clip");
        describe_clips(b, &l->clips, bank);
        break;
    }
    buf_addf(b, " %a\n", l->gain_db);
}

static void describe_event(struct buf *b, const struct event *e, const struct soundbank *bank)
{
    switch (e->kind) {
    case EVENT_CLICK:
        buf_addf(b, "click %a %a %a %ld %a", e->spec.click.low_hz, e->spec.click.high_hz,
                 e->spec.click.decay_ms, e->spec.click.count, e->spec.click.gap_ms);
        break;
    case EVENT_TONE:
        buf_addf(b, "tone %a %a %ld", e->spec.tone.hz, e->spec.tone.ms, e->spec.tone.n_harmonics);
        break;
    case EVENT_CLIP:
        buf_adds(b, "clips");
        describe_clips(b, &e->clips, bank);
        buf_addf(b, " %a", e->max_s);
        break;
    }
    buf_addf(b, " %a %a %a %a\n", e->every_s[0], e->every_s[1], e->gain_db[0], e->gain_db[1]);
}

void take_key(const struct scene *scene, const struct soundbank *bank, uint64_t seed, int version,
              char ret[SHA256_HEX_SIZE])
{
    struct buf b = {0};
    buf_addf(&b, "%d %s %" PRIu64 " %zu\n", version, scene->id, seed, TAKE_FRAMES);
    for (size_t i = 0; i < scene->n_layers; i++) {
        describe_layer(&b, &scene->layers[i], bank);
    }
    for (size_t i = 0; i < scene->n_events; i++) {
        describe_event(&b, &scene->events[i], bank);
    }
    sha256_hex(b.data, b.len, ret);
    buf_release(&b);
}

void take_cache_release(struct take_cache *cache)
{
    for (size_t i = 0; i < TAKES_HELD; i++) {
        audio_release(&cache->held[i].audio);
    }
    scene_cache_release(&cache->clips);
}

static char *take_path(const struct take_cache *cache, const char *key)
{
    return xasprintf("%s/take-%s.flac", cache->clips.stems_dir, key);
}

bool take_is_stored(const struct take_cache *cache, const struct scene *scene, uint64_t seed)
{
    char key[SHA256_HEX_SIZE];
    take_key(scene, cache->clips.bank, seed, cache->version, key);
    char *path = take_path(cache, key);
    bool is_there = fs_has_data(path);
    free(path);
    return is_there;
}

static int render(struct take_cache *cache, const struct scene *scene, uint64_t seed,
                  struct audio *ret, struct err *err)
{
    struct audio a = {0};
    if (scene_render(scene, &cache->clips, seed, TAKE_FRAMES + BED_FADE_FRAMES, &a, err) != 0) {
        return -1;
    }
    *ret = bed_seamless(&a);
    level_apply_gain(ret, PEAK_DB - level_peak_db(ret));
    audio_quantize(ret);
    audio_release(&a);
    return 0;
}

int take_store(struct take_cache *cache, const struct scene *scene, uint64_t seed, struct err *err)
{
    char key[SHA256_HEX_SIZE];
    struct audio a = {0};
    if (render(cache, scene, seed, &a, err) != 0) {
        return -1;
    }
    take_key(scene, cache->clips.bank, seed, cache->version, key);
    char *path = take_path(cache, key);
    int ok = audio_save_flac(path, &a, err);
    free(path);
    audio_release(&a);
    return ok;
}

/* The stored take; or a new one, kept where the folder can be written. */
static int load(struct take_cache *cache, const struct scene *scene, uint64_t seed, const char *key,
                struct audio *ret, struct err *err)
{
    char *path = take_path(cache, key);
    struct audio a = {0};
    int ok;
    if (fs_has_data(path)) {
        ok = audio_load(path, AUDIO_RATE, (double)TAKE_FRAMES / AUDIO_RATE, &a, err);
        if (ok == 0 && a.n_frames != TAKE_FRAMES) {
            ok = err_set(err, ERR_FORMAT, "%s: is no take", path);
        }
    } else {
        ok = render(cache, scene, seed, &a, err);
        if (ok == 0 && fs_is_writable_dir(cache->clips.stems_dir)) {
            ok = audio_save_flac(path, &a, err);
        }
    }
    if (ok == 0) {
        *ret = a;
        a = (struct audio){0};
    }
    audio_release(&a);
    free(path);
    return ok;
}

/* The held take of that key, or the place for it: the one that was not used for longest. */
static struct held_take *find(struct take_cache *cache, const char *key)
{
    struct held_take *oldest = &cache->held[0];
    for (size_t i = 0; i < TAKES_HELD; i++) {
        struct held_take *h = &cache->held[i];
        if (h->audio.pcm && strcmp(h->key, key) == 0) {
            return h;
        }
        if (h->last_used < oldest->last_used) {
            oldest = h;
        }
    }
    return oldest;
}

int take_cut(struct take_cache *cache, const struct scene *scene, uint64_t seed, size_t start,
             size_t n_frames, struct audio *ret, struct err *err)
{
    char key[SHA256_HEX_SIZE];
    take_key(scene, cache->clips.bank, seed, cache->version, key);
    struct held_take *h = find(cache, key);
    if (!h->audio.pcm || strcmp(h->key, key) != 0) {
        struct audio a;
        if (load(cache, scene, seed, key, &a, err) != 0) {
            return -1;
        }
        audio_release(&h->audio);
        h->audio = a;
        memcpy(h->key, key, sizeof key);
    }
    h->last_used = ++cache->n_used;
    struct audio a = audio_silence(n_frames, AUDIO_RATE);
    for (size_t i = 0, at = start % TAKE_FRAMES; i < n_frames; at = 0) {
        size_t n = TAKE_FRAMES - at < n_frames - i ? TAKE_FRAMES - at : n_frames - i;
        memcpy(a.pcm + i, h->audio.pcm + at, n * sizeof *a.pcm);
        i += n;
    }
    *ret = a;
    return 0;
}
