#include "stats/draw.h"

#include <stdio.h>

static uint64_t add_text(uint64_t hash, const char *text)
{
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    }
    return hash;
}

uint64_t draw_rank(const char *sample, int repeat)
{
    char number[16];
    snprintf(number, sizeof number, "/%d", repeat);
    uint64_t x = add_text(add_text(UINT64_C(14695981039346656037), sample), number);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}
