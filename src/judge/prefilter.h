/*
 * prefilter.h - the room of RE2: may a pattern match this text?
 *
 * PCRE2 decides what matches; most segments of an answer match nothing, and a backtracking search
 * is slow to find that out. Here a pattern is relaxed (its assertions go, called groups are put
 * in), so that it matches at least what it matched, and becomes an automaton that reads each byte
 * once.
 */
#ifndef AOR_JUDGE_PREFILTER_H
#define AOR_JUDGE_PREFILTER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct prefilter;

struct prefilter *prefilter_new(void);
void prefilter_free(struct prefilter *p);

/* A group that patterns call as (?&name). */
void prefilter_define(struct prefilter *p, const char *name, const char *pattern);

/* The next pattern, numbered from 0. One that RE2 cannot take may always match. */
void prefilter_add(struct prefilter *p, const char *pattern);

/* False only where pattern i does not match text[0..n), which is UTF-8. Threads may share p. */
bool prefilter_may_match(const struct prefilter *p, size_t i, const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
