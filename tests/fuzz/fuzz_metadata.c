/* Foreign bytes: a metadata file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample sample = {.id = "x"};
    struct sample_facts facts = {0};
    struct bench bench = {.samples = &sample, .n_samples = 1};
    struct err err = {0};
    dataset_parse_facts((const char *)data, size, "fuzz.jsonl", &bench, &facts, NULL, NULL, &err);
    return 0;
}
