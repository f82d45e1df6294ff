/*
 * store.h - a run in one SQLite file.
 *
 * One process writes a run (a lock file beside it says so), any number read it. Each put_ function
 * is one durable transaction unless a batch is open. While it is written the file is in WAL mode;
 * store_close leaves a single file that opens on read-only and network mounts.
 */
#ifndef AOR_STORE_STORE_H
#define AOR_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct store; /* opaque */

enum store_mode {
    STORE_READ,   /* must exist */
    STORE_WRITE,  /* must exist; takes the lock */
    STORE_CREATE, /* made when missing; takes the lock */
};

int store_open(const char *path, enum store_mode mode, struct store **ret, struct err *err);

/* NULL is fine. A writer checkpoints and leaves WAL mode; -1 when that failed (nothing is lost). */
int store_close(struct store *s, struct err *err);

/* Many puts as one transaction. */
int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err);

/* Facts of the run by key, such as "model.text.sha256". *ret is the caller's; NULL: not set. */
int store_put_info(struct store *s, const char *key, const char *value, struct err *err);
int store_get_info(struct store *s, const char *key, char **ret, struct err *err);

/* What a sample is; all borrowed. Numbers that do not apply are 0. */
struct store_sample {
    const char *id, *kind, *scenario, *category, *text, *alone;
    const char *gender, *emotion, *rate, *voice, *engine, *scene;
    double snr_db;
};

/* A sample that is there already stays as it is. */
int store_put_sample(struct store *s, const struct store_sample *sample, struct err *err);
int store_put_trial(struct store *s, const char *sample_id, const char *condition,
                    const char *strategy, struct err *err);

struct store_counts {
    int64_t n_trials;
    int64_t n_answers; /* a model's words */
    int64_t n_errors;  /* an error row */
};
int store_count(struct store *s, struct store_counts *ret, struct err *err);

/* The first trial after id that has no response; *ret_id is -1 when there is none. */
struct store_trial {
    int64_t id;
    char sample_id[128];
    char condition[16];
    char strategy[16];
};
int store_next_pending(struct store *s, int64_t after_id, struct store_trial *ret, struct err *err);

struct store_response {
    bool is_error;      /* text is the error's message instead of the model's words */
    const char *text;   /* borrowed */
    const char *finish; /* stop, length, context; NULL for errors */
    int n_prompt_tokens;
    int n_answer_tokens;
    double prefill_s;
    double decode_s;
};

/* A second response for a trial is an error. */
int store_put_response(struct store *s, int64_t trial_id, const struct store_response *response,
                       struct err *err);

/* Forget error rows, so that their trials are pending again. */
int store_delete_errors(struct store *s, int64_t *ret_n, struct err *err);

/* One trial with what belongs to it; borrowed until the callback returns. */
struct store_row {
    int64_t trial_id;
    const char *condition, *strategy;
    struct store_sample sample;
    bool has_response, is_error;
    const char *response, *finish; /* NULL where there is none */
    const char *verdict;           /* by the judge asked for; NULL where there is none */
};

/*
 * Call fn for every trial in order, with the verdicts of judge (NULL: none). Stops at fn's first
 * non-zero return and returns -1 then, with fn's *err.
 */
typedef int (*store_row_fn)(const struct store_row *row, void *user, struct err *err);
int store_each(struct store *s, const char *judge, store_row_fn fn, void *user, struct err *err);

/* Replaces an earlier verdict of the same judge. detail: what decided; may be NULL. */
int store_put_verdict(struct store *s, int64_t trial_id, const char *judge, const char *verdict,
                      const char *detail, struct err *err);

/* SQLite's version; borrowed. */
const char *store_library_version(void);

/* The info key under which the judge stands whose verdicts were written last. */
#define STORE_INFO_LAST_JUDGE "judge.last"

#endif
