/*
 * page.h - the files of the pages, which the program carries (web/).
 */
#ifndef AOR_REPORT_PAGE_H
#define AOR_REPORT_PAGE_H

#include "base/mem.h"

struct page_file {
    const char *name; /* "report.html" */
    const char *type; /* MIME */
    const char *data;
    size_t size;
};

/* The file of that name; NULL: there is none. */
const struct page_file *page_find(const char *name);

/*
 * The report's page as one file, which loads nothing but pieces beside it: style and program stand
 * in it, allowed by their hashes in a content security policy.
 */
void page_inline(struct buf *ret);

#endif
