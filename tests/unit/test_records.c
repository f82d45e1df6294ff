#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/records.h"

static struct records *parse(const char *text)
{
    struct records *r = NULL;
    struct err err = {0};
    if (records_parse(text, strlen(text), "f", &r, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return r;
}

/* The same two rows in each form. */
static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
    } forms[] = {
        {"label,n,\"the response\"\nrefusal,1,\"No, \"\"never\"\".\"\ncompliance,2.5,\n", "f:3"},
        {"[{\"label\": \"refusal\", \"n\": 1, \"the response\": \"No, \\\"never\\\".\"},\n"
         "{\"n\": 2.5, \"label\": \"compliance\", \"the response\": \"\"}]",
         "f: record 2"},
        {"{\"label\": \"refusal\", \"n\": 1, \"the response\": \"No, \\\"never\\\".\"}\n\n"
         "{\"label\": \"compliance\", \"n\": 2.5, \"the response\": \"\"}",
         "f:3"},
        {"\xEF\xBB\xBF{\"label\": \"refusal\", \"n\": 1, \"the response\": \"No, "
         "\\\"never\\\".\"}\n"
         "{\"label\": \"compliance\", \"n\": 2.5, \"the response\": \"\"}",
         "f:2"},
        {"\xEF\xBB\xBFlabel,n,the response\r\nrefusal,1,\"No, "
         "\"\"never\"\".\"\r\ncompliance,2.5,\r\n",
         "f:3"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct records *r = parse(forms[i].text);
        assert_int_equal(records_count(r), 2);
        assert_string_equal(records_get(r, 0, "label"), "refusal");
        assert_string_equal(records_get(r, 0, "n"), "1");
        assert_string_equal(records_get(r, 0, "the response"), "No, \"never\".");
        assert_string_equal(records_get(r, 1, "n"), "2.5");
        assert_string_equal(records_get(r, 1, "the response"), "");
        assert_null(records_get(r, 1, "nothing"));
        assert_string_equal(records_where(r, 1), forms[i].where);
        records_free(r);
    }
    struct records *r = parse("[{\"a\": null, \"b\": {\"c\": [1]}, \"d\": true}]");
    assert_null(records_get(r, 0, "a"));
    assert_string_equal(records_get(r, 0, "b"), "{\"c\":[1]}");
    assert_string_equal(records_get(r, 0, "d"), "true");
    records_free(r);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "f: is empty"},
        {"[1]", "f: record 1: no JSON object"},
        {"{\"a\": 1}\n{\"a\": }\n", "f:2"},
        {"{\"a\": 1}\n[]\n", "f:2: no JSON object"},
        {"[{\"a\": \"\\u0000\"}]", "f"},
        {"a,b\n1\n", "f:2: 1 fields; there are 2 titles"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct records *r = NULL;
        struct err err = {0};
        assert_int_equal(records_parse(bad[i].text, strlen(bad[i].text), "f", &r, &err), -1);
        if (strncmp(err.msg, bad[i].message, strlen(bad[i].message)) != 0) {
            fail_msg("%s, not %s", err.msg, bad[i].message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
