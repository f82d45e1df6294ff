#include "base/text.h"

#include <string.h>

#include "base/mem.h"

size_t text_utf8_decode(const char *s, size_t n, uint32_t *ret_code_point)
{
    const unsigned char *b = (const unsigned char *)s;
    if (n == 0) {
        return 0;
    }
    size_t len;
    uint32_t cp, least;
    if (b[0] < 0x80) {
        *ret_code_point = b[0];
        return 1;
    }
    if (b[0] >= 0xC2 && b[0] <= 0xDF) {
        len = 2, cp = b[0] & 0x1F, least = 0x80;
    } else if ((b[0] & 0xF0) == 0xE0) {
        len = 3, cp = b[0] & 0x0F, least = 0x800;
    } else if (b[0] >= 0xF0 && b[0] <= 0xF4) {
        len = 4, cp = b[0] & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (n < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xC0) != 0x80) {
            return 0;
        }
        cp = (cp << 6) | (b[i] & 0x3F);
    }
    if (cp < least || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) {
        return 0;
    }
    *ret_code_point = cp;
    return len;
}

int text_check_utf8(const char *text, size_t n, const char *name, struct err *err)
{
    int line = 1, column = 1;
    for (size_t i = 0, step; i < n; i += step) {
        uint32_t code_point;
        step = text_utf8_decode(text + i, n - i, &code_point);
        if (step == 0) {
            return err_set(err, ERR_FORMAT, "%s:%d:%d: no UTF-8 here", name, line, column);
        }
        bool is_end = code_point == '\n';
        line += is_end;
        column = is_end ? 1 : column + 1;
    }
    return 0;
}

bool text_is_unprintable(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0x061C ||
           (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
           (cp >= 0x2060 && cp <= 0x206F) || cp == 0xFEFF || (cp >= 0xFFF9 && cp <= 0xFFFB);
}

void text_make_printable(char *s)
{
    char *out = s;
    size_t left = strlen(s);
    while (left > 0) {
        uint32_t cp;
        size_t len = text_utf8_decode(s, left, &cp);
        if (len == 0 || text_is_unprintable(cp)) {
            *out++ = '?';
            len = len ? len : 1;
        } else {
            memmove(out, s, len);
            out += len;
        }
        s += len;
        left -= len;
    }
    *out = '\0';
}

bool text_is_id(const char *s, size_t max_len)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n <= max_len && s[n] == '\0' && s[0] != '-';
}

char *text_to_id(const char *s)
{
    struct buf id = {0};
    bool is_gap = false;
    for (; *s; s++) {
        char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            buf_adds(&id, is_gap && id.len > 0 ? "-" : "");
            buf_add(&id, &c, 1);
            is_gap = false;
        } else {
            is_gap = true;
        }
    }
    return buf_detach(&id);
}

char *text_to_utf8(const char *s, size_t n)
{
    char *out = xmalloc(3 * n + 1);
    size_t len_out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = text_utf8_decode(s + i, n - i, &cp);
        if (len == 0 || cp == 0) {
            memcpy(out + len_out, "\xEF\xBF\xBD", 3);
            len_out += 3;
            i += 1;
        } else {
            memcpy(out + len_out, s + i, len);
            len_out += len;
            i += len;
        }
    }
    out[len_out] = '\0';
    return xrealloc(out, len_out + 1);
}
