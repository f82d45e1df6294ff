/* Foreign bytes: a scenario file. */
#include <stddef.h>
#include <stdint.h>

#include "bench/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct item_set set = {0};
    struct err err = {0};
    item_set_parse((const char *)data, size, "fuzz.yaml", &set, &err);
    item_set_release(&set);
    return 0;
}
