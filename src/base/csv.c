#include "base/csv.h"

#include <csv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct reader {
    struct csv_table table; /* n_rows counts the titles too, until the end */
    size_t n_cells;
    size_t n_in_row;
    int row_line;   /* where the row that is being read began */
    bool has_ended; /* a row did, since this was last cleared */
    bool has_failed;
    struct err *err;
};

static void fail(struct reader *r, const char *message)
{
    if (!r->has_failed) {
        err_set(r->err, ERR_FORMAT, "%s:%d: %s", r->table.name, r->row_line, message);
        r->has_failed = true;
    }
}

/* Room for one more where n are: the array doubles whenever n is a power of two. */
static void *grow(void *items, size_t n, size_t size)
{
    return (n & (n - 1)) == 0 ? xrealloc(items, (n == 0 ? 1 : 2 * n) * size) : items;
}

static void take_field(void *field, size_t n, void *user)
{
    struct reader *r = user;
    char *cell = xmalloc(n + 1);
    if (n > 0) {
        memcpy(cell, field, n);
    }
    cell[n] = '\0';
    if (strlen(cell) != n) {
        fail(r, "a NUL byte");
    }
    r->table.cells = grow(r->table.cells, r->n_cells, sizeof *r->table.cells);
    r->table.cells[r->n_cells++] = cell;
    r->n_in_row++;
}

static void end_row(int terminator, void *user)
{
    (void)terminator;
    struct reader *r = user;
    struct csv_table *t = &r->table;
    if (t->n_rows == 0) {
        t->n_columns = r->n_in_row;
    } else if (r->n_in_row != t->n_columns) {
        char *message = xasprintf("%zu fields; there are %zu titles", r->n_in_row, t->n_columns);
        fail(r, message);
        free(message);
    }
    t->lines = grow(t->lines, t->n_rows, sizeof *t->lines);
    t->lines[t->n_rows++] = r->row_line;
    r->n_in_row = 0;
    r->has_ended = true;
}

static void explain(struct reader *r, struct csv_parser *p)
{
    fail(r, csv_error(p) == CSV_EPARSE
                ? "a quote in the midst of a field, or one that is not closed"
                : csv_strerror(csv_error(p)));
}

static bool is_blank(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n')) {
        i++;
    }
    return i == n;
}

/* Line by line, so that it is known where a row began. */
static void read_lines(struct reader *r, struct csv_parser *p, const char *text, size_t n)
{
    bool is_open = false; /* a quoted field goes on in this line */
    int line = 1;
    for (size_t i = 0; i < n && !r->has_failed; line++) {
        const char *end = memchr(text + i, '\n', n - i);
        size_t len = end ? (size_t)(end - (text + i)) + 1 : n - i;
        if (!is_open) {
            r->row_line = line;
        }
        r->has_ended = false;
        if (csv_parse(p, text + i, len, take_field, end_row, r) != len) {
            explain(r, p);
        }
        is_open = (is_open || !is_blank(text + i, len)) && !r->has_ended;
        i += len;
    }
    if (!r->has_failed && csv_fini(p, take_field, end_row, r) != 0) {
        explain(r, p);
    }
}

int csv_table_parse(const char *text, size_t n, const char *name, struct csv_table *ret,
                    struct err *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    struct reader r = {.table = {.name = xstrdup(name)}, .row_line = 1, .err = err};
    struct csv_parser p;
    int ok = -1;
    if (n >= 3 && memcmp(text, mark, 3) == 0) {
        text += 3;
        n -= 3;
    }
    if (text_check_utf8(text, n, name, err) != 0) {
        goto out;
    }
    if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        err_set(err, ERR_FORMAT, "%s: the CSV reader does not start", name);
        goto out;
    }
    read_lines(&r, &p, text, n);
    csv_free(&p);
    if (r.has_failed) {
        goto out;
    }
    if (r.table.n_rows == 0) {
        err_set(err, ERR_FORMAT, "%s: is empty", name);
        goto out;
    }
    r.table.n_rows--;
    *ret = r.table;
    r = (struct reader){0};
    ok = 0;
out:
    for (size_t i = 0; i < r.n_cells; i++) {
        free(r.table.cells[i]);
    }
    free(r.table.cells);
    free(r.table.lines);
    free(r.table.name);
    return ok;
}

void csv_table_release(struct csv_table *t)
{
    for (size_t i = 0; t->cells && i < (1 + t->n_rows) * t->n_columns; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    free(t->lines);
    free(t->name);
    *t = (struct csv_table){0};
}

int csv_table_column(const struct csv_table *t, const char *title, size_t *ret, struct err *err)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (strcmp(t->cells[i], title) == 0) {
            *ret = i;
            return 0;
        }
    }
    return err_set(err, ERR_FORMAT, "%s:%d: no column \"%s\"", t->name, t->lines[0], title);
}

const char *csv_table_cell(const struct csv_table *t, size_t row, size_t column)
{
    return t->cells[(1 + row) * t->n_columns + column];
}

int csv_table_line(const struct csv_table *t, size_t row)
{
    return t->lines[1 + row];
}
