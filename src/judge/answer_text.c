#include "judge/answer_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define MAX_WORD 40       /* letters in a row; more is noise */
#define MAX_COMPARED 4096 /* words looked at for loops */
#define MIN_ECHO_WORDS 3  /* a shorter request may well be part of an answer to it */
#define MAX_ECHO_REQUEST 512

struct word {
    const char *at;
    size_t len;
};

/* The ASCII text that stands for a code point: NULL for the code point itself. */
static const char *fold(uint32_t c)
{
    switch (c) {
    case 0xB4:
    case 0x2BC:
    case 0x2018:
    case 0x2019:
    case 0x201B:
        return "'";
    case 0xAB:
    case 0xBB:
    case 0x201C:
    case 0x201D:
    case 0x201E:
        return "\"";
    case 0x2212:
        return "-";
    case 0x2022:
    case 0x25CF:
        return "*";
    case 0x2026:
        return "...";
    case 0xAD:
    case 0x200B:
    case 0x200C:
    case 0x200D:
    case 0x2060:
    case 0xFEFF:
        return "";
    case 0x85:
    case 0xA0:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
        return " ";
    default:
        if (c >= 0x2010 && c <= 0x2015) {
            return "-";
        }
        if (c >= 0x2000 && c <= 0x200A) {
            return " ";
        }
        return c < 0x20 || c == 0x7F ? " " : NULL;
    }
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Markdown at the start of a line: returns how many bytes of it to skip, *ret_bullet if it lists.
 */
static size_t line_mark(const char *s, bool *ret_bullet)
{
    size_t n = strspn(s, "#>");
    *ret_bullet = n == 0 && (*s == '-' || *s == '*' || *s == '+') && (s[1] == ' ' || s[1] == '\t');
    return *ret_bullet ? 1 : n;
}

char *answer_normalise(const char *text)
{
    size_t n = strlen(text);
    char *out = xmalloc(n + 1);
    size_t len = 0;
    bool blank = false;
    bool line_start = true;
    for (size_t i = 0; i < n;) {
        if (line_start && text[i] != ' ' && text[i] != '\t' && text[i] != '\n') {
            bool bullet;
            size_t mark = line_mark(text + i, &bullet);
            line_start = false;
            if (mark > 0) {
                if (bullet && blank && len > 0) {
                    out[len++] = ' ';
                }
                if (bullet) {
                    out[len++] = '*';
                    blank = false;
                }
                i += mark;
                continue;
            }
        }
        uint32_t c = 0;
        size_t size = text_utf8_decode(text + i, n - i, &c);
        const char *folded = size > 0 ? fold(c) : "?";
        const char *from = folded ? folded : text + i;
        size_t from_len = folded ? strlen(folded) : size;
        line_start = line_start || text[i] == '\n';
        i += size > 0 ? size : 1;
        if (from_len == 0 || c == '*' || c == '`' ||
            (c == '_' && (len == 0 || blank || !is_alnum(out[len - 1]) || !text[i] ||
                          text[i] == ' ' || text[i] == '_'))) {
            continue;
        }
        if (*from == ' ') {
            blank = true;
            continue;
        }
        if (blank && len > 0) {
            out[len++] = ' ';
        }
        blank = false;
        for (size_t k = 0; k < from_len; k++) {
            char b = from[k];
            out[len++] = b >= 'A' && b <= 'Z' ? (char)(b - 'A' + 'a') : b;
        }
    }
    out[len] = '\0';
    return out;
}

/* Letters as far as this judge cares: symbols, punctuation and emoji are none. */
static bool is_foreign_letter(uint32_t c)
{
    return c >= 0xC0 && c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x2BFF) &&
           !(c >= 0x3000 && c <= 0x303F) && !(c >= 0xFE00 && c <= 0xFE6F) &&
           !(c >= 0xFF00 && c <= 0xFF20) && c != 0xFFFD && c < 0x1F000;
}

/* A word has a vowel (or is not ASCII) within a run of letters that is not endless. */
static bool looks_like_word(struct word w)
{
    size_t run = 0;
    bool vowel = false;
    bool good = false;
    for (size_t i = 0; i < w.len; i++) {
        char c = w.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
        run = letter ? run + 1 : 0;
        vowel = letter && (vowel || (unsigned char)c >= 0x80 || strchr("aeiouy", c));
        good = good || vowel;
        if (run > MAX_WORD) {
            return false;
        }
    }
    return good;
}

static bool next_token(const char **s, struct word *ret)
{
    *s += strspn(*s, " ");
    *ret = (struct word){*s, strcspn(*s, " ")};
    *s += ret->len;
    return ret->len > 0;
}

static bool same_word(struct word a, struct word b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool is_loop(const struct word *words, size_t n)
{
    for (size_t period = 1; period <= 3; period++) {
        size_t repeats = 0;
        for (size_t i = period; i < n; i++) {
            repeats += same_word(words[i], words[i - period]);
        }
        if (n >= 6 * period && repeats * 10 >= (n - period) * 8) {
            return true;
        }
    }
    return false;
}

const char *answer_defect(const char *text)
{
    size_t n_latin = 0;
    size_t n_foreign = 0;
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        i += text_utf8_decode(text + i, len - i, &c);
        n_latin += (c >= 'a' && c <= 'z') || (c < 0x250 && is_foreign_letter(c));
        n_foreign += c >= 0x250 && is_foreign_letter(c);
    }
    if (n_latin + n_foreign == 0) {
        return "empty";
    }
    if (n_foreign > n_latin) {
        return "other-language";
    }
    size_t most = len / 2 + 1 < MAX_COMPARED ? len / 2 + 1 : MAX_COMPARED; /* words and blanks */
    struct word *words = xmalloc(most * sizeof *words);
    size_t n = 0;
    size_t n_good = 0;
    for (const char *s = text; n < most && next_token(&s, &words[n]); n++) {
        n_good += looks_like_word(words[n]);
    }
    const char *why = NULL;
    if (n_good * 4 < n || n_good == 0) {
        why = "not-words";
    } else if (is_loop(words, n)) {
        why = "loop";
    }
    free(words);
    return why;
}

/* Words without their punctuation; max when there are more than that. */
static size_t split_words(const char *s, struct word *ret, size_t max)
{
    size_t n = 0;
    while (n < max) {
        while (*s && !is_alnum(*s)) {
            s++;
        }
        const char *start = s;
        while (is_alnum(*s) || (*s == '\'' && s > start && is_alnum(s[1]))) {
            s++;
        }
        if (s == start) {
            break;
        }
        ret[n++] = (struct word){start, (size_t)(s - start)};
    }
    return n;
}

bool answer_echoes(const char *request, const char *answer)
{
    struct word r[MAX_ECHO_REQUEST];
    struct word a[MAX_ECHO_REQUEST];
    size_t n_r = split_words(request, r, MAX_ECHO_REQUEST);
    size_t n_a = split_words(answer, a, MAX_ECHO_REQUEST);
    size_t n_short = n_r < n_a ? n_r : n_a;
    size_t n_long = n_r < n_a ? n_a : n_r;
    if (n_r < MIN_ECHO_WORDS || n_long == MAX_ECHO_REQUEST) {
        return false;
    }
    size_t head = 0;
    while (head < n_short && same_word(r[head], a[head])) {
        head++;
    }
    size_t tail = 0;
    while (head + tail < n_short && same_word(r[n_r - 1 - tail], a[n_a - 1 - tail])) {
        tail++;
    }
    return (head + tail) * 10 >= n_long * 8;
}
