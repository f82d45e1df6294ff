/* Foreign bytes: a rubric file, and the reply of a judge. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "judge/rubric.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    struct rubric r;
    enum verdict v;
    buf_add(&text, data, size);
    buf_add(&text, "\0", 1);
    if (rubric_read(text.data, &v) && !strstr(text.data, verdict_name(v)) &&
        !strchr(text.data, '\\')) {
        abort();
    }
    if (rubric_parse(text.data, size, "rubric.yaml", &r, NULL) == 0) {
        free(rubric_fill(&r, "{answer}", text.data));
        rubric_release(&r);
    }
    buf_release(&text);
    return 0;
}
