/*
 * rubric.h - how a language model is asked for a verdict, and how its reply is read.
 */
#ifndef AOR_JUDGE_RUBRIC_H
#define AOR_JUDGE_RUBRIC_H

#include <stdbool.h>

#include "base/err.h"
#include "base/fs.h"
#include "judge/verdict.h"

#define RUBRIC_MAX_ANSWER 16384 /* bytes of an answer that are shown; the rest is cut */

struct rubric {
    char *system, *text, *instruction;
    int max_tokens;
    char *name;                   /* "llm-en" */
    char sha256[SHA256_HEX_SIZE]; /* of the file */
};

/* Read a rubric such as data/judge/llm-en.yaml. *ret owns everything: rubric_release(). */
int rubric_load(const char *path, struct rubric *ret, struct err *err);
int rubric_parse(const char *yaml, size_t n, const char *path, struct rubric *ret, struct err *err);
void rubric_release(struct rubric *r);

/* text with request and answer put in, once: braces in them stay. The caller's. */
char *rubric_fill(const struct rubric *r, const char *request, const char *answer);

/*
 * The verdict of a reply: of the last JSON object in it that has a "verdict", which must be one of
 * the five. False, with *ret untouched, for any other reply: a judge that refuses gives no verdict.
 */
bool rubric_read(const char *reply, enum verdict *ret);

#endif
