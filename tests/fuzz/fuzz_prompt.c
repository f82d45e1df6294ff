/* Foreign bytes: a prompt file, and after a NUL what a model answered to it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct prompt *p, const char *response)
{
    size_t n = strlen(response);
    size_t start = prompt_answer_start(p, response, false);
    size_t cut = prompt_answer_start(p, response, true);
    if (start > n || (cut != start && (start != 0 || cut != n))) {
        abort();
    }
    for (int with_scene = 0; with_scene < 2; with_scene++) {
        const char *template = with_scene ? p->text_scene : p->text;
        struct err err = {0};
        char *filled = prompt_fill(p, with_scene, response, "{text}{scene}", &err);
        if (!filled != !template || !filled != (err.code != ERR_NONE) ||
            (filled && strlen(filled) != strlen(template) - strlen("{text}") + n +
                                             (with_scene ? strlen("{text}") : 0))) {
            abort();
        }
        free(filled);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf response = {0};
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t n = end ? (size_t)(end - data) : size;
    buf_add(&response, data + (end ? n + 1 : 0), size - (end ? n + 1 : 0));
    struct prompt p = {0};
    struct err err = {0};
    if (prompt_parse((const char *)data, n, "fuzz.yaml", &p, &err) == 0) {
        use(&p, response.data);
        prompt_release(&p);
    } else if (err.code == ERR_NONE || p.name) {
        abort();
    }
    buf_release(&response);
    return 0;
}
