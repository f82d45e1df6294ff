/* Foreign bytes: texts of models in CSV fields and LaTeX cells. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *escaped(void (*escape)(FILE *, const char *), const char *text)
{
    char *got = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&got, &n);
    escape(out, text);
    fclose(out);
    return got;
}

/* One field, whose text comes back, and no formula. */
static void check_csv(const char *text, const char *field)
{
    size_t n = strlen(field);
    char *back = malloc(n + 1);
    size_t n_back = 0;
    char *end;
    strtod(text, &end);
    bool is_number = end > text && *end == '\0';
    if (n < 2 || field[0] != '"' || field[n - 1] != '"' ||
        (strchr("=+-@\t\r\n", field[1]) && !is_number)) {
        abort();
    }
    for (size_t i = 1; i < n - 1; i++) {
        if (field[i] == '"' && field[++i] != '"') {
            abort();
        }
        back[n_back++] = field[i];
    }
    back[n_back] = '\0';
    if (strcmp(back[0] == '\'' && text[0] != '\'' ? back + 1 : back, text) != 0) {
        abort();
    }
    free(back);
}

/* No special character without its backslash, balanced braces, nothing unprintable. */
static void check_latex(const char *cell)
{
    int depth = 0;
    if (text_check_utf8(cell, strlen(cell), "cell", NULL) != 0) {
        abort();
    }
    for (const char *p = cell; *p; p++) {
        if (*p == '\\') {
            p += strncmp(p, "\\textbackslash{}", 16) == 0 ? 15 : 1;
            if (!strchr("&%$#_{}~^", *p)) {
                abort();
            }
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}') {
            depth--;
        } else if (strchr("&%$#_~^", *p) || (unsigned char)*p < 0x20) {
            abort();
        }
    }
    if (depth != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    char *field = escaped(escape_csv, text);
    char *cell = escaped(escape_latex, text);
    check_csv(text, field);
    check_latex(cell);
    free(field);
    free(cell);
    free(text);
    return 0;
}
