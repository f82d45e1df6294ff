/*
 * names.h - a set of names, each with a number: finds a doubled one among any number of them.
 */
#ifndef AOR_BASE_NAMES_H
#define AOR_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* {0} is empty. */
struct name_set {
    void *root; /* of a tree of tsearch(3); owned */
};

/* Add a copy of name. False when it is there already: then *ret_number (may be NULL) is its number.
 */
bool name_set_add(struct name_set *set, const char *name, size_t number, size_t *ret_number);
/* Is the name there? Then *ret_number (may be NULL) is its number. */
bool name_set_find(const struct name_set *set, const char *name, size_t *ret_number);
void name_set_release(struct name_set *set);

#endif
