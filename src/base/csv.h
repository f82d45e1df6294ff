/*
 * csv.h - the room of libcsv: a table of RFC 4180 whose first row names the columns.
 * UTF-8, with or without a byte order mark; lines end in CRLF or LF; blank lines do not count.
 * Blanks around a field without quotes are not part of it.
 */
#ifndef AOR_BASE_CSV_H
#define AOR_BASE_CSV_H

#include <stddef.h>

#include "base/err.h"

struct csv_table {
    char *name;   /* for errors; owned */
    char **cells; /* [(1 + n_rows) * n_columns], the titles first; owned, as is each */
    int *lines;   /* [1 + n_rows], where each row begins; owned */
    size_t n_columns;
    size_t n_rows; /* without the titles */
};

/*
 * Read n bytes; name stands in errors, which are "name:line: message". A row that has not as many
 * fields as there are titles is an error, and so are a quote in the midst of a field and a NUL.
 */
int csv_table_parse(const char *text, size_t n, const char *name, struct csv_table *ret,
                    struct err *err);
void csv_table_release(struct csv_table *t);

/* The index of the column with that title. */
int csv_table_column(const struct csv_table *t, const char *title, size_t *ret, struct err *err);

/* A field of row 0..n_rows-1, and the line where that row begins. Borrowed from t. */
const char *csv_table_cell(const struct csv_table *t, size_t row, size_t column);
int csv_table_line(const struct csv_table *t, size_t row);

#endif
