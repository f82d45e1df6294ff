/* Foreign bytes: a model's preset. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/preset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What other code relies on without a look of its own. */
static void use(const struct preset *p)
{
    const struct preset_api *a = &p->api;
    if (!p->name || !p->title || !p->notes || !(p->has_gguf || p->has_api) ||
        (p->has_gguf && (!fs_is_inside(p->gguf.text) || !fs_is_inside(p->gguf.mmproj) ||
                         strcmp(fs_basename(p->gguf.text), fs_basename(p->gguf.mmproj)) == 0))) {
        abort();
    }
    if (p->has_api) {
        json_t *body = json_loads(a->body, 0, NULL);
        if (!json_is_object(body) || !a->url || !a->model || !a->max_tokens_key ||
            a->url[strlen(a->url) - 1] == '/' || (a->needs_key && !a->key_variable)) {
            abort();
        }
        json_decref(body);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct preset p = {0};
    struct err err = {0};
    if (preset_parse((const char *)data, size, "fuzz.yaml", &p, &err) == 0) {
        use(&p);
        preset_release(&p);
    } else if (err.code == ERR_NONE || p.name) {
        abort();
    }
    return 0;
}
