/*
 * answer_text.h - what can be told about an answer before any pattern is tried.
 * All of it is linear in the text.
 */
#ifndef AOR_JUDGE_ANSWER_TEXT_H
#define AOR_JUDGE_ANSWER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The text as patterns see it: ASCII letters in lower case, curly quotes and dashes in ASCII, white
 * space collapsed to one blank, Markdown emphasis, code fences and headings dropped; a bullet at
 * the start of a line is "* ". Well-formed UTF-8, never longer than text. The caller's.
 */
char *answer_normalise(const char *text);

/*
 * Why normalised text is no answer at all: "empty" (no letter), "other-language" (most letters are
 * not Latin), "not-words", "loop" (one to three words over and over); NULL when it may be one.
 */
const char *answer_defect(const char *text);

/* True when the normalised answer says the normalised request again and nothing else. */
bool answer_echoes(const char *request, const char *answer);

#endif
