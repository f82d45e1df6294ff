#include "base/retry.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_S 0.5
#define MAX_S 60.0
#define DAY_S 86400.0

/* A decimal number without sign, exponent or blanks at *at, which moves past it; negative: none. */
static double take_number(const char **at)
{
    size_t n = strspn(*at, "0123456789.");
    if (n == 0 || n > 20 || !strpbrk(*at, "0123456789")) {
        return -1;
    }
    char digits[24] = {0};
    memcpy(digits, *at, n);
    char *end;
    double v = strtod(digits, &end);
    if (*end != '\0') {
        return -1;
    }
    *at += n;
    return v;
}

double retry_after_ms(const char *value)
{
    value += strspn(value, " \t");
    double s = take_number(&value) / 1000;
    return value[strspn(value, " \t")] == '\0' && s <= DAY_S ? s : -1;
}

double retry_after_s(const char *value, time_t now)
{
    value += strspn(value, " \t");
    const char *end = value;
    double s = take_number(&end);
    if (s >= 0) {
        return end[strspn(end, " \t")] == '\0' && s <= DAY_S ? s : -1;
    }
    time_t then = curl_getdate(value, NULL);
    double wait = fmax(0, difftime(then, now));
    return then < 0 || wait > DAY_S ? -1 : wait;
}

double retry_duration_s(const char *text)
{
    static const struct {
        const char *name;
        double s;
    } units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"h", 3600},
                 {"m", 60},    {"s", 1},     {"d", 86400}};
    double sum = 0;
    if (*text == '\0') {
        return -1;
    }
    while (*text) {
        double v = take_number(&text);
        size_t i = 0;
        while (i < sizeof units / sizeof *units &&
               strncmp(text, units[i].name, strlen(units[i].name)) != 0) {
            i++;
        }
        if (v < 0 || i == sizeof units / sizeof *units) {
            return -1;
        }
        sum += v * units[i].s;
        text += strlen(units[i].name);
    }
    return sum;
}

double retry_backoff_s(struct rng *rng, int n_tries)
{
    return rng_range(rng, 0, fmin(MAX_S, ldexp(FIRST_S, n_tries < 1 ? 0 : n_tries - 1)));
}

struct rng retry_rng(void)
{
    uint64_t seed;
    if (getentropy(&seed, sizeof seed) != 0) {
        seed = (uint64_t)getpid();
    }
    return rng_init(seed, "backoff");
}
