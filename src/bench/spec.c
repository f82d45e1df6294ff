#include "bench/spec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/yaml.h"

void spec_release(struct spec *s)
{
    free(s->name);
    yaml_free_strs(s->only, s->n_only);
    *s = (struct spec){0};
}

static int read_spec(struct yaml_node root, struct spec *s, struct err *err)
{
    static const char *const keys[] = {"name", "seed", "pairs", "snr_db", "takes", "items", NULL};
    struct yaml_node pairs, levels, items, level;
    long seed, n_takes;
    if (yaml_check_keys(root, keys, err) != 0 || yaml_get_str(root, "name", &s->name, err) != 0 ||
        yaml_get_int(root, "seed", 0, 1L << 48, &seed, err) != 0 ||
        yaml_get(root, "pairs", &pairs, err) != 0 ||
        yaml_check_keys(pairs, item_kind_names, err) != 0 ||
        yaml_get_seq(root, "snr_db", &levels, err) != 0 ||
        yaml_get_int(root, "takes", 1, DESIGN_MAX_TAKES, &n_takes, err) != 0 ||
        yaml_get(root, "items", &items, err) != 0) {
        return -1;
    }
    if (!text_is_id(s->name, ITEM_MAX_ID)) {
        return yaml_fail(yaml_find(root, "name"), err,
                         "a name has lower-case letters, digits and hyphens, at most %d",
                         ITEM_MAX_ID);
    }
    s->seed = (uint64_t)seed;
    s->n_takes = (int)n_takes;
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        long n;
        if (yaml_get_int(pairs, item_kind_names[k], 0, DESIGN_N_EMOTIONS, &n, err) != 0) {
            return -1;
        }
        s->n_pairs[k] = (int)n;
    }
    if (yaml_count(levels) != DESIGN_N_SNRS) {
        return yaml_fail(levels, err, "\"snr_db\" wants %d levels", DESIGN_N_SNRS);
    }
    void *it = NULL;
    for (int i = 0; yaml_next(levels, &it, &level); i++) {
        if (yaml_num(level, -20, 60, &s->snr_db[i], err) != 0) {
            return -1;
        }
    }
    if (yaml_is_seq(items)) {
        return yaml_get_strs(root, "items", &s->only, &s->n_only, err);
    }
    char *text = NULL;
    int ok = yaml_str(items, &text, err);
    if (ok == 0 && strcmp(text, "all") != 0) {
        ok = yaml_fail(items, err, "\"items\" is \"all\" or a list of ids");
    }
    free(text);
    return ok;
}

int spec_load(const char *path, struct spec *ret, struct err *err)
{
    struct yaml_doc doc = {0};
    struct spec s = {0};
    if (yaml_load(path, &doc, err) != 0) {
        return -1;
    }
    int ok = read_spec(yaml_root(&doc), &s, err);
    if (ok == 0) {
        *ret = s;
    } else {
        spec_release(&s);
    }
    yaml_release(&doc);
    return ok;
}

bool spec_wants(const struct spec *s, const char *item_id)
{
    for (size_t i = 0; i < s->n_only; i++) {
        if (strcmp(s->only[i], item_id) == 0) {
            return true;
        }
    }
    return s->only == NULL;
}

void spec_set_only(struct spec *s, char **only, size_t n)
{
    yaml_free_strs(s->only, s->n_only);
    s->only = only;
    s->n_only = n;
}

char *spec_text(const struct spec *s)
{
    struct buf b = {0};
    buf_addf(&b, "name: %s\nseed: %" PRIu64 "\npairs: {", s->name, s->seed);
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        buf_addf(&b, "%s%s: %d", k == 0 ? "" : ", ", item_kind_names[k], s->n_pairs[k]);
    }
    buf_addf(&b, "}\nsnr_db: [%.17g, %.17g, %.17g]\ntakes: %d\nitems:", s->snr_db[0], s->snr_db[1],
             s->snr_db[2], s->n_takes);
    if (!s->only) {
        buf_adds(&b, " all\n");
    }
    for (size_t i = 0; s->only && i < s->n_only; i++) {
        buf_addf(&b, "%s  - %s\n", i == 0 ? "\n" : "", s->only[i]);
    }
    return buf_detach(&b);
}
