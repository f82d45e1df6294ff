#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

static bool line_is_open; /* a progress line stands unfinished on the terminal */

void log_info(const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    text_make_printable(line);
    fprintf(stderr, "%saor: %s\n", line_is_open ? "\r\033[K" : "", line);
    line_is_open = false;
}

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

/* Columns; a line that wraps could not be drawn over. */
static int terminal_width(void)
{
    struct winsize size;
    bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return is_known ? size.ws_col : 80;
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
    char line[256];
    snprintf(line, sizeof line, "%s %ld/%ld %.0f%%  %.1f/s  %s %s%s%s", p->label, p->n_done,
             p->n_total, p->n_total > 0 ? 100.0 * (double)p->n_done / (double)p->n_total : 100.0,
             rate, n_here > 0 || is_last ? time_text : "?", time_word, note ? "  " : "",
             note ? note : "");
    fprintf(stderr, "%s%.*s", p->on_terminal ? "\r\033[K" : "",
            p->on_terminal ? terminal_width() - 1 : (int)sizeof line, line);
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
    if (now - p->drawn_s < (p->on_terminal ? 0.1 : 10.0)) {
        return;
    }
    p->drawn_s = now;
    draw(p, now, note, false);
}

void progress_end(struct progress *p, const char *note)
{
    draw(p, clock_s(), note, true);
}
