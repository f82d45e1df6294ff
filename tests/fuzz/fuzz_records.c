/* Foreign bytes: labels of people, in CSV, JSON or JSON Lines. Every field of every row is there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct records *r;
    struct err err = {0};
    char *text = malloc(size + 1);
    if (!text) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (records_parse(text, size, "labels", &r, &err) == 0) {
        for (size_t row = 0; row < records_count(r); row++) {
            const char *label = records_get(r, row, "label");
            if (strncmp(records_where(r, row), "labels", 6) != 0 ||
                (label && strlen(label) > size * 6 + 16)) {
                abort();
            }
        }
        records_free(r);
    }
    free(text);
    return 0;
}
