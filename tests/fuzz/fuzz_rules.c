/*
 * Any answer gets a verdict: no crash, no pattern over its limit, a place within the answer. A
 * scene that it names stands in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "judge/answer_text.h"
#include "judge/rules.h"
#include "judge/scene_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match_scene(const char *answer)
{
    static const char *const names[] = {"in a barn*"};
    char *text = answer_normalise(answer);
    if (scene_name_match(names, 1, answer) && !(strstr(text, "in") && strstr(text, "barn"))) {
        abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rule_judge *judge;
    if (!judge && rule_judge_load(TEST_DATA_DIR "/judge/rules-en.yaml", &judge, NULL) != 0) {
        abort();
    }
    struct buf text = {0};
    buf_add(&text, data, size);
    buf_add(&text, "\0", 1);
    const char *request = text.data;
    const char *answer = memchr(request, '\n', strlen(request));
    answer = answer ? answer + 1 : request;
    struct judgement got;
    if (rule_judge_verdict(judge, request, answer, &got, NULL) != 0 ||
        (got.start != SIZE_MAX && (got.start > got.end || got.end > strlen(answer)))) {
        abort();
    }
    match_scene(answer);
    buf_release(&text);
    return 0;
}
