/*
 * text.h - strings that come from outside: UTF-8 checks and printing that cannot hurt a terminal.
 */
#ifndef AOR_BASE_TEXT_H
#define AOR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Decode the code point at s (at most n bytes). Returns its length in bytes, or 0 where the bytes
 * are no well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
 */
size_t text_utf8_decode(const char *s, size_t n, uint32_t *ret_code_point);

/* Fail with "name:line:column: no UTF-8 here" unless all of the n bytes are well-formed. */
int text_check_utf8(const char *text, size_t n, const char *name, struct err *err);

/*
 * True for code points that must not reach a terminal: C0 and C1 controls, DEL, bidirectional
 * controls, zero-width and line separators.
 */
bool text_is_unprintable(uint32_t code_point);

/* Replace in place what is not well-formed or not printable by '?'. NUL-terminated. */
void text_make_printable(char *s);

/*
 * True for an id that may become part of a file name: 1 to max_len lower-case letters, digits and
 * hyphens, no hyphen first.
 */
bool text_is_id(const char *s, size_t max_len);

/*
 * s as such an id, of any length: letters in lower case, and a hyphen for each run of what is no
 * ASCII letter or digit, but not at the ends. May be empty. The caller's.
 */
char *text_to_id(const char *s);

/*
 * A copy of n bytes at s that is well-formed UTF-8 (each bad byte and NUL becomes U+FFFD).
 * The caller's; NUL-terminated.
 */
char *text_to_utf8(const char *s, size_t n);

#endif
