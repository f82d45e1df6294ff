/* Foreign bytes: what a browser, or anything else, sends: method, address and headers, a line each.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "web/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is a name that cannot leave a folder. */
static void check(const struct request *q)
{
    bool has_id = q->kind == REQUEST_PIECE || q->kind == REQUEST_SOUND;
    if ((has_id && !text_is_id(q->name, REQUEST_MAX_NAME)) || strstr(q->name, "..") ||
        strchr(q->name, '/') || (q->kind == REQUEST_SOUND && !condition_has_audio(q->condition))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *lines[5];
    char *rest = text;
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < 5; i++) {
        char *line = rest ? strsep(&rest, "\n") : NULL;
        lines[i] = line ? line : text + size;
    }
    struct request q;
    size_t at;
    size_t n;
    size_t length = size % 5000;
    if (request_parse(lines[0], lines[1], &q) == 200) {
        check(&q);
    }
    if (request_parse_range(lines[2], length, &at, &n) == 206 &&
        (n == 0 || at >= length || n > length - at)) {
        abort();
    }
    if (request_is_loopback_host(lines[3]) && strchr(lines[3], '/')) {
        abort();
    }
    request_is_own_origin(lines[4], lines[3]);
    if (request_is_labeller(lines[4]) && strpbrk(lines[4], "/.\"'<> ")) {
        abort();
    }
    if (request_is_secret(lines[4], lines[3]) != (strcmp(lines[4], lines[3]) == 0)) {
        abort();
    }
    free(text);
    return 0;
}
