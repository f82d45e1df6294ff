/* Hostile texts in CSV and LaTeX. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/escape.h"

static void expect(void (*escape)(FILE *, const char *), const char *text, const char *wanted)
{
    char *got = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&got, &n);
    escape(out, text);
    fclose(out);
    assert_string_equal(got, wanted);
    free(got);
}

static void test_csv(void **state)
{
    (void)state;
    expect(escape_csv, "", "\"\"");
    expect(escape_csv, "plain", "\"plain\"");
    expect(escape_csv, "a \"b\", c\nd", "\"a \"\"b\"\", c\nd\"");
    expect(escape_csv, "=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\"");
    expect(escape_csv, "+1+cmd|' /C calc'!A0", "\"'+1+cmd|' /C calc'!A0\"");
    expect(escape_csv, "-2+3", "\"'-2+3\"");
    expect(escape_csv, "@SUM(A1)", "\"'@SUM(A1)\"");
    expect(escape_csv, "\t=1", "\"'\t=1\"");
    expect(escape_csv, "\r=1", "\"'\r=1\"");
    expect(escape_csv, "-5", "\"-5\"");
    expect(escape_csv, "-", "\"'-\"");
}

static void test_latex(void **state)
{
    (void)state;
    expect(escape_latex, "50% & $3_a #1 {x} ~^", "50\\% \\& \\$3\\_a \\#1 \\{x\\} \\~{}\\^{}");
    expect(escape_latex, "\\input{/etc/passwd}", "\\textbackslash{}input\\{/etc/passwd\\}");
    expect(escape_latex, "a\x1B[31mb\nc\x7F", "a[31mbc");
    expect(escape_latex,
           "a\xE2\x80\xAE"
           "b\xE2\x80\x8B"
           "c",
           "abc"); /* U+202E, U+200B */
    expect(escape_latex, "a\xFF\xC3", "a??");
    expect(escape_latex, "\xC3\xA4\xE4\xB8\xAD", "\xC3\xA4\xE4\xB8\xAD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_latex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
