#include "stats/levels.h"

#include <stdlib.h>

#include "base/mem.h"

uint32_t levels_number(struct levels *l, const char *name)
{
    size_t number;
    if (!name_set_add(&l->set, name, l->n, &number)) {
        return (uint32_t)number;
    }
    if ((l->n & (l->n - 1)) == 0) {
        l->items = xrealloc(l->items, (l->n == 0 ? 1 : 2 * l->n) * sizeof *l->items);
    }
    l->items[l->n] = xstrdup(name);
    return (uint32_t)l->n++;
}

long levels_find(const struct levels *l, const char *name)
{
    size_t number;
    return name_set_find(&l->set, name, &number) ? (long)number : -1;
}

void levels_release(struct levels *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i]);
    }
    free(l->items);
    name_set_release(&l->set);
    *l = (struct levels){0};
}
