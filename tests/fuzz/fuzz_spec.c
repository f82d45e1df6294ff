/* Foreign bytes: a spec over the data that comes with aor. */
#include <stddef.h>
#include <stdint.h>

#include "bench/bench.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_file f = memory_file_open(data, size);
    struct bench bench = {0};
    struct err err = {0};
    if (bench_load(f.path, TEST_DATA_DIR, NULL, &bench, &err) == 0) {
        bench_release(&bench);
    }
    close(f.fd);
    return 0;
}
