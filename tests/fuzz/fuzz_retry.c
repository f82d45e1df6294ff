/* Foreign bytes: the values of headers that say when to ask again. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0};
    buf_add(&text, data, size);
    double after = retry_after_s(text.data, 784111777);
    double ms = retry_after_ms(text.data);
    double duration = retry_duration_s(text.data);
    if (isnan(after) || after > 86400 || isnan(ms) || ms > 86400 || isnan(duration)) {
        abort();
    }
    buf_release(&text);
    return 0;
}
