#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "scene/folder.h"

static void make_upper(char *s)
{
    for (; *s; s++) {
        *s = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
    }
}

/* Of what stands after "creativecommons.org/"; NULL when it is no licence. The caller's. */
static char *creative_commons_name(const char *path)
{
    char kind[24], version[8], country[8] = "";
    if (sscanf(path, "publicdomain/zero/%7[0-9.]", version) == 1) {
        return xasprintf("CC0-%s", version);
    }
    if (strncmp(path, "publicdomain/mark/", 18) == 0) {
        return xstrdup("public-domain");
    }
    if (sscanf(path, "licenses/%23[a-z+-]/%7[0-9.]/%7[a-z]", kind, version, country) < 2) {
        return NULL;
    }
    if (strcmp(kind, "sampling+") == 0) {
        return xasprintf("CC-Sampling-Plus-%s", version);
    }
    make_upper(kind);
    make_upper(country);
    bool has_country = strlen(country) == 2; /* and no "deed" */
    return xasprintf("CC-%s-%s%s%s", kind, version, has_country ? "-" : "",
                     has_country ? country : "");
}

char *folder_licence_name(const char *url)
{
    static const char *const hosts[] = {
        "http://creativecommons.org/", "https://creativecommons.org/",
        "http://www.creativecommons.org/", "https://www.creativecommons.org/", NULL};
    for (const char *const *host = hosts; *host; host++) {
        size_t n = strlen(*host);
        char *name = strncmp(url, *host, n) == 0 ? creative_commons_name(url + n) : NULL;
        if (name) {
            return name;
        }
    }
    return xstrdup(url);
}

static int read_map_file(struct sound_folder *f, struct yaml_node at, char *label, struct err *err)
{
    char *path, *place;
    struct folder_sound *s;
    struct err why = {0};
    if (yaml_str(at, &path, err) != 0) {
        return -1;
    }
    place = yaml_place(at);
    int ok = folder_add(f, path, path, &label, 1, place, &s, &why);
    if (ok != 0) {
        ok = yaml_fail(at, err, "%s", why.msg);
    }
    free(place);
    free(path);
    return ok;
}

static int read_map_label(struct sound_folder *f, struct yaml_node key, struct yaml_node files,
                          struct err *err)
{
    struct yaml_node item;
    char *label;
    if (yaml_str(key, &label, err) != 0) {
        return -1;
    }
    int ok = yaml_is_seq(files) ? 0 : yaml_fail(key, err, "\"%s\" wants a list of files", label);
    for (void *it = NULL; ok == 0 && yaml_next(files, &it, &item);) {
        ok = read_map_file(f, item, label, err);
    }
    free(label);
    return ok;
}

static int read_map(struct sound_folder *f, struct yaml_node root, struct err *err)
{
    static const char *const keys[] = {"licence", "copyright", "sounds", NULL};
    struct yaml_node sounds, key, files;
    if (yaml_check_keys(root, keys, err) != 0 ||
        yaml_get_str(root, "licence", &f->licence, err) != 0 ||
        yaml_get_str(root, "copyright", &f->copyright, err) != 0 ||
        yaml_get(root, "sounds", &sounds, err) != 0) {
        return -1;
    }
    if (!yaml_is_map(sounds)) {
        return yaml_fail(root, err, "\"sounds\" wants a mapping of labels to lists of files");
    }
    for (void *it = NULL; yaml_next_pair(sounds, &it, &key, &files);) {
        if (read_map_label(f, key, files, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int folder_parse_map(struct sound_folder *f, const char *yaml, size_t n, const char *name,
                     struct err *err)
{
    struct yaml_doc doc = {0};
    int ok = yaml_parse(yaml, n, name, &doc, err);
    if (ok == 0) {
        ok = read_map(f, yaml_root(&doc), err);
    }
    yaml_release(&doc);
    return ok;
}

/* The columns of esc50.csv that are read. */
struct esc50_columns {
    size_t filename, category, esc10;
};

static int read_esc50_row(struct sound_folder *f, const struct csv_table *t, size_t row,
                          const struct esc50_columns *c, const char *place, struct err *err)
{
    const char *filename = csv_table_cell(t, row, c->filename);
    const char *esc10 = csv_table_cell(t, row, c->esc10);
    bool is_esc10 = strcmp(esc10, "True") == 0;
    if (!is_esc10 && strcmp(esc10, "False") != 0) {
        return err_set(err, ERR_FORMAT, "esc10 is \"%s\": True or False is wanted", esc10);
    }
    char *label = xstrdup(csv_table_cell(t, row, c->category));
    char *path = xasprintf("audio/%s", filename);
    struct folder_sound *s;
    int ok = folder_add(f, filename, path, &label, 1, place, &s, err);
    if (ok == 0 && s && is_esc10 && !s->licence) {
        s->licence = xstrdup("CC-BY-3.0"); /* the subset ESC-10, says ESC-50's LICENSE */
    }
    free(path);
    free(label);
    return ok;
}

static char *row_place(const struct csv_table *t, size_t row)
{
    return xasprintf("%s:%d", t->name, csv_table_line(t, row));
}

int folder_parse_esc50(struct sound_folder *f, const char *csv, size_t n, const char *name,
                       struct err *err)
{
    struct csv_table t = {0};
    struct esc50_columns c;
    int ok = csv_table_parse(csv, n, name, &t, err) == 0 &&
                     csv_table_column(&t, "filename", &c.filename, err) == 0 &&
                     csv_table_column(&t, "category", &c.category, err) == 0 &&
                     csv_table_column(&t, "esc10", &c.esc10, err) == 0
                 ? 0
                 : -1;
    for (size_t row = 0; row < t.n_rows && ok == 0; row++) {
        char *place = row_place(&t, row);
        ok = read_esc50_row(f, &t, row, &c, place, err);
        if (ok != 0) {
            err_wrap(err, "%s", place);
        }
        free(place);
    }
    csv_table_release(&t);
    return ok;
}

/* Who made the clip, and where it can be found: Freesound's ids are the file names. */
static int read_fsd50k_rights(struct folder_sound *s, const char *fname, const json_t *all,
                              const char *json_name, struct err *err)
{
    const json_t *info = json_object_get(all, fname);
    const char *licence, *uploader;
    if (!json_is_object(info)) {
        return err_set(err, ERR_FORMAT, "%s holds no \"%s\"", json_name, fname);
    }
    if (json_get_str(info, "license", &licence, err) != 0 ||
        json_get_str(info, "uploader", &uploader, err) != 0) {
        return err_wrap(err, "%s: \"%s\"", json_name, fname);
    }
    const char *title = json_string_value(json_object_get(info, "title"));
    free(s->licence);
    free(s->copyright);
    s->licence = folder_licence_name(licence);
    s->copyright = xasprintf("%s, %s%shttps://freesound.org/s/%s/", uploader, title ? title : "",
                             title ? ", " : "", fname);
    return 0;
}

static void split_labels(char *text, char ***ret_labels, size_t *ret_n)
{
    char **labels = NULL;
    size_t n = 0;
    for (char *label; (label = strsep(&text, ","));) {
        labels = xrealloc(labels, (n + 1) * sizeof *labels);
        labels[n++] = label;
    }
    *ret_labels = labels;
    *ret_n = n;
}

static int read_fsd50k_row(struct sound_folder *f, const char *fname, const char *all_labels,
                           const char *audio_dir, const json_t *info, const char *json_name,
                           const char *place, struct err *err)
{
    char *text = xstrdup(all_labels);
    char *path = xasprintf("%s/%s.wav", audio_dir, fname);
    char **labels;
    size_t n_labels;
    struct folder_sound *s;
    split_labels(text, &labels, &n_labels);
    int ok = folder_add(f, fname, path, labels, n_labels, place, &s, err);
    if (ok == 0 && s) {
        ok = read_fsd50k_rights(s, fname, info, json_name, err);
    }
    free(labels);
    free(path);
    free(text);
    return ok;
}

int folder_parse_fsd50k(struct sound_folder *f, const char *csv, size_t n, const char *name,
                        const char *json, size_t n_json, const char *json_name,
                        const char *audio_dir, struct err *err)
{
    struct csv_table t = {0};
    json_t *info = NULL;
    size_t fname, labels;
    int ok = csv_table_parse(csv, n, name, &t, err) == 0 &&
                     csv_table_column(&t, "fname", &fname, err) == 0 &&
                     csv_table_column(&t, "labels", &labels, err) == 0 &&
                     json_parse(json, n_json, json_name, &info, err) == 0
                 ? 0
                 : -1;
    for (size_t row = 0; row < t.n_rows && ok == 0; row++) {
        char *place = row_place(&t, row);
        ok = read_fsd50k_row(f, csv_table_cell(&t, row, fname), csv_table_cell(&t, row, labels),
                             audio_dir, info, json_name, place, err);
        if (ok != 0) {
            err_wrap(err, "%s", place);
        }
        free(place);
    }
    json_decref(info);
    csv_table_release(&t);
    return ok;
}
