/*
 * err.h - the one error idiom.
 * Functions return 0, or -1 with *err filled and their ret_ outputs untouched.
 */
#ifndef AOR_BASE_ERR_H
#define AOR_BASE_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

enum err_code {
    ERR_NONE = 0,
    ERR_USAGE,     /* the command line */
    ERR_FORMAT,    /* bad bytes: YAML, audio, GGUF, database */
    ERR_IO,        /* the file system said no */
    ERR_MODEL,     /* a model or an engine failed */
    ERR_CANCELLED, /* a signal asked us to stop */
};

struct err {
    enum err_code code;
    char msg[512]; /* one line, no newline, UTF-8, control characters replaced */
};

#define ERR_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

void err_fill(struct err *err, enum err_code code, const char *fmt, ...) ERR_PRINTF(3, 4);
void err_fill_errno(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);
void err_prefix(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);

/* -1, where compilers and analysers see that it is. */
static inline int err_failed(void)
{
    return -1;
}

/* Fill *err (NULL is allowed: the reason is dropped). Always -1. */
#define err_set(err, ...) (err_fill(err, __VA_ARGS__), err_failed())

/* As err_set, with ": " and strerror(errno) appended and code ERR_IO. */
#define err_errno(err, ...) (err_fill_errno(err, __VA_ARGS__), err_failed())

/* Put "<context>: " before the message that is there. Always -1. */
#define err_wrap(err, ...) (err_prefix(err, __VA_ARGS__), err_failed())

#ifdef __cplusplus
}
#endif

#endif
