/*
 * preset_options.h - models by name: the presets that come with aor, and where aor pull puts
 * their files.
 */
#ifndef AOR_CMD_PRESET_OPTIONS_H
#define AOR_CMD_PRESET_OPTIONS_H

#include "base/err.h"
#include "model/preset.h"

/*
 * The preset that comes with aor under this name, or, where name has a slash or ends in .yaml, the
 * file of that path. A name that is none is a usage error. preset_release() frees it.
 */
int cmd_load_preset(const char *name, struct preset *ret, struct err *err);

/* All that come with aor, by name; *ret_presets and each of them are the caller's. */
int cmd_load_presets(struct preset **ret_presets, size_t *ret_n, struct err *err);

/* Where aor pull puts this file of its repository, in the cache. The caller's. */
char *cmd_model_file(const struct preset *p, const char *path_in_repository);

#endif
