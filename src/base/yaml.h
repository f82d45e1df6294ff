/*
 * yaml.h - reading YAML 1.2 with errors that name file, line and column.
 * One document a file; aliases are refused; duplicate keys are errors.
 */
#ifndef AOR_BASE_YAML_H
#define AOR_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define YAML_MAX_FILE ((size_t)16 << 20) /* that yaml_load reads */

struct fy_document;
struct fy_node;

struct yaml_doc {
    char *name;              /* for errors; owned */
    char *text;              /* what the document's scalars point into; owned */
    struct fy_document *doc; /* owned */
};

/* A place in a document; borrowed from it. node == NULL: nothing there. */
struct yaml_node {
    const char *name;
    struct fy_node *node;
};

int yaml_load(const char *path, struct yaml_doc *ret, struct err *err);
int yaml_parse(const char *text, size_t n, const char *name, struct yaml_doc *ret, struct err *err);
void yaml_release(struct yaml_doc *doc);
struct yaml_node yaml_root(const struct yaml_doc *doc);

/* Fail with "name:line:column: message" at this node. Always -1. */
void yaml_fill(struct yaml_node at, struct err *err, const char *fmt, ...) ERR_PRINTF(3, 4);
#define yaml_fail(at, ...) (yaml_fill(at, __VA_ARGS__), err_failed())

/* "name:line:column" of this node; the caller's. */
char *yaml_place(struct yaml_node at);

/* Fail unless at is a mapping whose keys are all among keys (ended by NULL). */
int yaml_check_keys(struct yaml_node at, const char *const *keys, struct err *err);

/* The member of a mapping; .node is NULL where it is missing. */
struct yaml_node yaml_find(struct yaml_node at, const char *key);

/* Members that must be there, of the stated type. Strings are copies, the caller's. */
int yaml_get(struct yaml_node at, const char *key, struct yaml_node *ret, struct err *err);
int yaml_get_str(struct yaml_node at, const char *key, char **ret, struct err *err);
int yaml_get_num(struct yaml_node at, const char *key, double low, double high, double *ret,
                 struct err *err);
int yaml_get_int(struct yaml_node at, const char *key, long low, long high, long *ret,
                 struct err *err);
int yaml_get_bool(struct yaml_node at, const char *key, bool *ret, struct err *err);

/* The index of the member's text in names (ended by NULL). */
int yaml_get_enum(struct yaml_node at, const char *key, const char *const *names, int *ret,
                  struct err *err);

/* A list of strings: *ret_items and each item are the caller's. */
int yaml_get_strs(struct yaml_node at, const char *key, char ***ret_items, size_t *ret_n,
                  struct err *err);
void yaml_free_strs(char **items, size_t n);

/* Sequences. yaml_seq fails unless the member is a sequence; then iterate with *it = NULL. */
int yaml_get_seq(struct yaml_node at, const char *key, struct yaml_node *ret, struct err *err);
size_t yaml_count(struct yaml_node seq);
bool yaml_next(struct yaml_node seq, void **it, struct yaml_node *ret);

/* The members of a mapping, likewise. */
bool yaml_next_pair(struct yaml_node map, void **it, struct yaml_node *ret_key,
                    struct yaml_node *ret_value);

/* A scalar's text, as yaml_get_str gives it, and its number. */
int yaml_str(struct yaml_node at, char **ret, struct err *err);
int yaml_num(struct yaml_node at, double low, double high, double *ret, struct err *err);

/* True where the node is a mapping, a sequence, a scalar. */
bool yaml_is_map(struct yaml_node at);
bool yaml_is_seq(struct yaml_node at);
bool yaml_is_scalar(struct yaml_node at);

/* Add s as a scalar in double quotes that reads back as s (bytes that are no UTF-8 as U+FFFD). */
void yaml_add_quoted(struct buf *b, const char *s);

/*
 * The *.yaml files of dir, as fs_list() gives them. A *.yml file is an error: it would be passed
 * over without a word.
 */
int yaml_list_files(const char *dir, char ***ret_paths, size_t *ret_n, struct err *err);

#endif
