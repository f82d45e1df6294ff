#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p)
{
    if (!p) {
        fputs("aor: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return s ? check(strdup(s)) : NULL;
}

char *xasprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&s, fmt, args);
    va_end(args);
    return check(n < 0 ? NULL : s);
}

static void reserve(struct buf *b, size_t extra)
{
    if (extra > SIZE_MAX / 4 - b->len) {
        check(NULL);
    }
    size_t need = b->len + extra + 1;
    if (need > b->cap) {
        b->cap = need + need / 2 + 32;
        b->data = xrealloc(b->data, b->cap);
    }
}

void buf_add(struct buf *b, const void *data, size_t n)
{
    reserve(b, n);
    if (n > 0) {
        memcpy(b->data + b->len, data, n);
    }
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&s, fmt, args);
    va_end(args);
    check(n < 0 ? NULL : s);
    buf_add(b, s, (size_t)n);
    free(s);
}

char *buf_detach(struct buf *b)
{
    reserve(b, 0);
    b->data[b->len] = '\0';
    char *s = b->data;
    *b = (struct buf){0};
    return s;
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
