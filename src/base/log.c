#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

static enum log_level current_level = LOG_INFO;
static bool line_is_open; /* a progress line stands unfinished on the terminal */

void log_set_level(enum log_level level)
{
    current_level = level;
}

__attribute__((format(printf, 2, 0))) static void write_line(const char *prefix, const char *fmt,
                                                             va_list args)
{
    char line[1024];
    vsnprintf(line, sizeof line, fmt, args);
    text_make_printable(line);
    fprintf(stderr, "%saor: %s%s\n", line_is_open ? "\r\033[K" : "", prefix, line);
    line_is_open = false;
}

#define DEFINE_LOG(name, least, prefix)                                                            \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        if (current_level < (least)) {                                                             \
            return;                                                                                \
        }                                                                                          \
        va_list args;                                                                              \
        va_start(args, fmt);                                                                       \
        write_line(prefix, fmt, args);                                                             \
        va_end(args);                                                                              \
    }

DEFINE_LOG(log_warn, LOG_WARN, "warning: ")
DEFINE_LOG(log_info, LOG_INFO, "")
DEFINE_LOG(log_debug, LOG_DEBUG, "debug: ")

double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(struct progress *p, const char *label, long n_total, long n_before)
{
    *p = (struct progress){
        .label = label,
        .n_total = n_total,
        .n_done = n_before,
        .n_before = n_before,
        .started_s = clock_s(),
        .on_terminal = isatty(STDERR_FILENO) == 1,
    };
    p->drawn_s = p->on_terminal ? 0 : p->started_s;
}

static void format_duration(double s, char *out, size_t size)
{
    if (s < 90) {
        snprintf(out, size, "%.0f s", s);
    } else if (s < 5400) {
        snprintf(out, size, "%.0f min", s / 60);
    } else {
        snprintf(out, size, "%.1f h", s / 3600);
    }
}

static void draw(const struct progress *p, double now, const char *note, bool is_last)
{
    long n_here = p->n_done - p->n_before;
    double spent = now - p->started_s;
    double rate = spent > 0 ? (double)n_here / spent : 0;
    char time_text[32];
    format_duration(is_last    ? spent
                    : rate > 0 ? (double)(p->n_total - p->n_done) / rate
                               : 0,
                    time_text, sizeof time_text);
    const char *time_word = is_last ? "taken" : "left";
    fprintf(stderr, "%s%s %ld/%ld %.0f%%  %.1f/s  %s %s%s%s", p->on_terminal ? "\r\033[K" : "",
            p->label, p->n_done, p->n_total,
            p->n_total > 0 ? 100.0 * (double)p->n_done / (double)p->n_total : 100.0, rate,
            n_here > 0 || is_last ? time_text : "?", time_word, note ? "  " : "", note ? note : "");
    line_is_open = p->on_terminal && !is_last;
    if (!line_is_open) {
        fputc('\n', stderr);
    }
    fflush(stderr);
}

void progress_update(struct progress *p, long n_done, const char *note)
{
    p->n_done = n_done;
    double now = clock_s();
    if (current_level < LOG_INFO || now - p->drawn_s < (p->on_terminal ? 0.1 : 10.0)) {
        return;
    }
    p->drawn_s = now;
    draw(p, now, note, false);
}

void progress_end(struct progress *p, const char *note)
{
    if (current_level >= LOG_INFO) {
        draw(p, clock_s(), note, true);
    }
}
