/* generateContent of the Gemini API (v1beta). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "model/wire.h"

static void add_text(json_t *parts, const char *text)
{
    if (text && text[0]) {
        json_array_append_new(parts, json_pack("{s:o}", "text", json_text(text)));
    }
}

json_t *gemini_request(const struct preset_api *api, const struct model_question *q,
                       const char *marker)
{
    json_t *parts = json_array();
    if (!api->has_system && q->system && q->system[0]) {
        char *before = xasprintf("%s\n\n", q->system);
        add_text(parts, before);
        free(before);
    }
    if (q->audio_last) {
        add_text(parts, q->instruction);
    }
    if (marker) {
        json_array_append_new(parts,
                              json_pack("{s:{s:s, s:s}}", "inlineData", "mimeType",
                                        api->format == PRESET_MP3 ? "audio/mp3" : "audio/wav",
                                        "data", marker));
    } else {
        add_text(parts, q->text);
    }
    if (!q->audio_last) {
        add_text(parts, q->instruction);
    }
    json_t *generation = json_pack("{s:i}", "maxOutputTokens", q->max_tokens);
    if (api->takes_temperature) {
        json_object_set_new(generation, "temperature", json_real(q->temperature));
        if (q->temperature > 0) {
            json_object_set_new(generation, "seed", json_integer(q->seed & INT32_MAX));
        }
    }
    json_t *o = json_pack("{s:[{s:s, s:o}], s:o}", "contents", "role", "user", "parts", parts,
                          "generationConfig", generation);
    if (api->has_system && q->system && q->system[0]) {
        json_object_set_new(o, "systemInstruction",
                            json_pack("{s:[{s:o}]}", "parts", "text", json_text(q->system)));
    }
    return o;
}

/* Finish reasons by which the provider and not the model ends an answer. */
static bool is_block(const char *finish)
{
    static const char *const blocks[] = {"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION",
                                         "SPII",   "IMAGE_SAFETY",       "LANGUAGE",  NULL};
    for (size_t i = 0; blocks[i]; i++) {
        if (strcmp(finish, blocks[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void add_usage(const json_t *answer, struct wire_reply *ret)
{
    const json_t *usage = json_object_get(answer, "usageMetadata");
    ret->n_prompt_tokens = wire_int(usage, "promptTokenCount");
    long n = wire_int(usage, "candidatesTokenCount") + wire_int(usage, "thoughtsTokenCount");
    ret->n_answer_tokens = n <= INT32_MAX ? n : 0;
    size_t i;
    json_t *detail;
    json_array_foreach(json_object_get(usage, "promptTokensDetails"), i, detail)
    {
        const char *modality = wire_str(detail, "modality");
        if (modality && strcmp(modality, "AUDIO") == 0) {
            ret->n_audio_tokens = wire_int(detail, "tokenCount");
        }
    }
    const json_t *version = json_object_get(answer, "modelVersion");
    ret->model = json_is_string(version) ? wire_text(version) : NULL;
}

/* The candidate's words, without its thoughts; NULL where they are of a shape that they cannot
 * have.
 */
static char *words_of(const json_t *candidate)
{
    const json_t *content = json_object_get(candidate, "content");
    const json_t *parts = json_object_get(content, "parts");
    bool is_good = (!content || json_is_object(content)) && (!parts || json_is_array(parts));
    struct buf text = {0};
    buf_adds(&text, "");
    size_t i;
    json_t *part;
    json_array_foreach(parts, i, part)
    {
        const json_t *t = json_object_get(part, "text");
        is_good = is_good && json_is_object(part) && (!t || json_is_string(t));
        if (!json_is_true(json_object_get(part, "thought"))) {
            char *s = wire_text(t);
            buf_adds(&text, s);
            free(s);
        }
    }
    if (!is_good) {
        buf_release(&text);
        return NULL;
    }
    return buf_detach(&text);
}

/* What the server gives as a reason, in one printable line. */
static char *reason_of(const char *member, const char *value)
{
    char *text = xasprintf("%s: %.100s", member, value);
    text_make_printable(text);
    return text;
}

void gemini_answer(const json_t *answer, struct wire_reply *ret)
{
    const json_t *candidate = json_array_get(json_object_get(answer, "candidates"), 0);
    const char *finish = wire_str(candidate, "finishReason");
    const char *blocked = wire_str(json_object_get(answer, "promptFeedback"), "blockReason");
    add_usage(answer, ret);
    if (!json_is_object(candidate) && blocked) {
        wire_set(ret, WIRE_BLOCK, "");
        ret->reason = reason_of("blockReason", blocked);
    } else if (!json_is_object(candidate)) {
        wire_set(ret, WIRE_FAULT, "the answer holds no candidate");
    } else if (finish && is_block(finish)) {
        char *words = words_of(candidate);
        ret->outcome = WIRE_BLOCK;
        ret->text = words ? words : xstrdup("");
        ret->reason = reason_of("finishReason", finish);
    } else if (!finish || (strcmp(finish, "STOP") != 0 && strcmp(finish, "MAX_TOKENS") != 0)) {
        char *text = reason_of("finishReason", finish ? finish : "none");
        wire_set(ret, WIRE_FAULT, text);
        free(text);
    } else if (!(ret->text = words_of(candidate))) {
        wire_set(ret, WIRE_FAULT, "the answer's candidate is of no known shape");
    } else {
        ret->outcome = WIRE_ANSWER;
        ret->finish = strcmp(finish, "MAX_TOKENS") == 0 ? MODEL_FINISH_LENGTH : MODEL_FINISH_STOP;
    }
}
