/* Presets of models: what is read and refused, what is taken where nothing is said, those shipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "base/yaml.h"
#include "model/preset.h"

#define HEAD                                                                                       \
    "title: T\nfamily: F\ndeveloper: D\nparameters: 1B\nlicence: L\nreference: R\n"                \
    "tested: never\nllama_cpp: \"yes\"\n"
#define API "api:\n  url: http://127.0.0.1:8000/v1\n  model: m\n"

static struct preset parse(const char *yaml)
{
    struct preset p = {0};
    struct err err = {0};
    if (preset_parse(yaml, strlen(yaml), "models/p-1.5.yaml", &p, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return p;
}

static void test_fields(void **state)
{
    (void)state;
    struct preset p = parse(
        "title: A Model\nfamily: F\ndeveloper: D\nparameters: 7B\nlicence: L\nreference: R\n"
        "weights: Org/Model-1.0\ntested: 2026-11-25\nllama_cpp: \"yes: slowly\"\n"
        "notes: |\n  One.\n  Two.\nserve: serve it\n"
        "gguf: {repository: a/b, revision: v1.0, text: q8/text.gguf, mmproj: mm.gguf}\n"
        "api:\n  protocol: openai\n  url: https://example.org/v1//\n  model: m/n\n  key: A_KEY\n"
        "  needs_key: false\n  audio: input_audio_uri\n  format: mp3\n  stream: true\n"
        "  temperature: false\n  max_tokens: max_completion_tokens\n  system: false\n"
        "  body: '{\"modalities\": [\"text\"],  \"n\": 1}'\n"
        "  price: {input: 0.5, audio: 40, output: 1.25, as_of: 2026-10-31}\n");
    assert_string_equal(p.name, "p-1.5");
    assert_string_equal(p.title, "A Model");
    assert_string_equal(p.weights, "Org/Model-1.0");
    assert_string_equal(p.tested, "2026-11-25");
    assert_string_equal(p.llama_cpp, "yes: slowly");
    assert_string_equal(p.notes, "One.\nTwo.");
    assert_string_equal(p.serve, "serve it");
    assert_true(p.has_gguf && p.has_api);
    assert_string_equal(p.gguf.repository, "a/b");
    assert_string_equal(p.gguf.revision, "v1.0");
    assert_string_equal(p.gguf.text, "q8/text.gguf");
    assert_string_equal(p.gguf.mmproj, "mm.gguf");
    const struct preset_api *a = &p.api;
    assert_int_equal(a->protocol, PRESET_OPENAI);
    assert_string_equal(a->url, "https://example.org/v1");
    assert_string_equal(a->model, "m/n");
    assert_string_equal(a->key_variable, "A_KEY");
    assert_false(a->needs_key);
    assert_int_equal(a->audio, PRESET_INPUT_AUDIO_URI);
    assert_int_equal(a->format, PRESET_MP3);
    assert_true(a->is_streamed);
    assert_false(a->takes_temperature);
    assert_string_equal(a->max_tokens_key, "max_completion_tokens");
    assert_false(a->has_system);
    assert_string_equal(a->body, "{\"modalities\":[\"text\"],\"n\":1}");
    assert_true(a->price.input == 0.5 && a->price.audio == 40 && a->price.output == 1.25);
    assert_string_equal(a->price.as_of, "2026-10-31");
    preset_release(&p);
    assert_null(p.name);
}

static void expect_defaults(const struct preset_api *a)
{
    assert_int_equal(a->protocol, PRESET_OPENAI);
    assert_int_equal(a->audio, PRESET_INPUT_AUDIO);
    assert_int_equal(a->format, PRESET_WAV);
    assert_false(a->is_streamed);
    assert_true(a->takes_temperature);
    assert_string_equal(a->max_tokens_key, "max_tokens");
    assert_true(a->has_system);
    assert_string_equal(a->body, "{}");
    assert_null(a->key_variable);
    assert_false(a->needs_key);
    assert_null(a->price.as_of);
}

static void test_defaults(void **state)
{
    (void)state;
    struct preset_api a = preset_default_api();
    expect_defaults(&a);
    assert_null(a.url);
    assert_null(a.model);
    free(a.body);
    struct preset p = parse(HEAD API);
    expect_defaults(&p.api);
    assert_string_equal(p.notes, "");
    assert_null(p.weights);
    assert_null(p.serve);
    assert_false(p.has_gguf);
    preset_release(&p);

    p = parse(HEAD API "  key: K\n");
    assert_true(p.api.needs_key);
    preset_release(&p);

    p = parse(HEAD API "  price: {input: 2, output: 8, as_of: 2026-10-31}\n");
    assert_true(p.api.price.audio == 2);
    preset_release(&p);
    p = parse(HEAD API "  price: {input: 2, audio: 0, as_of: 2026-10-31}\n");
    assert_true(p.api.price.audio == 0);
    preset_release(&p);
    p = parse(HEAD "gguf: {repository: a/b, text: t.gguf, mmproj: m.gguf}\n");
    assert_false(p.has_api);
    assert_string_equal(p.gguf.revision, "main");
    preset_release(&p);
    p = parse(HEAD "api: {protocol: gemini, url: 'http://[::1]:9', model: m-2.5}\n");
    assert_int_equal(p.api.protocol, PRESET_GEMINI);
    preset_release(&p);
}

struct bad_case {
    const char *yaml, *message;
};

static void expect_refused(const struct bad_case *c)
{
    struct preset p = {0};
    struct err err = {0};
    if (preset_parse(c->yaml, strlen(c->yaml), "p.yaml", &p, &err) == 0) {
        fail_msg("taken: %s", c->yaml);
    }
    assert_string_equal(err.msg, c->message);
    assert_null(p.name);
}

#define URL_MESSAGE                                                                                \
    "p.yaml:10:8: \"url\" wants http:// or https:// and a server, without user, query, fragment "  \
    "and blanks"
#define KEY_MESSAGE                                                                                \
    "p.yaml:12:8: \"key\" wants the name of an environment variable, such as OPENAI_API_KEY "      \
    "(never the key)"
#define URL(url) HEAD "api:\n  url: " url "\n  model: m\n"
#define GGUF(text) HEAD "gguf:\n  repository: a/b\n  text: " text "\n  mmproj: m.gguf\n"
#define GGUF_MESSAGE "p.yaml:11:9: \"text\" wants the path of a .gguf file in the repository"

static void test_bad_files(void **state)
{
    (void)state;
    static const struct bad_case cases[] = {
        {HEAD API "  secret: x\n", "p.yaml:12:3: unknown key \"secret\""},
        {HEAD "name: p\n" API, "p.yaml:9:1: unknown key \"name\""},
        {HEAD, "p.yaml:1:1: \"gguf\" or \"api\" is wanted: how it is asked"},
        {HEAD "serve: x\ngguf: {repository: a/b, text: t.gguf, mmproj: m.gguf}\n",
         "p.yaml:9:8: \"serve\" wants \"api\""},
        {URL("ftp://x"), URL_MESSAGE},
        {URL("http://"), URL_MESSAGE},
        {URL("http:///x"), URL_MESSAGE},
        {URL("https://u:p@x/v1"), URL_MESSAGE},
        {URL("https://x/v1?key=k"), URL_MESSAGE},
        {URL("https://x/v1#f"), URL_MESSAGE},
        {URL("https://x/v 1"), URL_MESSAGE},
        {URL("\"https://x/\\e[31m\""), "p.yaml:10:9: \"url\" wants one line of 1 to 500 bytes"},
        {HEAD API "  key: sk-4711\n", KEY_MESSAGE},
        {HEAD API "  key: 1KEY\n", KEY_MESSAGE},
        {HEAD API "  key: a_key\n", KEY_MESSAGE},
        {HEAD API "  needs_key: true\n", "p.yaml:12:14: \"needs_key\" wants \"key\""},
        {HEAD API "  body: '[]'\n", "p.yaml:12:10: \"body\" wants a JSON object"},
        {HEAD API "  body: '{\"stream\": true}'\n",
         "p.yaml:12:10: \"body\" must not set \"stream\": aor does"},
        {HEAD API "  body: '{\"messages\": []}'\n",
         "p.yaml:12:10: \"body\" must not set \"messages\": aor does"},
        {HEAD API "  body: '{\"max_completion_tokens\": 1}'\n",
         "p.yaml:12:10: \"body\" must not set \"max_completion_tokens\": aor does"},
        {HEAD API "  body: '{'\n",
         "p.yaml:12:10: \"body\": JSON:1:1: string or '}' expected near end of file"},
        {HEAD API "  price: {input: -1, as_of: 2026-01-01}\n",
         "p.yaml:12:18: -1 is not within 0..1e+06"},
        {HEAD API "  price: {input: 1}\n", "p.yaml:12:11: key \"as_of\" is missing"},
        {HEAD API "  price: {input: 1, as_of: 2026-13-01}\n",
         "p.yaml:12:28: \"as_of\" wants a date, YYYY-MM-DD"},
        {HEAD API "  audio: mp3\n",
         "p.yaml:12:10: \"mp3\": one of input_audio, audio_url, input_audio_uri is wanted"},
        {HEAD API "  protocol: gemini\n  audio: audio_url\n",
         "p.yaml:13:10: \"audio\" is not for the protocol gemini"},
        {HEAD "api:\n  url: http://x\n  protocol: gemini\n  model: ../m\n",
         "p.yaml:12:10: \"model\" wants letters, digits, dots and hyphens for gemini"},
        {GGUF("../t.gguf"), GGUF_MESSAGE},
        {GGUF("/t.gguf"), GGUF_MESSAGE},
        {GGUF("a/../../t.gguf"), GGUF_MESSAGE},
        {GGUF("t.bin"), GGUF_MESSAGE},
        {GGUF("t.gguf?x=.gguf"), GGUF_MESSAGE},
        {GGUF(".gguf"), GGUF_MESSAGE},
        {GGUF("x/m.gguf"), "p.yaml:12:11: both files have the same name"},
        {HEAD "gguf:\n  repository: a\n  text: t.gguf\n  mmproj: m.gguf\n",
         "p.yaml:10:15: \"repository\" wants owner/name"},
        {HEAD "gguf:\n  repository: a/b/c\n  text: t.gguf\n  mmproj: m.gguf\n",
         "p.yaml:10:15: \"repository\" wants owner/name"},
        {HEAD "gguf:\n  repository: ../b\n  text: t.gguf\n  mmproj: m.gguf\n",
         "p.yaml:10:15: \"repository\" wants owner/name"},
        {HEAD "gguf:\n  repository: a/b\n  revision: refs/x\n  text: t.gguf\n  mmproj: m.gguf\n",
         "p.yaml:11:13: \"revision\" wants the name of a branch, a tag or a commit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_refused(&cases[i]);
    }
    static const char zero[] = HEAD API "#\0 what a C string would lose\n";
    struct preset p = {0};
    assert_int_equal(preset_parse(zero, sizeof zero - 1, "p.yaml", &p, NULL), -1);
}

/* A file whose line for key is another. */
static char *with_line(const char *line)
{
    struct buf out = {0};
    size_t n_key = strcspn(line, ":") + 1;
    for (const char *at = HEAD API; *at;) {
        size_t n = strcspn(at, "\n") + 1;
        bool is_it = strncmp(at, line, n_key) == 0;
        buf_add(&out, is_it ? line : at, is_it ? strlen(line) : n);
        at += n;
    }
    return buf_detach(&out);
}

static void test_bad_heads(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "tested: yesterday\n", "tested: 2026-1-1\n", "llama_cpp: perhaps\n",  "llama_cpp: \"no\"\n",
        "title: \"\"\n",       "title: \"a\\nb\"\n", "family: \"\\u202e\"\n", "licence: [L]\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *yaml = with_line(lines[i]);
        struct preset p = {0};
        if (preset_parse(yaml, strlen(yaml), "p.yaml", &p, NULL) == 0) {
            fail_msg("taken: %s", lines[i]);
        }
        free(yaml);
    }
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {".yaml",
                                      "A.yaml",
                                      ".p.yaml",
                                      "-p.yaml",
                                      "a b.yaml",
                                      "p.yml~",
                                      "0123456789012345678901234567890123456789"
                                      "012345678901234567890123.yaml"};
    struct preset p = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        assert_int_equal(preset_parse(HEAD API, strlen(HEAD API), bad[i], &p, &err), -1);
        assert_non_null(strstr(err.msg, "a model's file is named by 1 to 63"));
    }
    assert_int_equal(preset_parse(HEAD API, strlen(HEAD API), "x/y/qwen2.5-1.yaml", &p, NULL), 0);
    assert_string_equal(p.name, "qwen2.5-1");
    preset_release(&p);
}

static void test_shipped(void **state)
{
    (void)state;
    char **paths;
    size_t n, n_families = 0;
    struct name_set families = {0};
    assert_int_equal(yaml_list_files(TEST_DATA_DIR "/models", &paths, &n, NULL), 0);
    assert_true(n >= 18);
    for (size_t i = 0; i < n; i++) {
        struct preset p = {0};
        struct err err = {0};
        if (preset_load(paths[i], &p, &err) != 0) {
            fail_msg("%s", err.msg);
        }
        char *file = xasprintf("%s.yaml", p.name);
        assert_string_equal(file, fs_basename(paths[i]));
        free(file);
        n_families += name_set_add(&families, p.family, i, NULL);
        /* What nobody publishes the weights of is a service, and asks for a key. */
        assert_true(p.weights || (p.has_api && p.api.needs_key && !p.serve));
        assert_true(!p.serve || strncmp(p.api.url, "http://127.0.0.1:", 17) == 0);
        preset_release(&p);
    }
    assert_true(n_families >= 9);
    name_set_release(&families);
    fs_free_paths(paths, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_bad_files), cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_shipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
