/*
 * escape.h - texts of models and people in tables: nothing that a program which reads the table
 * would take for its own.
 */
#ifndef AOR_REPORT_ESCAPE_H
#define AOR_REPORT_ESCAPE_H

#include <stdio.h>

/*
 * A quoted field (RFC 4180). A text that a spreadsheet would take for a formula, as it begins with
 * = + - @ or a tab or line end and is no number, gets an apostrophe before it.
 */
void escape_csv(FILE *out, const char *text);

/*
 * LaTeX's special characters as commands. What is not printable (text.h) is left out, and what is
 * no UTF-8 becomes a question mark.
 */
void escape_latex(FILE *out, const char *text);

#endif
