#include "stats/wer.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct word {
    const char *start;
    size_t len;
};

static int is_in_word(char c)
{
    return isalnum((unsigned char)c) || c == '\'' || ((unsigned char)c & 0x80) != 0;
}

/* The caller's. */
static struct word *split(const char *text, size_t *ret_n)
{
    struct word *words = xcalloc(WER_MAX_WORDS, sizeof *words);
    size_t n = 0;
    while (*text && n < WER_MAX_WORDS) {
        const char *start = text;
        while (is_in_word(*text)) {
            text++;
        }
        if (text > start) {
            words[n++] = (struct word){start, (size_t)(text - start)};
        } else {
            text++;
        }
    }
    *ret_n = n;
    return words;
}

static int are_equal(const struct word *a, const struct word *b)
{
    return a->len == b->len && strncasecmp(a->start, b->start, a->len) == 0;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Curly quotes and dashes as in ASCII, where they stand between words; the caller's. */
static char *plain(const char *text)
{
    static const struct {
        const char *typographic;
        char ascii;
    } marks[] = {{"\xe2\x80\x98", '\''}, {"\xe2\x80\x99", '\''}, {"\xe2\x80\x9c", ' '},
                 {"\xe2\x80\x9d", ' '},  {"\xe2\x80\x93", ' '},  {"\xe2\x80\x94", ' '},
                 {"\xe2\x80\xa6", ' '}};
    struct buf out = {0};
    while (*text) {
        size_t i = 0;
        while (i < sizeof marks / sizeof *marks && strncmp(text, marks[i].typographic, 3) != 0) {
            i++;
        }
        bool is_mark = i < sizeof marks / sizeof *marks;
        buf_add(&out, is_mark ? &marks[i].ascii : text, 1);
        text += is_mark ? 3 : 1;
    }
    return buf_detach(&out);
}

struct wer wer_count(const char *reference, const char *hypothesis)
{
    size_t n_ref, n_hyp;
    char *plain_ref = plain(reference);
    char *plain_hyp = plain(hypothesis);
    struct word *ref = split(plain_ref, &n_ref);
    struct word *hyp = split(plain_hyp, &n_hyp);
    size_t *row = xcalloc(n_hyp + 1, sizeof *row); /* edits from ref[0..i) to hyp[0..j) */
    for (size_t j = 0; j <= n_hyp; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n_ref; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_hyp; j++) {
            size_t changed = diagonal + !are_equal(&ref[i - 1], &hyp[j - 1]);
            diagonal = row[j];
            row[j] = min3(changed, row[j] + 1, row[j - 1] + 1);
        }
    }
    struct wer w = {row[n_hyp], n_ref};
    free(row);
    free(hyp);
    free(ref);
    free(plain_hyp);
    free(plain_ref);
    return w;
}
