/*
 * wer.h - word error rate: (substitutions + deletions + insertions) / words of the reference, by
 * the smallest number of edits (Levenshtein). Words are runs of letters, digits and apostrophes in
 * lower case; typographic apostrophes are plain ones, dashes and quotes none; other bytes above 127
 * count as letters.
 */
#ifndef AOR_STATS_WER_H
#define AOR_STATS_WER_H

#include <stddef.h>

#define WER_MAX_WORDS 2000 /* of a text; the rest is not looked at */

struct wer {
    size_t n_errors;
    size_t n_words; /* of the reference */
};

struct wer wer_count(const char *reference, const char *hypothesis);

#endif
