#include "plan_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cmd.h"

struct plan_options plan_default_options(void)
{
    return (struct plan_options){
        .conditions = "matched,speech", .strategies = "direct", .n_repeats = 1};
}

/* "cot" is the prompt that comes with aor; anything with a slash or of YAML is a file. */
static char *prompt_path(const char *name)
{
    size_t n = strlen(name);
    if (strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".yaml") == 0)) {
        return xstrdup(name);
    }
    char *file = xasprintf("data/prompts/%s.yaml", name);
    char *path = cmd_shared_path(file);
    free(file);
    return path;
}

int plan_from_options(const struct plan_options *o, const struct bench *bench, struct plan *ret,
                      struct err *err)
{
    char **names, **only;
    size_t n_names, n_only;
    unsigned conditions;
    cmd_split(o->strategies, &names, &n_names);
    cmd_split(o->only, &only, &n_only);
    char **paths = xcalloc(n_names + 1, sizeof *paths);
    int ok = cmd_parse_conditions(o->conditions, &conditions, err);
    for (size_t i = 0; i < n_names; i++) {
        paths[i] = prompt_path(names[i]);
        if (ok == 0 && !fs_exists(paths[i])) {
            ok = err_set(err, ERR_USAGE, "%s: there is no such prompt (%s)", names[i], paths[i]);
        }
    }
    if (ok == 0) {
        struct bench_selection select = {only, n_only, o->limit};
        ok = plan_init(bench, &select, conditions, (const char *const *)paths, n_names,
                       (int)o->n_repeats, ret, err);
    }
    cmd_free_list(paths, n_names);
    cmd_free_list(only, n_only);
    cmd_free_list(names, n_names);
    return ok;
}
