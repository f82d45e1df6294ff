#include "bench/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "bench/card.h"
#include "speech/tts.h"

#define MAX_METADATA (1u << 30)
#define MAX_BENCHMARK_YAML (1u << 20)
#define MAX_SAMPLE_S 120.0

char *dataset_sample_path(const char *dir, const struct sample *s)
{
    return xasprintf("%s/matched/%s.flac", dir, s->id);
}

int dataset_list_journals(const char *dir, char ***ret_paths, size_t *ret_n, struct err *err)
{
    return fs_list(dir, ".build", ".jsonl", ret_paths, ret_n, err);
}

static double round_to(double v, double step)
{
    return (double)(long long)(v / step + (v < 0 ? -0.5 : 0.5)) * step;
}

/* Null for what is not measured. Rounded so that the text is short and reads back as written. */
static json_t *number(double v)
{
    if (!isfinite(v)) {
        return json_null();
    }
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

int dataset_check_recipe(const struct dataset *d, size_t i, struct err *err)
{
    char recipe[RECIPE_HEX_SIZE];
    render_recipe(&d->bench, &d->bench.samples[i], recipe);
    return strcmp(recipe, d->facts[i].recipe) == 0
               ? 0
               : err_set(err, ERR_FORMAT,
                         "sample %s: was built with other speech engines or another aor",
                         d->bench.samples[i].id);
}

int dataset_audio(const struct dataset *d, struct renderer *r, size_t i, enum condition condition,
                  struct audio *ret, struct err *err)
{
    const struct sample *s = &d->bench.samples[i];
    if (condition != CONDITION_MATCHED) {
        return !condition_has_audio(condition) || dataset_check_recipe(d, i, err) == 0
                   ? render_sample(r, s, condition, ret, err)
                   : -1;
    }
    char *path = dataset_sample_path(d->dir, s);
    struct audio a = {0};
    char hex[SHA256_HEX_SIZE];
    int ok = audio_load(path, AUDIO_RATE, MAX_SAMPLE_S, &a, err);
    if (ok == 0) {
        audio_sha256(&a, hex);
        if (strcmp(hex, d->facts[i].sha256) != 0) {
            ok = err_set(err, ERR_FORMAT,
                         "%s: its samples are not those that metadata.jsonl names; remove "
                         "it and run aor build again",
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
    struct fs_out out;
    char *path = fs_join(dir, "metadata.jsonl");
    int ok = fs_out_open(path, &out, err);
    if (ok == 0) {
        for (size_t i = 0; i < b->n_samples; i++) {
            char *line = dataset_line(&b->samples[i], &facts[i]);
            fputs(line, out.file);
            free(line);
        }
        ok = fs_out_close(&out, true, err);
    }
    free(path);
    return ok;
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
    struct plan_counts n = bench_count(b);
    pcm_sha256(b, facts, pcm);
    buf_addf(&y, "# Written by aor build. The files it was built from are in .spec.\nname: %s\n",
             b->spec.name);
    buf_addf(&y, "seed: %llu\nsamples: %zu\n", (unsigned long long)b->spec.seed, b->n_samples);
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        buf_addf(&y, "%ss: {items: %zu, samples: %zu, pairs: %d}\n", item_kind_names[k], n.items[k],
                 n.samples[k], b->spec.n_pairs[k]);
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
             b->data_sha256, pcm, CARD_CANARY);
    char *path = fs_join(dir, "benchmark.yaml");
    int ok = fs_write(path, y.data, y.len, err);
    free(path);
    buf_release(&y);
    return ok;
}

/* Whether the line of metadata that starts at text is the sample's. */
static bool is_line_of(const struct dataset *d, size_t i, const char *text)
{
    char *line = dataset_line(&d->bench.samples[i], &d->facts[i]);
    bool is = strncmp(text, line, strlen(line)) == 0;
    free(line);
    return is;
}

static int check_metadata(const struct dataset *d, dataset_problem_fn problem, void *user,
                          struct err *err)
{
    struct buf text = {0};
    char *path = fs_join(d->dir, "metadata.jsonl");
    int ok = fs_read(path, MAX_METADATA, &text, err);
    free(path);
    const char *line = text.data;
    for (size_t i = 0; i < d->bench.n_samples && ok == 0; i++) {
        const char *end = line ? strchr(line, '\n') : NULL;
        if (!end || !is_line_of(d, i, line)) {
            problem((long)i, "metadata.jsonl says something else in its place", user);
        }
        line = end ? end + 1 : NULL;
    }
    buf_release(&text);
    return ok;
}

static int check_benchmark_yaml(const struct dataset *d, dataset_problem_fn problem, void *user,
                                struct err *err)
{
    struct buf text = {0};
    char pcm[SHA256_HEX_SIZE];
    char *path = fs_join(d->dir, "benchmark.yaml");
    int ok = fs_read(path, MAX_BENCHMARK_YAML, &text, err);
    pcm_sha256(&d->bench, d->facts, pcm);
    char *data_line = xasprintf("\ndata_sha256: %s\n", d->bench.data_sha256);
    char *pcm_line = xasprintf("\npcm_sha256: %s\n", pcm);
    if (ok == 0 && !strstr(text.data, data_line)) {
        problem(-1, "benchmark.yaml names another hash of the data in .spec", user);
    }
    if (ok == 0 && !strstr(text.data, pcm_line)) {
        problem(-1, "benchmark.yaml names another hash of all sound", user);
    }
    free(pcm_line);
    free(data_line);
    free(path);
    buf_release(&text);
    return ok;
}

int dataset_check_texts(const struct dataset *d, dataset_problem_fn problem, void *user,
                        struct err *err)
{
    return check_metadata(d, problem, user, err) == 0 ? check_benchmark_yaml(d, problem, user, err)
                                                      : -1;
}

int dataset_write(const char *dir, const struct bench *b, const struct sample_facts *facts,
                  struct err *err)
{
    static const struct card_config config = {"default", "full",
                                              "\"metadata.jsonl\", \"matched/*.flac\""};
    if (write_benchmark_yaml(dir, b, facts, err) != 0 || card_write(dir, b, &config, 1, err) != 0) {
        return -1;
    }
    return write_metadata(dir, b, facts, err); /* last: it says that the benchmark is whole */
}
