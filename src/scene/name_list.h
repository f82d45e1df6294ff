/*
 * name_list.h - the names by which an answer may call a scene (docs/formats.md, scenes.yaml). For
 * scene.c only; they are matched by judge/scene_name.h.
 */
#ifndef AOR_SCENE_NAME_LIST_H
#define AOR_SCENE_NAME_LIST_H

#include <stddef.h>

#include "base/yaml.h"

#define SCENE_MAX_NAMES 40
#define SCENE_MAX_NAME 40 /* bytes */

/*
 * The member "names" of a scene: 1 to SCENE_MAX_NAMES names of lower-case words, of which the last
 * may end in '*'. *ret_names and each of them are the caller's: yaml_free_strs().
 */
int name_list_read(struct yaml_node scene, char ***ret_names, size_t *ret_n, struct err *err);

#endif
