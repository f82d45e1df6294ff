/*
 * opt.h - command lines: a table of options gives parsing and -h.
 */
#ifndef AOR_BASE_OPT_H
#define AOR_BASE_OPT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

enum opt_type {
    OPT_FLAG, /* bool *: set to true */
    OPT_STR,  /* const char **: borrowed from argv */
    OPT_INT,  /* long *: decimal, within low..high */
};

struct opt {
    char short_name; /* 0: none */
    const char *long_name;
    enum opt_type type;
    void *value;
    const char *arg;  /* the argument's name in -h; NULL for OPT_FLAG */
    const char *help; /* one line */
    long low, high;   /* OPT_INT only */
};

struct opt_command {
    const char *name;     /* "build" */
    const char *synopsis; /* after the name: "[options] -o BENCH" */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs, may be NULL */
    const char *examples; /* indented lines */
};

/*
 * Parse argv[1..]. Operands are moved to the front of argv[1..] and counted in *ret_n_operands.
 * Returns 0; or 1 when -h/--help was given (help is printed to stdout); or -1 with code ERR_USAGE.
 * opts ends with a zero entry.
 */
int opt_parse(const struct opt_command *command, const struct opt *opts, int argc, char **argv,
              int *ret_n_operands, struct err *err);

#endif
