/*
 * levels.h - names by number: each is kept once, in the order in which it came.
 */
#ifndef AOR_STATS_LEVELS_H
#define AOR_STATS_LEVELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

/* {0} is empty. */
struct levels {
    struct name_set set;
    char **items; /* [n]; owned */
    size_t n;
};

/* The number of the name, which is added where it is new. */
uint32_t levels_number(struct levels *l, const char *name);

/* The number of the name; -1: it is not there. */
long levels_find(const struct levels *l, const char *name);
void levels_release(struct levels *l);

#endif
