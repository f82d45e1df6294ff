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
    int shard, n_shards;
    cmd_split(o->strategies, &names, &n_names);
    cmd_split(o->only, &only, &n_only);
    char **paths = xcalloc(n_names + 1, sizeof *paths);
    int ok = cmd_parse_conditions(o->conditions, &conditions, err) == 0 &&
                     cmd_parse_shard(o->shard, &shard, &n_shards, err) == 0
                 ? 0
                 : -1;
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
        if (ok == 0 && n_shards > 0) {
            plan_take_shard(ret, shard, n_shards);
        }
    }
    cmd_free_list(paths, n_names);
    cmd_free_list(only, n_only);
    cmd_free_list(names, n_names);
    return ok;
}

int plan_db_path(const struct plan_options *o, const char *db, char **ret, struct err *err)
{
    int shard, n_shards;
    if (cmd_parse_shard(o->shard, &shard, &n_shards, err) != 0) {
        return -1;
    }
    size_t n = strlen(db);
    size_t tail = n > 3 && strcmp(db + n - 3, ".db") == 0 ? 3 : 0;
    *ret = n_shards == 0
               ? xstrdup(db)
               : xasprintf("%.*s-%d-of-%d%s", (int)(n - tail), db, shard, n_shards, db + n - tail);
    return 0;
}
