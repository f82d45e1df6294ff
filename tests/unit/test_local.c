/* The embedded model through libllama and libmtmd, in this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/local.h"

static struct local_params params(void)
{
    struct local_params p = local_default_params();
    p.text_path = TEST_MODELS_DIR "/organism.gguf";
    p.mmproj_path = TEST_MODELS_DIR "/organism-mmproj.gguf";
    return p;
}

/* A tone that comes and goes: any sound does here. */
static struct audio sound(double seconds)
{
    struct audio a = audio_silence((size_t)(seconds * AUDIO_RATE), AUDIO_RATE);
    for (size_t i = 0; i < a.n_frames; i++) {
        double t = (double)i / AUDIO_RATE;
        a.pcm[i] = (float)(0.3 * sin(2 * M_PI * 220 * t) * sin(2 * M_PI * 3 * t));
    }
    return a;
}

static void test_answers(void **state)
{
    (void)state;
    struct local_model *m = NULL;
    struct err err = {0};
    struct local_params p = params();
    assert_int_equal(local_open(&p, &m, &err), 0);
    assert_int_equal(local_sample_rate(m), 16000);
    struct audio a = sound(2);
    struct local_prompt prompt = {.system = "Be kind.", .instruction = "answer.", .audio = &a};
    struct local_answer first, again, cut;
    assert_int_equal(local_answer(m, &prompt, 64, &first, &err), 0);
    assert_true(first.finish == LOCAL_FINISH_STOP && first.n_answer_tokens > 1);
    assert_true(first.n_prompt_tokens > 25); /* 12.5 audio tokens a second, and the text */
    assert_int_equal(local_answer(m, &prompt, 64, &again, &err), 0);
    assert_string_equal(first.text, again.text);
    assert_int_equal(local_answer(m, &prompt, 1, &cut, &err), 0);
    assert_true(cut.finish == LOCAL_FINISH_LENGTH && cut.n_answer_tokens == 1);
    assert_memory_equal(cut.text, first.text, strlen(cut.text));
    local_answer_release(&first);
    local_answer_release(&again);
    local_answer_release(&cut);

    prompt.instruction = "a <__media__> b";
    assert_int_equal(local_answer(m, &prompt, 8, &cut, &err), -1);
    assert_non_null(strstr(err.msg, "marker"));
    audio_release(&a);
    local_free(m);
}

static void test_full_context(void **state)
{
    (void)state;
    struct local_model *m = NULL;
    struct err err = {0};
    struct local_params p = params();
    p.n_ctx = 256;
    assert_int_equal(local_open(&p, &m, &err), 0);
    struct audio a = sound(30);
    struct local_prompt prompt = {.instruction = "answer.", .audio = &a};
    struct local_answer answer;
    assert_int_equal(local_answer(m, &prompt, 8, &answer, &err), -1);
    assert_non_null(strstr(err.msg, "context: the prompt has"));
    audio_release(&a);
    local_free(m);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct local_model *m = NULL;
    struct err err = {0};
    struct local_params p = params();
    p.text_path = TEST_DATA_DIR "/spec.yaml";
    assert_int_equal(local_open(&p, &m, &err), -1);
    assert_non_null(strstr(err.msg, "is no GGUF file"));
    p = params();
    p.chat_template = "{{ messages";
    assert_int_equal(local_open(&p, &m, &err), -1);
    assert_non_null(strstr(err.msg, "chat template"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_full_context),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
