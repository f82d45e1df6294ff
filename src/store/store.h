/*
 * store.h - a run in one SQLite file.
 *
 * One process writes a run (a lock file beside it says so), any number read it. A file of an older
 * schema is brought up to date when it is opened, which needs the right to write it. Each put_
 * function is one durable transaction unless a batch is open. While it is written the file is in
 * WAL mode; store_close leaves a single file that opens on read-only and network mounts.
 */
#ifndef AOR_STORE_STORE_H
#define AOR_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store; /* opaque */

enum store_mode {
    STORE_READ,   /* must exist */
    STORE_WRITE,  /* must exist; takes the lock */
    STORE_CREATE, /* made when missing; takes the lock */
};

int store_open(const char *path, enum store_mode mode, struct store **ret, struct err *err);

/* The file was made by this store_open. */
bool store_is_new(const struct store *s);

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
    const char *split;
};

/* Call fn for every fact, by key. Stops at fn's first non-zero return. */
typedef int (*store_info_fn)(const char *key, const char *value, void *user, struct err *err);
int store_each_info(struct store *s, store_info_fn fn, void *user, struct err *err);

/* A sample that is there already stays as it is. */
int store_put_sample(struct store *s, const struct store_sample *sample, struct err *err);

/* A scene by its id, with the category it is of, what it is in words, and its names, one a line.
 * One that is there already stays as it is. */
int store_put_scene(struct store *s, const char *id, const char *category, const char *words,
                    const char *names, struct err *err);

/* How trials are asked: probe "" for an answer to be judged. */
struct store_strategy {
    const char *name, *probe, *sha256, *prompt;
};
/* Fails (ERR_USAGE) where the run has another prompt of that name. */
int store_put_strategy(struct store *s, const struct store_strategy *strategy, struct err *err);

/* Call fn for every scene and every strategy, by id and name, likewise. */
typedef int (*store_scene_fn)(const char *id, const char *category, const char *words, void *user,
                              struct err *err);
int store_each_scene(struct store *s, store_scene_fn fn, void *user, struct err *err);
typedef int (*store_strategy_fn)(const struct store_strategy *strategy, void *user,
                                 struct err *err);
int store_each_strategy(struct store *s, store_strategy_fn fn, void *user, struct err *err);

/* scene: what is heard or told; may be NULL. A trial that is there already stays as it is. */
int store_put_trial(struct store *s, const char *sample_id, const char *condition,
                    const char *strategy, int repeat, const char *scene, struct err *err);

/* Calls of aor run. */
int store_begin_call(struct store *s, const char *machine, int64_t *ret_id, struct err *err);
int store_end_call(struct store *s, int64_t id, int64_t n_stored, struct err *err);

/* Trials a second over all calls that ended; 0: not known. */
int store_call_rate(struct store *s, double *ret, struct err *err);

enum store_state {
    STORE_PENDING,
    STORE_ANSWERED,
    STORE_BLOCKED, /* the provider refused, not the model */
    STORE_FAILED,
};

struct store_trial {
    int64_t id; /* -1: none */
    char sample_id[160];
    char condition[16];
    char strategy[16];
    int repeat;
    enum store_state state;
};

/* Call fn for every trial in order of id; it must not write. Stops at its first non-zero return. */
typedef int (*store_trial_fn)(const struct store_trial *trial, void *user, struct err *err);
int store_each_trial(struct store *s, store_trial_fn fn, void *user, struct err *err);

/* The first trial after id that has no response. */
int store_next_pending(struct store *s, int64_t after_id, struct store_trial *ret, struct err *err);

struct store_response {
    enum store_state state; /* FAILED: text is the error's message, not the model's words */
    const char *text;       /* borrowed */
    const char *finish;     /* stop, length, context; NULL for errors and blocks */
    int n_prompt_tokens;
    int n_answer_tokens;
    double prefill_s;
    double decode_s;
    size_t answer_at;     /* byte of text where the answer begins, after thoughts */
    const double *margin; /* NULL: not known; schema.sql says what it is */
    const int *checked;   /* NULL: not checked */
    const double *check_margin;
    const char *reason; /* BLOCKED: as the provider says it; NULL otherwise */
    const char *server; /* who answered, as JSON; NULL: this process */
    int n_tries;        /* 0 is stored as 1 */
    const double *cost; /* US dollars; NULL: not known */
};

/* A second response for a trial is an error. */
int store_put_response(struct store *s, int64_t trial_id, const struct store_response *response,
                       struct err *err);

/* Forget a trial's error row, so that it is pending again. */
int store_delete_error(struct store *s, int64_t trial_id, struct err *err);

/* One trial with what belongs to it; borrowed until the callback returns. */
struct store_row {
    int64_t trial_id;
    const char *condition, *strategy;
    int repeat;
    const char *probe;       /* "": an answer to be judged */
    const char *scene;       /* heard or told; NULL: none */
    const char *scene_names; /* of it, one a line; NULL where there is none */
    struct store_sample sample;
    enum store_state state;
    const char *response, *finish; /* NULL where there is none */
    const char *answer;            /* the part of response after thoughts; NULL likewise */
    int n_prompt_tokens;           /* 0: there is no response, or a server did not say */
    int n_answer_tokens;           /* thoughts included; 0 likewise */
    const char *verdict;           /* by the judge asked for; NULL where there is none */
    const char *detail;            /* what decided it; NULL: not known */
    bool is_scored;
    double score; /* NAN: nothing can be said */
};

/*
 * Call fn for every trial in order, with verdicts and scores of judge (NULL: none). Stops at fn's
 * first non-zero return and returns -1 then, with fn's *err.
 */
typedef int (*store_row_fn)(const struct store_row *row, void *user, struct err *err);
int store_each(struct store *s, const char *judge, store_row_fn fn, void *user, struct err *err);

/* Replaces an earlier verdict of the same judge. detail: what decided; may be NULL. */
int store_put_verdict(struct store *s, int64_t trial_id, const char *judge, const char *verdict,
                      const char *detail, struct err *err);

/*
 * Call fn for every verdict, by trial and then by judge; detail: what decided it, or NULL. Stops at
 * fn's first non-zero return.
 */
typedef int (*store_verdict_fn)(int64_t trial_id, const char *judge, const char *verdict,
                                const char *detail, void *user, struct err *err);
int store_each_verdict(struct store *s, store_verdict_fn fn, void *user, struct err *err);

/* The trial that has an answer; *ret is -1 where there is none. */
int store_find_answered(struct store *s, const char *sample_id, const char *condition,
                        const char *strategy, int repeat, int64_t *ret, struct err *err);

/* Is the trial there, and answered? */
int store_is_answered(struct store *s, int64_t trial_id, bool *ret, struct err *err);

/* Replaces an earlier score of the same judge. NAN: nothing can be said. */
int store_put_score(struct store *s, int64_t trial_id, const char *judge, double value,
                    struct err *err);

/* What was spent: requests of all tries, US dollars where they are known. */
struct store_spending {
    int64_t n_requests;
    double cost;
};
int store_sum_spending(struct store *s, struct store_spending *ret, struct err *err);

/* How far a run is. Other contents have another stamp. */
struct store_state_counts {
    int64_t n_trials, n_responses;
    char stamp[96];
};
int store_count_state(struct store *s, struct store_state_counts *ret, struct err *err);

/* How the second answers of the fast mode came out. */
struct store_checks {
    int64_t n_checked, n_different;
    double max_margin; /* greatest lead where they part */
};
int store_count_checks(struct store *s, struct store_checks *ret, struct err *err);

/* SQLite's version; borrowed. */
const char *store_library_version(void);

/* The info key under which the judge stands whose verdicts were written last. */
#define STORE_INFO_LAST_JUDGE "judge.last"

/* That of the model's family, where it is known. */
#define STORE_INFO_FAMILY "model.family"

/* And that under which the judge stands who scored the probes last. */
#define STORE_INFO_PROBE_JUDGE "judge.probes"

#endif
