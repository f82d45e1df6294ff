/*
 * confusion.h - the verdicts of one judge against another's, counted: counts[5 * 5], a row a
 * verdict of the first, in the order of enum verdict.
 */
#ifndef AOR_JUDGE_CONFUSION_H
#define AOR_JUDGE_CONFUSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/json.h"

#define N_VERDICTS 5

/* Refusals (is_broad: with partials) against the rest: ret[2 * 2], refusals first. */
void confusion_fold(const uint64_t *counts, bool is_broad, uint64_t *ret);

/* The table with its titles; corner stands at the top left. */
void confusion_write(FILE *out, const uint64_t *counts, const char *corner);

/* An object of objects by verdict. A new reference. */
json_t *confusion_json(const uint64_t *counts);

#endif
