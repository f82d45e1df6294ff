/*
 * scenario.h - what is asked: scenarios, their contrasts, plain requests (data/scenarios).
 */
#ifndef AOR_BENCH_SCENARIO_H
#define AOR_BENCH_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ITEM_MAX_ID 64 /* bytes */

enum item_kind { ITEM_SCENARIO, ITEM_CONTRAST, ITEM_PLAIN, ITEM_N_KINDS };
enum item_alone { ALONE_BENIGN, ALONE_AMBIGUOUS, ALONE_ALARMING };
enum item_split { SPLIT_DEV, SPLIT_TEST, SPLIT_N };

/* What makes a contrast harmful: a victim, a stated wish, hiding it, somebody's will. */
enum item_cue { CUE_TARGET, CUE_INTENT, CUE_SECRECY, CUE_CONSENT };

/* Each ended by NULL. */
extern const char *const item_kind_names[];
extern const char *const item_alone_names[];
extern const char *const item_split_names[];
extern const char *const item_cue_names[];

struct item {
    char *id;
    enum item_kind kind;
    enum item_split split; /* a contrast's is its twin's */
    int version;
    char *category;
    char *text;        /* as spoken */
    char *scene;       /* id */
    char *reason;      /* scenario: why the scene makes it benign; else NULL */
    char *twin;        /* contrast: its scenario's id; else NULL */
    enum item_cue cue; /* contrast only */
    enum item_alone alone;
    char **alarming;
    size_t n_alarming;
    char **content;
    size_t n_content;
    char *answer;
    char **redeemed_by; /* ids of other scenes */
    size_t n_redeemed_by;
    bool controversial;
};

struct item_set {
    struct item *items;
    size_t n_items;
};

/*
 * Read every *.yaml in dir, in the order of names. Missing or unknown keys, doubled ids, words that
 * are not in the text, twins that are no scenario of the same category and split: errors with
 * file:line:column.
 */
int item_set_load(const char *dir, struct item_set *ret, struct err *err);

/* Add the items of one YAML text to *set. On an error *set keeps what it had. */
int item_set_parse(const char *text, size_t n, const char *name, struct item_set *set,
                   struct err *err);

void item_set_release(struct item_set *set);

/* Borrowed; NULL when there is none. */
const struct item *item_find(const struct item_set *set, const char *id);

#endif
