/* Foreign bytes: the metadata of sound folders. What is read gives a sounds file that reads back.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "memory_file.h"
#include "scene/folder.h"
#include "scene/soundbank.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const struct sound_folder *f)
{
    struct soundbank bank = {0};
    struct err err = {0};
    char *text;
    if (f->n_sounds == 0 || folder_text(f, &text, &err) != 0) {
        return;
    }
    struct memory_file file = memory_file_open(text, strlen(text));
    if (soundbank_load(file.path, NULL, &bank, &err) != 0 || bank.n_clips != f->n_sounds) {
        fprintf(stderr, "%s\n%s\n", err.msg, text);
        abort();
    }
    for (size_t i = 0; i < bank.n_clips; i++) {
        if (strcmp(bank.clips[i].path, f->sounds[i].path) != 0) {
            abort();
        }
    }
    soundbank_release(&bank);
    close(file.fd);
    free(text);
}

/* The first byte chooses the reader; of FSD50K's two files the second begins after a NUL. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    struct sound_folder f = {.dir = xstrdup("/d"), .name = xstrdup("d")};
    struct err err = {0};
    int ok;
    if (data[0] == 'm') {
        ok = folder_parse_map(&f, text, n, "map", &err);
    } else {
        f.licence = xstrdup("l");
        f.copyright = xstrdup("c");
        const char *end = memchr(text, '\0', n);
        size_t n_csv = end ? (size_t)(end - text) : n;
        ok = data[0] == 'e' ? folder_parse_esc50(&f, text, n, "csv", &err)
                            : folder_parse_fsd50k(&f, text, n_csv, "csv", end ? end + 1 : "",
                                                  end ? n - n_csv - 1 : 0, "json", "audio", &err);
    }
    if (ok == 0) {
        read_back(&f);
    } else if (err.code == ERR_NONE) {
        abort();
    }
    folder_release(&f);
    return 0;
}
