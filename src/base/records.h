/*
 * records.h - a table of named texts from a file that people or programs wrote: CSV with titles, a
 * JSON array of objects, or JSON Lines; told apart by how the file begins.
 */
#ifndef AOR_BASE_RECORDS_H
#define AOR_BASE_RECORDS_H

#include <stddef.h>

#include "base/err.h"

struct records;

/*
 * Read the file at path, at most max_size bytes. JSON values that are no strings become their JSON
 * text, null and what is missing nothing. Errors name file and line. *ret is the caller's.
 */
int records_load(const char *path, size_t max_size, struct records **ret, struct err *err);

/* The same from n bytes; name stands in errors. */
int records_parse(const char *text, size_t n, const char *name, struct records **ret,
                  struct err *err);
void records_free(struct records *r);

size_t records_count(const struct records *r);

/* A field of row 0..count-1, borrowed from r; NULL where the row has none of that name. */
const char *records_get(const struct records *r, size_t row, const char *name);

/* "file:line" of the row, or "file: record n" of a JSON array; borrowed until the next call. */
const char *records_where(struct records *r, size_t row);

#endif
