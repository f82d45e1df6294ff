#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "bench/dataset.h"
#include "cmd.h"
#include "plot/picture.h"

static json_t *words_json(char *const *words, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, json_text(words[i]));
    }
    return list;
}

/* What a metadata line does not say: the item's own lists, and the items it is paired with. */
static void add_item(json_t *all, const struct bench *b, const struct item *t)
{
    json_object_set_new(all, "alarming", words_json(t->alarming, t->n_alarming));
    json_object_set_new(all, "content", words_json(t->content, t->n_content));
    json_object_set_new(all, "redeemed_by", words_json(t->redeemed_by, t->n_redeemed_by));
    if (t->kind == ITEM_CONTRAST) {
        json_object_set_new(all, "cue", json_text(item_cue_names[t->cue]));
        json_object_set_new(all, "twin", json_text(t->twin));
        json_object_set_new(all, "twin_text", json_text(item_find(&b->items, t->twin)->text));
    }
    for (size_t i = 0; i < b->items.n_items; i++) {
        const struct item *other = &b->items.items[i];
        if (other->kind == ITEM_CONTRAST && strcmp(other->twin, t->id) == 0) {
            json_object_set_new(all, "contrast", json_text(other->id));
            json_object_set_new(all, "contrast_text", json_text(other->text));
        }
    }
}

static json_t *describe(const struct dataset *d, size_t i)
{
    const struct sample *s = &d->bench.samples[i];
    char *line = dataset_line(s, &d->facts[i]);
    json_t *all = json_loads(line, 0, NULL);
    free(line);
    const struct scene *other = render_scene_of(s, CONDITION_MISMATCHED);
    json_object_set_new(all, "mismatched_scene", other ? json_text(scene_id(other)) : json_null());
    add_item(all, &d->bench, s->item);
    return all;
}

static void print_value(const json_t *value)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            fputs(i > 0 ? ", " : "", stdout);
            print_value(json_array_get(value, i));
        }
        return;
    }
    char *text = json_is_string(value)
                     ? xstrdup(json_string_value(value))
                     : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    text_make_printable(text);
    fputs(text, stdout);
    free(text);
}

static void print_text(json_t *all)
{
    const char *key;
    json_t *value;
    json_object_foreach(all, key, value)
    {
        if (!json_is_null(value) && !(json_is_array(value) && json_array_size(value) == 0)) {
            printf("%-16s ", key);
            print_value(value);
            putchar('\n');
        }
    }
}

static void print(json_t *all, bool as_json)
{
    if (as_json) {
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
        putchar('\n');
    } else {
        print_text(all);
    }
}

static int draw(const struct dataset *d, size_t i, const char *path, struct err *err)
{
    const struct sample *s = &d->bench.samples[i];
    struct renderer r = renderer_init(&d->bench, d->stems_dir, NULL);
    struct audio mix = {0}, speech = {0};
    char *subtitle = xasprintf("%s: %s; voice %s, %s, %s, SNR %g dB", s->id, scene_words(s->scene),
                               s->voice->id, s->emotion->id, s->rate->id, s->snr_db);
    struct picture p = {s->item->text, subtitle, &mix, &speech};
    struct err no_speech = {0};
    if (dataset_audio(d, &r, i, CONDITION_SPEECH, &speech, &no_speech) != 0) {
        log_info("the picture shows no speech: %s", no_speech.msg);
        p.speech = NULL;
    }
    int ok = dataset_audio(d, &r, i, CONDITION_MATCHED, &mix, err) == 0
                 ? picture_save(path, &p, err)
                 : -1;
    free(subtitle);
    audio_release(&speech);
    audio_release(&mix);
    renderer_release(&r);
    return ok;
}

/* An item: its texts, and which samples it has. -1 when there is no such item in the plan. */
static int show_item(const struct dataset *d, const char *id, bool as_json)
{
    json_t *samples = json_array();
    const struct item *item = NULL;
    for (size_t i = 0; i < d->bench.n_samples; i++) {
        const struct sample *s = &d->bench.samples[i];
        if (strcmp(s->item->id, id) == 0) {
            item = s->item;
            json_array_append_new(samples, json_text(s->id));
        }
    }
    if (item) {
        json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "item", item->id,
                                "kind", item_kind_names[item->kind], "split",
                                item_split_names[item->split], "category", item->category, "scene",
                                item->scene, "alone", item_alone_names[item->alone], "text",
                                json_text(item->text), "answer", json_text(item->answer));
        if (item->reason) {
            json_object_set_new(all, "reason", json_text(item->reason));
        }
        add_item(all, &d->bench, item);
        json_object_set(all, "samples", samples);
        print(all, as_json);
        json_decref(all);
    }
    json_decref(samples);
    return item ? 0 : -1;
}

static int show(const struct dataset *d, const char *id, const char *out, bool as_json,
                struct err *err)
{
    long i = bench_find(&d->bench, id, 0);
    if (i < 0) {
        return show_item(d, id, as_json) == 0
                   ? 0
                   : err_set(err, ERR_USAGE, "%s: there is no sample or item \"%s\"", d->dir, id);
    }
    char *path = out ? xstrdup(out) : xasprintf("%s.png", id);
    int ok = draw(d, (size_t)i, path, err);
    if (ok == 0) {
        json_t *all = describe(d, (size_t)i);
        json_object_set_new(all, "picture", json_text(path));
        print(all, as_json);
        json_decref(all);
    }
    free(path);
    return ok;
}

static int run(int argc, char **argv)
{
    bool as_json = false;
    const char *out = NULL;
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &out, "FILE", "the picture (default: ID.png)", 0, 0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "show",
        .synopsis = "BENCH ID [options]",
        .summary = "All that is known of one sample, with a picture of it.",
        .details = "ID is a sample's: a PNG with its waveform and spectrogram is written and its\n"
                   "facts are printed. Or it is an item's: its texts and samples are printed.",
        .examples = "  aor show bench gaming-001-f-angry-slow\n"
                    "  aor show bench gaming-001 --json | jq -r '.samples[]'\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 2, 2, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    struct dataset d = {0};
    status = EXIT_FINE;
    if (dataset_open(argv[1], &d, &err) != 0 || show(&d, argv[2], out, as_json, &err) != 0) {
        status = cmd_fail(&err);
    }
    dataset_release(&d);
    return status;
}

const struct cmd cmd_show = {"show", "all about one sample, with a picture", run};
