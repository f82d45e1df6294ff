/* Requests and answers of served models. The bodies are written after what OpenAI, Azure, vLLM,
 * SGLang, llama-server, DashScope and Gemini send. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "model/wire.h"

#define KEY "sk-planted-4711"
#define MARKER "@0123456789abcdef@"

static char model_name[] = "m-1", no_body[] = "{}";

static struct preset_api make_api(enum preset_protocol protocol)
{
    return (struct preset_api){
        .protocol = protocol,
        .model = model_name,
        .takes_temperature = true,
        .max_tokens_key = "max_tokens",
        .has_system = true,
        .body = no_body,
    };
}

/* -- requests */

static const struct model_question question = {
    .system = "S", .instruction = "I", .text = "T", .max_tokens = 64, .seed = 0xFFFFFFFFu};

static void assert_body(const struct preset_api *api, const struct model_question *q,
                        const char *marker, const char *expected)
{
    char *body = wire_body(api, q, marker);
    json_t *is = json_loads(body, 0, NULL);
    json_t *wanted = json_loads(expected, 0, NULL);
    assert_non_null(wanted);
    if (!json_equal(is, wanted)) {
        fail_msg("%s\nis not\n%s", body, expected);
    }
    assert_null(strchr(body, '\n'));
    json_decref(is);
    json_decref(wanted);
    free(body);
}

#define SYSTEM "{\"role\":\"system\",\"content\":\"S\"}"
#define TEXT_PART "{\"type\":\"text\",\"text\":\"I\"}"
#define WAV_PART                                                                                   \
    "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"" MARKER "\",\"format\":\"wav\"}}"
#define REST ",\"model\":\"m-1\",\"max_tokens\":64,\"temperature\":0.0}"
#define USER(parts) "{\"role\":\"user\",\"content\":[" parts "]}"

static void test_openai_audio_forms(void **state)
{
    (void)state;
    static const struct {
        enum preset_audio audio;
        enum preset_format format;
        const char *part;
    } cases[] = {
        {PRESET_INPUT_AUDIO, PRESET_WAV, WAV_PART},
        {PRESET_INPUT_AUDIO, PRESET_MP3,
         "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"" MARKER "\",\"format\":\"mp3\"}}"},
        {PRESET_AUDIO_URL, PRESET_WAV,
         "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"data:audio/wav;base64," MARKER "\"}}"},
        {PRESET_AUDIO_URL, PRESET_MP3,
         "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"data:audio/mpeg;base64," MARKER "\"}}"},
        {PRESET_INPUT_AUDIO_URI, PRESET_WAV,
         "{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"data:;base64," MARKER
         "\",\"format\":\"wav\"}}"},
    };
    struct preset_api api = make_api(PRESET_OPENAI);
    struct model_question last = question;
    last.audio_last = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        api.audio = cases[i].audio;
        api.format = cases[i].format;
        char *first =
            xasprintf("{\"messages\":[" SYSTEM "," USER("%s," TEXT_PART) "]" REST, cases[i].part);
        char *after =
            xasprintf("{\"messages\":[" SYSTEM "," USER(TEXT_PART ",%s") "]" REST, cases[i].part);
        assert_body(&api, &question, MARKER, first);
        assert_body(&api, &last, MARKER, after);
        free(first);
        free(after);
    }
}

static void test_openai_turns(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_OPENAI);
    struct model_question q = question;
    assert_body(&api, &q, NULL,
                "{\"messages\":[" SYSTEM ",{\"role\":\"user\",\"content\":\"TI\"}]" REST);
    q.audio_last = true;
    assert_body(&api, &q, NULL,
                "{\"messages\":[" SYSTEM ",{\"role\":\"user\",\"content\":\"IT\"}]" REST);
    q.system = "";
    q.instruction = NULL;
    assert_body(&api, &q, NULL, "{\"messages\":[{\"role\":\"user\",\"content\":\"T\"}]" REST);
    assert_body(&api, &q, MARKER, "{\"messages\":[" USER(WAV_PART) "]" REST);
    q = question;
    api.has_system = false;
    assert_body(&api, &q, NULL,
                "{\"messages\":[{\"role\":\"user\",\"content\":\"S\\n\\nTI\"}]" REST);
    assert_body(&api, &q, MARKER,
                "{\"messages\":[" USER("{\"type\":\"text\",\"text\":\"S\\n\\n\"}," WAV_PART
                                       "," TEXT_PART) "]" REST);
    q.audio_last = true;
    assert_body(&api, &q, MARKER,
                "{\"messages\":[" USER("{\"type\":\"text\",\"text\":\"S\\n\\n\"}," TEXT_PART
                                       "," WAV_PART) "]" REST);
    q.system = NULL;
    q.instruction = "";
    assert_body(&api, &q, MARKER, "{\"messages\":[" USER(WAV_PART) "]" REST);
}

static void test_openai_settings(void **state)
{
    (void)state;
    static char more[] = "{\"modalities\":[\"text\"],\"stream_options\":{\"extra\":1},"
                         "\"chat_template_kwargs\":{\"enable_thinking\":false}}";
    struct preset_api api = make_api(PRESET_OPENAI);
    struct model_question q = question;
    q.system = q.instruction = NULL;
    q.temperature = 0.7;
    api.max_tokens_key = "max_completion_tokens";
#define TURN "{\"model\":\"m-1\",\"messages\":[{\"role\":\"user\",\"content\":\"T\"}],"
    assert_body(&api, &q, NULL,
                TURN "\"max_completion_tokens\":64,\"temperature\":0.7,\"seed\":2147483647}");
    api.takes_temperature = false;
    assert_body(&api, &q, NULL, TURN "\"max_completion_tokens\":64}");
    api.is_streamed = true;
    assert_body(&api, &q, NULL,
                TURN "\"max_completion_tokens\":64,\"stream\":true,"
                     "\"stream_options\":{\"include_usage\":true}}");
    api.body = more;
    assert_body(&api, &q, NULL,
                TURN "\"max_completion_tokens\":64,\"stream\":true,"
                     "\"stream_options\":{\"include_usage\":true,\"extra\":1},"
                     "\"modalities\":[\"text\"],"
                     "\"chat_template_kwargs\":{\"enable_thinking\":false}}");
}

#define INLINE_WAV "{\"inlineData\":{\"mimeType\":\"audio/wav\",\"data\":\"" MARKER "\"}}"
#define INLINE_MP3 "{\"inlineData\":{\"mimeType\":\"audio/mp3\",\"data\":\"" MARKER "\"}}"
#define CONTENTS(parts) "{\"contents\":[{\"role\":\"user\",\"parts\":[" parts "]}]"
#define SYSTEM_INSTRUCTION ",\"systemInstruction\":{\"parts\":[{\"text\":\"S\"}]}"
#define CONFIG ",\"generationConfig\":{\"maxOutputTokens\":64,\"temperature\":0.0}}"

static void test_gemini_requests(void **state)
{
    (void)state;
    static char more[] = "{\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":0}},"
                         "\"safetySettings\":[]}";
    struct preset_api api = make_api(PRESET_GEMINI);
    struct model_question q = question;
    assert_body(&api, &q, MARKER,
                CONTENTS(INLINE_WAV ",{\"text\":\"I\"}") SYSTEM_INSTRUCTION CONFIG);
    q.audio_last = true;
    api.format = PRESET_MP3;
    assert_body(&api, &q, MARKER,
                CONTENTS("{\"text\":\"I\"}," INLINE_MP3) SYSTEM_INSTRUCTION CONFIG);
    assert_body(&api, &q, NULL,
                CONTENTS("{\"text\":\"I\"},{\"text\":\"T\"}") SYSTEM_INSTRUCTION CONFIG);
    q.audio_last = false;
    api.has_system = false;
    assert_body(&api, &q, NULL,
                CONTENTS("{\"text\":\"S\\n\\n\"},{\"text\":\"T\"},{\"text\":\"I\"}") CONFIG);
    q.system = NULL;
    assert_body(&api, &q, NULL, CONTENTS("{\"text\":\"T\"},{\"text\":\"I\"}") CONFIG);
    q.temperature = 1;
    q.instruction = "";
    api.body = more;
    assert_body(&api, &q, NULL,
                CONTENTS("{\"text\":\"T\"}") ",\"safetySettings\":[],\"generationConfig\":{"
                                             "\"maxOutputTokens\":64,\"temperature\":1.0,"
                                             "\"seed\":2147483647,"
                                             "\"thinkingConfig\":{\"thinkingBudget\":0}}}");
    api.takes_temperature = false;
    api.body = no_body;
    assert_body(&api, &q, NULL,
                CONTENTS("{\"text\":\"T\"}") ",\"generationConfig\":{\"maxOutputTokens\":64}}");
}

static void test_urls(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_OPENAI);
    char *url = wire_url(&api, "http://h/v1");
    assert_string_equal(url, "http://h/v1/chat/completions");
    free(url);
    api = make_api(PRESET_GEMINI);
    url = wire_url(&api, "https://h/v1beta");
    assert_string_equal(url, "https://h/v1beta/models/m-1:generateContent");
    free(url);
}

/* Any text arrives as it is, and the sound's place is found. */
static void test_odd_prompts(void **state)
{
    (void)state;
    static const char odd[] = "\"quoted\" \\ /\r\n\t\x01 {\"a\":1} @@ caf\xc3\xa9 "
                              "\xe2\x80\xa8\xe2\x80\xa9 \xf0\x9f\x93\xb7";
    for (int protocol = 0; protocol < 2; protocol++) {
        struct preset_api api = make_api((enum preset_protocol)protocol);
        struct model_question q = {
            .system = odd, .instruction = "bad \xff byte", .text = "", .max_tokens = 1};
        char *body = wire_body(&api, &q, MARKER);
        char *at = strstr(body, MARKER);
        assert_non_null(at);
        assert_null(strstr(at + 1, MARKER));
        assert_int_equal(at[-1], '"');
        assert_int_equal(at[strlen(MARKER)], '"');
        for (const char *p = body; *p; p++) {
            assert_true((unsigned char)*p >= 0x20);
        }
        assert_null(strstr(body, "\xff"));
        json_t *o = json_loads(body, 0, NULL);
        const char *system, *instruction;
        int read =
            protocol == PRESET_OPENAI
                ? json_unpack(o, "{s:[{s:s},{s:[{},{s:s}]}]}", "messages", "content", &system,
                              "content", "text", &instruction)
                : json_unpack(o, "{s:{s:[{s:s}]},s:[{s:[{},{s:s}]}]}", "systemInstruction", "parts",
                              "text", &system, "contents", "parts", "text", &instruction);
        assert_int_equal(read, 0);
        assert_string_equal(system, odd);
        assert_string_equal(instruction, "bad \xef\xbf\xbd byte");
        json_decref(o);
        free(body);
    }
}

/* -- answers */

/* What holds of every reply. */
static void check_reply(const struct wire_reply *r)
{
    bool has_answer = r->outcome == WIRE_ANSWER || r->outcome == WIRE_BLOCK;
    assert_true((int)r->outcome >= WIRE_ANSWER && r->outcome <= WIRE_STOP);
    assert_non_null(r->text);
    assert_int_equal(text_check_utf8(r->text, strlen(r->text), "text", NULL), 0);
    assert_true((r->outcome == WIRE_BLOCK) == (r->reason != NULL));
    assert_true(has_answer || (r->text[0] != '\0' && strlen(r->text) < 300));
    char *shown = xstrdup(r->text);
    text_make_printable(shown);
    assert_true(has_answer || strcmp(shown, r->text) == 0);
    free(shown);
    const long counts[] = {r->n_prompt_tokens, r->n_audio_tokens, r->n_answer_tokens};
    for (int i = 0; i < 3; i++) {
        assert_true(counts[i] >= 0 && counts[i] <= INT32_MAX);
    }
    assert_true(!isnan(r->wait_s));
}

static struct wire_reply parse(const struct preset_api *api, int status, const char *body)
{
    struct wire_reply r;
    wire_parse(api, status, body, strlen(body), KEY, &r);
    check_reply(&r);
    return r;
}

static void assert_reply(const struct preset_api *api, int status, const char *body,
                         enum wire_outcome outcome, const char *text, const char *reason)
{
    struct wire_reply r = parse(api, status, body);
    if (r.outcome != outcome || strcmp(r.text, text) != 0 || !r.reason != !reason ||
        (reason && strcmp(r.reason, reason) != 0)) {
        fail_msg("%s\ngives %d, \"%s\", %s", body, (int)r.outcome, r.text, r.reason);
    }
    wire_reply_release(&r);
}

#define CHOICE(message, finish)                                                                    \
    "{\"id\":\"chatcmpl-9\",\"object\":\"chat.completion\",\"created\":1790000000,"                \
    "\"model\":\"gpt-audio\",\"choices\":[{\"index\":0,\"message\":" message ",\"logprobs\":null," \
    "\"finish_reason\":" finish "}],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":9,"     \
    "\"total_tokens\":129,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":80},"    \
    "\"completion_tokens_details\":{\"reasoning_tokens\":0}},\"service_tier\":\"default\","        \
    "\"system_fingerprint\":\"fp_1\"}"
#define SAYS(content) "{\"role\":\"assistant\",\"content\":" content ",\"refusal\":null}"

static void test_openai_answer(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_OPENAI);
    struct wire_reply r = parse(&api, 200, CHOICE(SAYS("\" Stand left.\\n\""), "\"stop\""));
    assert_int_equal(r.outcome, WIRE_ANSWER);
    assert_string_equal(r.text, " Stand left.\n");
    assert_int_equal(r.finish, MODEL_FINISH_STOP);
    assert_int_equal(r.n_prompt_tokens, 120);
    assert_int_equal(r.n_audio_tokens, 80);
    assert_int_equal(r.n_answer_tokens, 9);
    assert_string_equal(r.model, "gpt-audio");
    assert_string_equal(r.fingerprint, "fp_1");
    assert_true(r.wait_s < 0);
    wire_reply_release(&r);

    r = parse(&api, 200, CHOICE(SAYS("\"Stand\""), "\"length\""));
    assert_int_equal(r.outcome, WIRE_ANSWER);
    assert_int_equal(r.finish, MODEL_FINISH_LENGTH);
    wire_reply_release(&r);
}

static void test_openai_contents(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum wire_outcome outcome;
        const char *text, *reason;
    } cases[] = {
        {CHOICE(SAYS("\"\""), "\"stop\""), WIRE_ANSWER, "", NULL},
        {CHOICE(SAYS("null"), "\"stop\""), WIRE_ANSWER, "", NULL},
        {CHOICE(SAYS("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]"),
                "\"stop\""),
         WIRE_ANSWER, "ab", NULL},
        {CHOICE("{\"role\":\"assistant\",\"content\":null,\"refusal\":\"I can\\u2019t.\"}",
                "\"stop\""),
         WIRE_BLOCK, "", "refusal: I can\xe2\x80\x99t."},
        {CHOICE(SAYS("\"Well, \""), "\"content_filter\""), WIRE_BLOCK, "Well, ", "content_filter"},
        {CHOICE(SAYS("null"), "\"content_filter\""), WIRE_BLOCK, "", "content_filter"},
        /* vLLM and SGLang, when a request is aborted */
        {CHOICE(SAYS("\"Well\""), "\"abort\""), WIRE_FAULT, "the server broke the answer off",
         NULL},
        /* Azure, with what its filters found */
        {"{\"choices\":[{\"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":"
         "\"safe\"}},\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"content\":\"Yes.\","
         "\"role\":\"assistant\"}}],\"model\":\"gpt\",\"prompt_filter_results\":[{\"prompt_index\":"
         "0,\"content_filter_results\":{}}]}",
         WIRE_ANSWER, "Yes.", NULL},
        /* llama-server */
        {"{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":"
         "\"assistant\",\"content\":\"Ja.\"}}],\"created\":1,\"model\":\"x.gguf\","
         "\"system_fingerprint\":\"b7000-abc\",\"object\":\"chat.completion\",\"usage\":"
         "{\"completion_tokens\":2,\"prompt_tokens\":5,\"total_tokens\":7},\"timings\":"
         "{\"prompt_n\":5}}",
         WIRE_ANSWER, "Ja.", NULL},
        {"{\"choices\":[]}", WIRE_FAULT, "the answer holds no choice", NULL},
        {"{}", WIRE_FAULT, "the answer holds no choice", NULL},
        {"[]", WIRE_FAULT, "the answer is no JSON object", NULL},
        {"<html>proxy</html>", WIRE_FAULT, "the answer is no JSON object", NULL},
        {"", WIRE_FAULT, "the answer is no JSON object", NULL},
        {CHOICE(SAYS("5"), "\"stop\""), WIRE_FAULT, "the answer is no chat completion", NULL},
        {CHOICE(SAYS("\"x\""), "7"), WIRE_FAULT, "the answer is no chat completion", NULL},
    };
    struct preset_api api = make_api(PRESET_OPENAI);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_reply(&api, 200, cases[i].body, cases[i].outcome, cases[i].text, cases[i].reason);
    }
}

static void test_openai_errors(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum wire_outcome outcome;
        const char *text; /* of a block: the reason */
    } cases[] = {
        {429,
         "{\"error\":{\"message\":\"Rate limit reached\",\"type\":\"tokens\",\"param\":null,"
         "\"code\":\"rate_limit_exceeded\"}}",
         WIRE_LIMIT, "429: Rate limit reached"},
        {429,
         "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":"
         "\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}",
         WIRE_STOP, "429: You exceeded your current quota"},
        {401,
         "{\"error\":{\"message\":\"Incorrect API key provided: " KEY ".\",\"type\":"
         "\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}",
         WIRE_STOP, "401: Incorrect API key provided: ...."},
        {404,
         "{\"error\":{\"message\":\"The model `m-1` does not exist\",\"type\":"
         "\"invalid_request_error\",\"param\":null,\"code\":\"model_not_found\"}}",
         WIRE_STOP, "404: The model `m-1` does not exist"},
        {400,
         "{\"error\":{\"message\":\"Invalid prompt: your prompt was flagged\",\"type\":"
         "\"invalid_request_error\",\"param\":null,\"code\":\"invalid_prompt\"}}",
         WIRE_BLOCK, "400: Invalid prompt: your prompt was flagged"},
        {400,
         "{\"error\":{\"message\":\"Invalid value: 'ogg'.\",\"type\":\"invalid_request_error\","
         "\"param\":\"messages[0].content[1].input_audio.format\",\"code\":\"invalid_value\"}}",
         WIRE_BAD, "400: Invalid value: 'ogg'."},
        {500,
         "{\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\","
         "\"param\":null,\"code\":null}}",
         WIRE_FAULT, "500: The server had an error"},
        /* Azure */
        {400,
         "{\"error\":{\"message\":\"The response was filtered\",\"type\":null,\"param\":"
         "\"prompt\",\"code\":\"content_filter\",\"status\":400,\"innererror\":{\"code\":"
         "\"ResponsibleAIPolicyViolation\",\"content_filter_result\":{\"violence\":{\"filtered\":"
         "true,\"severity\":\"medium\"}}}}}",
         WIRE_BLOCK, "400: The response was filtered"},
        {429, "{\"error\":{\"code\":\"429\",\"message\":\"Please retry after 7 seconds.\"}}",
         WIRE_LIMIT, "429: Please retry after 7 seconds."},
        /* vLLM: older, with HTTP 200, and newer */
        {400,
         "{\"object\":\"error\",\"message\":\"at most 1 audio\",\"type\":\"BadRequestError\","
         "\"param\":null,\"code\":400}",
         WIRE_BAD, "400: at most 1 audio"},
        {200,
         "{\"object\":\"error\",\"message\":\"no MP3\",\"type\":\"BadRequestError\",\"param\":"
         "null,\"code\":400}",
         WIRE_BAD, "400: no MP3"},
        {200,
         "{\"error\":{\"message\":\"EngineCore died\",\"type\":\"InternalServerError\",\"param\":"
         "null,\"code\":500}}",
         WIRE_FAULT, "500: EngineCore died"},
        {200, "{\"error\":\"out of memory\"}", WIRE_FAULT, "500: out of memory"},
        {200, "{\"error\":null,\"choices\":[]}", WIRE_FAULT, "the answer holds no choice"},
        {404,
         "{\"error\":{\"message\":\"The model `m` does not exist.\",\"type\":\"NotFoundError\","
         "\"param\":\"model\",\"code\":404}}",
         WIRE_STOP, "404: The model `m` does not exist."},
        /* FastAPI */
        {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"Field required\"}]}", WIRE_BAD,
         "422: {\"detail\":[{\"loc\":[\"body\"],\"msg\":\"Field required\"}]}"},
        {404, "{\"detail\":\"Not Found\"}", WIRE_STOP, "404: Not Found"},
        /* SGLang */
        {503,
         "{\"object\":\"error\",\"message\":\"The request queue is full.\",\"type\":"
         "\"ServiceUnavailableError\",\"code\":503}",
         WIRE_FAULT, "503: The request queue is full."},
        /* llama-server */
        {503,
         "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}",
         WIRE_FAULT, "503: Loading model"},
        {500,
         "{\"error\":{\"code\":500,\"message\":\"audio input is not supported\",\"type\":"
         "\"server_error\"}}",
         WIRE_FAULT, "500: audio input is not supported"},
        /* DashScope */
        {400,
         "{\"error\":{\"code\":\"data_inspection_failed\",\"param\":null,\"message\":\"Input text "
         "data may contain inappropriate content.\",\"type\":\"data_inspection_failed\"},\"id\":"
         "\"chatcmpl-1\",\"request_id\":\"1\"}",
         WIRE_BLOCK, "400: Input text data may contain inappropriate content."},
        {400,
         "{\"code\":\"DataInspectionFailed\",\"message\":\"Output data may contain\","
         "\"request_id\":\"1\"}",
         WIRE_BLOCK, "400: Output data may contain"},
        {400,
         "{\"error\":{\"code\":\"Arrearage\",\"param\":null,\"message\":\"Access denied, account "
         "is not in good standing.\",\"type\":\"Arrearage\"}}",
         WIRE_STOP, "400: Access denied, account is not in good standing."},
        /* anybody */
        {502, "<html>\r\n<h1>502 Bad Gateway</h1>", WIRE_FAULT,
         "502: <html>  <h1>502 Bad Gateway</h1>"},
        {504, "", WIRE_FAULT, "504"},
        {402, "{\"error\":{\"message\":\"no credits\",\"code\":402}}", WIRE_STOP,
         "402: no credits"},
        {302, "", WIRE_STOP, "302"},
        {403, "no", WIRE_STOP, "403: no"},
        {405, "", WIRE_STOP, "405"},
        {408, "", WIRE_FAULT, "408"},
        {409, "", WIRE_FAULT, "409"},
        {413, "", WIRE_BAD, "413"},
        {425, "", WIRE_FAULT, "425"},
        {204, "", WIRE_FAULT, "204"},
        {529, "", WIRE_FAULT, "529"},
        {500, "{\"error\":{\"message\":\"a\\u001b[2J\\nb\\u202e\"}}", WIRE_FAULT, "500: a?[2J b?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_block = cases[i].outcome == WIRE_BLOCK;
        struct preset_api api = make_api(PRESET_OPENAI);
        for (int is_streamed = 0; is_streamed < 2; is_streamed++) {
            api.is_streamed = is_streamed;
            assert_reply(&api, cases[i].status, cases[i].body, cases[i].outcome,
                         is_block ? "" : cases[i].text, is_block ? cases[i].text : NULL);
        }
    }
}

/* However long and wherever the key stands. */
static void test_key_is_masked(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_OPENAI);
    static const char *const forms[] = {
        "{\"error\":{\"message\":\"%s\"}}", "%s", "{\"other\":[\"%s\"]}",
        "data: {\"error\":{\"message\":\"%s\",\"code\":\"content_filter\"}}\n\n"};
    for (size_t n_before = 0; n_before < 210; n_before++) {
        for (size_t i = 0; i < 4; i++) {
            char words[256];
            memset(words, 'x', n_before);
            snprintf(words + n_before, sizeof words - n_before, "%s", KEY KEY);
            struct buf body = {0};
            const char *at = strstr(forms[i], "%s");
            buf_add(&body, forms[i], (size_t)(at - forms[i]));
            buf_adds(&body, words);
            buf_adds(&body, at + 2);
            api.is_streamed = i == 3;
            struct wire_reply r = parse(&api, i == 3 ? 200 : 500, body.data);
            assert_null(strstr(r.text, "sk-"));
            assert_true(!r.reason || !strstr(r.reason, "sk-"));
            assert_int_equal(r.outcome, i == 3 ? WIRE_BLOCK : WIRE_FAULT);
            wire_reply_release(&r);
            buf_release(&body);
        }
    }
    struct preset_api gemini = make_api(PRESET_GEMINI);
    assert_reply(&gemini, 200, "{\"candidates\":[{\"finishReason\":\"X" KEY "\"}]}", WIRE_FAULT,
                 "finishReason: X...", NULL);
    assert_reply(&gemini, 200, "{\"promptFeedback\":{\"blockReason\":\"" KEY "\"}}", WIRE_BLOCK, "",
                 "blockReason: ...");
    struct wire_reply r = parse(
        &gemini, 200,
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"STOP\"}],"
        "\"modelVersion\":\"for " KEY "\"}");
    assert_string_equal(r.model, "for ...");
    wire_reply_release(&r);
    api.is_streamed = false;
    r = parse(&api, 200,
              "{\"model\":\"" KEY "\",\"system_fingerprint\":\"fp " KEY "\","
              "\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}");
    assert_string_equal(r.model, "...");
    assert_string_equal(r.fingerprint, "fp ...");
    wire_reply_release(&r);
}

/* -- Gemini */

#define USAGE                                                                                      \
    ",\"usageMetadata\":{\"promptTokenCount\":41,\"candidatesTokenCount\":7,\"totalTokenCount\":"  \
    "60,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":9},{\"modality\":"          \
    "\"AUDIO\",\"tokenCount\":32}],\"thoughtsTokenCount\":12},\"modelVersion\":"                   \
    "\"gemini-2.5-flash\",\"responseId\":\"r\"}"
#define CANDIDATE(parts, finish)                                                                   \
    "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"},\"finishReason\":"   \
    "\"" finish "\",\"index\":0,\"safetyRatings\":[]}]" USAGE

static void test_gemini_answer(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_GEMINI);
    struct wire_reply r =
        parse(&api, 200,
              CANDIDATE("{\"text\":\"He asks where.\",\"thought\":true},{\"text\":\"Stand \"},"
                        "{\"text\":\"left.\",\"thoughtSignature\":\"x\"}",
                        "STOP"));
    assert_int_equal(r.outcome, WIRE_ANSWER);
    assert_string_equal(r.text, "Stand left.");
    assert_int_equal(r.finish, MODEL_FINISH_STOP);
    assert_int_equal(r.n_prompt_tokens, 41);
    assert_int_equal(r.n_audio_tokens, 32);
    assert_int_equal(r.n_answer_tokens, 19);
    assert_string_equal(r.model, "gemini-2.5-flash");
    wire_reply_release(&r);

    r = parse(&api, 200, CANDIDATE("{\"text\":\"St\"}", "MAX_TOKENS"));
    assert_int_equal(r.outcome, WIRE_ANSWER);
    assert_int_equal(r.finish, MODEL_FINISH_LENGTH);
    wire_reply_release(&r);

    /* All of the limit went into thoughts. */
    r = parse(&api, 200,
              "{\"candidates\":[{\"content\":{\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\","
              "\"index\":0}]" USAGE);
    assert_int_equal(r.outcome, WIRE_ANSWER);
    assert_string_equal(r.text, "");
    assert_int_equal(r.finish, MODEL_FINISH_LENGTH);
    wire_reply_release(&r);

    r = parse(&api, 200,
              "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":"
              "\"STOP\"}],\"usageMetadata\":{\"candidatesTokenCount\":2147483647,"
              "\"thoughtsTokenCount\":2147483647}}");
    assert_int_equal(r.n_answer_tokens, 0); /* no number of tokens */
    wire_reply_release(&r);
}

#define RPC "type.googleapis.com/google.rpc."

static void test_gemini_blocks_and_errors(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum wire_outcome outcome;
        const char *text, *reason;
    } cases[] = {
        {200, "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}" USAGE, WIRE_BLOCK, "",
         "blockReason: PROHIBITED_CONTENT"},
        {200,
         "{\"promptFeedback\":{\"blockReason\":\"SAFETY\",\"safetyRatings\":[]},\"candidates\":[]}",
         WIRE_BLOCK, "", "blockReason: SAFETY"},
        {200, CANDIDATE("{\"text\":\"To \"}", "SAFETY"), WIRE_BLOCK, "To ", "finishReason: SAFETY"},
        {200, "{\"candidates\":[{\"finishReason\":\"PROHIBITED_CONTENT\",\"index\":0}]}",
         WIRE_BLOCK, "", "finishReason: PROHIBITED_CONTENT"},
        {200, CANDIDATE("", "RECITATION"), WIRE_BLOCK, "", "finishReason: RECITATION"},
        {200, CANDIDATE("", "SPII"), WIRE_BLOCK, "", "finishReason: SPII"},
        {200, CANDIDATE("", "BLOCKLIST"), WIRE_BLOCK, "", "finishReason: BLOCKLIST"},
        {200, CANDIDATE("", "OTHER"), WIRE_FAULT, "finishReason: OTHER", NULL},
        {200, CANDIDATE("", "a\\u001b[2J\\nb"), WIRE_FAULT, "finishReason: a?[2J?b", NULL},
        {200, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}", WIRE_FAULT,
         "finishReason: none", NULL},
        {200, "{}", WIRE_FAULT, "the answer holds no candidate", NULL},
        {200, "{\"candidates\":[]" USAGE, WIRE_FAULT, "the answer holds no candidate", NULL},
        {200, CANDIDATE("{\"text\":5}", "STOP"), WIRE_FAULT,
         "the answer's candidate is of no known shape", NULL},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":"
         "\"INVALID_ARGUMENT\",\"details\":[{\"@type\":\"" RPC "ErrorInfo\",\"reason\":"
         "\"API_KEY_INVALID\",\"domain\":\"googleapis.com\"},{\"@type\":\"" RPC
         "LocalizedMessage\"}]}}",
         WIRE_STOP, "400: API key not valid.", NULL},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"User location is not supported\",\"status\":"
         "\"FAILED_PRECONDITION\"}}",
         WIRE_STOP, "400: User location is not supported", NULL},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"Unable to process input audio\",\"status\":"
         "\"INVALID_ARGUMENT\"}}",
         WIRE_BAD, "400: Unable to process input audio", NULL},
        {403, "{\"error\":{\"code\":403,\"message\":\"denied\",\"status\":\"PERMISSION_DENIED\"}}",
         WIRE_STOP, "403: denied", NULL},
        {503,
         "[{\"error\":{\"code\":503,\"message\":\"The model is overloaded.\",\"status\":"
         "\"UNAVAILABLE\"}}\n]",
         WIRE_FAULT, "503: The model is overloaded.", NULL},
        {200,
         "[{\"error\":{\"code\":429,\"message\":\"Later.\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
         WIRE_LIMIT, "429: Later.", NULL},
    };
    struct preset_api api = make_api(PRESET_GEMINI);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_reply(&api, cases[i].status, cases[i].body, cases[i].outcome, cases[i].text,
                     cases[i].reason);
    }
}

static void test_gemini_quotas(void **state)
{
    (void)state;
    static const struct {
        const char *quota, *delay;
        enum wire_outcome outcome;
        double wait_s;
    } cases[] = {
        {"GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "\"45.8379s\"", WIRE_LIMIT,
         45.8379},
        {"GenerateRequestsPerDayPerProjectPerModel-FreeTier", "\"17s\"", WIRE_STOP, 17},
        {"X", "\"0s\"", WIRE_LIMIT, 0},
        {"X", "\"soon\"", WIRE_LIMIT, -1},
        {"X", "17", WIRE_LIMIT, -1},
        {"X", "\"-4s\"", WIRE_LIMIT, -1},
    };
    struct preset_api api = make_api(PRESET_GEMINI);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int in_list = 0; in_list < 2; in_list++) {
            char *body = xasprintf(
                "%s{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota\","
                "\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"" RPC
                "QuotaFailure\",\"violations\":[{\"quotaMetric\":\"m\"},{\"quotaId\":\"%s\"}]},"
                "{\"@type\":\"" RPC "Help\"},{\"@type\":\"" RPC
                "RetryInfo\",\"retryDelay\":%s}]}}%s",
                in_list ? "[" : "", cases[i].quota, cases[i].delay, in_list ? "]" : "");
            struct wire_reply r = parse(&api, 429, body);
            assert_int_equal(r.outcome, cases[i].outcome);
            assert_string_equal(r.text, "429: You exceeded your current quota");
            assert_true(cases[i].wait_s < 0 ? r.wait_s < 0
                                            : fabs(r.wait_s - cases[i].wait_s) < 1e-9);
            wire_reply_release(&r);
            free(body);
        }
    }
}

/* -- streams */

#define CHUNK(choices)                                                                             \
    "{\"id\":\"chatcmpl-9\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","   \
    "\"choices\":[" choices "]}"
#define DELTA(delta, finish) CHUNK("{\"index\":0,\"delta\":" delta ",\"finish_reason\":" finish "}")
#define EVENT(json) "data: " json "\n\n"
#define ROLE EVENT(DELTA("{\"role\":\"assistant\",\"content\":\"\"}", "null"))
#define WORDS(words) EVENT(DELTA("{\"content\":\"" words "\"}", "null"))
#define STOP EVENT(DELTA("{}", "\"stop\""))
#define DONE "data: [DONE]\n\n"

static void test_streams(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum wire_outcome outcome;
        const char *text, *reason;
    } cases[] = {
        {ROLE WORDS("Gern ") WORDS("geschehen") STOP DONE, WIRE_ANSWER, "Gern geschehen", NULL},
        {"\xef\xbb\xbf" ROLE WORDS("a") STOP DONE, WIRE_ANSWER, "a", NULL},
        {": hi\n\n" ROLE ": ping\nevent: message\nid: 7\nretry: 10\n" WORDS("a") "\n\n\n" STOP DONE,
         WIRE_ANSWER, "a", NULL},
        {"data:" DELTA("{\"content\":\"a\"}", "\"stop\"") "\n\ndata:[DONE]\n\n", WIRE_ANSWER, "a",
         NULL},
        /* one event in two lines */
        {"data: {\"choices\":[{\"delta\":\ndata: "
         "{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n"
         "\n" DONE,
         WIRE_ANSWER, "a", NULL},
        {WORDS("a") "data: " DELTA("{}", "\"stop\""), WIRE_ANSWER, "a", NULL}, /* no line's end */
        {WORDS("a") "data: " DELTA("{}", "\"stop\"") "\n", WIRE_ANSWER, "a", NULL},
        {WORDS("a") STOP, WIRE_ANSWER, "a", NULL}, /* without [DONE] */
        {WORDS("a") STOP EVENT("{\"choices\":[],\"usage\":{\"prompt_tokens\":5}}") DONE,
         WIRE_ANSWER, "a", NULL},
        {EVENT("{\"choices\":[],\"prompt_filter_results\":[]}") WORDS("a") STOP DONE, WIRE_ANSWER,
         "a", NULL}, /* Azure */
        {WORDS("a") STOP DONE WORDS("late"), WIRE_ANSWER, "a", NULL},
        {EVENT(DELTA("{\"role\":\"assistant\",\"content\":null,\"refusal\":null}", "null"))
             WORDS("a") STOP DONE,
         WIRE_ANSWER, "a", NULL},
        {WORDS("I ") EVENT(DELTA("{}", "\"content_filter\"")) DONE, WIRE_BLOCK, "I ",
         "content_filter"},
        {EVENT(DELTA("{\"refusal\":\"I can\"}", "null"))
             EVENT(DELTA("{\"refusal\":\"not.\"}", "null")) STOP DONE,
         WIRE_BLOCK, "", "refusal: I cannot."},
        {WORDS("caf\xc3") WORDS("\xa9") STOP DONE, WIRE_ANSWER, "caf\xef\xbf\xbd\xef\xbf\xbd",
         NULL}, /* a character cut apart */
        /* a server that does not stream after all */
        {CHOICE(SAYS("\"whole\""), "\"stop\""), WIRE_ANSWER, "whole", NULL},

        {WORDS("a"), WIRE_FAULT, "the stream ended before the answer did", NULL},
        {"", WIRE_FAULT, "the stream ended before the answer did", NULL},
        {": hi\n\n", WIRE_FAULT, "the stream ended before the answer did", NULL},
        {"<html>busy</html>", WIRE_FAULT, "the stream ended before the answer did", NULL},
        {DONE, WIRE_FAULT, "the answer holds no choice", NULL},
        {WORDS("a") "data: {\"choi", WIRE_FAULT, "an event of the stream is no JSON object", NULL},
        {WORDS("a") EVENT("5"), WIRE_FAULT, "an event of the stream is no JSON object", NULL},
        {WORDS("a") EVENT(DELTA("{\"content\":5}", "null")) STOP DONE, WIRE_FAULT,
         "the answer is no chat completion", NULL},
        {WORDS("a") EVENT(DELTA("{}", "\"abort\"")) DONE, WIRE_FAULT,
         "the server broke the answer off", NULL},
        /* vLLM in the middle of it, in both of its shapes, and then it goes on as if all were well
         */
        {WORDS("a") EVENT("{\"error\":{\"message\":\"died\",\"type\":\"InternalServerError\","
                          "\"code\":500}}") DONE,
         WIRE_FAULT, "500: died", NULL},
        {WORDS("a") EVENT("{\"object\":\"error\",\"message\":\"died\",\"code\":500}") DONE,
         WIRE_FAULT, "500: died", NULL},
        {EVENT("{\"error\":{\"message\":\"too long\",\"code\":400}}") DONE, WIRE_BAD,
         "400: too long", NULL},
        {EVENT("{\"error\":{\"message\":\"busy\",\"code\":429}}"), WIRE_LIMIT, "429: busy", NULL},
        /* DashScope, when what was said so far is found bad */
        {WORDS("Well, ") EVENT("{\"error\":{\"code\":\"data_inspection_failed\",\"message\":"
                               "\"Output data\"}}"),
         WIRE_BLOCK, "Well, ", "500: Output data"},
    };
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    struct preset_api api = make_api(PRESET_OPENAI);
    api.is_streamed = true;
    for (size_t i = 0; i < 3 * (sizeof cases / sizeof *cases); i++) {
        struct buf body = {0};
        for (const char *p = cases[i / 3].body; *p; p++) {
            buf_add(&body, *p == '\n' ? ends[i % 3] : p, *p == '\n' ? strlen(ends[i % 3]) : 1);
        }
        char *text = buf_detach(&body);
        assert_reply(&api, 200, text, cases[i / 3].outcome, cases[i / 3].text, cases[i / 3].reason);
        free(text);
    }
}

static void test_stream_facts(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_OPENAI);
    api.is_streamed = true;
    struct wire_reply r =
        parse(&api, 200,
              WORDS("a") EVENT(DELTA("{}", "\"length\"")) EVENT(
                  "{\"model\":\"other\",\"system_fingerprint\":\"fp\",\"choices\":[],\"usage\":{"
                  "\"prompt_tokens\":5,\"completion_tokens\":2,\"prompt_tokens_details\":{"
                  "\"audio_tokens\":3}}}") EVENT("{\"choices\":[],\"usage\":null}") DONE);
    assert_int_equal(r.outcome, WIRE_ANSWER);
    assert_int_equal(r.finish, MODEL_FINISH_LENGTH);
    assert_int_equal(r.n_prompt_tokens, 5);
    assert_int_equal(r.n_answer_tokens, 2);
    assert_int_equal(r.n_audio_tokens, 3);
    assert_string_equal(r.model, "m");
    assert_string_equal(r.fingerprint, "fp");
    wire_reply_release(&r);
}

/* -- hostile bytes */

static void test_strange_bytes(void **state)
{
    (void)state;
    struct preset_api api = make_api(PRESET_OPENAI);
    assert_reply(&api, 200, CHOICE(SAYS("\"a\\u0000b\""), "\"stop\""), WIRE_ANSWER,
                 "a\xef\xbf\xbd"
                 "b",
                 NULL);
    assert_reply(&api, 200, CHOICE(SAYS("\"a\xff\xc3(\""), "\"stop\""), WIRE_ANSWER,
                 "a\xef\xbf\xbd\xef\xbf\xbd(", NULL);
    assert_reply(&api, 200, CHOICE(SAYS("\"\\ud83d\\udcf7\""), "\"stop\""), WIRE_ANSWER,
                 "\xf0\x9f\x93\xb7", NULL);
    assert_reply(&api, 200, "\xef\xbb\xbf \n" CHOICE(SAYS("\"a\""), "\"stop\""), WIRE_ANSWER, "a",
                 NULL);
    static const char *const faults[] = {
        CHOICE(SAYS("\"\\ud800\""), "\"stop\""), /* half of a pair */
        CHOICE(SAYS("\"\\udcf7\\ud83d\""), "\"stop\""),
        CHOICE(SAYS("\"a\""), "\"stop\"") "x",
        "{\"choices\": NaN}",
        "{\"usage\":{\"prompt_tokens\":1e999}}",
        "{\"usage\":{\"prompt_tokens\":99999999999999999999}}",
        "nul",
        "\x01",
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_reply(&api, 200, faults[i], WIRE_FAULT, "the answer is no JSON object", NULL);
    }
    struct wire_reply r;
    static const char nul[] = "{\"choices\"\0:[]}";
    wire_parse(&api, 200, nul, sizeof nul - 1, NULL, &r);
    check_reply(&r);
    assert_int_equal(r.outcome, WIRE_FAULT);
    wire_reply_release(&r);
    wire_parse(&api, 500, NULL, 0, NULL, &r);
    check_reply(&r);
    assert_string_equal(r.text, "500");
    wire_reply_release(&r);
}

static void test_deep_and_large(void **state)
{
    (void)state;
    static const char *const pieces[] = {"[", "{\"error\":", "{\"a\":[", "data: [\n"};
    for (size_t i = 0; i < 4; i++) {
        struct buf body = {0};
        for (int k = 0; k < 100000; k++) {
            buf_adds(&body, pieces[i]);
        }
        for (int protocol = 0; protocol < 3; protocol++) {
            struct preset_api api = make_api(protocol == 1 ? PRESET_GEMINI : PRESET_OPENAI);
            api.is_streamed = protocol == 2;
            struct wire_reply r = parse(&api, 200, body.data);
            assert_int_equal(r.outcome, WIRE_FAULT);
            wire_reply_release(&r);
            r = parse(&api, 400, body.data);
            assert_int_equal(r.outcome, WIRE_BAD);
            wire_reply_release(&r);
        }
        buf_release(&body);
    }
    static const struct {
        const char *number;
        long n;
    } numbers[] = {{"2147483647", 2147483647},
                   {"2147483648", 0},
                   {"-1", 0},
                   {"1e308", 0},
                   {"12.9", 12},
                   {"\"12\"", 0},
                   {"9223372036854775807", 0}};
    struct preset_api api = make_api(PRESET_OPENAI);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char *body = xasprintf("{\"choices\":[{\"message\":{\"content\":\"a\"}}],\"usage\":"
                               "{\"prompt_tokens\":%s}}",
                               numbers[i].number);
        struct wire_reply r = parse(&api, 200, body);
        assert_int_equal(r.outcome, WIRE_ANSWER);
        assert_int_equal(r.n_prompt_tokens, numbers[i].n);
        wire_reply_release(&r);
        free(body);
    }
}

/* Each value of the document, replaced by each of these, is tried. */
static const char *const others[] = {"null", "true", "7",   "-1.5",      "\"x\"",
                                     "[]",   "{}",   "[7]", "[[\"x\"]]", "{\"text\":7}"};

struct mutation {
    const struct preset_api *api;
    int status;
    const char *before, *after; /* around the document */
    json_t *root;
    int n_tried;
};

static void try_document(struct mutation *m)
{
    char *document = json_dumps(m->root, JSON_COMPACT);
    char *body = xasprintf("%s%s%s", m->before, document, m->after);
    struct wire_reply r = parse(m->api, m->status, body);
    if (r.outcome == WIRE_ANSWER && strcmp(r.text, "Yes.") != 0 && strcmp(r.text, "x") != 0 &&
        strcmp(r.text, "") != 0) {
        fail_msg("%s\ngives \"%s\"", body, r.text);
    }
    wire_reply_release(&r);
    m->n_tried++;
    free(body);
    free(document);
}

static void mutate(struct mutation *m, json_t *at)
{
    size_t n = json_is_array(at) ? json_array_size(at) : json_object_size(at);
    void *member = json_object_iter(at);
    for (size_t i = 0; i < n; i++) {
        json_t *old = json_is_array(at) ? json_array_get(at, i) : json_object_iter_value(member);
        json_incref(old);
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            json_t *other = json_loads(others[k], JSON_DECODE_ANY, NULL);
            if (json_is_array(at)) {
                json_array_set_new(at, i, other);
            } else {
                json_object_iter_set_new(at, member, other);
            }
            try_document(m);
        }
        if (json_is_array(at)) {
            json_array_set(at, i, old);
        } else {
            json_object_iter_set(at, member, old);
            member = json_object_iter_next(at, member);
        }
        mutate(m, old);
        json_decref(old);
    }
}

static void test_wrong_types(void **state)
{
    (void)state;
    struct preset_api plain = make_api(PRESET_OPENAI), stream = plain,
                      gemini = make_api(PRESET_GEMINI);
    stream.is_streamed = true;
    static const char error[] =
        "[{\"error\":{\"code\":429,\"message\":\"m\",\"status\":\"s\",\"details\":[{\"@type\":"
        "\"" RPC "QuotaFailure\",\"violations\":[{\"quotaId\":\"PerDay\"}]},{\"@type\":\"" RPC
        "RetryInfo\",\"retryDelay\":\"3s\"},{\"@type\":\"" RPC
        "ErrorInfo\",\"reason\":\"API_KEY_INVALID\"}]}}]";
    const struct {
        const struct preset_api *api;
        int status;
        const char *before, *document, *after;
    } cases[] = {
        {&plain, 200, "", CHOICE(SAYS("\"Yes.\""), "\"stop\""), ""},
        {&plain, 200, "", CHOICE(SAYS("[{\"type\":\"text\",\"text\":\"Yes.\"}]"), "\"stop\""), ""},
        {&stream, 200, "data: ", DELTA("{\"content\":\"Yes.\"}", "\"stop\""), "\n\n" DONE},
        {&gemini, 200, "", CANDIDATE("{\"text\":\"Yes.\"}", "STOP"), ""},
        {&gemini, 200, "", "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", ""},
        {&gemini, 429, "", error, ""},
        {&gemini, 200, "", error, ""},
        {&plain, 200, "", "{\"object\":\"error\",\"message\":\"m\",\"code\":400}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mutation m = {.api = cases[i].api,
                             .status = cases[i].status,
                             .before = cases[i].before,
                             .after = cases[i].after,
                             .root = json_loads(cases[i].document, 0, NULL)};
        assert_non_null(m.root);
        mutate(&m, m.root);
        assert_true(m.n_tried >= 20);
        json_decref(m.root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openai_audio_forms),
        cmocka_unit_test(test_openai_turns),
        cmocka_unit_test(test_openai_settings),
        cmocka_unit_test(test_gemini_requests),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_odd_prompts),
        cmocka_unit_test(test_openai_answer),
        cmocka_unit_test(test_openai_contents),
        cmocka_unit_test(test_openai_errors),
        cmocka_unit_test(test_key_is_masked),
        cmocka_unit_test(test_gemini_answer),
        cmocka_unit_test(test_gemini_blocks_and_errors),
        cmocka_unit_test(test_gemini_quotas),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_stream_facts),
        cmocka_unit_test(test_strange_bytes),
        cmocka_unit_test(test_deep_and_large),
        cmocka_unit_test(test_wrong_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
