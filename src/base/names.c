#include "base/names.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct named {
    char *name;
    size_t number;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static void free_entry(void *p)
{
    struct named *e = p;
    free(e->name);
    free(e);
}

bool name_set_add(struct name_set *set, const char *name, size_t number, size_t *ret_number)
{
    struct named *e = xmalloc(sizeof *e);
    *e = (struct named){xstrdup(name), number};
    struct named **at = tsearch(e, &set->root, compare);
    if (!at) {
        abort(); /* no memory: as xmalloc */
    }
    if (*at == e) {
        return true;
    }
    if (ret_number) {
        *ret_number = (*at)->number;
    }
    free_entry(e);
    return false;
}

bool name_set_find(const struct name_set *set, const char *name, size_t *ret_number)
{
    struct named key = {.number = 0};
    memcpy(&key.name, &name, sizeof name); /* it is only read */
    struct named **at = tfind(&key, &set->root, compare);
    if (at && ret_number) {
        *ret_number = (*at)->number;
    }
    return at != NULL;
}

void name_set_release(struct name_set *set)
{
    tdestroy(set->root, free_entry);
    set->root = NULL;
}
