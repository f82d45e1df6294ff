#include "bench/content.h"

#include <ctype.h>
#include <libstemmer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAX_WORDS 128 /* of a text that are looked at */

struct words {
    char word[MAX_WORDS][CONTENT_MAX_WORD];
    size_t n;
};

/* A list of strings that grows, for counting by sorting. */
struct list {
    char (*texts)[2 * CONTENT_MAX_WORD];
    size_t n;
};

static void split_words(const char *text, struct words *ret)
{
    ret->n = 0;
    while (*text && ret->n < MAX_WORDS) {
        size_t len = 0;
        char *word = ret->word[ret->n];
        for (; isalpha((unsigned char)*text) || *text == '\''; text++) {
            if (len < CONTENT_MAX_WORD - 1) {
                word[len++] = (char)tolower((unsigned char)*text);
            }
        }
        word[len] = '\0';
        ret->n += len > 0;
        text += len == 0;
    }
}

static void list_add(struct list *l, const char *text)
{
    l->texts = xrealloc(l->texts, (l->n + 1) * sizeof *l->texts);
    snprintf(l->texts[l->n++], sizeof *l->texts, "%s", text);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Sort; the most frequent text is copied to top[size], its count and the number of texts returned.
 */
static size_t list_top(struct list *l, char *top, size_t size, size_t *ret_n_different)
{
    size_t best = 0, n_different = 0;
    if (l->n > 0) {
        qsort(l->texts, l->n, sizeof *l->texts, compare_texts);
    }
    for (size_t i = 0, end; i < l->n; i = end) {
        for (end = i; end < l->n && strcmp(l->texts[i], l->texts[end]) == 0;) {
            end++;
        }
        n_different++;
        if (end - i > best) {
            best = end - i;
            snprintf(top, size, "%.*s", (int)size - 1, l->texts[i]);
        }
    }
    *ret_n_different = n_different;
    return best;
}

/* The stems of a text's words, added to l, but for those that stand there from first on. */
static void add_text_stems(struct sb_stemmer *stemmer, const char *text, struct list *l,
                           size_t first)
{
    struct words w;
    split_words(text, &w);
    for (size_t k = 0; k < w.n; k++) {
        const sb_symbol *stem =
            sb_stemmer_stem(stemmer, (const sb_symbol *)w.word[k], (int)strlen(w.word[k]));
        const char *found = stem ? (const char *)stem : w.word[k];
        size_t j = first;
        while (j < l->n && strcmp(l->texts[j], found) != 0) {
            j++;
        }
        if (j == l->n) {
            list_add(l, found);
        }
    }
}

/* The different stems of an item's alarming words, added to l. */
static void add_stems(struct sb_stemmer *stemmer, const struct item *t, struct list *l)
{
    size_t first = l->n;
    for (size_t i = 0; i < t->n_alarming; i++) {
        add_text_stems(stemmer, t->alarming[i], l, first);
    }
}

static double share(const struct list *l, const char *text, size_t n_items)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        n += strcmp(l->texts[i], text) == 0;
    }
    return (double)n / (double)n_items;
}

/* Lists hold every stem once an item. */
static void measure_giveaway(const struct item_set *set, struct content *c)
{
    struct sb_stemmer *stemmer = sb_stemmer_new("english", NULL);
    struct list stems[ITEM_N_KINDS] = {0};
    size_t n_items[ITEM_N_KINDS] = {0};
    for (size_t i = 0; i < set->n_items; i++) {
        enum item_kind kind = set->items[i].kind;
        n_items[kind]++;
        add_text_stems(stemmer, set->items[i].text, &stems[kind], stems[kind].n);
    }
    for (size_t i = 0; i < stems[ITEM_CONTRAST].n && n_items[ITEM_SCENARIO] > 0; i++) {
        const char *stem = stems[ITEM_CONTRAST].texts[i];
        double excess = share(&stems[ITEM_CONTRAST], stem, n_items[ITEM_CONTRAST]) -
                        share(&stems[ITEM_SCENARIO], stem, n_items[ITEM_SCENARIO]);
        if (excess > c->giveaway) {
            c->giveaway = excess;
            snprintf(c->giveaway_word, sizeof c->giveaway_word, "%.39s", stem);
        }
    }
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        free(stems[k].texts);
    }
    sb_stemmer_delete(stemmer);
}

static void measure_alarming(const struct item_set *set, struct content *c, size_t n_scenarios)
{
    struct sb_stemmer *stemmer = sb_stemmer_new("english", NULL);
    struct list all = {0}, dev = {0}, test = {0};
    for (size_t i = 0; i < set->n_items; i++) {
        const struct item *t = &set->items[i];
        if (t->kind == ITEM_SCENARIO) {
            add_stems(stemmer, t, &all);
        }
        if (t->split == SPLIT_DEV) {
            add_stems(stemmer, t, &dev);
        } else if (t->kind == ITEM_SCENARIO) {
            add_stems(stemmer, t, &test);
        }
    }
    size_t top = list_top(&all, c->top_word, sizeof c->top_word, &c->n_alarming);
    c->top_word_share = n_scenarios > 0 ? (double)top / (double)n_scenarios : 0;
    if (dev.n > 0) {
        qsort(dev.texts, dev.n, sizeof *dev.texts, compare_texts);
    }
    for (size_t i = 0; i < test.n && !c->test_only_word[0]; i++) {
        if (dev.n == 0 ||
            !bsearch(test.texts[i], dev.texts, dev.n, sizeof *dev.texts, compare_texts)) {
            snprintf(c->test_only_word, sizeof c->test_only_word, "%.39s", test.texts[i]);
        }
    }
    free(test.texts);
    free(dev.texts);
    free(all.texts);
    sb_stemmer_delete(stemmer);
}

/* Numbers of the word pairs of a text, sorted and different; ids of words are their places in all.
 */
struct pairs {
    unsigned long *pair;
    size_t n;
};

static int compare_pairs(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return (x > y) - (x < y);
}

static unsigned long word_number(struct list *vocabulary, const char *word)
{
    size_t i = 0;
    while (i < vocabulary->n && strcmp(vocabulary->texts[i], word) != 0) {
        i++;
    }
    if (i == vocabulary->n) {
        list_add(vocabulary, word);
    }
    return i + 1; /* 0: the text's ends */
}

static struct pairs word_pairs(const char *text, struct list *vocabulary)
{
    struct words w;
    split_words(text, &w);
    struct pairs p = {.pair = xcalloc(w.n + 1, sizeof *p.pair)};
    unsigned long before = 0;
    for (size_t i = 0; i <= w.n; i++) {
        unsigned long here = i < w.n ? word_number(vocabulary, w.word[i]) : 0;
        p.pair[i] = before << 32 | here;
        before = here;
    }
    qsort(p.pair, w.n + 1, sizeof *p.pair, compare_pairs);
    for (size_t i = 0; i <= w.n; i++) {
        if (i == 0 || p.pair[i] != p.pair[p.n - 1]) {
            p.pair[p.n++] = p.pair[i];
        }
    }
    return p;
}

static double jaccard(const struct pairs *a, const struct pairs *b)
{
    size_t n_both = 0;
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        int order = compare_pairs(&a->pair[i], &b->pair[j]);
        n_both += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return (double)n_both / (double)(a->n + b->n - n_both);
}

static bool are_twins(const struct item *a, const struct item *b)
{
    return (a->twin && strcmp(a->twin, b->id) == 0) || (b->twin && strcmp(b->twin, a->id) == 0);
}

static void measure_similarity(const struct item_set *set, struct content *c)
{
    struct list vocabulary = {0};
    struct pairs *pairs = xcalloc(set->n_items, sizeof *pairs);
    for (size_t i = 0; i < set->n_items; i++) {
        pairs[i] = word_pairs(set->items[i].text, &vocabulary);
        for (size_t j = 0; j < i; j++) {
            double similarity = jaccard(&pairs[i], &pairs[j]);
            if (!are_twins(&set->items[i], &set->items[j]) &&
                (!c->closest[0] || similarity > c->max_similarity)) {
                c->max_similarity = similarity;
                c->closest[0] = &set->items[j];
                c->closest[1] = &set->items[i];
            }
        }
    }
    for (size_t i = 0; i < set->n_items; i++) {
        free(pairs[i].pair);
    }
    free(pairs);
    free(vocabulary.texts);
}

struct content content_measure(const struct item_set *set)
{
    struct content c = {0};
    struct list openings = {0};
    size_t n_scenarios = 0, n_different;
    for (size_t i = 0; i < set->n_items; i++) {
        const struct item *t = &set->items[i];
        struct words w;
        split_words(t->text, &w);
        c.min_words = i == 0 || w.n < c.min_words ? w.n : c.min_words;
        c.max_words = w.n > c.max_words ? w.n : c.max_words;
        c.n_items[t->kind][t->split]++;
        c.n_controversial += t->controversial && t->kind == ITEM_SCENARIO;
        if (t->kind == ITEM_SCENARIO) {
            n_scenarios++;
            c.n_alone[t->alone]++;
            char last = t->text[0] ? t->text[strlen(t->text) - 1] : '\0';
            c.n_questions += last == '?';
            c.n_exclamations += last == '!';
            char opening[2 * CONTENT_MAX_WORD];
            snprintf(opening, sizeof opening, "%s %s", w.n > 0 ? w.word[0] : "",
                     w.n > 1 ? w.word[1] : "");
            list_add(&openings, opening);
        }
    }
    size_t top = list_top(&openings, c.top_opening, sizeof c.top_opening, &n_different);
    c.top_opening_share = n_scenarios > 0 ? (double)top / (double)n_scenarios : 0;
    measure_alarming(set, &c, n_scenarios);
    measure_giveaway(set, &c);
    measure_similarity(set, &c);
    free(openings.texts);
    return c;
}
