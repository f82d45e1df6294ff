#include "preset_options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "cmd.h"

#define FOLDER "data/models"

/* OWNER/NAME of a hub has a slash too, and is none. */
static bool is_file(const char *name)
{
    size_t n = strlen(name);
    return (n > 5 && strcmp(name + n - 5, ".yaml") == 0) || (strchr(name, '/') && fs_exists(name));
}

int cmd_load_preset(const char *name, struct preset *ret, struct err *err)
{
    if (is_file(name)) {
        return preset_load(name, ret, err);
    }
    char *file = xasprintf(FOLDER "/%s.yaml", name);
    char *path = cmd_shared_path(file);
    int ok = fs_exists(path) ? preset_load(path, ret, err)
                             : err_set(err, ERR_USAGE,
                                       "%s: there is no such model; aor models lists them", name);
    free(path);
    free(file);
    return ok;
}

int cmd_load_presets(struct preset **ret_presets, size_t *ret_n, struct err *err)
{
    char *dir = cmd_shared_path(FOLDER);
    char **paths = NULL;
    size_t n = 0;
    int ok = yaml_list_files(dir, &paths, &n, err);
    struct preset *presets = xcalloc(n + 1, sizeof *presets);
    for (size_t i = 0; i < n && ok == 0; i++) {
        ok = preset_load(paths[i], &presets[i], err);
    }
    if (ok == 0) {
        *ret_presets = presets;
        *ret_n = n;
    } else {
        for (size_t i = 0; i < n; i++) {
            preset_release(&presets[i]);
        }
        free(presets);
    }
    fs_free_paths(paths, n);
    free(dir);
    return ok;
}

char *cmd_model_file(const struct preset *p, const char *path_in_repository)
{
    char *name = xasprintf("models/%s/%s", p->name, fs_basename(path_in_repository));
    char *path = cmd_cache_path(name);
    free(name);
    return path;
}
