#include "bench/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "speech/tts.h"

#define MAX_METADATA (1u << 30)
#define MAX_SAMPLE_S 120.0

/* Anybody who finds this string in training data knows that the benchmark leaked into it. */
#define CANARY "aor-bench canary dc7d696c-0f56-4f2e-9ddd-e77d33925597"

char *dataset_sample_path(const char *dir, const struct sample *s)
{
    return xasprintf("%s/matched/%s.flac", dir, s->id);
}

int dataset_list_journals(const char *dir, char ***ret_paths, size_t *ret_n, struct err *err)
{
    char **paths;
    size_t n_all, n = 0;
    if (fs_list(dir, ".jsonl", &paths, &n_all, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n_all; i++) {
        if (strncmp(fs_basename(paths[i]), ".build", 6) == 0) {
            paths[n++] = paths[i];
        } else {
            free(paths[i]);
        }
    }
    *ret_paths = paths;
    *ret_n = n;
    return 0;
}

static double round_to(double v, double step)
{
    return (double)(long long)(v / step + (v < 0 ? -0.5 : 0.5)) * step;
}

/* Rounded so that the text is short and reads back as written. */
static json_t *number(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.3f", round_to(v, 0.001));
    return json_number(strtod(text, NULL));
}

char *dataset_line(const struct sample *s, const struct sample_facts *f)
{
    const struct item *t = s->item;
    char *file_name = xasprintf("matched/%s.flac", s->id);
    json_t *line = json_object();
    const struct {
        const char *key;
        const char *value; /* NULL: null */
    } texts[] = {
        {"file_name", file_name},
        {"id", s->id},
        {"kind", item_kind_names[t->kind]},
        {"item", t->id},
        {"scenario", t->kind == ITEM_CONTRAST ? t->twin : t->id},
        {"split", item_split_names[t->split]},
        {"category", t->category},
        {"text", t->text},
        {"alone", item_alone_names[t->alone]},
        {"cue", t->kind == ITEM_CONTRAST ? item_cue_names[t->cue] : NULL},
        {"gender", voice_gender_name(s->voice->gender)},
        {"emotion", s->emotion->id},
        {"rate", s->rate->id},
        {"voice", s->voice->id},
        {"engine", s->voice->engine},
        {"scene", scene_id(s->scene)},
        {"scene_words", scene_words(s->scene)},
        {"reason", t->reason},
        {"answer", t->answer},
        {"sha256", f->sha256},
        {"recipe", f->recipe},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_object_set_new(line, texts[i].key,
                            texts[i].value ? json_string(texts[i].value) : json_null());
    }
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"snr_db", s->snr_db},
        {"achieved_snr_db", f->achieved_snr_db},
        {"duration_s", f->duration_s},
        {"lufs", f->lufs},
        {"true_peak_db", f->true_peak_db},
        {"active_level_db", f->active_level_db},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        json_object_set_new(line, numbers[i].key, number(numbers[i].value));
    }
    json_object_set_new(line, "take", json_integer(s->take));
    json_object_set_new(line, "controversial", json_boolean(t->controversial));
    json_object_set_new(line, "item_version", json_integer(t->version));
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *with_newline = xasprintf("%s\n", text);
    free(text);
    json_decref(line);
    free(file_name);
    return with_newline;
}

static int read_fact(const json_t *line, size_t hint, const struct bench *b,
                     struct sample_facts *facts, dataset_other_fn other, void *user,
                     struct err *err)
{
    const char *id, *sha256, *recipe;
    struct sample_facts f = {.is_built = true};
    if (json_get_str(line, "id", &id, err) != 0 ||
        json_get_str(line, "sha256", &sha256, err) != 0 ||
        json_get_str(line, "recipe", &recipe, err) != 0 ||
        json_get_num(line, "duration_s", &f.duration_s, err) != 0 ||
        json_get_num(line, "lufs", &f.lufs, err) != 0 ||
        json_get_num(line, "true_peak_db", &f.true_peak_db, err) != 0 ||
        json_get_num(line, "active_level_db", &f.active_level_db, err) != 0 ||
        json_get_num(line, "achieved_snr_db", &f.achieved_snr_db, err) != 0) {
        return -1;
    }
    if (strlen(sha256) != SHA256_HEX_SIZE - 1 || strlen(recipe) != RECIPE_HEX_SIZE - 1) {
        return err_set(err, ERR_FORMAT, "\"sha256\" or \"recipe\" has a wrong length");
    }
    memcpy(f.sha256, sha256, sizeof f.sha256);
    memcpy(f.recipe, recipe, sizeof f.recipe);
    long i = bench_find(b, id, hint);
    if (i >= 0) {
        facts[i] = f;
    } else if (other) {
        other(id, user);
    }
    return 0;
}

int dataset_parse_facts(const char *text, size_t n, const char *name, const struct bench *b,
                        struct sample_facts *facts, dataset_other_fn other, void *user,
                        struct err *err)
{
    int ok = 0;
    size_t n_line = 0;
    const char *end;
    for (const char *p = text; ok == 0 && n > 0 && (end = memchr(p, '\n', n)); p = end + 1) {
        n -= (size_t)(end + 1 - p);
        n_line++;
        char where[300];
        snprintf(where, sizeof where, "%s:%zu", name, n_line);
        json_t *line = NULL;
        ok = json_parse(p, (size_t)(end - p), where, &line, err);
        if (ok == 0 && read_fact(line, n_line - 1, b, facts, other, user, err) != 0) {
            ok = err_wrap(err, "%s", where);
        }
        json_decref(line);
    }
    return ok;
}

int dataset_read_facts(const char *path, const struct bench *b, struct sample_facts *facts,
                       dataset_other_fn other, void *user, struct err *err)
{
    struct buf text = {0};
    if (fs_read(path, MAX_METADATA, &text, err) != 0) {
        return -1;
    }
    int ok = dataset_parse_facts(text.data, text.len, path, b, facts, other, user, err);
    buf_release(&text);
    return ok;
}

int dataset_open(const char *dir, struct dataset *ret, struct err *err)
{
    struct dataset d = {.dir = xstrdup(dir), .stems_dir = fs_join(dir, ".stems")};
    char *data_dir = fs_join(dir, ".spec");
    char *spec_path = fs_join(data_dir, "spec.yaml");
    char *metadata = fs_join(dir, "metadata.jsonl");
    char **journals = NULL;
    size_t n_journals = 0;
    int ok = -1;
    if (!fs_is_dir(dir)) {
        err_set(err, ERR_IO, "%s: no such folder", dir);
    } else if (dataset_list_journals(dir, &journals, &n_journals, err) != 0) {
        err_wrap(err, "%s", dir);
    } else if (!fs_exists(spec_path) && n_journals == 0) {
        err_set(err, ERR_FORMAT, "%s: is no benchmark (aor build makes one)", dir);
    } else if (!fs_exists(metadata) || n_journals > 0) {
        err_set(err, ERR_FORMAT, "%s: is not finished: run aor build again (without --shard)", dir);
    } else if (bench_load(spec_path, data_dir, NULL, &d.bench, err) == 0) {
        d.facts = xcalloc(d.bench.n_samples, sizeof *d.facts);
        ok = dataset_read_facts(metadata, &d.bench, d.facts, NULL, NULL, err);
        for (size_t i = 0; i < d.bench.n_samples && ok == 0; i++) {
            if (!d.facts[i].is_built) {
                ok = err_set(err, ERR_FORMAT, "%s: sample %s is not in metadata.jsonl", dir,
                             d.bench.samples[i].id);
            }
        }
    }
    fs_free_paths(journals, n_journals);
    free(metadata);
    free(spec_path);
    free(data_dir);
    if (ok != 0) {
        dataset_release(&d);
        return -1;
    }
    *ret = d;
    return 0;
}

void dataset_release(struct dataset *d)
{
    bench_release(&d->bench);
    free(d->facts);
    free(d->stems_dir);
    free(d->dir);
    *d = (struct dataset){0};
}

int dataset_audio(const struct dataset *d, struct renderer *r, size_t i, enum condition condition,
                  struct audio *ret, struct err *err)
{
    const struct sample *s = &d->bench.samples[i];
    if (condition != CONDITION_MATCHED) {
        char recipe[RECIPE_HEX_SIZE];
        render_recipe(&d->bench, s, recipe);
        if (strcmp(recipe, d->facts[i].recipe) != 0) {
            return err_set(err, ERR_FORMAT,
                           "sample %s: was built with other speech engines or another aor", s->id);
        }
        return render_sample(r, s, condition, ret, err);
    }
    char *path = dataset_sample_path(d->dir, s);
    struct audio a = {0};
    char hex[SHA256_HEX_SIZE];
    int ok = audio_load(path, AUDIO_RATE, MAX_SAMPLE_S, &a, err);
    if (ok == 0) {
        audio_sha256(&a, hex);
        if (strcmp(hex, d->facts[i].sha256) != 0) {
            ok = err_set(err, ERR_FORMAT, "%s: its samples are not those that metadata.jsonl names",
                         path);
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

static int write_metadata(const char *dir, const struct bench *b, const struct sample_facts *facts,
                          struct err *err)
{
    struct buf text = {0};
    for (size_t i = 0; i < b->n_samples; i++) {
        char *line = dataset_line(&b->samples[i], &facts[i]);
        buf_adds(&text, line);
        free(line);
    }
    char *path = fs_join(dir, "metadata.jsonl");
    int ok = fs_write(path, text.data, text.len, err);
    free(path);
    buf_release(&text);
    return ok;
}

static void count_kinds(const struct bench *b, size_t n_items[ITEM_N_KINDS],
                        size_t n_samples[ITEM_N_KINDS])
{
    for (size_t i = 0; i < b->n_samples; i++) {
        const struct item *t = b->samples[i].item;
        n_samples[t->kind]++;
        n_items[t->kind] += i == 0 || b->samples[i - 1].item != t;
    }
}

/* One hash for all audio: of the samples' hashes in order. */
static void pcm_sha256(const struct bench *b, const struct sample_facts *facts,
                       char ret[SHA256_HEX_SIZE])
{
    struct buf all = {0};
    for (size_t i = 0; i < b->n_samples; i++) {
        buf_addf(&all, "%s\n", facts[i].sha256);
    }
    sha256_hex(all.data, all.len, ret);
    buf_release(&all);
}

static int write_benchmark_yaml(const char *dir, const struct bench *b,
                                const struct sample_facts *facts, struct err *err)
{
    struct buf y = {0};
    char pcm[SHA256_HEX_SIZE];
    size_t n_items[ITEM_N_KINDS] = {0};
    size_t n_samples[ITEM_N_KINDS] = {0};
    count_kinds(b, n_items, n_samples);
    pcm_sha256(b, facts, pcm);
    buf_addf(&y, "# Written by aor build. The files it was built from are in .spec.\nname: %s\n",
             b->spec.name);
    buf_addf(&y, "seed: %llu\nsamples: %zu\n", (unsigned long long)b->spec.seed, b->n_samples);
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        buf_addf(&y, "%ss: {items: %zu, samples: %zu, pairs: %d}\n", item_kind_names[k], n_items[k],
                 n_samples[k], b->spec.n_pairs[k]);
    }
    buf_addf(&y, "snr_db: [%g, %g, %g]\nengines:\n", b->spec.snr_db[0], b->spec.snr_db[1],
             b->spec.snr_db[2]);
    for (const char *const *e = tts_engines(); *e; e++) {
        buf_addf(&y, "  %s: \"%s\"\n", *e, tts_engine_version(*e));
    }
    buf_addf(&y, "architecture: %s\ndata_sha256: %s\npcm_sha256: %s\ncanary: \"%s\"\n",
#if defined(__x86_64__)
             "x86_64",
#elif defined(__aarch64__)
             "aarch64",
#else
             "other",
#endif
             b->data_sha256, pcm, CANARY);
    char *path = fs_join(dir, "benchmark.yaml");
    int ok = fs_write(path, y.data, y.len, err);
    free(path);
    buf_release(&y);
    return ok;
}

/* The packages whose clips the planned scenes may use. */
static void add_sound_licences(struct buf *card, const struct bench *b)
{
    bool *used = xcalloc(b->bank.n_packages, sizeof *used);
    for (size_t i = 0; i < b->n_samples; i++) {
        if (i > 0 && b->samples[i].scene == b->samples[i - 1].scene) {
            continue;
        }
        size_t *clips;
        size_t n;
        scene_clips(b->samples[i].scene, &clips, &n);
        for (size_t j = 0; j < n; j++) {
            used[b->bank.clips[clips[j]].package] = true;
        }
        free(clips);
    }
    for (size_t i = 0; i < b->bank.n_packages; i++) {
        const struct sound_package *p = &b->bank.packages[i];
        if (used[i]) {
            buf_addf(card, "| Debian package %s | %s | %s |\n", p->name, p->licence, p->copyright);
        }
    }
    free(used);
}

static int write_card(const char *dir, const struct bench *b, struct err *err)
{
    struct buf c = {0};
    size_t n_items[ITEM_N_KINDS] = {0};
    size_t n_samples[ITEM_N_KINDS] = {0};
    count_kinds(b, n_items, n_samples);
    buf_addf(
        &c,
        "---\n"
        "pretty_name: %s\n"
        "language: [en]\n"
        "license: cc-by-sa-3.0\n"
        "task_categories: [audio-text-to-text]\n"
        "size_categories: [%s]\n"
        "configs:\n"
        "  - config_name: default\n"
        "    data_files:\n"
        "      - split: test\n"
        "        path: [\"metadata.jsonl\", \"matched/*.flac\"]\n"
        "---\n\n"
        "# %s\n\n"
        "Spoken requests that sound harmful and are benign in the sound scene around them, with\n"
        "harmful contrasts and plain requests, for measuring over-refusal of audio language "
        "models.\n\n",
        b->spec.name, b->n_samples < 1000 ? "n<1K" : "1K<n<10K", b->spec.name);
    buf_adds(&c, "**Not human-validated:** no person has yet listened to these samples and "
                 "confirmed that the\n"
                 "scenes make the requests harmless. Speech is synthetic; \"emotion\" is intended "
                 "prosody.\n\n"
                 "| kind | items | samples |\n|---|---|---|\n");
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        buf_addf(&c, "| %s | %zu | %zu |\n", item_kind_names[k], n_items[k], n_samples[k]);
    }
    buf_adds(&c, "\nEach line of `metadata.jsonl` describes one sample of `matched/`; "
                 "`benchmark.yaml` holds seed,\n"
                 "versions and hashes. SNR is the mean power of the speech over speech-active "
                 "samples against the\n"
                 "scene's over the same samples. `sha256` is of the decoded 16-bit PCM.\n\n"
                 "## Licences of the sounds\n\n"
                 "The mixes are adaptations of recorded clips under these licences (the texts and "
                 "the synthetic\n"
                 "speech are the project's own, Apache-2.0):\n\n"
                 "| source | licence | copyright |\n|---|---|---|\n");
    add_sound_licences(&c, b);
    buf_addf(&c, "\nCanary, so that leaks into training data can be found:\n\n    %s\n", CANARY);
    char *path = fs_join(dir, "README.md");
    int ok = fs_write(path, c.data, c.len, err);
    free(path);
    buf_release(&c);
    return ok;
}

int dataset_write(const char *dir, const struct bench *b, const struct sample_facts *facts,
                  struct err *err)
{
    if (write_benchmark_yaml(dir, b, facts, err) != 0 || write_card(dir, b, err) != 0) {
        return -1;
    }
    return write_metadata(dir, b, facts, err); /* last: it says that the benchmark is whole */
}
