/* Foreign bytes: voices.yaml, sounds.yaml. Each reader gets each input. */
#include <stddef.h>
#include <stdint.h>

#include "memory_file.h"
#include "scene/soundbank.h"
#include "speech/voices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory_file f = memory_file_open(data, size);
    struct voice_set voices = {0};
    struct soundbank bank = {0};
    struct err err = {0};
    voice_set_load(f.path, &voices, &err);
    soundbank_load(f.path, NULL, &bank, &err);
    voice_set_release(&voices);
    soundbank_release(&bank);
    close(f.fd);
    return 0;
}
