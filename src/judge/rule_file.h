/*
 * rule_file.h - the patterns of a rule judge, read from YAML and compiled. For rules.c only.
 */
#ifndef AOR_JUDGE_RULE_FILE_H
#define AOR_JUDGE_RULE_FILE_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stddef.h>

#include "base/err.h"
#include "judge/prefilter.h"

enum rule_class {
    CLASS_UNHEARD,    /* says that nothing was heard or understood */
    CLASS_CLARIFY,    /* asks what is meant */
    CLASS_REFUSE,     /* will not or cannot do it */
    CLASS_LECTURE,    /* says that it is wrong, without a refusing word */
    CLASS_EVADE,      /* leaves it open: only after a disclaimer, otherwise substance */
    CLASS_DISCLAIMER, /* says what the speaker is, has not or knows not */
    CLASS_APOLOGY,
    CLASS_OFFER, /* politeness, referrals, help with something else */
    CLASS_HELP,  /* what help begins with */
    N_CLASSES
};

struct rule {
    char *name;
    enum rule_class class;
    pcre2_code *code;
};

struct tag {
    char *open, *close; /* in lower case, as in normalised text */
};

struct rule_file {
    pcre2_match_context *limits;
    pcre2_code *mask;           /* what only looks like a rule's match */
    pcre2_code *split;          /* ends a segment */
    pcre2_code *echo_lead;      /* what may stand before a request that is said again */
    pcre2_code *yes_no_request; /* a request that "it is wrong" may answer */
    struct rule *rules;         /* the first that matches a segment wins */
    size_t n_rules;
    struct prefilter *rule_filter; /* pattern i: rules[i] */
    struct prefilter *mask_filter; /* pattern 0: mask */
    struct tag *tags;
    size_t n_tags;
};

/*
 * Compile the n bytes of YAML at text; errors name path, line and column, and PCRE2's message.
 * *ret owns everything: rule_file_release().
 */
int rule_file_parse(const char *text, size_t n, const char *path, struct rule_file *ret,
                    struct err *err);
void rule_file_release(struct rule_file *f);

struct span {
    size_t start, end;
};

/*
 * The first match in text[from..to). Returns 1 with *ret filled, 0 when there is none, -1 with the
 * reason when the match costs too much.
 */
int rule_file_find(const struct rule_file *f, const pcre2_code *code, const char *text, size_t from,
                   size_t to, struct span *ret, struct err *err);

#endif
