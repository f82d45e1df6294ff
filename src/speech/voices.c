#include "speech/voices.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "audio/effects.h"
#include "audio/level.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/yaml.h"

#define MAX_URL 200 /* bytes; it stands in errors */
#define TRIM_DB 40.0
#define FADE_MS 5.0

static const char *const gender_names[] = {"female", "male", NULL};

const char *voice_gender_name(enum voice_gender gender)
{
    return gender_names[gender];
}

const struct voice *voice_find(const struct voice_set *set, const char *id)
{
    for (size_t i = 0; i < set->n_voices; i++) {
        if (strcmp(set->voices[i].id, id) == 0) {
            return &set->voices[i];
        }
    }
    return NULL;
}

const struct emotion *emotion_find(const struct voice_set *set, const char *id)
{
    for (size_t i = 0; i < set->n_emotions; i++) {
        if (strcmp(set->emotions[i].id, id) == 0) {
            return &set->emotions[i];
        }
    }
    return NULL;
}

const struct rate *rate_find(const struct voice_set *set, const char *id)
{
    for (size_t i = 0; i < set->n_rates; i++) {
        if (strcmp(set->rates[i].id, id) == 0) {
            return &set->rates[i];
        }
    }
    return NULL;
}

void voice_set_release(struct voice_set *set)
{
    if (set->server) {
        free(set->server->url);
        free(set->server->model);
        free(set->server);
    }
    for (size_t i = 0; i < set->n_voices; i++) {
        free(set->voices[i].id);
        free(set->voices[i].engine);
        free(set->voices[i].voice);
    }
    for (size_t i = 0; i < set->n_emotions; i++) {
        free(set->emotions[i].id);
        free(set->emotions[i].instructions);
    }
    for (size_t i = 0; i < set->n_rates; i++) {
        free(set->rates[i].id);
    }
    free(set->voices);
    free(set->emotions);
    free(set->rates);
    *set = (struct voice_set){0};
}

static int bad_id(struct yaml_node at, struct err *err)
{
    return yaml_fail(at, err, "an id here has lower-case letters, digits and hyphens, at most %d",
                     VOICE_MAX_ID);
}

/*
 * Where requests go. A user or a query in the URL would be a secret in a file that is copied into
 * every benchmark.
 */
static bool is_base_url(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t n = strlen(url);
    for (size_t i = 0; i < n; i++) {
        if (!isgraph((unsigned char)url[i]) || strchr("@?#\\", url[i])) {
            return false;
        }
    }
    return scheme > 0 && n > scheme && url[scheme] != '/' && n <= MAX_URL;
}

static int read_server(struct yaml_node root, struct voice_set *set, struct err *err)
{
    static const char *const keys[] = {"url", "model", NULL};
    struct yaml_node at = yaml_find(root, "speech_server");
    if (!at.node) {
        return 0;
    }
    struct speech_server *s = set->server = xcalloc(1, sizeof *s);
    if (yaml_check_keys(at, keys, err) != 0 || yaml_get_str(at, "url", &s->url, err) != 0 ||
        yaml_get_str(at, "model", &s->model, err) != 0) {
        return -1;
    }
    if (!is_base_url(s->url)) {
        return yaml_fail(yaml_find(at, "url"), err,
                         "an http:// or https:// URL of at most %d bytes, without user and query, "
                         "is wanted here",
                         MAX_URL);
    }
    for (size_t n = strlen(s->url); s->url[n - 1] == '/'; n--) {
        s->url[n - 1] = '\0';
    }
    return 0;
}

/* Each reader fills the next entry, and counts it even if it is bad, so that it is released. */
static int read_voice(struct yaml_node at, struct voice_set *set, struct err *err)
{
    static const char *const keys[] = {"id", "gender", "engine", "voice", "pitch", NULL};
    struct voice *v = &set->voices[set->n_voices];
    int engine = 0, gender = 0;
    int ok = yaml_check_keys(at, keys, err) == 0 && yaml_get_str(at, "id", &v->id, err) == 0 &&
                     yaml_get_enum(at, "gender", gender_names, &gender, err) == 0 &&
                     yaml_get_enum(at, "engine", tts_engines(), &engine, err) == 0 &&
                     yaml_get_str(at, "voice", &v->voice, err) == 0
                 ? 0
                 : -1;
    v->gender = (enum voice_gender)gender;
    v->engine = xstrdup(tts_engines()[engine]);
    bool is_http = strcmp(v->engine, "http") == 0;
    if (ok == 0 && (!is_http || yaml_find(at, "pitch").node)) {
        ok = yaml_get_num(at, "pitch", is_http ? 0 : -6, is_http ? 0 : 6, &v->pitch, err);
    }
    if (ok == 0 && is_http) {
        v->server = set->server;
        ok = v->server ? 0 : yaml_fail(at, err, "a voice of http wants a speech_server above");
    }
    if (ok == 0 && !text_is_id(v->id, VOICE_MAX_ID)) {
        ok = bad_id(at, err);
    }
    if (ok == 0 && voice_find(set, v->id)) {
        ok = yaml_fail(at, err, "voice \"%s\" is there twice", v->id);
    }
    set->n_voices++;
    return ok;
}

static int read_emotion(struct yaml_node at, struct voice_set *set, struct err *err)
{
    static const char *const keys[] = {"id",        "pitch",        "range",
                                       "tilt_db",   "tremor_hz",    "tremor_cents",
                                       "tremor_db", "instructions", NULL};
    struct emotion *e = &set->emotions[set->n_emotions];
    int ok = yaml_check_keys(at, keys, err) == 0 && yaml_get_str(at, "id", &e->id, err) == 0 &&
                     yaml_get_num(at, "pitch", -6, 6, &e->pitch, err) == 0 &&
                     yaml_get_num(at, "range", 0, 3, &e->range, err) == 0 &&
                     yaml_get_num(at, "tilt_db", -20, 20, &e->tilt_db, err) == 0 &&
                     yaml_get_num(at, "tremor_hz", 0, 20, &e->tremor_hz, err) == 0 &&
                     yaml_get_num(at, "tremor_cents", 0, 200, &e->tremor_cents, err) == 0 &&
                     yaml_get_num(at, "tremor_db", 0, 12, &e->tremor_db, err) == 0 &&
                     (!yaml_find(at, "instructions").node ||
                      yaml_get_str(at, "instructions", &e->instructions, err) == 0)
                 ? 0
                 : -1;
    if (ok == 0 && !text_is_id(e->id, VOICE_MAX_ID)) {
        ok = bad_id(at, err);
    }
    if (ok == 0 && emotion_find(set, e->id)) {
        ok = yaml_fail(at, err, "emotion \"%s\" is there twice", e->id);
    }
    set->n_emotions++;
    return ok;
}

static int read_rate(struct yaml_node at, struct voice_set *set, struct err *err)
{
    static const char *const keys[] = {"id", "speed", NULL};
    struct rate *r = &set->rates[set->n_rates];
    int ok = yaml_check_keys(at, keys, err) == 0 && yaml_get_str(at, "id", &r->id, err) == 0 &&
                     yaml_get_num(at, "speed", 0.5, 2, &r->speed, err) == 0
                 ? 0
                 : -1;
    if (ok == 0 && !text_is_id(r->id, VOICE_MAX_ID)) {
        ok = bad_id(at, err);
    }
    if (ok == 0 && rate_find(set, r->id)) {
        ok = yaml_fail(at, err, "rate \"%s\" is there twice", r->id);
    }
    set->n_rates++;
    return ok;
}

static int get_list(struct yaml_node root, const char *key, struct yaml_node *ret, struct err *err)
{
    if (yaml_get_seq(root, key, ret, err) != 0) {
        return -1;
    }
    return yaml_count(*ret) > 0 ? 0 : yaml_fail(root, err, "\"%s\" is empty", key);
}

static int read_all(struct yaml_node list,
                    int (*read)(struct yaml_node at, struct voice_set *set, struct err *err),
                    struct voice_set *set, struct err *err)
{
    struct yaml_node item;
    for (void *it = NULL; yaml_next(list, &it, &item);) {
        if (read(item, set, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int voice_set_load(const char *path, struct voice_set *ret, struct err *err)
{
    static const char *const keys[] = {"speech_server", "voices", "emotions", "rates", NULL};
    struct yaml_doc doc = {0};
    struct voice_set set = {0};
    struct yaml_node voices, emotions, rates;
    int ok = -1;
    if (yaml_load(path, &doc, err) != 0) {
        return -1;
    }
    struct yaml_node root = yaml_root(&doc);
    if (yaml_check_keys(root, keys, err) != 0 || read_server(root, &set, err) != 0 ||
        get_list(root, "voices", &voices, err) != 0 ||
        get_list(root, "emotions", &emotions, err) != 0 ||
        get_list(root, "rates", &rates, err) != 0) {
        goto out;
    }
    set.voices = xcalloc(yaml_count(voices), sizeof *set.voices);
    set.emotions = xcalloc(yaml_count(emotions), sizeof *set.emotions);
    set.rates = xcalloc(yaml_count(rates), sizeof *set.rates);
    if (read_all(voices, read_voice, &set, err) != 0 ||
        read_all(emotions, read_emotion, &set, err) != 0 ||
        read_all(rates, read_rate, &set, err) != 0) {
        goto out;
    }
    *ret = set;
    set = (struct voice_set){0};
    ok = 0;
out:
    voice_set_release(&set);
    yaml_release(&doc);
    return ok;
}

int voice_render(const struct voice *voice, const struct emotion *emotion, const struct rate *rate,
                 const char *text, uint32_t seed, struct audio *ret, struct err *err)
{
    struct audio a = {0};
    struct tts_request request = {
        .engine = voice->engine,
        .voice = voice->voice,
        .text = text,
        .speed = rate->speed,
        .pitch = voice->server ? 0 : voice->pitch + emotion->pitch,
        .range = voice->server ? 1 : emotion->range,
        .seed = seed,
        .server = voice->server,
        .instructions = emotion->instructions,
    };
    int ok = -1;
    if (tts_render(&request, &a, err) != 0 || audio_resample(&a, AUDIO_RATE, err) != 0) {
        goto out;
    }
    effect_trim(&a, TRIM_DB);
    if (!voice->server) {
        effect_tilt(&a, emotion->tilt_db);
        effect_tremor(&a, emotion->tremor_hz, emotion->tremor_cents, emotion->tremor_db);
    }
    effect_fade(&a, FADE_MS);
    double level = level_active_db(&a, NULL);
    if (!isfinite(level)) {
        err_set(err, ERR_MODEL, "%s, voice %s: spoke silence", voice->engine, voice->voice);
        goto out;
    }
    level_apply_gain(&a, VOICE_LEVEL_DB - level);
    *ret = a;
    a = (struct audio){0};
    ok = 0;
out:
    audio_release(&a);
    return ok;
}
