/* Prompt files: what is read and refused, templates, and where an answer starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/prompt.h"

#define HEAD "name: n\nsystem: \"\"\n"
#define REST "instruction: \"Do.\"\naudio: first\nmax_tokens: 8\n"

static struct prompt parse(const char *yaml)
{
    struct prompt p = {0};
    struct err err = {0};
    if (prompt_parse(yaml, strlen(yaml), "p.yaml", &p, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return p;
}

static void test_fields(void **state)
{
    (void)state;
    static const char all[] = "name: my-way-2\nsystem: \"Be kind.\"\ninstruction: \"Do.\"\n"
                              "audio: last\ntext: \"\\n{text}\"\n"
                              "text_scene: \"({scene})\\n{text}\"\nanswer_after: \"So:\"\n"
                              "max_tokens: 7\n";
    struct prompt p = parse(all);
    assert_string_equal(p.name, "my-way-2");
    assert_int_equal(p.probe, PROMPT_ANSWER);
    assert_string_equal(p.system, "Be kind.");
    assert_string_equal(p.instruction, "Do.");
    assert_true(p.audio_last);
    assert_string_equal(p.text, "\n{text}");
    assert_string_equal(p.text_scene, "({scene})\n{text}");
    assert_string_equal(p.answer_after, "So:");
    assert_int_equal(p.max_tokens, 7);
    assert_string_equal(p.yaml, all);
    char hex[SHA256_HEX_SIZE];
    sha256_hex(all, strlen(all), hex);
    assert_string_equal(p.sha256, hex);
    prompt_release(&p);

    p = parse(HEAD "probe: scene\n" REST);
    assert_int_equal(p.probe, PROMPT_SCENE);
    assert_false(p.audio_last);
    assert_null(p.text);
    assert_null(p.text_scene);
    assert_null(p.answer_after);
    prompt_release(&p);
    p = parse(HEAD "probe: transcribe\n" REST);
    assert_int_equal(p.probe, PROMPT_TRANSCRIBE);
    prompt_release(&p);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"name: A\nsystem: \"\"\n" REST,
         "p.yaml:1:7: a prompt's name has 1 to 15 lower-case letters, digits and hyphens"},
        {"name: sixteen-letters-\nsystem: \"\"\n" REST,
         "p.yaml:1:7: a prompt's name has 1 to 15 lower-case letters, digits and hyphens"},
        {"strategy: n\nsystem: \"\"\n" REST, "p.yaml:1:1: unknown key \"strategy\""},
        {"name: n\n" REST, "p.yaml:1:1: key \"system\" is missing"},
        {HEAD "probe: answer\n" REST, "p.yaml:3:8: \"answer\": one of transcribe, scene is wanted"},
        {HEAD "text: \"none\"\n" REST,
         "p.yaml:3:8: \"text\" wants {text} once and {scene} not at all"},
        {HEAD "text: \"{text}{text}\"\n" REST,
         "p.yaml:3:8: \"text\" wants {text} once and {scene} not at all"},
        {HEAD "text: \"{text}{scene}\"\n" REST,
         "p.yaml:3:8: \"text\" wants {text} once and {scene} not at all"},
        {HEAD "text_scene: \"{text}\"\n" REST,
         "p.yaml:3:14: \"text_scene\" wants {text} once and {scene} once"},
        {HEAD "probe: scene\ntext: \"{text}\"\n" REST,
         "p.yaml:4:8: \"text\" is not for a probe: it asks what is heard"},
        {HEAD "answer_after: \"\"\n" REST,
         "p.yaml:3:16: \"answer_after\" has 1 to 64 bytes, or is left out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct prompt p = {0};
        struct err err = {0};
        assert_int_equal(prompt_parse(cases[i].yaml, strlen(cases[i].yaml), "p.yaml", &p, &err),
                         -1);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(p.name);
    }
    static const char zero[] = HEAD REST "#\0 what a C string would lose\n";
    struct prompt p = {0};
    assert_int_equal(prompt_parse(zero, sizeof zero - 1, "p.yaml", &p, NULL), -1);
}

static void expect_filled(const struct prompt *p, bool with_scene, const char *text,
                          const char *scene, const char *expected)
{
    struct err err = {0};
    char *got = prompt_fill(p, with_scene, text, scene, &err);
    assert_non_null(got);
    assert_string_equal(got, expected);
    free(got);
}

static void test_fill(void **state)
{
    (void)state;
    struct prompt p = parse(HEAD "text: \"{a} {text} {}{text\"\n"
                                 "text_scene: \"[{scene}] {text}.\"\n" REST);
    expect_filled(&p, false, "Hello", NULL, "{a} Hello {}{text");
    expect_filled(&p, false, "{text} {scene}", "no", "{a} {text} {scene} {}{text");
    expect_filled(&p, true, "Hello", "a bar", "[a bar] Hello.");
    expect_filled(&p, true, "the {scene} {text}", "{text} {scene}",
                  "[{text} {scene}] the {scene} {text}.");
    expect_filled(&p, true, "", "", "[] .");
    prompt_release(&p);

    struct err err = {0};
    p = parse(HEAD REST);
    assert_null(prompt_fill(&p, false, "Hello", NULL, &err));
    assert_string_equal(err.msg, "prompt n has no \"text\": it cannot be asked in words");
    assert_null(prompt_fill(&p, true, "Hello", "a bar", &err));
    assert_string_equal(err.msg, "prompt n has no \"text_scene\": it cannot be asked in words");
    prompt_release(&p);
}

static void test_answer_start(void **state)
{
    (void)state;
    static const struct {
        const char *response, *answer;
    } cases[] = {
        {"A bell rings. Answer: Yes.", "Yes."},
        {"A bell rings.\n\nANSWER:\n\n  Yes.", "Yes."},
        {"answer:Yes.", "Yes."},
        {"Final answer: Yes.", "Yes."},
        {"Thought.\n**Answer:** Yes.", "Yes."},
        {"Thought.\n**Answer**: Yes.", "Yes."},
        {"Thought.\n_Answer:_ Yes.", "Yes."},
        {"Thought.\n***Answer:***Yes.", "Yes."},
        {"Thought.\n**Answer: Yes.**", "Yes.**"},
        {"Thought.\nAnswer: **Yes** it is.", "**Yes** it is."},
        {"## Answer:\r\nYes.", "Yes."},
        {"\xe2\x80\x9c"
         "Answer: Yes.\xe2\x80\x9d",
         "Yes.\xe2\x80\x9d"},
        {"Answer: one. Answer: two.", "one. Answer: two."},
        {"The nonanswer: no. Answer: Yes.", "Yes."},
        {"The 2answer: no. Answer: Yes.", "Yes."},
        {"Thought. Answer:", ""},
        {"Thought. Answer: \n", ""},
        {"No marker, so all of it.", "No marker, so all of it."},
        {"The answer is yes.", "The answer is yes."},
        {"Answer", "Answer"},
        {"", ""},
    };
    struct prompt p = parse(HEAD "answer_after: \"Answer:\"\n" REST);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *response = cases[i].response;
        assert_string_equal(response + prompt_answer_start(&p, response, false), cases[i].answer);
    }
    static const char cut[] = "A bell rings, and the speaker";
    assert_int_equal(prompt_answer_start(&p, cut, true), strlen(cut));
    assert_int_equal(prompt_answer_start(&p, "Answer: Ye", true), strlen("Answer: "));
    prompt_release(&p);

    p = parse(HEAD "answer_after: \"so\"\n" REST);
    assert_int_equal(prompt_answer_start(&p, "Some sound. So yes", false),
                     strlen("Some sound. So "));
    prompt_release(&p);
    p = parse(HEAD "answer_after: \"**\"\n" REST);
    assert_int_equal(prompt_answer_start(&p, "a** b", false), 4);
    prompt_release(&p);
    p = parse(HEAD REST);
    assert_int_equal(prompt_answer_start(&p, "A bell. Answer: Yes.", true), 0);
    prompt_release(&p);
}

static void test_answer_start_is_linear(void **state)
{
    (void)state;
    struct prompt p = parse(HEAD "answer_after: \"aaaaaaaaaaaaaaaa:\"\n" REST);
    struct buf text = {0};
    for (int i = 0; i < 100000; i++) {
        buf_adds(&text, "a*********");
    }
    assert_int_equal(prompt_answer_start(&p, text.data, false), 0);
    buf_release(&text);
    prompt_release(&p);
}

/* Of the prompts that are shipped, those of one kind differ in their words only. */
static void test_shipped_prompts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *like; /* like: the prompt that it says in other words */
    } shipped[] = {
        {"direct", "direct"},
        {"direct-b", "direct"},
        {"direct-c", "direct"},
        {"steered", "direct"},
        {"audio-only", "audio-only"},
        {"audio-last", "audio-last"},
        {"cot", "cot"},
        {"cot-b", "cot"},
        {"cot-c", "cot"},
        {"cot-scene", "cot"},
        {"cot-intent", "cot"},
        {"cot-policy", "cot"},
        {"transcribe", "transcribe"},
        {"transcribe-b", "transcribe"},
        {"transcribe-c", "transcribe"},
        {"scene", "scene"},
        {"scene-b", "scene"},
        {"scene-c", "scene"},
    };
    char **paths;
    size_t n_paths;
    assert_int_equal(fs_list(TEST_DATA_DIR "/prompts", "", "", &paths, &n_paths, NULL), 0);
    fs_free_paths(paths, n_paths);
    assert_int_equal(n_paths, sizeof shipped / sizeof *shipped);
    for (size_t i = 0; i < n_paths; i++) {
        struct prompt p, like;
        struct err err = {0};
        char *path = xasprintf("%s/prompts/%s.yaml", TEST_DATA_DIR, shipped[i].name);
        char *like_path = xasprintf("%s/prompts/%s.yaml", TEST_DATA_DIR, shipped[i].like);
        if (prompt_load(path, &p, &err) != 0 || prompt_load(like_path, &like, &err) != 0) {
            fail_msg("%s", err.msg);
        }
        assert_string_equal(p.name, shipped[i].name);
        assert_string_equal(p.system, "You are a helpful assistant. The user speaks to you.");
        assert_int_equal(p.probe, like.probe);
        assert_int_equal(p.audio_last, like.audio_last);
        assert_int_equal(p.max_tokens, like.max_tokens);
        assert_int_equal(!p.text, p.probe != PROMPT_ANSWER);
        assert_int_equal(!p.text_scene, p.probe != PROMPT_ANSWER);
        if (p.text) {
            assert_string_equal(p.text, like.text);
            assert_string_equal(p.text_scene, like.text_scene);
        }
        assert_int_equal(!p.answer_after, !like.answer_after);
        if (p.answer_after) { /* the instruction asks for the marker */
            assert_non_null(strstr(p.instruction, p.answer_after));
        }
        prompt_release(&p);
        prompt_release(&like);
        free(path);
        free(like_path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_answer_start),
        cmocka_unit_test(test_answer_start_is_linear),
        cmocka_unit_test(test_shipped_prompts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
