/* Foreign bytes: what a served model answers. The first three choose protocol, streaming and
 * status; what follows is the body. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const char *s, bool is_line)
{
    if (!s || text_check_utf8(s, strlen(s), "reply", NULL) != 0) {
        abort();
    }
    for (const char *p = s; is_line && *p; p++) {
        if ((unsigned char)*p < 0x20) {
            abort();
        }
    }
}

/* What other code relies on. */
static void check(const struct wire_reply *r)
{
    bool has_words = r->outcome == WIRE_ANSWER || r->outcome == WIRE_BLOCK;
    if (r->outcome > WIRE_STOP || (r->outcome == WIRE_BLOCK) != (r->reason != NULL) ||
        (!has_words && r->text && r->text[0] == '\0') || isnan(r->wait_s)) {
        abort();
    }
    check_words(r->text, !has_words);
    check_words(r->reason ? r->reason : "", false);
    check_words(r->model ? r->model : "", false);
    check_words(r->fingerprint ? r->fingerprint : "", false);
    const long counts[] = {r->n_prompt_tokens, r->n_audio_tokens, r->n_answer_tokens};
    for (int i = 0; i < 3; i++) {
        if (counts[i] < 0 || counts[i] > INT32_MAX) {
            abort();
        }
    }
    if ((!has_words && strstr(r->text, "sk-KEY")) || (r->reason && strstr(r->reason, "sk-KEY"))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 200, 200, 200, 400, 401, 404, 429, 500, 503, 302, 0};
    if (size < 3) {
        return 0;
    }
    struct preset_api api = {.protocol = data[0] % 2 ? PRESET_GEMINI : PRESET_OPENAI,
                             .is_streamed = data[0] % 2 == 0 && data[1] % 2};
    struct wire_reply reply;
    wire_parse(&api, statuses[data[2] % (sizeof statuses / sizeof *statuses)],
               (const char *)data + 3, size - 3, "sk-KEY", &reply);
    check(&reply);
    wire_reply_release(&reply);
    return 0;
}
