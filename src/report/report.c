#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#include "base/fs.h"
#include "report/explorer.h"
#include "report/tables.h"
#include "report/words.h"

struct making {
    const struct report_params *params;
    report_piece_fn fn;
    void *user;
    json_t *names; /* of the pieces */
};

static int compress_json(const json_t *data, struct buf *ret, struct err *err)
{
    char *text = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9));
    uLong n = (uLong)strlen(text);
    uLongf n_packed = compressBound(n);
    unsigned char *packed = xmalloc(n_packed);
    int code = compress2(packed, &n_packed, (const unsigned char *)text, n, 6);
    if (code == Z_OK) {
        char *base64 = base64_encode(packed, n_packed);
        buf_adds(ret, base64);
        free(base64);
    }
    free(packed);
    free(text);
    return code == Z_OK ? 0 : err_set(err, ERR_FORMAT, "zlib: error %d", code);
}

/* Names are ours: "findings", "samples", "trials-0-1", "verdicts-0". */
static int hand_over(const char *name, const json_t *data, void *user, struct err *err)
{
    struct making *m = user;
    struct buf script = {0};
    buf_addf(&script, "aorPiece(\"%s\",\"", name);
    int ok = compress_json(data, &script, err);
    if (ok == 0) {
        buf_adds(&script, "\");\n");
        json_array_append_new(m->names, json_string(name));
        ok = m->fn(name, &script, m->user, err);
    }
    buf_release(&script);
    return ok;
}

static int take_info(const char *key, const char *value, void *user, struct err *err)
{
    (void)err;
    json_object_set_new(user, key, json_text(value));
    return 0;
}

static int take_strategy(const struct store_strategy *s, void *user, struct err *err)
{
    (void)err;
    return json_array_append_new(user,
                                 json_pack("{s:o, s:o, s:o, s:o}", "name", json_text(s->name),
                                           "probe", json_text(s->probe), "sha256",
                                           json_text(s->sha256), "prompt", json_text(s->prompt)));
}

/* One run of the document; its trials go to the explorer (may be NULL). */
static int describe_run(const struct report_params *p, size_t i, const struct findings *f,
                        struct explorer *explorer, struct judges *judges, json_t **ret,
                        struct err *err)
{
    struct store *store = NULL;
    json_t *run = NULL;
    json_t *info = json_object();
    json_t *strategies = json_array();
    int ok = -1;
    if (store_open(f->path, STORE_READ, &store, err) != 0 ||
        store_each_info(store, take_info, info, err) != 0 ||
        store_each_strategy(store, take_strategy, strategies, err) != 0 ||
        judges_compare(store, judges, err) != 0 || tables_run_json(f, &run, err) != 0 ||
        (explorer && explorer_add_run(explorer, store, i, f->judge, p->findings.rules, err) != 0)) {
        goto out;
    }
    json_object_set(run, "description", json_object_get(run, "model"));
    json_object_del(run, "model");
    json_object_set_new(run, "run", json_text(f->path));
    json_object_set_new(run, "name", json_text(f->name ? f->name : f->path));
    json_object_set_new(run, "family",
                        json_text(f->family ? f->family
                                  : f->name ? f->name
                                            : f->path));
    json_object_set_new(run, "probe_judge", json_text(f->probe_judge));
    json_object_set(run, "info", info);
    json_object_set(run, "strategies", strategies);
    json_object_set_new(run, "agreement",
                        judges->n_pairs > 0 ? tables_judges_json(judges) : json_null());
    *ret = run;
    run = NULL;
    ok = 0;
out:
    json_decref(run);
    json_decref(info);
    json_decref(strategies);
    store_close(store, NULL);
    return ok;
}

static json_t *sounds_json(unsigned sounds)
{
    json_t *list = json_array();
    for (int c = 0; condition_names[c]; c++) {
        if ((sounds & (1u << c)) != 0) {
            json_array_append_new(list, json_string(condition_names[c]));
        }
    }
    return list;
}

static json_t *now_json(void)
{
    char text[32];
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t);
    return json_string(text);
}

static json_t *document_of(const struct report_params *p, const struct findings_set *set,
                           json_t *runs, const struct judges *judges)
{
    const struct findings *first = &set->runs[0];
    json_t *doc = json_pack(
        "{s:s, s:o, s:o, s:b, s:b, s:{s:o, s:o}, s:o, s:o, s:o, s:O}", "aor", p->version, "made_at",
        now_json(), "command", json_text(p->command), "is_live", p->stamp != NULL, "has_listening",
        p->has_listening, "benchmark", "name", first->bench ? json_text(first->bench) : json_null(),
        "data_sha256", first->bench_sha256 ? json_text(first->bench_sha256) : json_null(),
        "summary", words_summary(set), "warnings", words_warnings(set, judges), "sounds",
        sounds_json(p->sounds), "runs", runs);
    json_object_set_new(doc, "comparisons", tables_models_json(set));
    if (p->stamp) {
        json_object_set_new(doc, "version", json_string(p->stamp));
    }
    return doc;
}

static int check_benchmark(const struct report_params *p, const struct findings_set *set,
                           struct err *err)
{
    const struct findings *f = &set->runs[0];
    if (p->dataset && f->bench_sha256 &&
        strcmp(f->bench_sha256, p->dataset->bench.data_sha256) != 0) {
        return err_set(err, ERR_USAGE, "%s: is not the benchmark that %s is a run of",
                       p->dataset->dir, f->path);
    }
    return 0;
}

int report_make(const struct report_params *p, report_piece_fn fn, void *user, struct report *ret,
                struct err *err)
{
    struct report r = {0};
    struct making m = {p, fn, user, json_array()};
    struct explorer *explorer = fn ? explorer_new(p->dataset, hand_over, &m) : NULL;
    struct judges *judges = xcalloc(p->findings.n_paths + 1, sizeof *judges);
    json_t *runs = json_array();
    int ok = -1;
    if (findings_load(&p->findings, &r.set, err) != 0 || check_benchmark(p, &r.set, err) != 0) {
        goto out;
    }
    for (size_t i = 0; i < r.set.n_runs; i++) {
        json_t *run;
        if (describe_run(p, i, &r.set.runs[i], explorer, &judges[i], &run, err) != 0) {
            goto out;
        }
        json_array_append_new(runs, run);
    }
    if (explorer && explorer_end(explorer, err) != 0) {
        goto out;
    }
    r.document = document_of(p, &r.set, runs, judges);
    if (explorer) {
        size_t i;
        json_t *run;
        json_array_foreach(runs, i, run)
        {
            json_object_set_new(run, "voices", json_deep_copy(explorer_voices(explorer)));
        }
        json_object_set(r.document, "pieces", m.names);
        json_t *names = m.names;
        m.names = json_array(); /* "findings" is none of its own list */
        r.samples = explorer_samples(explorer);
        ok = hand_over("findings", r.document, &m, err);
        json_decref(names);
    } else {
        ok = 0;
    }
    if (ok == 0) {
        *ret = r;
        r = (struct report){0};
    }
out:
    for (size_t i = 0; i < p->findings.n_paths; i++) {
        judges_release(&judges[i]);
    }
    free(judges);
    if (explorer) {
        explorer_free(explorer);
    }
    json_decref(runs);
    json_decref(m.names);
    report_release(&r);
    return ok;
}

void report_release(struct report *r)
{
    findings_release(&r->set);
    json_decref(r->document);
    json_decref(r->samples);
    r->document = NULL;
    r->samples = NULL;
}

int report_state(const struct findings_params *p, json_t **ret_runs, char **ret_stamp,
                 struct err *err)
{
    json_t *runs = json_array();
    struct buf stamp = {0};
    int ok = 0;
    for (size_t i = 0; ok == 0 && i < p->n_paths; i++) {
        struct store *store = NULL;
        struct store_state_counts c;
        ok = store_open(p->paths[i], STORE_READ, &store, err) == 0 &&
                     store_count_state(store, &c, err) == 0
                 ? 0
                 : -1;
        if (ok == 0) {
            buf_addf(&stamp, "%s%s", i > 0 ? "/" : "", c.stamp);
            json_array_append_new(runs, json_pack("{s:o, s:I, s:I}", "run", json_text(p->paths[i]),
                                                  "trials", (json_int_t)c.n_trials, "answered",
                                                  (json_int_t)c.n_responses));
        }
        store_close(store, NULL);
    }
    struct stat labels;
    if (ok == 0 && p->labels && stat(p->labels, &labels) == 0) { /* it only grows */
        buf_addf(&stamp, "/%lld", (long long)labels.st_size);
    }
    if (ok == 0) {
        char hex[SHA256_HEX_SIZE];
        sha256_hex(stamp.data, stamp.len, hex);
        hex[16] = '\0';
        *ret_runs = runs;
        *ret_stamp = xstrdup(hex);
        runs = NULL;
    }
    json_decref(runs);
    buf_release(&stamp);
    return ok;
}
