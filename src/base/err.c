#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void err_fill(struct err *err, enum err_code code, const char *fmt, ...)
{
    if (!err) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    text_make_printable(err->msg);
    err->code = code;
}

void err_fill_errno(struct err *err, const char *fmt, ...)
{
    int number = errno;
    if (!err) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    size_t len = strlen(err->msg);
    snprintf(err->msg + len, sizeof err->msg - len, ": %s", strerror(number));
    text_make_printable(err->msg);
    err->code = ERR_IO;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err) {
        return;
    }
    char inner[sizeof err->msg];
    memcpy(inner, err->msg, sizeof inner);
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    size_t len = strlen(err->msg);
    snprintf(err->msg + len, sizeof err->msg - len, ": %s", inner);
    text_make_printable(err->msg);
}
