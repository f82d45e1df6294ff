#include "base/opt.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_LONG_ONLY 256

static void print_help(const struct opt_command *c, const struct opt *opts, FILE *f)
{
    fprintf(f, "usage: aor %s %s\n\n%s\n", c->name, c->synopsis, c->summary);
    if (c->details) {
        fprintf(f, "\n%s\n", c->details);
    }
    fprintf(f, "\nOptions:\n");
    for (const struct opt *o = opts; o->long_name; o++) {
        char left[64];
        char short_text[5] = "    ";
        if (o->short_name) {
            snprintf(short_text, sizeof short_text, "-%c, ", o->short_name);
        }
        snprintf(left, sizeof left, "%s--%s%s%s", short_text, o->long_name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        fprintf(f, "  %-28s %s\n", left, o->help);
    }
    fprintf(f, "  -h, --help                   this text\n\nExamples:\n%s", c->examples);
}

static int parse_value(const struct opt *o, const char *text, struct err *err)
{
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)o->value = true;
        return 0;
    case OPT_STR:
        *(const char **)o->value = text;
        return 0;
    case OPT_INT: {
        char *end;
        errno = 0;
        long v = strtol(text, &end, 10);
        if (end == text || *end != '\0' || errno != 0 || v < o->low || v > o->high) {
            return err_set(err, ERR_USAGE, "--%s wants a whole number from %ld to %ld, not \"%s\"",
                           o->long_name, o->low, o->high, text);
        }
        *(long *)o->value = v;
        return 0;
    }
    }
    return 0;
}

int opt_parse(const struct opt_command *c, const struct opt *opts, int argc, char **argv,
              int *ret_n_operands, struct err *err)
{
    size_t n = 0;
    while (opts[n].long_name) {
        n++;
    }
    struct option *longs = xcalloc(n + 2, sizeof *longs);
    struct buf shorts = {0};
    buf_adds(&shorts, ":h");
    for (size_t i = 0; i < n; i++) {
        longs[i] = (struct option){
            .name = opts[i].long_name,
            .has_arg = opts[i].type == OPT_FLAG ? no_argument : required_argument,
            .val = FIRST_LONG_ONLY + (int)i,
        };
        if (opts[i].short_name) {
            buf_addf(&shorts, "%c%s", opts[i].short_name, opts[i].type == OPT_FLAG ? "" : ":");
        }
    }
    longs[n] = (struct option){.name = "help", .val = 'h'};
    int status = -1;
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (int key; (key = getopt_long(argc, argv, shorts.data, longs, NULL)) != -1;) {
        if (key == 'h') {
            print_help(c, opts, stdout);
            status = 1;
            goto out;
        }
        if (key == '?' || key == ':') {
            err_set(err, ERR_USAGE, "%s %s; try aor %s -h", argv[optind - 1],
                    key == ':' ? "wants an argument" : "is no option or not a clear one", c->name);
            goto out;
        }
        size_t i = 0;
        while (i < n && key != FIRST_LONG_ONLY + (int)i && key != opts[i].short_name) {
            i++;
        }
        if (i < n && parse_value(&opts[i], optarg, err) != 0) {
            goto out;
        }
    }
    *ret_n_operands = argc - optind;
    memmove(argv + 1, argv + optind, (size_t)(argc - optind) * sizeof *argv);
    status = 0;
out:
    buf_release(&shorts);
    free(longs);
    return status;
}
