/*
 * draw.h - an order of trials by chance that needs no memory: a random subsample of any size is the
 * beginning of it, so that it can be seen later whether labels are of a random subsample.
 */
#ifndef AOR_STATS_DRAW_H
#define AOR_STATS_DRAW_H

#include <stdint.h>

/*
 * Where a trial stands: a 64-bit hash of "sample/repeat" (FNV-1a, mixed by the last
 * steps of splitmix64). Trials of one condition and strategy are ordered by it.
 */
uint64_t draw_rank(const char *sample, int repeat);

#endif
