#include "bench/balance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What a sample is counted by; a factor is a set of these. */
enum {
    BY_GENDER = 1 << 0,
    BY_EMOTION = 1 << 1,
    BY_RATE = 1 << 2,
    BY_VOICE = 1 << 3,
    BY_SNR = 1 << 4,
    BY_CATEGORY = 1 << 5,
    BY_SCENE = 1 << 6,
    BY_TAKE = 1 << 7,
    BY_SPLIT = 1 << 8,
    BY_ALONE = 1 << 9,
};

static const struct factor {
    const char *name;
    unsigned by;
} factors[BALANCE_N_FACTORS] = {
    {"gender x emotion x rate", BY_GENDER | BY_EMOTION | BY_RATE},
    {"voice", BY_VOICE},
    {"voice x emotion x rate", BY_VOICE | BY_EMOTION | BY_RATE},
    {"SNR", BY_SNR},
    {"voice x SNR", BY_VOICE | BY_SNR},
    {"SNR x emotion x rate", BY_SNR | BY_EMOTION | BY_RATE},
    {"category", BY_CATEGORY},
    {"category x emotion x rate", BY_CATEGORY | BY_EMOTION | BY_RATE},
    {"category x SNR", BY_CATEGORY | BY_SNR},
    {"category x split", BY_CATEGORY | BY_SPLIT},
    {"split x alone", BY_SPLIT | BY_ALONE},
    {"scene", BY_SCENE},
    {"scene x take", BY_SCENE | BY_TAKE},
    {"scene x SNR", BY_SCENE | BY_SNR},
};

void balance_level(const struct sample *s, int f, char *out, size_t size)
{
    unsigned by = factors[f].by;
    char snr[16], take[16];
    snprintf(snr, sizeof snr, "%g", s->snr_db);
    snprintf(take, sizeof take, "%d", s->take);
    const char *const parts[] = {
        voice_gender_name(s->voice->gender),
        s->emotion->id,
        s->rate->id,
        s->voice->id,
        snr,
        s->item->category,
        scene_id(s->scene),
        take,
        item_split_names[s->item->split],
        item_alone_names[s->item->alone],
    };
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if ((by & (1u << i)) != 0 && n < size) {
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? "/" : "", parts[i]);
        }
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

struct balance balance_count(const struct bench *b, enum item_kind kind, int f)
{
    struct balance balance = {.factor = factors[f].name};
    char(*names)[192] = xcalloc(b->n_samples, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < b->n_samples; i++) {
        if (b->samples[i].item->kind == kind) {
            balance_level(&b->samples[i], f, names[n++], sizeof *names);
        }
    }
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && strcmp(names[i], names[end]) == 0;) {
            end++;
        }
        size_t count = end - i;
        balance.min = balance.n_levels == 0 || count < balance.min ? count : balance.min;
        balance.max = count > balance.max ? count : balance.max;
        balance.n_levels++;
    }
    free(names);
    return balance;
}
