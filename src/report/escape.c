#include "report/escape.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void escape_csv(FILE *out, const char *text)
{
    char *end;
    strtod(text, &end); /* a negative level is a number */
    fputs(*end && strchr("=+-@\t\r\n", *text) ? "\"'" : "\"", out);
    for (; *text; text++) {
        fputs(*text == '"' ? "\"" : "", out);
        putc(*text, out);
    }
    putc('"', out);
}

static void latex_character(FILE *out, const char *s, size_t n)
{
    if (strchr("&%$#_{}", *s)) {
        fprintf(out, "\\%c", *s);
    } else if (*s == '\\') {
        fputs("\\textbackslash{}", out);
    } else if (*s == '~' || *s == '^') {
        fprintf(out, "\\%c{}", *s);
    } else {
        fwrite(s, 1, n, out);
    }
}

void escape_latex(FILE *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t code_point;
        size_t n = text_utf8_decode(text, left, &code_point);
        if (n == 0) {
            putc('?', out);
            n = 1;
        } else if (!text_is_unprintable(code_point)) {
            latex_character(out, text, n);
        }
        text += n;
        left -= n;
    }
}
