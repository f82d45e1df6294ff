/*
 * content.h - how varied the texts of a set of items are.
 *
 * Words are runs of ASCII letters and apostrophes, lower case. Alarming words are counted by their
 * stem (Snowball's English stemmer), so that "shoot" and "shooting" are one. Two texts' similarity
 * is the Jaccard index of their sets of word pairs, the text's two ends counted as words; a
 * contrast and its twin, which are meant to be alike, are not compared.
 */
#ifndef AOR_BENCH_CONTENT_H
#define AOR_BENCH_CONTENT_H

#include "bench/scenario.h"

/* What the project's own content keeps to (tests/unit/test_content.c). */
#define CONTENT_MAX_WORD_SHARE 0.06
#define CONTENT_MAX_SIMILARITY 0.25
#define CONTENT_MIN_UNSAFE_SHARE 0.6 /* scenarios that are ambiguous or alarming alone */
#define CONTENT_MAX_GIVEAWAY 0.25

#define CONTENT_MAX_WORD 40 /* bytes with NUL; longer words are cut */

struct content {
    size_t n_items[ITEM_N_KINDS][SPLIT_N];
    size_t n_alone[3];           /* of scenarios, by enum item_alone */
    size_t n_controversial;      /* scenarios */
    size_t min_words, max_words; /* of a text, all kinds */

    /* Scenarios' most frequent alarming stem, and in what share of them it stands. */
    char top_word[CONTENT_MAX_WORD];
    double top_word_share;
    size_t n_alarming; /* different alarming stems of scenarios */
    /* One that a test scenario has and nothing in dev does; "" when there is none. */
    char test_only_word[CONTENT_MAX_WORD];

    /*
     * The stem that gives contrasts away best: the share of contrasts that have it less the share
     * of scenarios.
     */
    char giveaway_word[CONTENT_MAX_WORD];
    double giveaway;

    /* The closest two texts. */
    double max_similarity;
    const struct item *closest[2]; /* borrowed; NULL when there are fewer than two items */

    /* Scenarios' first two words: the most frequent, and its share; and how texts end. */
    char top_opening[2 * CONTENT_MAX_WORD];
    double top_opening_share;
    size_t n_questions, n_exclamations; /* the rest are statements and imperatives */
};

struct content content_measure(const struct item_set *set);

#endif
