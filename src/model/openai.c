/* Chat completions as OpenAI's API reference has them, with what vLLM, SGLang, llama-server, Azure
 * and DashScope do otherwise. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "model/wire.h"

static json_t *text_part(const char *text)
{
    return json_pack("{s:s, s:o}", "type", "text", "text", json_text(text));
}

static json_t *audio_part(const struct preset_api *api, const char *marker)
{
    const char *format = preset_format_names[api->format];
    if (api->audio == PRESET_AUDIO_URL) {
        const char *mime = api->format == PRESET_MP3 ? "mpeg" : "wav";
        char *url = xasprintf("data:audio/%s;base64,%s", mime, marker);
        json_t *part = json_pack("{s:s, s:{s:s}}", "type", "audio_url", "audio_url", "url", url);
        free(url);
        return part;
    }
    char *data =
        xasprintf("%s%s", api->audio == PRESET_INPUT_AUDIO_URI ? "data:;base64," : "", marker);
    json_t *part = json_pack("{s:s, s:{s:s, s:s}}", "type", "input_audio", "input_audio", "data",
                             data, "format", format);
    free(data);
    return part;
}

/* The words of a turn without sound, one string: some servers take no parts where there is none. */
static json_t *words_of(const char *before, const struct model_question *q, const char *text,
                        const char *instruction)
{
    char *words = q->audio_last ? xasprintf("%s%s%s", before, instruction, text)
                                : xasprintf("%s%s%s", before, text, instruction);
    json_t *content = json_text(words);
    free(words);
    return content;
}

static json_t *content_of(const struct preset_api *api, const struct model_question *q,
                          const char *before, const char *marker)
{
    const char *instruction = q->instruction ? q->instruction : "";
    if (!marker) {
        return words_of(before, q, q->text ? q->text : "", instruction);
    }
    json_t *parts = json_array();
    if (before[0]) {
        json_array_append_new(parts, text_part(before));
    }
    json_array_append_new(parts, audio_part(api, marker));
    if (instruction[0]) {
        size_t at = q->audio_last ? json_array_size(parts) - 1 : json_array_size(parts);
        json_array_insert_new(parts, at, text_part(instruction));
    }
    return parts;
}

json_t *openai_request(const struct preset_api *api, const struct model_question *q,
                       const char *marker)
{
    json_t *messages = json_array();
    bool has_system = q->system && q->system[0];
    char *before = has_system && !api->has_system ? xasprintf("%s\n\n", q->system) : xstrdup("");
    if (has_system && api->has_system) {
        json_array_append_new(
            messages, json_pack("{s:s, s:o}", "role", "system", "content", json_text(q->system)));
    }
    json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "user", "content",
                                              content_of(api, q, before, marker)));
    json_t *o = json_pack("{s:o, s:o, s:i}", "model", json_text(api->model), "messages", messages,
                          api->max_tokens_key, q->max_tokens);
    if (api->takes_temperature) {
        json_object_set_new(o, "temperature", json_real(q->temperature));
        if (q->temperature > 0) {
            json_object_set_new(o, "seed", json_integer(q->seed & INT32_MAX));
        }
    }
    if (api->is_streamed) {
        json_object_set_new(o, "stream", json_true());
        json_object_set_new(o, "stream_options", json_pack("{s:b}", "include_usage", 1));
    }
    free(before);
    return o;
}

/* What one choice says, or the pieces of a stream together. */
struct choice {
    struct buf text;
    struct buf refusal;
    bool is_there, is_finished;
    bool is_malformed; /* something is of a type that it cannot have */
    char finish[32];   /* finish_reason; "" where there was none */
};

static bool is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

static void add_string(const json_t *string, struct buf *text, struct choice *c)
{
    char *s = wire_text(string);
    buf_adds(text, s);
    free(s);
    c->is_malformed = c->is_malformed || !json_is_string(string);
}

/* Text of a content: a string, or a list of parts with text in them. */
static void add_content(const json_t *content, struct buf *text, struct choice *c)
{
    if (!json_is_array(content)) {
        if (!is_absent(content)) {
            add_string(content, text, c);
        }
        return;
    }
    size_t i;
    json_t *part;
    json_array_foreach(content, i, part)
    {
        const json_t *t = json_object_get(part, "text");
        c->is_malformed = c->is_malformed || !json_is_object(part);
        if (!is_absent(t)) {
            add_string(t, text, c);
        }
    }
}

static void add_choice(const json_t *answer, const char *member, struct choice *c)
{
    const json_t *choices = json_object_get(answer, "choices");
    const json_t *choice = json_array_get(choices, 0);
    const json_t *message = json_object_get(choice, member);
    const json_t *finish = json_object_get(choice, "finish_reason");
    c->is_malformed = c->is_malformed || (!is_absent(choices) && !json_is_array(choices)) ||
                      (choice && !json_is_object(choice)) ||
                      (!is_absent(message) && !json_is_object(message)) ||
                      (!is_absent(finish) && !json_is_string(finish));
    c->is_there = c->is_there || json_is_object(message);
    add_content(json_object_get(message, "content"), &c->text, c);
    add_content(json_object_get(message, "refusal"), &c->refusal, c);
    if (json_is_string(finish)) {
        c->is_finished = true;
        snprintf(c->finish, sizeof c->finish, "%s", json_string_value(finish));
    }
}

static void add_facts(const json_t *answer, struct wire_reply *ret)
{
    const json_t *usage = json_object_get(answer, "usage");
    if (json_is_object(usage)) {
        ret->n_prompt_tokens = wire_int(usage, "prompt_tokens");
        ret->n_answer_tokens = wire_int(usage, "completion_tokens");
        ret->n_audio_tokens =
            wire_int(json_object_get(usage, "prompt_tokens_details"), "audio_tokens");
    }
    const json_t *model = json_object_get(answer, "model");
    const json_t *fingerprint = json_object_get(answer, "system_fingerprint");
    if (!ret->model && json_is_string(model)) {
        ret->model = wire_text(model);
    }
    if (!ret->fingerprint && json_is_string(fingerprint)) {
        ret->fingerprint = wire_text(fingerprint);
    }
}

/* Takes over what c holds. */
static void take_choice(struct choice *c, struct wire_reply *ret)
{
    if (c->is_malformed) {
        wire_set(ret, WIRE_FAULT, "the answer is no chat completion");
    } else if (!c->is_there) {
        wire_set(ret, WIRE_FAULT, "the answer holds no choice");
    } else if (strcmp(c->finish, "abort") == 0 || strcmp(c->finish, "error") == 0) {
        wire_set(ret, WIRE_FAULT, "the server broke the answer off");
    } else {
        bool is_filtered = strcmp(c->finish, "content_filter") == 0;
        ret->outcome = is_filtered || c->refusal.len > 0 ? WIRE_BLOCK : WIRE_ANSWER;
        ret->finish = strcmp(c->finish, "length") == 0 ? MODEL_FINISH_LENGTH : MODEL_FINISH_STOP;
        if (ret->outcome == WIRE_BLOCK) {
            ret->reason =
                is_filtered ? xstrdup("content_filter") : xasprintf("refusal: %s", c->refusal.data);
        }
        ret->text = buf_detach(&c->text);
    }
    buf_release(&c->text);
    buf_release(&c->refusal);
}

void openai_answer(const json_t *answer, struct wire_reply *ret)
{
    struct choice c = {0};
    add_choice(answer, "message", &c);
    add_facts(answer, ret);
    take_choice(&c, ret);
}

struct stream {
    struct choice choice;
    struct wire_reply *reply;
    const char *secret;
    bool is_done; /* an error or the end came */
    bool is_failed;
};

/* One event of the stream. */
static void take_event(struct stream *s, const char *data, size_t n)
{
    if (n == 6 && memcmp(data, "[DONE]", 6) == 0) {
        s->is_done = true;
        return;
    }
    json_t *o = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    int status = wire_hidden_status(o);
    if (!json_is_object(o)) {
        wire_set(s->reply, WIRE_FAULT, "an event of the stream is no JSON object");
        s->is_failed = s->is_done = true;
    } else if (status != 0) {
        wire_error(status, o, data, n, s->secret, s->reply);
        s->is_failed = s->is_done = true;
    } else {
        add_choice(o, "delta", &s->choice);
        add_facts(o, s->reply);
    }
    json_decref(o);
}

/* Server-sent events (WHATWG HTML, 9.2.6): data lines up to an empty line are one event. */
void openai_stream(const char *body, size_t n, const char *secret, struct wire_reply *ret)
{
    struct stream s = {.reply = ret, .secret = secret};
    struct buf event = {0};
    const char *end = body + n;
    while (body < end && !s.is_done) {
        size_t n_line = 0;
        while (body + n_line < end && body[n_line] != '\n' && body[n_line] != '\r') {
            n_line++;
        }
        if (n_line == 0) {
            if (event.len > 0) {
                take_event(&s, event.data, event.len);
            }
            event.len = 0;
        } else if (n_line >= 5 && memcmp(body, "data:", 5) == 0) {
            size_t skip = n_line > 5 && body[5] == ' ' ? 6 : 5;
            if (event.len > 0) {
                buf_add(&event, "\n", 1);
            }
            buf_add(&event, body + skip, n_line - skip);
        }
        body += n_line;
        body += body < end && *body == '\r' && body + 1 < end && body[1] == '\n' ? 2 : 1;
    }
    if (!s.is_done && event.len > 0) { /* its empty line did not come */
        take_event(&s, event.data, event.len);
    }
    if (s.is_failed) {
        if (ret->outcome == WIRE_BLOCK && s.choice.text.len > 0) {
            wire_set(ret, WIRE_BLOCK, s.choice.text.data);
        }
        buf_release(&s.choice.text);
        buf_release(&s.choice.refusal);
    } else if (!s.is_done && !s.choice.is_finished) {
        s.choice.is_there = false;
        take_choice(&s.choice, ret);
        wire_set(ret, WIRE_FAULT, "the stream ended before the answer did");
    } else {
        take_choice(&s.choice, ret);
    }
    buf_release(&event);
}
