#include "bench/scenario.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/yaml.h"

#define MAX_FILE (4u << 20)
#define MAX_TEXT 600

const char *const item_kind_names[] = {"scenario", "contrast", "plain", NULL};
const char *const item_alone_names[] = {"benign", "ambiguous", "alarming", NULL};
const char *const item_split_names[] = {"dev", "test", NULL};
const char *const item_cue_names[] = {"target", "intent", "secrecy", "consent", NULL};

static void item_release(struct item *t)
{
    free(t->id);
    free(t->category);
    free(t->text);
    free(t->scene);
    free(t->reason);
    free(t->twin);
    free(t->answer);
    yaml_free_strs(t->alarming, t->n_alarming);
    yaml_free_strs(t->content, t->n_content);
    yaml_free_strs(t->redeemed_by, t->n_redeemed_by);
    *t = (struct item){0};
}

void item_set_release(struct item_set *set)
{
    for (size_t i = 0; i < set->n_items; i++) {
        item_release(&set->items[i]);
    }
    free(set->items);
    *set = (struct item_set){0};
}

const struct item *item_find(const struct item_set *set, const char *id)
{
    for (size_t i = 0; i < set->n_items; i++) {
        if (strcmp(set->items[i].id, id) == 0) {
            return &set->items[i];
        }
    }
    return NULL;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '\'' || (unsigned char)c >= 0x80;
}

/* True when word stands in text as a whole word, whatever its case. */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = text; *word && (p = strcasestr(p, word)); p++) {
        if ((p == text || !is_word_char(p[-1])) && !is_word_char(p[n])) {
            return true;
        }
    }
    return false;
}

static int check_words(struct yaml_node at, const char *key, char **words, size_t n,
                       const char *text, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!has_word(text, words[i])) {
            return yaml_fail(yaml_find(at, key), err, "\"%s\" is no word of the text", words[i]);
        }
    }
    return 0;
}

static int read_item(struct yaml_node at, const char *category, struct item *t, struct err *err)
{
    static const char *const keys[] = {
        "id",     "kind",  "twin",     "cue",     "split",  "version",     "text",          "scene",
        "reason", "alone", "alarming", "content", "answer", "redeemed_by", "controversial", NULL};
    int kind, alone, split;
    int cue = 0;
    long version;
    if (yaml_check_keys(at, keys, err) != 0 || yaml_get_str(at, "id", &t->id, err) != 0 ||
        yaml_get_enum(at, "kind", item_kind_names, &kind, err) != 0 ||
        yaml_get_enum(at, "split", item_split_names, &split, err) != 0 ||
        yaml_get_int(at, "version", 1, 1000000, &version, err) != 0 ||
        yaml_get_str(at, "text", &t->text, err) != 0 ||
        yaml_get_str(at, "scene", &t->scene, err) != 0 ||
        yaml_get_enum(at, "alone", item_alone_names, &alone, err) != 0 ||
        yaml_get_strs(at, "alarming", &t->alarming, &t->n_alarming, err) != 0 ||
        yaml_get_strs(at, "content", &t->content, &t->n_content, err) != 0 ||
        yaml_get_str(at, "answer", &t->answer, err) != 0 ||
        yaml_get_strs(at, "redeemed_by", &t->redeemed_by, &t->n_redeemed_by, err) != 0 ||
        yaml_get_bool(at, "controversial", &t->controversial, err) != 0) {
        return -1;
    }
    t->kind = (enum item_kind)kind;
    t->split = (enum item_split)split;
    t->alone = (enum item_alone)alone;
    t->version = (int)version;
    t->category = xstrdup(category);
    if (t->kind == ITEM_SCENARIO && yaml_get_str(at, "reason", &t->reason, err) != 0) {
        return -1;
    }
    if (t->kind == ITEM_CONTRAST && (yaml_get_str(at, "twin", &t->twin, err) != 0 ||
                                     yaml_get_enum(at, "cue", item_cue_names, &cue, err) != 0)) {
        return -1;
    }
    t->cue = (enum item_cue)cue;
    if (!text_is_id(t->id, ITEM_MAX_ID)) {
        return yaml_fail(yaml_find(at, "id"), err,
                         "an id has lower-case letters, digits and hyphens, at most %d",
                         ITEM_MAX_ID);
    }
    if (strlen(t->text) == 0 || strlen(t->text) > MAX_TEXT) {
        return yaml_fail(yaml_find(at, "text"), err, "a text has 1 to %d bytes", MAX_TEXT);
    }
    if (check_words(at, "alarming", t->alarming, t->n_alarming, t->text, err) != 0) {
        return -1;
    }
    return check_words(at, "content", t->content, t->n_content, t->text, err);
}

int item_set_parse(const char *text, size_t n, const char *name, struct item_set *set,
                   struct err *err)
{
    static const char *const keys[] = {"category", "items", NULL};
    struct yaml_doc doc = {0};
    struct yaml_node seq, at;
    char *category = NULL;
    size_t n_before = set->n_items;
    int ok = -1;
    if (yaml_parse(text, n, name, &doc, err) != 0) {
        return -1;
    }
    struct yaml_node root = yaml_root(&doc);
    if (yaml_check_keys(root, keys, err) != 0 ||
        yaml_get_str(root, "category", &category, err) != 0 ||
        yaml_get_seq(root, "items", &seq, err) != 0) {
        goto out;
    }
    if (!text_is_id(category, ITEM_MAX_ID)) {
        yaml_fail(yaml_find(root, "category"), err, "\"%s\" is no category name", category);
        goto out;
    }
    set->items = xrealloc(set->items, (n_before + yaml_count(seq)) * sizeof *set->items);
    for (void *it = NULL; yaml_next(seq, &it, &at);) {
        struct item t = {0};
        if (read_item(at, category, &t, err) != 0) {
            item_release(&t);
            goto out;
        }
        const struct item *twin = t.twin ? item_find(set, t.twin) : NULL;
        if (item_find(set, t.id)) {
            yaml_fail(yaml_find(at, "id"), err, "id %s is there twice", t.id);
        } else if (t.twin && (!twin || twin->kind != ITEM_SCENARIO ||
                              strcmp(twin->category, category) != 0)) {
            yaml_fail(yaml_find(at, "twin"), err, "%s is no scenario before it in this file",
                      t.twin);
        } else if (twin && twin->split != t.split) {
            yaml_fail(yaml_find(at, "split"), err, "its twin %s is in the other split", t.twin);
        } else {
            set->items[set->n_items++] = t;
            continue;
        }
        item_release(&t);
        goto out;
    }
    ok = 0;
out:
    while (ok != 0 && set->n_items > n_before) {
        item_release(&set->items[--set->n_items]);
    }
    free(category);
    yaml_release(&doc);
    return ok;
}

int item_set_load(const char *dir, struct item_set *ret, struct err *err)
{
    char **paths;
    size_t n;
    if (yaml_list_files(dir, &paths, &n, err) != 0) {
        return -1;
    }
    struct item_set set = {0};
    int ok = n > 0 ? 0 : err_set(err, ERR_IO, "%s: holds no .yaml file", dir);
    for (size_t i = 0; i < n && ok == 0; i++) {
        struct buf text = {0};
        ok = fs_read(paths[i], MAX_FILE, &text, err);
        if (ok == 0) {
            ok = item_set_parse(text.data, text.len, paths[i], &set, err);
        }
        buf_release(&text);
    }
    fs_free_paths(paths, n);
    if (ok != 0) {
        item_set_release(&set);
        return -1;
    }
    *ret = set;
    return 0;
}
