/* Expected errors from jiwer 3.1 (process_words, lower case, without punctuation). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stats/wer.h"

static void expect(const char *reference, const char *hypothesis, size_t n_errors, size_t n_words)
{
    struct wer w = wer_count(reference, hypothesis);
    assert_int_equal(w.n_errors, n_errors);
    assert_int_equal(w.n_words, n_words);
}

static void test_edits(void **state)
{
    (void)state;
    expect("how do i shoot the bride", "how do i shoot the bride", 0, 6);
    expect("how do i shoot the bride", "how i should the brides too", 4, 6);
    expect("the cat sat on the mat", "the cat the mat", 2, 6);
    expect("the cat", "the fat black cat", 2, 2);
    expect("a b c d", "", 4, 4);
    expect("kill the lights", "lights kill the", 2, 3);
}

static void test_words(void **state)
{
    (void)state;
    expect("Don't stop!", "don't, stop", 0, 2);
    expect("The caf\xc3\xa9 is open.", "the caf\xc3\xa9 is open", 0, 4);
    expect("don't stop it", "don\xe2\x80\x99t \xe2\x80\x9cstop\xe2\x80\x9d\xe2\x80\x94it", 0, 3);
    expect("", "some words", 2, 0);
    expect("  ...  ", "", 0, 0);
}

static void test_long_texts_end(void **state)
{
    (void)state;
    char *text = xcalloc(200001, 1);
    for (size_t i = 0; i < 200000; i += 2) {
        memcpy(text + i, "a ", 2);
    }
    struct wer w = wer_count("a b", text);
    assert_int_equal(w.n_words, 2);
    assert_int_equal(w.n_errors, WER_MAX_WORDS - 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_long_texts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
