/*
 * Any answer gets a verdict: no crash, no pattern over its limit, a place within the answer. What
 * matches a rule passes its filter. A scene that it names stands in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "judge/answer_text.h"
#include "judge/rule_file.h"
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

static void check_filter(const char *answer)
{
    static struct rule_file *f;
    if (!f) {
        struct buf yaml = {0};
        f = xmalloc(sizeof *f);
        if (fs_read(TEST_DATA_DIR "/judge/rules-en.yaml", 1 << 20, &yaml, NULL) != 0 ||
            rule_file_parse(yaml.data, yaml.len, "rules", f, NULL) != 0) {
            abort();
        }
        buf_release(&yaml);
    }
    char *text = answer_normalise(answer);
    for (size_t i = 0; i < f->n_rules; i++) {
        struct span at;
        if (rule_file_find(f, f->rules[i].code, text, 0, strlen(text), &at, NULL) == 1 &&
            !prefilter_may_match(f->rule_filter, i, text, strlen(text))) {
            abort();
        }
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
    check_filter(answer);
    buf_release(&text);
    return 0;
}
