/* CSV: the forms that RFC 4180 section 2 shows, and what is wrong in others, with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/csv.h"

static struct csv_table parse(const char *text)
{
    struct csv_table t = {0};
    struct err err = {0};
    if (csv_table_parse(text, strlen(text), "t.csv", &t, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return t;
}

static void test_forms(void **state)
{
    (void)state;
    static const char *const same[] = {
        "aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n",         /* 2.1: CRLF */
        "aaa,bbb,ccc\r\nzzz,yyy,xxx",             /* 2.2: the last line break is optional */
        "\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx", /* 2.5: quotes */
        "aaa,bbb,ccc\nzzz,yyy,xxx\n",             /* LF */
        "\xEF\xBB\xBF"
        "aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n",              /* byte order mark */
        "\n aaa, bbb ,ccc\n\r\n  \t\nzzz,yyy,xxx\n\n", /* blanks */
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct csv_table t = parse(same[i]);
        struct err err = {0};
        size_t column = 9;
        assert_int_equal(t.n_columns, 3);
        assert_int_equal(t.n_rows, 1);
        assert_int_equal(csv_table_column(&t, "bbb", &column, &err), 0);
        assert_int_equal(column, 1);
        assert_string_equal(csv_table_cell(&t, 0, 0), "zzz");
        assert_string_equal(csv_table_cell(&t, 0, 2), "xxx");
        assert_int_equal(csv_table_column(&t, "b", &column, &err), -1);
        csv_table_release(&t);
    }
}

static void test_quotes_and_lines(void **state)
{
    (void)state;
    struct csv_table t = parse("a,b\r\n"
                               "\"b\r\n\r\nb\",\"x,y\"\r\n" /* 2.6 */
                               "\"b\"\"b\",\r\n"            /* 2.7 */
                               "\r\n"
                               "1,\"\"\r\n");
    static const struct {
        const char *a, *b;
        int line;
    } rows[] = {{"b\r\n\r\nb", "x,y", 2}, {"b\"b", "", 5}, {"1", "", 7}};
    assert_int_equal(t.n_rows, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(csv_table_cell(&t, i, 0), rows[i].a);
        assert_string_equal(csv_table_cell(&t, i, 1), rows[i].b);
        assert_int_equal(csv_table_line(&t, i), rows[i].line);
    }
    csv_table_release(&t);
}

static void test_bad(void **state)
{
    (void)state;
#define QUOTE ": a quote in the midst of a field, or one that is not closed"
#define TEXT(s) s, sizeof s - 1
    static const struct {
        const char *text;
        size_t n;
        const char *message;
    } cases[] = {
        {TEXT(""), "t.csv: is empty"},
        {TEXT("\r\n \n"), "t.csv: is empty"},
        {TEXT("a,b\n1,2,3\n"), "t.csv:2: 3 fields; there are 2 titles"},
        {TEXT("a,b\n1,2\n\n\"x\ny\"\n"), "t.csv:4: 1 fields; there are 2 titles"},
        {TEXT("a,b\n1,x\"y\n"), "t.csv:2" QUOTE},
        {TEXT("a,b\n1,2\n1,\"x\" y\n"), "t.csv:3" QUOTE},
        {TEXT("a,b\n1,\"x\n2,y\n3,z\n"), "t.csv:2" QUOTE},
        {TEXT("a,b\n1,x\0y\n"), "t.csv:2: a NUL byte"},
        {TEXT("a,b\n1,x\xFFy\n"), "t.csv:2:4: no UTF-8 here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct csv_table t = {0};
        struct err err = {0};
        assert_int_equal(csv_table_parse(cases[i].text, cases[i].n, "t.csv", &t, &err), -1);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(t.cells);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_quotes_and_lines),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
