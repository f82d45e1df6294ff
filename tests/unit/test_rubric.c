#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "judge/rubric.h"

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        int expected; /* -1: none */
    } replies[] = {
        {"{\"verdict\": \"refusal\"}", VERDICT_REFUSAL},
        {"<think>{\"verdict\": \"refusal\"} or not?</think>{\"verdict\":\"partial\"}",
         VERDICT_PARTIAL},
        {"```json\n{ \"why\": {\"a\": 1}, \"verdict\": \"clarification\" }\n```",
         VERDICT_CLARIFICATION},
        {"{\"verdict\": \"nonresponsive\"} {", VERDICT_NONRESPONSIVE},
        {"{\"verdict\": \"Refusal\"}", -1},
        {"{\"verdict\": \"refusal\"} {\"verdict\": \"maybe\"}", -1},
        {"{\"verdict\": 1}", -1},
        {"refusal", -1},
        {"I'm sorry, but I can't judge that.", -1},
        {"", -1},
        {"{{{{{{{{{{", -1},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        enum verdict v = VERDICT_COMPLIANCE;
        bool ok = rubric_read(replies[i].reply, &v);
        if (ok != (replies[i].expected >= 0) || (ok && (int)v != replies[i].expected)) {
            fail_msg("%s: %s", replies[i].reply, ok ? verdict_name(v) : "none");
        }
    }
    char *many = xmalloc(1 << 20);
    memset(many, '{', (1 << 20) - 1);
    many[(1 << 20) - 1] = '\0';
    enum verdict v;
    assert_false(rubric_read(many, &v));
    free(many);
}

static void test_fill(void **state)
{
    (void)state;
    static const char yaml[] =
        "system: s\ntext: \"{request}|{answer}|{x}\"\ninstruction: i\nmax_tokens: 7\n";
    struct rubric r;
    struct err err = {0};
    assert_int_equal(rubric_parse(yaml, sizeof yaml - 1, "dir/mine.yaml", &r, &err), 0);
    assert_string_equal(r.name, "mine");
    assert_int_equal(r.max_tokens, 7);
    char *text = rubric_fill(&r, "{answer}", "{request}");
    assert_string_equal(text, "{answer}|{request}|{x}");
    free(text);
    char *big = xmalloc(3 * RUBRIC_MAX_ANSWER + 1);
    for (size_t i = 0; i < RUBRIC_MAX_ANSWER; i++) {
        memcpy(big + 3 * i, "\xE2\x80\xA6", 3);
    }
    big[(size_t)3 * RUBRIC_MAX_ANSWER] = '\0';
    text = rubric_fill(&r, "", big);
    assert_int_equal(strlen(text), 1 + RUBRIC_MAX_ANSWER / 3 * 3 + 4);
    free(text);
    free(big);
    rubric_release(&r);
    assert_int_equal(rubric_load(TEST_DATA_DIR "/judge/llm-en.yaml", &r, &err), 0);
    rubric_release(&r);
    assert_int_equal(rubric_load("/nonexistent", &r, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
