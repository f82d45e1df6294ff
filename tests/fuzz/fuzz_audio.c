/* Any bytes as an audio file, mended or not: an error, or finite samples at the wanted rate. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "audio/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load(const void *data, size_t size)
{
    struct audio a = {0};
    struct err err = {0};
    if (audio_load_memory(data, size, "input", AUDIO_RATE, 10, &a, &err) != 0) {
        if (err.code == ERR_NONE || a.pcm) {
            abort();
        }
        return;
    }
    if (a.rate != AUDIO_RATE) {
        abort();
    }
    for (size_t i = 0; i < a.n_frames; i++) {
        if (!isfinite(a.pcm[i])) {
            abort();
        }
    }
    audio_quantize(&a);
    audio_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf mended = {0};
    buf_add(&mended, data, size);
    audio_mend_wav(mended.data, size);
    load(data, size);
    load(mended.data, size);
    buf_release(&mended);
    return 0;
}
