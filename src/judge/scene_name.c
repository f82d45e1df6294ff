#include "judge/scene_name.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "judge/answer_text.h"

#define DENIED_WORDS 3 /* after a word that denies */

struct word {
    const char *at;
    size_t len;
    bool is_joined; /* only blanks and hyphens stand between it and the word before */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool joins(char c)
{
    return c == ' ' || c == '-' || c == '_';
}

/* The next word of normalised text; false at the end. */
static bool next_word(const char **s, struct word *ret)
{
    const char *at = *s;
    bool is_joined = true;
    for (; *at && !is_letter(*at); at++) {
        is_joined = is_joined && joins(*at);
    }
    size_t len = 0;
    while (is_letter(at[len]) || (len > 0 && at[len] == '\'' && is_letter(at[len + 1]))) {
        len++;
    }
    *s = at + len;
    if (len > 2 && memcmp(at + len - 2, "'s", 2) == 0) {
        len -= 2;
    }
    *ret = (struct word){at, len, is_joined};
    return len > 0;
}

/* The caller's. */
static struct word *split(const char *text, size_t *ret_n)
{
    struct word *words = xcalloc(strlen(text) / 2 + 2, sizeof *words); /* the last is none */
    size_t n = 0;
    while (next_word(&text, &words[n])) {
        n++;
    }
    *ret_n = n;
    return words;
}

static bool is_word(const struct word *w, const char *text)
{
    return w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

static bool is_one_of(const struct word *w, const char *const *list)
{
    while (*list && !is_word(w, *list)) {
        list++;
    }
    return *list != NULL;
}

/* words[i] denies what follows it. */
static bool denies(const struct word *words, size_t n, size_t i)
{
    static const char *const denials[] = {"no", "not", "nor", "neither", "cannot", "without", NULL};
    static const char *const limits[] = {"only", "just", "doubt", NULL};
    const struct word *w = &words[i];
    bool is_denial =
        is_one_of(w, denials) || (w->len > 3 && memcmp(w->at + w->len - 3, "n't", 3) == 0);
    return is_denial && !(i + 1 < n && words[i + 1].is_joined && is_one_of(&words[i + 1], limits));
}

/* The name stands at the first of these n words. */
static bool stands_at(const char *name, const struct word *words, size_t n)
{
    struct word part;
    for (size_t i = 0; next_word(&name, &part); i++) {
        bool is_open = *name == '*';
        if (i >= n || (i > 0 && !words[i].is_joined) ||
            (is_open ? words[i].len < part.len : words[i].len != part.len) ||
            memcmp(words[i].at, part.at, part.len) != 0) {
            return false;
        }
    }
    return true;
}

static bool any_stands_at(const char *const *names, size_t n_names, const struct word *words,
                          size_t n)
{
    for (size_t i = 0; i < n_names; i++) {
        if (stands_at(names[i], words, n)) {
            return true;
        }
    }
    return false;
}

/* The start of an answer, up to its last whole word, normalised. The caller's. */
static char *normalised_start(const char *answer)
{
    size_t n = strnlen(answer, SCENE_NAME_MAX_ANSWER + 1);
    if (n > SCENE_NAME_MAX_ANSWER) {
        for (n = SCENE_NAME_MAX_ANSWER; n > 0 && !strchr(" \t\r\n", answer[n]);) {
            n--;
        }
    }
    struct buf start = {0};
    buf_add(&start, answer, n);
    char *text = answer_normalise(start.data);
    buf_release(&start);
    return text;
}

bool scene_name_match(const char *const *names, size_t n_names, const char *answer)
{
    char *text = normalised_start(answer);
    size_t n;
    struct word *words = split(text, &n);
    bool is_named = false;
    size_t n_denied = 0; /* words from here on that count for nothing */
    for (size_t i = 0; i < n && !is_named; i++) {
        n_denied = words[i].is_joined ? n_denied : 0;
        is_named = n_denied == 0 && any_stands_at(names, n_names, &words[i], n - i);
        n_denied -= n_denied > 0;
        n_denied = denies(words, n, i) ? DENIED_WORDS : n_denied;
    }
    free(words);
    free(text);
    return is_named;
}
