#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/yaml.h"
#include "bench/design.h"

static const char *const data_files[] = {"scenes.yaml", "sounds.yaml", "voices.yaml"};
#define N_DATA_FILES (sizeof data_files / sizeof *data_files)
#define MAX_DATA_FILE (4u << 20)

static void spec_release(struct spec *s)
{
    free(s->name);
    yaml_free_strs(s->only, s->n_only);
    *s = (struct spec){0};
}

static int read_spec(struct yaml_node root, struct spec *s, struct err *err)
{
    static const char *const keys[] = {"name", "seed", "pairs", "snr_db", "items", NULL};
    struct yaml_node pairs, levels, items, level;
    long seed;
    if (yaml_check_keys(root, keys, err) != 0 || yaml_get_str(root, "name", &s->name, err) != 0 ||
        yaml_get_int(root, "seed", 0, 1L << 48, &seed, err) != 0 ||
        yaml_get(root, "pairs", &pairs, err) != 0 ||
        yaml_check_keys(pairs, item_kind_names, err) != 0 ||
        yaml_get_seq(root, "snr_db", &levels, err) != 0 ||
        yaml_get(root, "items", &items, err) != 0) {
        return -1;
    }
    if (!text_is_id(s->name, ITEM_MAX_ID)) {
        return yaml_fail(yaml_find(root, "name"), err,
                         "a name has lower-case letters, digits and hyphens, at most %d",
                         ITEM_MAX_ID);
    }
    s->seed = (uint64_t)seed;
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        long n;
        if (yaml_get_int(pairs, item_kind_names[k], 0, DESIGN_N_EMOTIONS, &n, err) != 0) {
            return -1;
        }
        s->n_pairs[k] = (int)n;
    }
    if (yaml_count(levels) != DESIGN_N_SNRS) {
        return yaml_fail(levels, err, "\"snr_db\" wants %d levels", DESIGN_N_SNRS);
    }
    void *it = NULL;
    for (int i = 0; yaml_next(levels, &it, &level); i++) {
        if (yaml_num(level, -20, 60, &s->snr_db[i], err) != 0) {
            return -1;
        }
    }
    if (yaml_is_seq(items)) {
        return yaml_get_strs(root, "items", &s->only, &s->n_only, err);
    }
    char *text = NULL;
    int ok = yaml_str(items, &text, err);
    if (ok == 0 && strcmp(text, "all") != 0) {
        ok = yaml_fail(items, err, "\"items\" is \"all\" or a list of ids");
    }
    free(text);
    return ok;
}

static int spec_load(const char *path, struct spec *ret, struct err *err)
{
    struct yaml_doc doc = {0};
    struct spec s = {0};
    if (yaml_load(path, &doc, err) != 0) {
        return -1;
    }
    int ok = read_spec(yaml_root(&doc), &s, err);
    if (ok == 0) {
        *ret = s;
    } else {
        spec_release(&s);
    }
    yaml_release(&doc);
    return ok;
}

static bool is_wanted(const struct spec *s, const char *id)
{
    for (size_t i = 0; i < s->n_only; i++) {
        if (strcmp(s->only[i], id) == 0) {
            return true;
        }
    }
    return s->only == NULL;
}

static uint64_t seed_of(const struct bench *b, const char *what, const char *item,
                        const char *emotion, const char *voice)
{
    char name[256];
    snprintf(name, sizeof name, "%s/%s/%s/%s", what, item, emotion, voice);
    struct rng r = rng_init(b->spec.seed, name);
    return rng_next(&r);
}

/* The k-th voice of a gender, in the file's order; NULL when there are fewer. */
static const struct voice *voice_of_gender(const struct voice_set *set, enum voice_gender gender,
                                           int k)
{
    for (size_t i = 0; i < set->n_voices; i++) {
        if (set->voices[i].gender == gender && k-- == 0) {
            return &set->voices[i];
        }
    }
    return NULL;
}

static void add_sample(struct bench *b, const struct item *item, const struct scene *scene,
                       const struct design_pair *pair, enum voice_gender gender)
{
    const struct voice *voice = voice_of_gender(&b->voices, gender, pair->voices[gender]);
    const struct emotion *emotion = &b->voices.emotions[pair->emotion];
    const struct rate *rate = &b->voices.rates[pair->rate];
    struct sample s = {
        .item = item,
        .scene = scene,
        .voice = voice,
        .emotion = emotion,
        .rate = rate,
        .snr_db = b->spec.snr_db[pair->snr],
        .scene_seed = seed_of(b, "scene", item->id, emotion->id, ""),
        .speech_seed = (uint32_t)seed_of(b, "speech", item->id, emotion->id, voice->id),
    };
    snprintf(s.id, sizeof s.id, "%s-%c-%s-%s", item->id, voice_gender_name(gender)[0], emotion->id,
             rate->id);
    b->samples = xrealloc(b->samples, (b->n_samples + 1) * sizeof *b->samples);
    b->samples[b->n_samples++] = s;
}

static int plan(struct bench *b, struct err *err)
{
    long n_of_kind[ITEM_N_KINDS] = {0};
    for (size_t i = 0; i < b->items.n_items; i++) {
        const struct item *item = &b->items.items[i];
        const struct scene *scene = scene_find(&b->scenes, item->scene);
        if (!scene || strcmp(scene_category(scene), item->category) != 0) {
            return err_set(err, ERR_FORMAT, "item %s: no scene \"%s\" in category %s", item->id,
                           item->scene, item->category);
        }
        for (size_t j = 0; j < item->n_redeemed_by; j++) {
            if (!scene_find(&b->scenes, item->redeemed_by[j])) {
                return err_set(err, ERR_FORMAT, "item %s: redeemed by \"%s\", which is no scene",
                               item->id, item->redeemed_by[j]);
            }
        }
        /* The design counts items whether they are wanted or not: a part of a benchmark has the
         * samples of the whole. */
        long number = n_of_kind[item->kind]++;
        if (!is_wanted(&b->spec, item->id)) {
            continue;
        }
        int n_pairs = b->spec.n_pairs[item->kind];
        for (int p = 0; p < n_pairs; p++) {
            struct design_pair pair = design_pair(number, n_pairs, p);
            add_sample(b, item, scene, &pair, VOICE_FEMALE);
            add_sample(b, item, scene, &pair, VOICE_MALE);
        }
    }
    for (size_t i = 0; i < b->spec.n_only; i++) {
        if (!item_find(&b->items, b->spec.only[i])) {
            return err_set(err, ERR_FORMAT, "the spec names item \"%s\", which is nowhere",
                           b->spec.only[i]);
        }
    }
    if (b->n_samples == 0) {
        return err_set(err, ERR_FORMAT, "the spec gives no samples");
    }
    return 0;
}

static int check_voices(const struct voice_set *v, const char *path, struct err *err)
{
    if (v->n_emotions != DESIGN_N_EMOTIONS || v->n_rates != DESIGN_N_RATES ||
        !voice_of_gender(v, VOICE_FEMALE, DESIGN_N_VOICES - 1) ||
        !voice_of_gender(v, VOICE_MALE, DESIGN_N_VOICES - 1) ||
        v->n_voices != (size_t)DESIGN_N_GENDERS * DESIGN_N_VOICES) {
        return err_set(err, ERR_FORMAT,
                       "%s: the design wants %d voices a gender, %d emotions, %d rates", path,
                       DESIGN_N_VOICES, DESIGN_N_EMOTIONS, DESIGN_N_RATES);
    }
    return 0;
}

/*
 * Every data file of a data folder: first the spec, then the fixed ones, then the scenarios.
 * *ret_names[i] is where bench_copy_data puts it.
 */
static int list_data(const char *spec_path, const char *data_dir, char ***ret_paths,
                     char ***ret_names, size_t *ret_n, struct err *err)
{
    char *dir = fs_join(data_dir, "scenarios");
    char **scenarios;
    size_t n_scenarios;
    int ok = fs_list(dir, ".yaml", &scenarios, &n_scenarios, err);
    free(dir);
    if (ok != 0) {
        return -1;
    }
    size_t n = 0;
    char **paths = xcalloc(1 + N_DATA_FILES + n_scenarios, sizeof *paths);
    char **names = xcalloc(1 + N_DATA_FILES + n_scenarios, sizeof *names);
    paths[n] = xstrdup(spec_path);
    names[n++] = xstrdup("spec.yaml");
    for (size_t i = 0; i < N_DATA_FILES; i++) {
        paths[n] = fs_join(data_dir, data_files[i]);
        names[n++] = xstrdup(data_files[i]);
    }
    for (size_t i = 0; i < n_scenarios; i++) {
        paths[n] = scenarios[i];
        names[n++] = xasprintf("scenarios/%s", fs_basename(scenarios[i]));
    }
    free(scenarios);
    *ret_paths = paths;
    *ret_names = names;
    *ret_n = n;
    return 0;
}

static int hash_data(const char *spec_path, const char *data_dir, struct bench *b, struct err *err)
{
    char **paths, **names;
    size_t n;
    if (list_data(spec_path, data_dir, &paths, &names, &n, err) != 0) {
        return -1;
    }
    struct buf all = {0};
    struct buf sound = {0};
    int ok = 0;
    for (size_t i = 0; i < n && ok == 0; i++) {
        char hex[SHA256_HEX_SIZE];
        ok = fs_sha256(paths[i], hex, err);
        if (ok == 0) {
            buf_addf(&all, "%s  %s\n", hex, names[i]);
        }
        if (ok == 0 &&
            (strcmp(names[i], "scenes.yaml") == 0 || strcmp(names[i], "sounds.yaml") == 0)) {
            buf_adds(&sound, hex);
        }
    }
    if (ok == 0) {
        sha256_hex(all.data, all.len, b->data_sha256);
        sha256_hex(sound.data, sound.len, b->sound_sha256);
    }
    buf_release(&sound);
    buf_release(&all);
    fs_free_paths(paths, n);
    fs_free_paths(names, n);
    return ok;
}

int bench_load(const char *spec_path, const char *data_dir, struct bench *ret, struct err *err)
{
    struct bench b = {0};
    char *scenarios = fs_join(data_dir, "scenarios");
    char *scenes = fs_join(data_dir, data_files[0]);
    char *sounds = fs_join(data_dir, data_files[1]);
    char *voices = fs_join(data_dir, data_files[2]);
    int ok = -1;
    if (spec_load(spec_path, &b.spec, err) == 0 && item_set_load(scenarios, &b.items, err) == 0 &&
        soundbank_load(sounds, &b.bank, err) == 0 &&
        scene_set_load(scenes, &b.bank, &b.scenes, err) == 0 &&
        voice_set_load(voices, &b.voices, err) == 0 && check_voices(&b.voices, voices, err) == 0 &&
        plan(&b, err) == 0 && hash_data(spec_path, data_dir, &b, err) == 0) {
        *ret = b;
        b = (struct bench){0};
        ok = 0;
    }
    bench_release(&b);
    free(voices);
    free(sounds);
    free(scenes);
    free(scenarios);
    return ok;
}

void bench_release(struct bench *b)
{
    spec_release(&b->spec);
    item_set_release(&b->items);
    scene_set_release(&b->scenes);
    soundbank_release(&b->bank);
    voice_set_release(&b->voices);
    free(b->samples);
    *b = (struct bench){0};
}

/* Remove the scenario files in dir/scenarios that are not among names. */
static int remove_others(const char *dir, char *const *names, size_t n, struct err *err)
{
    char *scenarios = fs_join(dir, "scenarios");
    char **old = NULL;
    size_t n_old = 0;
    int ok = -1;
    if (fs_mkdirs(scenarios, err) == 0 && fs_list(scenarios, ".yaml", &old, &n_old, err) == 0) {
        ok = 0;
    }
    for (size_t i = 0; i < n_old; i++) {
        size_t j = 0;
        while (j < n && strcmp(fs_basename(old[i]), fs_basename(names[j])) != 0) {
            j++;
        }
        if (j == n && unlink(old[i]) != 0) {
            ok = err_errno(err, "%s", old[i]);
        }
    }
    fs_free_paths(old, n_old);
    free(scenarios);
    return ok;
}

int bench_copy_data(const char *spec_path, const char *data_dir, const char *dir, struct err *err)
{
    char **paths, **names;
    size_t n;
    if (list_data(spec_path, data_dir, &paths, &names, &n, err) != 0) {
        return -1;
    }
    int ok = remove_others(dir, names, n, err);
    for (size_t i = 0; i < n && ok == 0; i++) {
        struct buf text = {0};
        char *target = fs_join(dir, names[i]);
        ok = fs_read(paths[i], MAX_DATA_FILE, &text, err);
        if (ok == 0) {
            ok = fs_write(target, text.data, text.len, err);
        }
        free(target);
        buf_release(&text);
    }
    fs_free_paths(paths, n);
    fs_free_paths(names, n);
    return ok;
}

long bench_find(const struct bench *b, const char *sample_id, size_t hint)
{
    for (size_t n = 0; n < b->n_samples; n++) {
        size_t i = (hint + n) % b->n_samples;
        if (strcmp(b->samples[i].id, sample_id) == 0) {
            return (long)i;
        }
    }
    return -1;
}
