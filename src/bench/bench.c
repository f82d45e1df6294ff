#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/yaml.h"
#include "bench/design.h"
#include "bench/mismatch.h"

static const char *const data_files[] = {"scenes.yaml", "sounds.yaml", "voices.yaml"};
#define N_DATA_FILES (sizeof data_files / sizeof *data_files)

/* A stream of its own for everything that is drawn. */
static struct rng stream(const struct bench *b, const char *what, const char *of, const char *part)
{
    char *name = xasprintf("%s/%s/%s", what, of, part);
    struct rng r = rng_init(b->spec.seed, name);
    free(name);
    return r;
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

static void add_sample(struct bench *b, const struct sample *pair_of, const struct design_pair *d,
                       enum voice_gender gender)
{
    struct sample s = *pair_of;
    s.voice = voice_of_gender(&b->voices, gender, d->voices[gender]);
    char *part = xasprintf("%s/%s", s.emotion->id, s.voice->id);
    struct rng r = stream(b, "speech", s.item->id, part);
    s.speech_seed = (uint32_t)rng_next(&r);
    free(part);
    snprintf(s.id, sizeof s.id, "%s-%c-%s-%s", s.item->id, voice_gender_name(gender)[0],
             s.emotion->id, s.rate->id);
    b->samples = xrealloc(b->samples, (b->n_samples + 1) * sizeof *b->samples);
    b->samples[b->n_samples++] = s;
}

/* Of a scene's take, 1..spec.n_takes. */
static uint64_t take_seed(const struct bench *b, const struct scene *scene, int take)
{
    char number[16];
    snprintf(number, sizeof number, "%d", take);
    struct rng r = stream(b, "take", scene_id(scene), number);
    return rng_next(&r);
}

/* The two samples of a pair: all the same but the voice. other: the scene of mismatched, or NULL.
 */
static void add_pair(struct bench *b, const struct item *item, const struct scene *scene,
                     const struct scene *other, const struct design_pair *d, int take)
{
    struct sample s = {
        .item = item,
        .scene = scene,
        .emotion = &b->voices.emotions[d->emotion],
        .rate = &b->voices.rates[d->rate],
        .snr_db = b->spec.snr_db[d->snr],
        .take = take,
        .take_seed = take_seed(b, scene, take),
        .other_scene = other,
        .other_take_seed = other ? take_seed(b, other, take) : 0,
    };
    struct rng r = stream(b, "start", item->id, s.emotion->id);
    s.take_start = rng_below(&r, TAKE_FRAMES);
    add_sample(b, &s, d, VOICE_FEMALE);
    add_sample(b, &s, d, VOICE_MALE);
}

static int check_item(const struct bench *b, const struct item *item, const struct scene *scene,
                      struct err *err)
{
    if (!scene) {
        return err_set(err, ERR_FORMAT, "item %s: there is no scene \"%s\"", item->id, item->scene);
    }
    if (strcmp(scene_category(scene), item->category) != 0) {
        return err_set(err, ERR_FORMAT, "item %s: scene %s is of category %s, not %s", item->id,
                       item->scene, scene_category(scene), item->category);
    }
    for (size_t j = 0; j < item->n_redeemed_by; j++) {
        if (!scene_find(&b->scenes, item->redeemed_by[j])) {
            return err_set(err, ERR_FORMAT, "item %s: redeemed by \"%s\", which is no scene",
                           item->id, item->redeemed_by[j]);
        }
    }
    return 0;
}

/*
 * The design counts items whether they are wanted or not: a part of a benchmark has the samples of
 * the whole. n_in_scene: zeroed, one for each kind and scene.
 */
static int plan_items(struct bench *b, long *n_in_scene, struct mismatch *m, struct err *err)
{
    long n_of_kind[ITEM_N_KINDS] = {0};
    for (size_t i = 0; i < b->items.n_items; i++) {
        const struct item *item = &b->items.items[i];
        const struct scene *scene = scene_find(&b->scenes, item->scene);
        if (check_item(b, item, scene, err) != 0) {
            return -1;
        }
        size_t scene_index = scene_index_of(&b->scenes, scene);
        long number = n_of_kind[item->kind]++;
        long in_scene = n_in_scene[(size_t)item->kind * b->scenes.n_scenes + scene_index]++;
        int n_pairs = b->spec.n_pairs[item->kind];
        const struct scene *others[DESIGN_N_EMOTIONS];
        mismatch_choose(m, item, scene, n_pairs, others);
        for (int p = 0; p < n_pairs && spec_wants(&b->spec, item->id); p++) {
            struct design_pair pair = design_pair(number, n_pairs, p);
            int take = design_take(in_scene, n_pairs, p, b->spec.n_takes) + 1;
            add_pair(b, item, scene, others[p], &pair, take);
        }
    }
    return 0;
}

static int plan(struct bench *b, struct err *err)
{
    long *n_in_scene = xcalloc(b->scenes.n_scenes * ITEM_N_KINDS, sizeof *n_in_scene);
    struct mismatch m = mismatch_init(&b->scenes, b->spec.seed);
    int ok = plan_items(b, n_in_scene, &m, err);
    mismatch_release(&m);
    free(n_in_scene);
    if (ok != 0) {
        return -1;
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

/* Files of a data folder, and their names inside it. */
struct data_list {
    char **paths; /* [n], owned, as is each */
    char **names;
    size_t n;
};

static void release_list(struct data_list *list)
{
    fs_free_paths(list->paths, list->n);
    fs_free_paths(list->names, list->n);
}

static void add_to_list(struct data_list *list, const char *data_dir, char *name)
{
    list->paths = xrealloc(list->paths, (list->n + 1) * sizeof *list->paths);
    list->names = xrealloc(list->names, (list->n + 1) * sizeof *list->names);
    list->paths[list->n] = fs_join(data_dir, name);
    list->names[list->n++] = name;
}

static int add_dir_to_list(struct data_list *list, const char *data_dir, const char *sub,
                           struct err *err)
{
    char *dir = fs_join(data_dir, sub);
    char **paths;
    size_t n;
    int ok = yaml_list_files(dir, &paths, &n, err);
    free(dir);
    if (ok != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        add_to_list(list, data_dir, xasprintf("%s/%s", sub, fs_basename(paths[i])));
    }
    fs_free_paths(paths, n);
    return 0;
}

/* Every file of a data folder but the spec: the fixed ones, the scenarios, more sounds. */
static int list_data(const char *data_dir, struct data_list *ret, struct err *err)
{
    struct data_list list = {0};
    for (size_t i = 0; i < N_DATA_FILES; i++) {
        add_to_list(&list, data_dir, xstrdup(data_files[i]));
    }
    char *sounds = fs_join(data_dir, "sounds");
    int ok = add_dir_to_list(&list, data_dir, "scenarios", err);
    if (ok == 0 && fs_is_dir(sounds)) {
        ok = add_dir_to_list(&list, data_dir, "sounds", err);
    }
    free(sounds);
    if (ok != 0) {
        release_list(&list);
        return -1;
    }
    *ret = list;
    return 0;
}

/* As sha256sum prints it over the files of a copied data folder, the spec first. */
static int hash_data(const char *data_dir, const struct bench *b, char ret[SHA256_HEX_SIZE],
                     struct err *err)
{
    struct data_list list;
    char hex[SHA256_HEX_SIZE];
    if (list_data(data_dir, &list, err) != 0) {
        return -1;
    }
    struct buf all = {0};
    char *spec = spec_text(&b->spec);
    sha256_hex(spec, strlen(spec), hex);
    buf_addf(&all, "%s  spec.yaml\n", hex);
    free(spec);
    int ok = 0;
    for (size_t i = 0; i < list.n && ok == 0; i++) {
        ok = fs_sha256(list.paths[i], hex, err);
        if (ok == 0) {
            buf_addf(&all, "%s  %s\n", hex, list.names[i]);
        }
    }
    if (ok == 0) {
        sha256_hex(all.data, all.len, ret);
    }
    buf_release(&all);
    release_list(&list);
    return ok;
}

static int check_only(const struct bench *b, const char *spec_path, struct err *err)
{
    for (size_t i = 0; i < b->spec.n_only; i++) {
        if (!item_find(&b->items, b->spec.only[i])) {
            return err_set(err, ERR_FORMAT, "%s: names item \"%s\", which is nowhere", spec_path,
                           b->spec.only[i]);
        }
    }
    return 0;
}

static bool is_named(const struct item *t, const char *name)
{
    const char *const names[] = {t->id, t->category, t->scene, item_kind_names[t->kind],
                                 item_split_names[t->split]};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && strcmp(names[i], name) != 0) {
        i++;
    }
    return i < sizeof names / sizeof *names;
}

/* An item and where it stands in the order of choice, 0..1. */
struct place {
    double key;
    size_t item;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    return x->key != y->key ? (x->key < y->key ? -1 : 1) : (x->item < y->item ? -1 : 1);
}

/*
 * Order the n places of one kind: the design's blocks of three items, in which every emotion has
 * each rate once, by the fractional parts of their numbers times the golden ratio, so that any
 * beginning of the order lies evenly over the plan.
 */
static void order_kind(struct place *places, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t block = i / 3;
        double x = (double)block * 0.6180339887498949;
        places[i].key = x - floor(x);
    }
    qsort(places, n, sizeof *places, compare_places);
    for (size_t i = 0; i < n; i++) {
        places[i].key = ((double)i + 0.5) / (double)n;
    }
}

/*
 * Choose of meant[n] as many items as keep to limit samples, at least one: of each kind its share,
 * in an order in which a greater limit chooses what a smaller one does, and more.
 */
static void choose_within(const struct bench *b, const size_t *meant, size_t n, size_t limit,
                          bool *ret_chosen)
{
    const struct item *items = b->items.items;
    struct place *places = xcalloc(n, sizeof *places);
    size_t n_placed = 0;
    for (int kind = 0; kind < ITEM_N_KINDS; kind++) {
        size_t first = n_placed;
        for (size_t i = 0; i < n; i++) {
            if (items[meant[i]].kind == (enum item_kind)kind) {
                places[n_placed++].item = meant[i];
            }
        }
        order_kind(places + first, n_placed - first);
    }
    qsort(places, n, sizeof *places, compare_places);
    size_t n_samples = 0;
    for (size_t k = 0; k < n; k++) {
        n_samples += 2 * (size_t)b->spec.n_pairs[items[places[k].item].kind];
        if (k > 0 && n_samples > limit) {
            break;
        }
        ret_chosen[places[k].item] = true;
    }
    free(places);
}

int bench_choose(const struct bench *b, const struct bench_selection *select, bool *ret_chosen,
                 struct err *err)
{
    const struct item_set *items = &b->items;
    size_t *meant = xcalloc(items->n_items, sizeof *meant);
    bool *has_meaning = xcalloc(select->n_only, sizeof *has_meaning);
    size_t n = 0;
    int ok = 0;
    for (size_t i = 0; i < items->n_items; i++) {
        const struct item *t = &items->items[i];
        bool is_wanted = select->n_only == 0;
        for (size_t j = 0; j < select->n_only; j++) {
            if (is_named(t, select->only[j])) {
                is_wanted = has_meaning[j] = true;
            }
        }
        if (is_wanted && spec_wants(&b->spec, t->id)) {
            meant[n++] = i;
        }
    }
    for (size_t j = 0; j < select->n_only && ok == 0; j++) {
        if (!has_meaning[j]) {
            ok = err_set(err, ERR_USAGE, "\"%s\" is no item, scene, category, kind or split",
                         select->only[j]);
        }
    }
    if (ok == 0) {
        memset(ret_chosen, 0, items->n_items * sizeof *ret_chosen);
        size_t limit = select->limit > 0 ? (size_t)select->limit : SIZE_MAX;
        choose_within(b, meant, n, limit, ret_chosen);
    }
    free(has_meaning);
    free(meant);
    return ok;
}

/* Narrow the spec to what is selected. */
static int select_items(struct bench *b, const struct bench_selection *select, struct err *err)
{
    size_t n_items = b->items.n_items;
    bool *is_chosen = xcalloc(n_items, sizeof *is_chosen);
    int ok = bench_choose(b, select, is_chosen, err);
    if (ok == 0) {
        char **only = xcalloc(n_items, sizeof *only);
        size_t n = 0;
        for (size_t i = 0; i < n_items; i++) {
            if (is_chosen[i]) {
                only[n++] = xstrdup(b->items.items[i].id);
            }
        }
        spec_set_only(&b->spec, only, n);
    }
    free(is_chosen);
    return ok;
}

static bool is_selective(const struct bench_selection *select)
{
    return select && (select->n_only > 0 || select->limit > 0);
}

int bench_load(const char *spec_path, const char *data_dir, const struct bench_selection *select,
               struct bench *ret, struct err *err)
{
    struct bench b = {0};
    char *scenarios = fs_join(data_dir, "scenarios");
    char *scenes = fs_join(data_dir, data_files[0]);
    char *sounds = fs_join(data_dir, data_files[1]);
    char *more_sounds = fs_join(data_dir, "sounds");
    char *voices = fs_join(data_dir, data_files[2]);
    int ok = -1;
    if (spec_load(spec_path, &b.spec, err) == 0 && item_set_load(scenarios, &b.items, err) == 0 &&
        soundbank_load(sounds, more_sounds, &b.bank, err) == 0 &&
        scene_set_load(scenes, &b.bank, &b.scenes, err) == 0 &&
        voice_set_load(voices, &b.voices, err) == 0 && check_voices(&b.voices, voices, err) == 0 &&
        check_only(&b, spec_path, err) == 0 &&
        (!is_selective(select) || select_items(&b, select, err) == 0) && plan(&b, err) == 0 &&
        hash_data(data_dir, &b, b.data_sha256, err) == 0) {
        *ret = b;
        b = (struct bench){0};
        ok = 0;
    }
    bench_release(&b);
    free(voices);
    free(more_sounds);
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

/* Remove the files in dir/sub that are not in the list. */
static int remove_others(const char *dir, const char *sub, const struct data_list *list,
                         struct err *err)
{
    struct data_list old = {0};
    char *path = fs_join(dir, sub);
    int ok = fs_is_dir(path) ? add_dir_to_list(&old, dir, sub, err) : 0;
    for (size_t i = 0; i < old.n; i++) {
        size_t j = 0;
        while (j < list->n && strcmp(old.names[i], list->names[j]) != 0) {
            j++;
        }
        if (j == list->n && unlink(old.paths[i]) != 0) {
            ok = err_errno(err, "%s", old.paths[i]);
        }
    }
    release_list(&old);
    free(path);
    return ok;
}

int bench_copy_data(const struct bench *b, const char *data_dir, const char *dir, struct err *err)
{
    struct data_list list;
    if (list_data(data_dir, &list, err) != 0) {
        return -1;
    }
    int ok = remove_others(dir, "scenarios", &list, err) == 0 &&
                     remove_others(dir, "sounds", &list, err) == 0
                 ? 0
                 : -1;
    for (size_t i = 0; i < list.n && ok == 0; i++) {
        struct buf text = {0};
        char *target = fs_join(dir, list.names[i]);
        ok = fs_read(list.paths[i], YAML_MAX_FILE, &text, err);
        if (ok == 0) {
            ok = fs_mkdirs_for(target, err) == 0
                     ? fs_write_unsynced(target, text.data, text.len, err)
                     : -1;
        }
        free(target);
        buf_release(&text);
    }
    if (ok == 0) {
        char *path = fs_join(dir, "spec.yaml");
        char *text = spec_text(&b->spec);
        ok = fs_write_unsynced(path, text, strlen(text), err);
        free(text);
        free(path);
    }
    char hex[SHA256_HEX_SIZE];
    if (ok == 0) {
        ok = hash_data(dir, b, hex, err);
    }
    if (ok == 0 && strcmp(hex, b->data_sha256) != 0) {
        ok =
            err_set(err, ERR_IO, "%s: was changed meanwhile: run the same command again", data_dir);
    }
    release_list(&list);
    return ok;
}

struct plan_counts bench_count(const struct bench *b)
{
    struct plan_counts n = {0};
    for (size_t i = 0; i < b->n_samples; i++) {
        const struct item *t = b->samples[i].item;
        n.samples[t->kind]++;
        n.items[t->kind] += i == 0 || b->samples[i - 1].item != t;
    }
    return n;
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
