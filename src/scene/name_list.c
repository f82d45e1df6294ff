#include "scene/name_list.h"

#include <stdbool.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Words of letters and digits with one blank, hyphen or apostrophe between, and then '*' or none.
 */
static bool is_name(const char *s)
{
    if (strlen(s) > SCENE_MAX_NAME || !is_letter(*s)) {
        return false;
    }
    while (is_letter(s[0]) || (s[0] != '\0' && strchr(" -'", s[0]) && is_letter(s[1]))) {
        s++;
    }
    return strcmp(s, "") == 0 || strcmp(s, "*") == 0;
}

static int check_name(struct yaml_node at, const char *name, struct err *err)
{
    return is_name(name)
               ? 0
               : yaml_fail(at, err,
                           "a name has 1 to %d bytes: lower-case words with single blanks, and "
                           "perhaps * at the end",
                           SCENE_MAX_NAME);
}

int name_list_read(struct yaml_node scene, char ***ret_names, size_t *ret_n, struct err *err)
{
    struct yaml_node list, item;
    char **names;
    size_t n;
    if (yaml_get_seq(scene, "names", &list, err) != 0) {
        return -1;
    }
    if (yaml_count(list) == 0 || yaml_count(list) > SCENE_MAX_NAMES) {
        return yaml_fail(list, err, "a scene has 1 to %d names", SCENE_MAX_NAMES);
    }
    if (yaml_get_strs(scene, "names", &names, &n, err) != 0) {
        return -1;
    }
    void *it = NULL;
    for (size_t i = 0; yaml_next(list, &it, &item); i++) {
        if (check_name(item, names[i], err) != 0) {
            yaml_free_strs(names, n);
            return -1;
        }
    }
    *ret_names = names;
    *ret_n = n;
    return 0;
}
