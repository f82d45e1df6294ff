/*
 * retry.h - when to ask a server again.
 */
#ifndef AOR_BASE_RETRY_H
#define AOR_BASE_RETRY_H

#include <time.h>

#include "base/rng.h"

/*
 * Seconds from now that the value of a Retry-After header asks for (RFC 9110, 10.2.3: seconds, here
 * also with decimals, or an HTTP date); negative: it says nothing of the kind. A date that is past
 * gives 0, and more than a day is nothing of the kind.
 */
double retry_after_s(const char *value, time_t now);

/* Seconds that the value of a retry-after-ms header asks for; negative as above. */
double retry_after_ms(const char *value);

/*
 * Seconds of a duration such as "6m0s", "1h2m3.5s", "250ms", "45.8379s" (x-ratelimit-reset-* of
 * OpenAI, retryDelay of Google's RetryInfo); negative: it is none.
 */
double retry_duration_s(const char *text);

/*
 * A random wait before try n_tries + 1, uniform in 0..min(60, 0.5 * 2^(n_tries - 1)) seconds:
 * exponential backoff with full jitter (Brooker, AWS Architecture Blog, 2015).
 */
double retry_backoff_s(struct rng *rng, int n_tries);

/* A generator of this process's own. */
struct rng retry_rng(void);

#endif
