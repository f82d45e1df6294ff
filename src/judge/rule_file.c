#include "judge/rule_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"

#define MATCH_LIMIT 1000000
#define MATCH_HEAP_KIB 1024

static const char *const class_names[] = {
    [CLASS_UNHEARD] = "unheard", [CLASS_CLARIFY] = "clarify", [CLASS_REFUSE] = "refuse",
    [CLASS_LECTURE] = "lecture", [CLASS_EVADE] = "evade",     [CLASS_DISCLAIMER] = "disclaimer",
    [CLASS_APOLOGY] = "apology", [CLASS_OFFER] = "offer",     [CLASS_HELP] = "help",
    [N_CLASSES] = NULL,
};

/* A PCRE2 message with the place in the pattern, after the YAML place. */
static int compile(const char *words, const char *pattern, struct yaml_node at, pcre2_code **ret,
                   struct err *err)
{
    char *whole = xasprintf("%s%s", words, pattern);
    int code;
    PCRE2_SIZE offset;
    pcre2_code *compiled =
        pcre2_compile((PCRE2_SPTR)whole, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &offset, NULL);
    free(whole);
    if (!compiled) {
        PCRE2_UCHAR message[200];
        pcre2_get_error_message(code, message, sizeof message);
        size_t n_words = strlen(words);
        return yaml_fail(at, err, "pattern: %s (at %zu)", (char *)message,
                         offset > n_words ? offset - n_words : 0);
    }
    /* Where there is no JIT the interpreter gives the same answers. */
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    *ret = compiled;
    return 0;
}

static int check(const char *words, const char *pattern, struct yaml_node at, struct err *err)
{
    pcre2_code *code = NULL;
    int ok = compile(words, pattern, at, &code, err);
    pcre2_code_free(code);
    return ok;
}

/* Each alternative is compiled alone for the place of its errors, then all as one;
 * which the filter, where there is one, gets too. */
static int compile_any(const char *words, struct yaml_node map, const char *key,
                       struct prefilter *filter, pcre2_code **ret, struct err *err)
{
    struct yaml_node seq;
    if (yaml_get_seq(map, key, &seq, err) != 0) {
        return -1;
    }
    struct buf joined = {0};
    void *it = NULL;
    int ok = -1;
    for (struct yaml_node item; yaml_next(seq, &it, &item);) {
        char *pattern;
        if (yaml_str(item, &pattern, err) != 0) {
            goto out;
        }
        int good = check(words, pattern, item, err);
        buf_addf(&joined, "%s(?:%s)", joined.len > 0 ? "|" : "", pattern);
        free(pattern);
        if (good != 0) {
            goto out;
        }
    }
    if (joined.len == 0) {
        yaml_fail(map, err, "\"%s\" is empty", key);
        goto out;
    }
    ok = compile(words, joined.data, seq, ret, err);
    if (ok == 0 && filter) {
        prefilter_add(filter, joined.data);
    }
out:
    buf_release(&joined);
    return ok;
}

/* The named groups that patterns call as (?&name): *ret starts every pattern. The caller's. */
static int load_words(struct rule_file *f, struct yaml_node root, char **ret, struct err *err)
{
    static const char *const keys[] = {"name", "pattern", NULL};
    struct yaml_node seq;
    if (yaml_get_seq(root, "words", &seq, err) != 0) {
        return -1;
    }
    struct buf words = {0};
    void *it = NULL;
    for (struct yaml_node item; yaml_next(seq, &it, &item);) {
        char *name = NULL;
        char *pattern = NULL;
        int ok = -1;
        if (yaml_check_keys(item, keys, err) == 0 && yaml_get_str(item, "name", &name, err) == 0 &&
            yaml_get_str(item, "pattern", &pattern, err) == 0 &&
            check(words.data ? words.data : "", pattern, yaml_find(item, "pattern"), err) == 0) {
            buf_addf(&words, "(?(DEFINE)(?<%s>%s))", name, pattern);
            ok = check("", words.data, yaml_find(item, "name"), err);
            prefilter_define(f->rule_filter, name, pattern);
            prefilter_define(f->mask_filter, name, pattern);
        }
        free(name);
        free(pattern);
        if (ok != 0) {
            buf_release(&words);
            return -1;
        }
    }
    *ret = buf_detach(&words);
    return 0;
}

static int load_rules(struct rule_file *f, struct yaml_node root, const char *words,
                      struct err *err)
{
    static const char *const keys[] = {"name", "class", "any", NULL};
    struct yaml_node seq;
    if (yaml_get_seq(root, "rules", &seq, err) != 0) {
        return -1;
    }
    f->rules = xcalloc(yaml_count(seq) + 1, sizeof *f->rules);
    void *it = NULL;
    for (struct yaml_node item; yaml_next(seq, &it, &item);) {
        struct rule *rule = &f->rules[f->n_rules++];
        int class;
        if (yaml_check_keys(item, keys, err) != 0 ||
            yaml_get_str(item, "name", &rule->name, err) != 0 ||
            yaml_get_enum(item, "class", class_names, &class, err) != 0 ||
            compile_any(words, item, "any", f->rule_filter, &rule->code, err) != 0) {
            return -1;
        }
        rule->class = (enum rule_class) class;
    }
    return 0;
}

static int load_tags(struct rule_file *f, struct yaml_node root, struct err *err)
{
    static const char *const keys[] = {"open", "close", NULL};
    struct yaml_node seq;
    if (yaml_get_seq(root, "reasoning", &seq, err) != 0) {
        return -1;
    }
    f->tags = xcalloc(yaml_count(seq) + 1, sizeof *f->tags);
    void *it = NULL;
    for (struct yaml_node item; yaml_next(seq, &it, &item);) {
        struct tag *tag = &f->tags[f->n_tags++];
        if (yaml_check_keys(item, keys, err) != 0 ||
            yaml_get_str(item, "open", &tag->open, err) != 0 ||
            yaml_get_str(item, "close", &tag->close, err) != 0) {
            return -1;
        }
        if (!*tag->open || !*tag->close) {
            return yaml_fail(item, err, "a tag is empty");
        }
    }
    return 0;
}

int rule_file_parse(const char *text, size_t n, const char *path, struct rule_file *ret,
                    struct err *err)
{
    static const char *const keys[] = {"words",     "mask",           "split", "reasoning",
                                       "echo_lead", "yes_no_request", "rules", NULL};
    struct yaml_doc doc = {0};
    struct rule_file f = {.rule_filter = prefilter_new(), .mask_filter = prefilter_new()};
    char *words = NULL;
    int ok = -1;
    if (yaml_parse(text, n, path, &doc, err) != 0) {
        goto out;
    }
    struct yaml_node root = yaml_root(&doc);
    if (yaml_check_keys(root, keys, err) != 0 || load_words(&f, root, &words, err) != 0 ||
        compile_any(words, root, "mask", f.mask_filter, &f.mask, err) != 0 ||
        compile_any(words, root, "split", NULL, &f.split, err) != 0 ||
        compile_any(words, root, "echo_lead", NULL, &f.echo_lead, err) != 0 ||
        compile_any(words, root, "yes_no_request", NULL, &f.yes_no_request, err) != 0 ||
        load_tags(&f, root, err) != 0 || load_rules(&f, root, words, err) != 0) {
        goto out;
    }
    f.limits = pcre2_match_context_create(NULL);
    if (!f.limits) {
        err_set(err, ERR_IO, "%s: no memory for PCRE2", path);
        goto out;
    }
    pcre2_set_match_limit(f.limits, MATCH_LIMIT);
    pcre2_set_heap_limit(f.limits, MATCH_HEAP_KIB);
    *ret = f;
    f = (struct rule_file){0};
    ok = 0;
out:
    rule_file_release(&f);
    free(words);
    yaml_release(&doc);
    return ok;
}

void rule_file_release(struct rule_file *f)
{
    for (size_t i = 0; i < f->n_rules; i++) {
        free(f->rules[i].name);
        pcre2_code_free(f->rules[i].code);
    }
    for (size_t i = 0; i < f->n_tags; i++) {
        free(f->tags[i].open);
        free(f->tags[i].close);
    }
    pcre2_code_free(f->mask);
    pcre2_code_free(f->split);
    pcre2_code_free(f->echo_lead);
    pcre2_code_free(f->yes_no_request);
    pcre2_match_context_free(f->limits);
    prefilter_free(f->rule_filter);
    prefilter_free(f->mask_filter);
    free(f->rules);
    free(f->tags);
    *f = (struct rule_file){0};
}

int rule_file_find(const struct rule_file *f, const pcre2_code *code, const char *text, size_t from,
                   size_t to, struct span *ret, struct err *err)
{
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    if (!match) {
        return err_set(err, ERR_IO, "no memory for PCRE2");
    }
    int found = pcre2_match(code, (PCRE2_SPTR)text, to, from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                            match, f->limits);
    int result = 0;
    if (found >= 0) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
        *ret = (struct span){at[0], at[1]};
        result = 1;
    } else if (found != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR message[200];
        pcre2_get_error_message(found, message, sizeof message);
        result = err_set(err, ERR_FORMAT, "a pattern of the rule judge: %s", (char *)message);
    }
    pcre2_match_data_free(match);
    return result;
}
