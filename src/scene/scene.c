#include "scene/scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "scene/name_list.h"
#include "scene/recipe.h"

static void release_scene(struct scene *s)
{
    for (size_t i = 0; i < s->n_events; i++) {
        free(s->events[i].clips.clips);
    }
    for (size_t i = 0; i < s->n_layers; i++) {
        free(s->layers[i].clips.clips);
    }
    free(s->events);
    free(s->layers);
    free(s->id);
    free(s->category);
    free(s->words);
    yaml_free_strs(s->names, s->n_names);
}

void scene_set_release(struct scene_set *set)
{
    for (size_t i = 0; i < set->n_scenes; i++) {
        release_scene(&set->scenes[i]);
    }
    free(set->scenes);
    *set = (struct scene_set){0};
}

const struct scene *scene_find(const struct scene_set *set, const char *id)
{
    for (size_t i = 0; i < set->n_scenes; i++) {
        if (strcmp(set->scenes[i].id, id) == 0) {
            return &set->scenes[i];
        }
    }
    return NULL;
}

const struct scene *scene_at(const struct scene_set *set, size_t i)
{
    return &set->scenes[i];
}

size_t scene_index_of(const struct scene_set *set, const struct scene *scene)
{
    return (size_t)(scene - set->scenes);
}

const char *scene_id(const struct scene *scene)
{
    return scene->id;
}

const char *scene_category(const struct scene *scene)
{
    return scene->category;
}

const char *scene_words(const struct scene *scene)
{
    return scene->words;
}

const char *const *scene_names(const struct scene *scene, size_t *ret_n)
{
    *ret_n = scene->n_names;
    return (const char *const *)scene->names;
}

static void mark(const struct clip_choice *choice, bool *is_used)
{
    for (size_t i = 0; i < choice->n; i++) {
        is_used[choice->clips[i]] = true;
    }
}

void scene_mark_clips(const struct scene *scene, bool *is_used)
{
    for (size_t i = 0; i < scene->n_layers; i++) {
        mark(&scene->layers[i].clips, is_used);
    }
    for (size_t i = 0; i < scene->n_events; i++) {
        mark(&scene->events[i].clips, is_used);
    }
}

static int read_band(struct yaml_node at, double *ret_low, double *ret_high, struct err *err)
{
    if (yaml_get_num(at, "low_hz", 0, AUDIO_RATE / 2.0, ret_low, err) != 0 ||
        yaml_get_num(at, "high_hz", 1, AUDIO_RATE / 2.0, ret_high, err) != 0) {
        return -1;
    }
    return *ret_low < *ret_high ? 0 : yaml_fail(at, err, "low_hz is not below high_hz");
}

static int read_optional(struct yaml_node at, const char *key, double low, double high, double *ret,
                         struct err *err)
{
    return yaml_find(at, key).node ? yaml_get_num(at, key, low, high, ret, err) : 0;
}

static int read_noise(struct yaml_node at, struct noise_spec *n, struct err *err)
{
    static const char *const keys[] = {"colour",     "low_hz",     "high_hz",
                                       "tremolo_hz", "tremolo_db", NULL};
    static const char *const colours[] = {"white", "pink", "brown", NULL};
    int colour;
    if (yaml_check_keys(at, keys, err) != 0 ||
        yaml_get_enum(at, "colour", colours, &colour, err) != 0 ||
        read_band(at, &n->low_hz, &n->high_hz, err) != 0 ||
        read_optional(at, "tremolo_hz", 0, 50, &n->tremolo_hz, err) != 0 ||
        read_optional(at, "tremolo_db", 0, 40, &n->tremolo_db, err) != 0) {
        return -1;
    }
    n->colour = (enum noise_colour)colour;
    return 0;
}

static int read_hum(struct yaml_node at, struct hum_spec *h, struct err *err)
{
    static const char *const keys[] = {"hz", "harmonics", "slope_db", NULL};
    return yaml_check_keys(at, keys, err) == 0 &&
                   yaml_get_num(at, "hz", 10, 2000, &h->hz, err) == 0 &&
                   yaml_get_int(at, "harmonics", 1, 100, &h->n_harmonics, err) == 0 &&
                   yaml_get_num(at, "slope_db", -60, 0, &h->slope_db, err) == 0
               ? 0
               : -1;
}

static int read_crackle(struct yaml_node at, struct crackle_spec *c, struct err *err)
{
    static const char *const keys[] = {"per_s", "low_hz", "high_hz", "decay_ms", NULL};
    return yaml_check_keys(at, keys, err) == 0 &&
                   yaml_get_num(at, "per_s", 0.1, 1000, &c->per_s, err) == 0 &&
                   read_band(at, &c->low_hz, &c->high_hz, err) == 0 &&
                   yaml_get_num(at, "decay_ms", 0.1, 200, &c->decay_ms, err) == 0
               ? 0
               : -1;
}

static int read_click(struct yaml_node at, struct click_spec *c, struct err *err)
{
    static const char *const keys[] = {"low_hz", "high_hz", "decay_ms", "count", "gap_ms", NULL};
    return yaml_check_keys(at, keys, err) == 0 &&
                   read_band(at, &c->low_hz, &c->high_hz, err) == 0 &&
                   yaml_get_num(at, "decay_ms", 0.1, 1000, &c->decay_ms, err) == 0 &&
                   yaml_get_int(at, "count", 1, 50, &c->count, err) == 0 &&
                   yaml_get_num(at, "gap_ms", 0, 2000, &c->gap_ms, err) == 0
               ? 0
               : -1;
}

static int read_tone(struct yaml_node at, struct tone_spec *t, struct err *err)
{
    static const char *const keys[] = {"hz", "ms", "harmonics", NULL};
    return yaml_check_keys(at, keys, err) == 0 &&
                   yaml_get_num(at, "hz", 20, 7900, &t->hz, err) == 0 &&
                   yaml_get_num(at, "ms", 10, 10000, &t->ms, err) == 0 &&
                   yaml_get_int(at, "harmonics", 1, 50, &t->n_harmonics, err) == 0
               ? 0
               : -1;
}

/* A clip's id, or a label: all clips that have it. */
static int read_clip_name(struct yaml_node at, const struct soundbank *bank,
                          struct clip_choice *choice, struct err *err)
{
    char *name;
    if (yaml_str(at, &name, err) != 0) {
        return -1;
    }
    const struct sound_clip *named = soundbank_find(bank, name);
    size_t n_before = choice->n;
    for (size_t i = 0; i < bank->n_clips; i++) {
        const struct sound_clip *clip = &bank->clips[i];
        if (clip == named || (!named && sound_clip_has_label(clip, name))) {
            choice->clips = xrealloc(choice->clips, (choice->n + 1) * sizeof *choice->clips);
            choice->clips[choice->n++] = i;
        }
    }
    int ok = choice->n > n_before
                 ? 0
                 : yaml_fail(at, err, "no clip and no label \"%s\" in the sound bank", name);
    free(name);
    return ok;
}

static int read_clip_names(struct yaml_node at, const struct soundbank *bank,
                           struct clip_choice *choice, struct err *err)
{
    if (!yaml_is_seq(at)) {
        return read_clip_name(at, bank, choice, err);
    }
    if (yaml_count(at) == 0) {
        return yaml_fail(at, err, "a list without clips");
    }
    struct yaml_node item;
    for (void *it = NULL; yaml_next(at, &it, &item);) {
        if (read_clip_name(item, bank, choice, err) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Which one of the kinds' keys stands in this mapping: its index, or -1. */
static int read_kind(struct yaml_node at, const char *const *kinds, struct yaml_node *ret,
                     struct err *err)
{
    int kind = -1, n = 0;
    for (int i = 0; kinds[i]; i++) {
        if (yaml_find(at, kinds[i]).node) {
            kind = i;
            n++;
        }
    }
    if (n != 1) {
        return yaml_fail(at, err, "%s sound here", n == 0 ? "no" : "more than one");
    }
    *ret = yaml_find(at, kinds[kind]);
    return kind;
}

static int read_layer(struct yaml_node at, const struct soundbank *bank, struct layer *l,
                      struct err *err)
{
    static const char *const keys[] = {"noise", "hum", "crackle", "clip", "gain_db", NULL};
    static const char *const kinds[] = {"noise", "hum", "crackle", "clip", NULL};
    struct yaml_node sound;
    if (yaml_check_keys(at, keys, err) != 0 ||
        yaml_get_num(at, "gain_db", -60, 20, &l->gain_db, err) != 0) {
        return -1;
    }
    int kind = read_kind(at, kinds, &sound, err);
    l->kind = (enum layer_kind)kind;
    switch (kind) {
    case LAYER_NOISE:
        return read_noise(sound, &l->spec.noise, err);
    case LAYER_HUM:
        return read_hum(sound, &l->spec.hum, err);
    case LAYER_CRACKLE:
        return read_crackle(sound, &l->spec.crackle, err);
    case LAYER_CLIP:
        return read_clip_names(sound, bank, &l->clips, err);
    default:
        return -1;
    }
}

/* [low, high] with low <= high. */
static int read_range(struct yaml_node at, const char *key, double low, double high, double ret[2],
                      struct err *err)
{
    struct yaml_node list, item;
    if (yaml_get_seq(at, key, &list, err) != 0) {
        return -1;
    }
    if (yaml_count(list) != 2) {
        return yaml_fail(list, err, "\"%s\" wants two numbers", key);
    }
    void *it = NULL;
    for (int i = 0; yaml_next(list, &it, &item); i++) {
        if (yaml_num(item, low, high, &ret[i], err) != 0) {
            return -1;
        }
    }
    return ret[0] <= ret[1] ? 0 : yaml_fail(list, err, "\"%s\" falls", key);
}

static int read_event(struct yaml_node at, const struct soundbank *bank, struct event *e,
                      struct err *err)
{
    static const char *const keys[] = {"clip",    "click", "tone", "every_s",
                                       "gain_db", "max_s", NULL};
    static const char *const kinds[] = {"clip", "click", "tone", NULL};
    struct yaml_node sound;
    if (yaml_check_keys(at, keys, err) != 0 ||
        read_range(at, "every_s", 0.02, 600, e->every_s, err) != 0 ||
        read_range(at, "gain_db", -60, 20, e->gain_db, err) != 0 ||
        read_optional(at, "max_s", 0.02, 120, &e->max_s, err) != 0) {
        return -1;
    }
    int kind = read_kind(at, kinds, &sound, err);
    e->kind = (enum event_kind)kind;
    if (kind > EVENT_CLIP && e->max_s > 0) {
        return yaml_fail(at, err, "\"max_s\" is for clips");
    }
    switch (kind) {
    case EVENT_CLIP:
        return read_clip_names(sound, bank, &e->clips, err);
    case EVENT_CLICK:
        return read_click(sound, &e->spec.click, err);
    case EVENT_TONE:
        return read_tone(sound, &e->spec.tone, err);
    default:
        return -1;
    }
}

static int read_bed(struct yaml_node at, const struct soundbank *bank, struct scene *s,
                    struct err *err)
{
    struct yaml_node list, item;
    bool is_lasting = false;
    if (yaml_get_seq(at, "bed", &list, err) != 0) {
        return -1;
    }
    s->layers = xcalloc(yaml_count(list), sizeof *s->layers);
    for (void *it = NULL; yaml_next(list, &it, &item);) {
        struct layer *l = &s->layers[s->n_layers++];
        if (read_layer(item, bank, l, err) != 0) {
            return -1;
        }
        is_lasting = is_lasting || l->kind != LAYER_CRACKLE;
    }
    return is_lasting ? 0 : yaml_fail(at, err, "the bed has no layer that is never silent");
}

static int read_events(struct yaml_node at, const struct soundbank *bank, struct scene *s,
                       struct err *err)
{
    struct yaml_node list, item;
    if (yaml_get_seq(at, "events", &list, err) != 0) {
        return -1;
    }
    s->events = xcalloc(yaml_count(list), sizeof *s->events);
    for (void *it = NULL; yaml_next(list, &it, &item);) {
        if (read_event(item, bank, &s->events[s->n_events++], err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int read_scene(struct yaml_node at, const struct soundbank *bank, struct scene *s,
                      struct err *err)
{
    static const char *const keys[] = {"id", "category", "words", "names", "bed", "events", NULL};
    return yaml_check_keys(at, keys, err) == 0 && yaml_get_str(at, "id", &s->id, err) == 0 &&
                   yaml_get_str(at, "category", &s->category, err) == 0 &&
                   yaml_get_str(at, "words", &s->words, err) == 0 &&
                   name_list_read(at, &s->names, &s->n_names, err) == 0 &&
                   read_bed(at, bank, s, err) == 0 && read_events(at, bank, s, err) == 0
               ? 0
               : -1;
}

static int read_set(struct yaml_node root, const struct soundbank *bank, struct scene_set *ret,
                    struct err *err)
{
    static const char *const keys[] = {"scenes", NULL};
    struct yaml_node list, item;
    struct scene_set set = {0};
    int ok = -1;
    if (yaml_check_keys(root, keys, err) != 0 || yaml_get_seq(root, "scenes", &list, err) != 0) {
        return -1;
    }
    set.scenes = xcalloc(yaml_count(list), sizeof *set.scenes);
    for (void *it = NULL; yaml_next(list, &it, &item);) {
        struct scene s = {0};
        int good = read_scene(item, bank, &s, err);
        if (good == 0 && scene_find(&set, s.id)) {
            good = yaml_fail(item, err, "scene \"%s\" is there twice", s.id);
        }
        set.scenes[set.n_scenes++] = s;
        if (good != 0) {
            goto out;
        }
    }
    *ret = set;
    set = (struct scene_set){0};
    ok = 0;
out:
    scene_set_release(&set);
    return ok;
}

int scene_set_parse(const char *text, size_t n, const char *name, const struct soundbank *bank,
                    struct scene_set *ret, struct err *err)
{
    struct yaml_doc doc = {0};
    int ok = -1;
    if (yaml_parse(text, n, name, &doc, err) == 0) {
        ok = read_set(yaml_root(&doc), bank, ret, err);
    }
    yaml_release(&doc);
    return ok;
}

int scene_set_load(const char *path, const struct soundbank *bank, struct scene_set *ret,
                   struct err *err)
{
    struct yaml_doc doc = {0};
    int ok = -1;
    if (yaml_load(path, &doc, err) == 0) {
        ok = read_set(yaml_root(&doc), bank, ret, err);
    }
    yaml_release(&doc);
    return ok;
}
