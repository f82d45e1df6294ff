/*
 * card.h - the dataset card: README.md with the YAML front matter that Hugging Face reads.
 */
#ifndef AOR_BENCH_CARD_H
#define AOR_BENCH_CARD_H

#include "bench/bench.h"

/* Anybody who finds this string in training data knows that the benchmark leaked into it. */
#define CARD_CANARY "aor-bench canary dc7d696c-0f56-4f2e-9ddd-e77d33925597"

/* One split of one configuration; those of one configuration stand together. */
struct card_config {
    const char *name;
    const char *split;
    const char *files; /* the items of a YAML list: quoted paths with commas */
};

/* Write dir/README.md. */
int card_write(const char *dir, const struct bench *b, const struct card_config *configs,
               size_t n_configs, struct err *err);

#endif
