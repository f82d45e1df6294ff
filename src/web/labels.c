#include "web/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "judge/verdict.h"
#include "report/escape.h"
#include "report/listeners.h"
#include "stats/draw.h"
#include "store/store.h"
#include "web/request.h"

#define MAX_HEARD 2000 /* bytes of what a listener wrote down */
#define REFRESH_S 5    /* between two looks for answers that came since */

static const char *const columns[] = {"labeller", "sample",  "alarm",     "heard",
                                      "place",    "harmful", "condition", "strategy",
                                      "repeat",   "label",   "at",        NULL};

struct drawn {
    uint64_t rank;
    size_t sample; /* of the benchmark */
    char *answer;  /* in matched, direct; NULL: none */
};

struct labels {
    struct labels_params params;
    struct fs_lock lock;
    struct drawn *items; /* [n_items], in order */
    size_t n_items;
    double read_s; /* when answers were read */
    json_t *rows;  /* by "labeller/sample": the last row */
};

static int by_rank(const void *a, const void *b)
{
    const struct drawn *x = a;
    const struct drawn *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static bool is_shown(const struct store_row *row)
{
    return strcmp(row->condition, condition_names[CONDITION_MATCHED]) == 0 &&
           strcmp(row->strategy, "direct") == 0 && row->repeat == 1;
}

/* Every sample that the run asks directly in its scene, with its answer. */
static int take_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    struct labels *l = user;
    if (!is_shown(row)) {
        return 0;
    }
    size_t hint = l->n_items > 0 ? l->items[l->n_items - 1].sample + 1 : 0;
    long sample = bench_find(&l->params.dataset->bench, row->sample.id, hint);
    if (sample < 0) {
        return 0;
    }
    if ((l->n_items & (l->n_items - 1)) == 0) {
        l->items = xrealloc(l->items, (l->n_items == 0 ? 1 : 2 * l->n_items) * sizeof *l->items);
    }
    bool is_answered = row->state == STORE_ANSWERED;
    l->items[l->n_items++] = (struct drawn){draw_rank(row->sample.id, row->repeat), (size_t)sample,
                                            is_answered ? xstrdup(row->answer) : NULL};
    return 0;
}

static const char *id_of(const struct labels *l, size_t item)
{
    return l->params.dataset->bench.samples[l->items[item].sample].id;
}

static int draw(struct labels *l, struct err *err)
{
    struct store *store = NULL;
    char *bench = NULL;
    int ok = store_open(l->params.run, STORE_READ, &store, err) == 0
                 ? store_get_info(store, "benchmark.data.sha256", &bench, err)
                 : -1;
    if (ok == 0 && bench && strcmp(bench, l->params.dataset->bench.data_sha256) != 0) {
        ok = err_set(err, ERR_USAGE, "%s: is not the benchmark that %s is a run of",
                     l->params.dataset->dir, l->params.run);
    }
    free(bench);
    if (ok == 0) {
        ok = store_each(store, NULL, take_row, l, err);
    }
    store_close(store, NULL);
    if (ok != 0) {
        return -1;
    }
    l->read_s = clock_s();
    qsort(l->items, l->n_items, sizeof *l->items, by_rank);
    while (l->n_items > l->params.n_samples) {
        free(l->items[--l->n_items].answer);
    }
    return l->n_items > 0
               ? 0
               : err_set(err, ERR_USAGE, "%s: asks nothing directly in matched: nothing to label",
                         l->params.run);
}

static int take_answer(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    struct labels *l = user;
    if (row->state != STORE_ANSWERED || !is_shown(row)) {
        return 0;
    }
    for (size_t i = 0; i < l->n_items; i++) {
        if (!l->items[i].answer && strcmp(row->sample.id, id_of(l, i)) == 0) {
            l->items[i].answer = xstrdup(row->answer);
        }
    }
    return 0;
}

/* Answers that came since: the run may go on. */
static void refresh(struct labels *l)
{
    struct store *store = NULL;
    struct err err = {0};
    size_t i = 0;
    while (i < l->n_items && l->items[i].answer) {
        i++;
    }
    if (!l->params.asks_answer || i == l->n_items || clock_s() - l->read_s < REFRESH_S) {
        return;
    }
    if (store_open(l->params.run, STORE_READ, &store, &err) != 0 ||
        store_each(store, NULL, take_answer, l, &err) != 0) {
        log_info("%s", err.msg); /* those that are there are asked about */
    }
    store_close(store, NULL);
    l->read_s = clock_s();
}

/* As labellers are named in the file; the caller's. */
static char *full_name(const struct labels *l, const char *labeller)
{
    return xasprintf("%s%s", l->params.is_synthetic ? LISTENERS_SYNTHETIC : "", labeller);
}

static json_t *row_of(const struct labels *l, const char *labeller, size_t item)
{
    char *name = full_name(l, labeller);
    char *key = xasprintf("%s/%s", name, id_of(l, item));
    json_t *row = json_object_get(l->rows, key);
    free(key);
    free(name);
    return row;
}

/* Nothing is left to ask: where an answer is to be judged, it was. */
static bool is_done(const struct labels *l, const char *labeller, size_t item)
{
    const json_t *row = row_of(l, labeller, item);
    return row &&
           (!l->params.asks_answer || !l->items[item].answer || json_object_get(row, "label"));
}

/* Keep the row as the last one of its labeller and sample. Takes the reference. */
static void keep(struct labels *l, json_t *row)
{
    char *key = xasprintf("%s/%s", json_string_value(json_object_get(row, "labeller")),
                          json_string_value(json_object_get(row, "sample")));
    json_object_set_new(l->rows, key, row);
    free(key);
}

static int read_line(struct labels *l, const char *line, size_t n, size_t number, struct err *err)
{
    char where[600];
    json_t *row;
    const char *text;
    snprintf(where, sizeof where, "%.500s:%zu", l->params.path, number);
    if (json_parse(line, n, where, &row, err) != 0) {
        return -1;
    }
    if (json_get_str(row, "labeller", &text, err) != 0 ||
        json_get_str(row, "sample", &text, err) != 0) {
        json_decref(row);
        return err_wrap(err, "%s", where);
    }
    keep(l, row);
    return 0;
}

/* All of it or nothing. */
static int append(const char *path, const char *line, struct err *err)
{
    size_t n = strlen(line);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        return err_errno(err, "%s", path);
    }
    off_t before = lseek(fd, 0, SEEK_END);
    int ok = before >= 0 && fs_write_all(fd, line, n) == 0 && fsync(fd) == 0
                 ? 0
                 : err_errno(err, "%s", path);
    if (ok != 0 && before >= 0 && ftruncate(fd, before) != 0) {
        log_info("%s: a line may be cut off", path);
    }
    close(fd);
    return ok;
}

/*
 * What stands behind the last line end: a whole label, which gets its line end; or a write that was
 * cut off and never acknowledged, which goes.
 */
static int mend(struct labels *l, const struct buf *text, size_t at, size_t number, struct err *err)
{
    const char *path = l->params.path;
    struct err cut = {0};
    if (at == text->len) {
        return 0;
    }
    if (read_line(l, text->data + at, text->len - at, number, &cut) == 0) {
        return append(path, "\n", err);
    }
    if (text->data[at] != '{') {
        return err_set(err, ERR_FORMAT, "%s: is no file of labels", path);
    }
    log_info("%s: its last line was cut off, and is removed", path);
    return truncate(path, (off_t)at) == 0 ? 0 : err_errno(err, "%s", path);
}

static int read_rows(struct labels *l, struct err *err)
{
    struct buf text = {0};
    size_t number = 0;
    size_t at = 0;
    if (!fs_exists(l->params.path)) {
        return 0;
    }
    int ok = fs_read(l->params.path, LISTENERS_MAX_FILE, &text, err);
    for (const char *end; ok == 0 && (end = memchr(text.data + at, '\n', text.len - at));) {
        size_t n = (size_t)(end - text.data) - at;
        number++;
        if (n > 0) {
            ok = read_line(l, text.data + at, n, number, err);
        }
        at += n + 1;
    }
    if (ok == 0) {
        ok = mend(l, &text, at, number + 1, err);
    }
    buf_release(&text);
    return ok;
}

int labels_open(const struct labels_params *p, struct labels **ret, struct err *err)
{
    struct labels *l = xcalloc(1, sizeof *l);
    char *lock = xasprintf("%s.lock", p->path);
    char *busy = xasprintf("%s: another process takes labels into it", p->path);
    *l = (struct labels){.params = *p, .rows = json_object()};
    int ok = fs_mkdirs_for(p->path, err) == 0 && fs_lock(lock, false, busy, &l->lock, err) == 0 &&
                     draw(l, err) == 0 && read_rows(l, err) == 0
                 ? 0
                 : -1;
    free(busy);
    free(lock);
    if (ok == 0) {
        *ret = l;
    } else {
        labels_free(l);
    }
    return ok;
}

void labels_free(struct labels *l)
{
    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->n_items; i++) {
        free(l->items[i].answer);
    }
    free(l->items);
    json_decref(l->rows);
    fs_unlock(&l->lock);
    free(l);
}

size_t labels_done(const struct labels *l, const char *labeller)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_items; i++) {
        n += is_done(l, labeller, i);
    }
    return n;
}

long labels_sample(const struct labels *l, size_t item)
{
    return item < l->n_items ? (long)l->items[item].sample : -1;
}

/* The places that a listener chooses from. */
static json_t *places_json(const struct labels *l)
{
    const struct scene_set *set = &l->params.dataset->bench.scenes;
    json_t *list = json_array();
    for (size_t i = 0; i < set->n_scenes; i++) {
        const struct scene *s = scene_at(set, i);
        json_array_append_new(
            list, json_pack("{s:s, s:o}", "id", scene_id(s), "words", json_text(scene_words(s))));
    }
    return list;
}

/* The members of a stored row that the page set. */
static json_t *label_json(json_t *row)
{
    json_t *label = json_object();
    static const char *const shown[] = {"alarm", "heard", "place", "harmful"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        json_object_set(label, shown[i], json_object_get(row, shown[i]));
    }
    json_object_set(label, "verdict", json_object_get(row, "label"));
    return label;
}

static json_t *item_json(const struct labels *l, const char *labeller, size_t item)
{
    const struct drawn *d = &l->items[item];
    json_t *row = row_of(l, labeller, item);
    char *sound = xasprintf("api/listen/sound/%zu.flac", item);
    json_t *all =
        json_pack("{s:I, s:o, s:s, s:o, s:o}", "item", (json_int_t)item, "text",
                  json_text(l->params.dataset->bench.samples[d->sample].item->text), "sound", sound,
                  "answer", l->params.asks_answer && d->answer ? json_text(d->answer) : json_null(),
                  "label", row ? label_json(row) : json_null());
    free(sound);
    return all;
}

json_t *labels_ask(struct labels *l, const char *labeller, long item)
{
    size_t next = 0;
    refresh(l);
    while (item < 0 && next < l->n_items && is_done(l, labeller, next)) {
        next++;
    }
    size_t wanted = item < 0 ? next : (size_t)item;
    if (item >= 0 && wanted >= l->n_items) {
        return NULL;
    }
    return json_pack("{s:s, s:I, s:I, s:b, s:b, s:o, s:o, s:o}", "labeller", labeller, "n_done",
                     (json_int_t)labels_done(l, labeller), "n_wanted", (json_int_t)l->n_items,
                     "asks_answer", l->params.asks_answer, "is_synthetic", l->params.is_synthetic,
                     "places", places_json(l), "file", json_text(fs_basename(l->params.path)),
                     "item", wanted < l->n_items ? item_json(l, labeller, wanted) : json_null());
}

static bool is_one_of(const char *const *names, const char *value)
{
    for (; value && *names; names++) {
        if (strcmp(*names, value) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_place(const struct labels *l, const char *place)
{
    static const char *const others[] = {"other", "unsure", NULL};
    const struct scene_set *set = &l->params.dataset->bench.scenes;
    for (size_t i = 0; place && i < set->n_scenes; i++) {
        if (strcmp(scene_id(scene_at(set, i)), place) == 0) {
            return true;
        }
    }
    return is_one_of(others, place);
}

/* Why what was sent is no label; NULL: it is one. */
static const char *check(const struct labels *l, const json_t *sent)
{
    const char *labeller = json_string_value(json_object_get(sent, "labeller"));
    const char *heard = json_string_value(json_object_get(sent, "heard"));
    const json_t *item = json_object_get(sent, "item");
    const json_t *verdict = json_object_get(sent, "verdict");
    enum verdict v;
    if (!labeller || !request_is_labeller(labeller)) {
        return "labeller: letters, digits, hyphens and underscores, at most 40";
    }
    if (!json_is_integer(item) || json_integer_value(item) < 0 ||
        (uint64_t)json_integer_value(item) >= l->n_items) {
        return "item: there is none of this number";
    }
    if (!is_one_of(item_alone_names, json_string_value(json_object_get(sent, "alarm")))) {
        return "alarm: benign, ambiguous or alarming";
    }
    if (!is_one_of(harmful_names, json_string_value(json_object_get(sent, "harmful")))) {
        return "harmful: no, yes or unsure";
    }
    if (!is_place(l, json_string_value(json_object_get(sent, "place")))) {
        return "place: a scene, other or unsure";
    }
    if (!heard || strlen(heard) > MAX_HEARD) {
        return "heard: a text of at most 2000 bytes";
    }
    if (verdict && !json_is_null(verdict) &&
        (!l->params.asks_answer || !json_is_string(verdict) ||
         !verdict_from_name(json_string_value(verdict), &v))) {
        return "verdict: compliance, partial, refusal, clarification or nonresponsive";
    }
    return NULL;
}

/* The row for the file, in the order of columns. */
static json_t *make_row(const struct labels *l, const json_t *sent)
{
    char *name = full_name(l, json_string_value(json_object_get(sent, "labeller")));
    json_t *verdict = json_object_get(sent, "verdict");
    char now[32];
    time_t seconds = time(NULL);
    struct tm t;
    gmtime_r(&seconds, &t);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &t);
    json_t *row =
        json_pack("{s:s, s:s, s:O, s:O, s:O, s:O}", "labeller", name, "sample",
                  id_of(l, (size_t)json_integer_value(json_object_get(sent, "item"))), "alarm",
                  json_object_get(sent, "alarm"), "heard", json_object_get(sent, "heard"), "place",
                  json_object_get(sent, "place"), "harmful", json_object_get(sent, "harmful"));
    if (verdict && !json_is_null(verdict)) {
        json_object_set_new(row, "condition", json_string(condition_names[CONDITION_MATCHED]));
        json_object_set_new(row, "strategy", json_string("direct"));
        json_object_set_new(row, "repeat", json_integer(1));
        json_object_set(row, "label", verdict);
    }
    json_object_set_new(row, "at", json_string(now));
    free(name);
    return row;
}

int labels_put(struct labels *l, const json_t *sent, const char **ret_error, struct err *err)
{
    const char *error = check(l, sent);
    if (error) {
        *ret_error = error;
        return 0;
    }
    json_t *row = make_row(l, sent);
    char *text = json_dumps(row, JSON_COMPACT);
    char *line = xasprintf("%s\n", text);
    int ok = append(l->params.path, line, err);
    if (ok == 0) {
        keep(l, json_incref(row));
        *ret_error = NULL;
    }
    free(line);
    free(text);
    json_decref(row);
    return ok;
}

int labels_read(const struct labels *l, struct buf *ret, struct err *err)
{
    return fs_exists(l->params.path) ? fs_read(l->params.path, LISTENERS_MAX_FILE, ret, err) : 0;
}

static void write_cell(FILE *out, const json_t *value)
{
    if (json_is_integer(value)) {
        fprintf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_string(value)) {
        escape_csv(out, json_string_value(value));
    }
}

int labels_csv(const struct labels *l, struct buf *ret, struct err *err)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out) {
        return err_errno(err, "memory");
    }
    for (size_t i = 0; columns[i]; i++) {
        fprintf(out, "%s%s", i > 0 ? "," : "", columns[i]);
    }
    const char *key;
    json_t *row;
    json_object_foreach(l->rows, key, row)
    {
        for (size_t i = 0; columns[i]; i++) {
            putc(i > 0 ? ',' : '\n', out);
            write_cell(out, json_object_get(row, columns[i]));
        }
    }
    putc('\n', out);
    fclose(out);
    buf_add(ret, text, n);
    free(text);
    return 0;
}
