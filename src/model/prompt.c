#include "model/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

/* A strategy's name becomes a key of the run. */
static int check_strategy(struct yaml_node root, const char *name, struct err *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (n == 0 || n > PROMPT_MAX_STRATEGY || name[n] != '\0') {
        return yaml_fail(yaml_find(root, "strategy"), err,
                         "a strategy has 1 to %d lower-case letters, digits and hyphens",
                         PROMPT_MAX_STRATEGY);
    }
    return 0;
}

int prompt_load(const char *path, struct prompt *ret, struct err *err)
{
    static const char *const keys[] = {"strategy", "system",     "instruction",
                                       "audio",    "max_tokens", NULL};
    static const char *const places[] = {"first", "last", NULL};
    struct yaml_doc doc = {0};
    struct prompt p = {0};
    int place;
    long max_tokens;
    if (yaml_load(path, &doc, err) != 0) {
        return -1;
    }
    struct yaml_node root = yaml_root(&doc);
    int ok = -1;
    if (yaml_check_keys(root, keys, err) == 0 &&
        yaml_get_str(root, "strategy", &p.strategy, err) == 0 &&
        yaml_get_str(root, "system", &p.system, err) == 0 &&
        yaml_get_str(root, "instruction", &p.instruction, err) == 0 &&
        yaml_get_enum(root, "audio", places, &place, err) == 0 &&
        yaml_get_int(root, "max_tokens", 1, 100000, &max_tokens, err) == 0 &&
        check_strategy(root, p.strategy, err) == 0 && fs_sha256(path, p.sha256, err) == 0) {
        p.audio_last = place == 1;
        p.max_tokens = (int)max_tokens;
        *ret = p;
        p = (struct prompt){0};
        ok = 0;
    }
    prompt_release(&p);
    yaml_release(&doc);
    return ok;
}

void prompt_release(struct prompt *p)
{
    free(p->strategy);
    free(p->system);
    free(p->instruction);
    *p = (struct prompt){0};
}
