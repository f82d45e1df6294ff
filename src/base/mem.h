/*
 * mem.h - small allocations, which end the process when memory is out, and growable byte buffers.
 * A size that comes from input is checked by the caller before it gets here.
 */
#ifndef AOR_BASE_MEM_H
#define AOR_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size); /* zeroed; the product is checked */
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xasprintf(const char *fmt, ...) ERR_PRINTF(1, 2);

/* A growable string; {0} is empty. data is NUL-terminated, or NULL while nothing was added. */
struct buf {
    char *data; /* owned */
    size_t len;
    size_t cap;
};

void buf_add(struct buf *b, const void *data, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) ERR_PRINTF(2, 3);
char *buf_detach(struct buf *b); /* the caller's; "" when empty; *b is {0} afterwards */
void buf_release(struct buf *b);

#endif
