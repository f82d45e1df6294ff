#include "store/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/migrate_2.h"
#include "store/migrate_3.h"
#include "store/schema.h"
#include "store/store_parts.h"

#define APPLICATION_ID 0x414F5252
#define SCHEMA_VERSION 3
#define LEAVE_WAL_TRIES 300 /* of 10 ms */

/* Brings a file from schema i + 1 to i + 2. */
static const char *const migrations[SCHEMA_VERSION - 1] = {migrate_2_sql, migrate_3_sql};

enum statement {
    PUT_INFO,
    GET_INFO,
    PUT_SAMPLE,
    PUT_SCENE,
    PUT_STRATEGY,
    GET_STRATEGY,
    PUT_TRIAL,
    BEGIN_CALL,
    END_CALL,
    CALL_RATE,
    NEXT_PENDING,
    PUT_SERVER,
    PUT_RESPONSE,
    DELETE_ERROR,
    PUT_VERDICT,
    PUT_SCORE,
    SUM_SPENDING,
    COUNT_CHECKS,
    N_STATEMENTS
};

static const char *const statement_sql[N_STATEMENTS] = {
    [PUT_INFO] = "INSERT INTO info (key, value) VALUES (?1, ?2) "
                 "ON CONFLICT (key) DO UPDATE SET value = ?2",
    [GET_INFO] = "SELECT value FROM info WHERE key = ?1",
    [PUT_SAMPLE] = "INSERT INTO sample VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
                   "ON CONFLICT (id) DO NOTHING",
    [PUT_SCENE] = "INSERT INTO scene VALUES (?,?,?,?) ON CONFLICT (id) DO NOTHING",
    [PUT_STRATEGY] = "INSERT INTO strategy VALUES (?,?,?,?) ON CONFLICT (name) DO NOTHING",
    [GET_STRATEGY] = "SELECT sha256 FROM strategy WHERE name = ?1",
    [PUT_TRIAL] = "INSERT INTO trial (sample, condition, strategy, repeat, scene) "
                  "VALUES (?,?,?,?,?) ON CONFLICT (sample, condition, strategy, repeat) DO NOTHING",
    [BEGIN_CALL] = "INSERT INTO call (machine) VALUES (?1)",
    [END_CALL] = "UPDATE call SET n_stored = ?2, ended_at = strftime('%Y-%m-%dT%H:%M:%fZ') "
                 "WHERE id = ?1",
    [CALL_RATE] = "SELECT total(n_stored) / nullif(86400 * total(julianday(ended_at) - "
                  "julianday(started_at)), 0) FROM call WHERE ended_at IS NOT NULL",
    [NEXT_PENDING] = "SELECT id, sample, condition, strategy, repeat FROM trial WHERE id > ?1 AND "
                     "NOT EXISTS (SELECT 1 FROM response WHERE response.trial = trial.id) "
                     "ORDER BY id LIMIT 1",
    [PUT_SERVER] = "INSERT INTO server (facts) VALUES (?1) ON CONFLICT (facts) DO NOTHING",
    [PUT_RESPONSE] = "INSERT INTO response (trial, kind, text, finish, n_prompt_tokens, "
                     "n_answer_tokens, prefill_s, decode_s, answer_at, margin, checked, "
                     "check_margin, reason, server, n_tries, cost) VALUES "
                     "(?,?,?,?,?,?,?,?,?,?,?,?,?,(SELECT id FROM server WHERE facts = ?),?,?)",
    [DELETE_ERROR] = "DELETE FROM response WHERE trial = ?1 AND kind = 'error'",
    [PUT_VERDICT] = "INSERT OR REPLACE INTO verdict (trial, judge, verdict, detail) "
                    "VALUES (?1, ?2, ?3, ?4)",
    [PUT_SCORE] = "INSERT OR REPLACE INTO score (trial, judge, value) VALUES (?1, ?2, ?3)",
    [SUM_SPENDING] = "SELECT total(n_tries), total(cost) FROM response",
    [COUNT_CHECKS] = "SELECT count(checked), total(checked), max(check_margin) FROM response",
};

struct store {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct fs_lock lock; /* held by a writer */
    bool is_run;         /* it was opened and found to be a run */
    bool is_old;         /* of an older schema, opened to read */
    bool is_new;
};

int store_db_fail(sqlite3 *db, const char *path, struct err *err)
{
    int code = sqlite3_errcode(db) & 0xFF;
    enum err_code kind = code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? ERR_FORMAT : ERR_IO;
    return err_set(err, kind, "%s: %s", path, sqlite3_errmsg(db));
}

static int fail(struct store *s, struct err *err)
{
    return store_db_fail(s->db, s->path, err);
}

sqlite3 *store_db(const struct store *s)
{
    return s->db;
}

static int exec(struct store *s, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, err);
}

static int64_t pragma_int(struct store *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t v = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        v = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return v;
}

static int create_schema(struct store *s, struct err *err)
{
    char *sql = xasprintf(
        "BEGIN IMMEDIATE; PRAGMA application_id = %d; PRAGMA user_version = %d; %s COMMIT;",
        APPLICATION_ID, SCHEMA_VERSION, schema_sql);
    int ok = sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, err);
    free(sql);
    s->is_new = ok == 0;
    return ok;
}

/* One transaction: a file is of one schema or the next. */
static int migrate(struct store *s, int version, struct err *err)
{
    char *sql = xasprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT;",
                          migrations[version - 1], version + 1);
    int ok = 0;
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        ok = fail(s, err);
        err_wrap(err, "bringing schema %d up to date", version);
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    free(sql);
    return ok;
}

static int check_schema(struct store *s, enum store_mode mode, struct err *err)
{
    int64_t n_tables = pragma_int(s, "SELECT count(*) FROM sqlite_master");
    if (n_tables < 0) {
        return fail(s, err);
    }
    if (n_tables == 0 && mode == STORE_CREATE) {
        return create_schema(s, err);
    }
    if (pragma_int(s, "PRAGMA application_id") != APPLICATION_ID) {
        return err_set(err, ERR_FORMAT, "%s: is a database, but not a run of aor", s->path);
    }
    int64_t version = pragma_int(s, "PRAGMA user_version");
    if (version < 1 || version > SCHEMA_VERSION) {
        return err_set(err, ERR_FORMAT, "%s: has schema version %lld, this aor reads 1 to %d",
                       s->path, (long long)version, SCHEMA_VERSION);
    }
    for (; mode != STORE_READ && version < SCHEMA_VERSION; version++) {
        if (migrate(s, (int)version, err) != 0) {
            return -1;
        }
    }
    s->is_old = version < SCHEMA_VERSION;
    return 0;
}

static int open_db(struct store *s, enum store_mode mode, struct err *err)
{
    int flags = mode == STORE_READ     ? SQLITE_OPEN_READONLY
                : mode == STORE_CREATE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                       : SQLITE_OPEN_READWRITE;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, 10000);
    bool is_scratch = mode != STORE_READ && !s->lock.path;
    if (is_scratch && exec(s, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err) != 0) {
        return -1;
    }
    if (check_schema(s, mode, err) != 0) {
        return -1;
    }
    if (mode != STORE_READ && !is_scratch &&
        exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err) != 0) {
        return -1;
    }
    for (int i = 0; i < N_STATEMENTS && !s->is_old; i++) {
        if (sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[i], NULL) != SQLITE_OK) {
            return fail(s, err);
        }
    }
    return 0;
}

int store_lock(const char *path, struct fs_lock *ret, struct err *err)
{
    char *lock_path = xasprintf("%s-lock", path);
    char *busy = xasprintf("%s: another process writes this run", path);
    int ok = fs_lock(lock_path, false, busy, ret, err);
    free(busy);
    free(lock_path);
    return ok;
}

int store_open_holding(const char *path, enum store_mode mode, struct fs_lock *lock,
                       struct store **ret, struct err *err)
{
    struct store *s = xcalloc(1, sizeof *s);
    s->path = xstrdup(path);
    s->lock = *lock;
    *lock = (struct fs_lock){0};
    if (open_db(s, mode, err) != 0) {
        store_close(s, NULL);
        return -1;
    }
    s->is_run = true;
    *ret = s;
    return 0;
}

int store_open(const char *path, enum store_mode mode, struct store **ret, struct err *err)
{
    if (mode != STORE_CREATE && access(path, F_OK) != 0) {
        return err_errno(err, "%s", path);
    }
    if (fs_is_dir(path)) {
        return err_set(err, ERR_IO, "%s: is a folder, not a run file", path);
    }
    struct fs_lock lock = {0};
    struct store *s = NULL;
    if ((mode != STORE_READ && store_lock(path, &lock, err) != 0) ||
        store_open_holding(path, mode, &lock, &s, err) != 0) {
        return -1;
    }
    if (s->is_old) { /* a writer brings it up to date */
        store_close(s, NULL);
        struct store *writer = NULL;
        if (store_open(path, STORE_WRITE, &writer, err) != 0 || store_close(writer, err) != 0) {
            return err_wrap(err, "%s: an older aor's run, to be brought up to date", path);
        }
        return store_open(path, STORE_READ, ret, err);
    }
    *ret = s;
    return 0;
}

bool store_is_new(const struct store *s)
{
    return s->is_new;
}

/*
 * A reader may hold the WAL, which SQLite does not wait for: mostly it is gone a moment later. One
 * that stays keeps the WAL, and the next writer tries again.
 */
static int leave_wal(struct store *s)
{
    int code = SQLITE_BUSY;
    sqlite3_busy_timeout(s->db, 0);
    for (int i = 0; i < LEAVE_WAL_TRIES && (code & 0xFF) == SQLITE_BUSY; i++) {
        if (i > 0) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
        code = sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    }
    return code == SQLITE_OK || (code & 0xFF) == SQLITE_BUSY ? 0 : -1;
}

int store_close(struct store *s, struct err *err)
{
    if (!s) {
        return 0;
    }
    int ok = 0;
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(s->statements[i]);
    }
    if (s->is_run && s->lock.path) {
        if (!sqlite3_get_autocommit(s->db)) {
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        }
        if (leave_wal(s) != 0) {
            ok = fail(s, err);
        }
    }
    sqlite3_close(s->db);
    fs_unlock(&s->lock);
    free(s->path);
    free(s);
    return ok;
}

int store_begin(struct store *s, struct err *err)
{
    return exec(s, "BEGIN IMMEDIATE", err);
}

int store_commit(struct store *s, struct err *err)
{
    return exec(s, "COMMIT", err);
}

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
    if (text) {
        sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(st, i);
    }
}

/* NULL: no number. */
static void bind_double(sqlite3_stmt *st, int i, const double *value)
{
    if (value) {
        sqlite3_bind_double(st, i, *value);
    } else {
        sqlite3_bind_null(st, i);
    }
}

/* Run a bound statement that gives no rows. */
static int run(struct store *s, enum statement which, struct err *err)
{
    sqlite3_stmt *st = s->statements[which];
    int ok = sqlite3_step(st) == SQLITE_DONE ? 0 : fail(s, err);
    sqlite3_reset(st);
    return ok;
}

/* Text of a column; "" for NULL, which a run of ours does not hold there. */
static const char *column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text ? text : "";
}

static const char *column_or_null(sqlite3_stmt *st, int i)
{
    return (const char *)sqlite3_column_text(st, i);
}

static const char *const kind_names[] = {
    [STORE_PENDING] = NULL,
    [STORE_ANSWERED] = "answer",
    [STORE_BLOCKED] = "block",
    [STORE_FAILED] = "error",
};

/* kind: of the response; NULL where there is none. */
static enum store_state state_of(const char *kind)
{
    for (int i = STORE_ANSWERED; kind && i <= STORE_BLOCKED; i++) {
        if (strcmp(kind, kind_names[i]) == 0) {
            return (enum store_state)i;
        }
    }
    return kind ? STORE_FAILED : STORE_PENDING;
}

int store_put_info(struct store *s, const char *key, const char *value, struct err *err)
{
    bind_text(s->statements[PUT_INFO], 1, key);
    bind_text(s->statements[PUT_INFO], 2, value);
    return run(s, PUT_INFO, err);
}

int store_get_info(struct store *s, const char *key, char **ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[GET_INFO];
    bind_text(st, 1, key);
    int code = sqlite3_step(st);
    int ok = 0;
    if (code == SQLITE_ROW) {
        *ret = xstrdup(column(st, 0));
    } else if (code == SQLITE_DONE) {
        *ret = NULL;
    } else {
        ok = fail(s, err);
    }
    sqlite3_reset(st);
    return ok;
}

int store_put_sample(struct store *s, const struct store_sample *p, struct err *err)
{
    sqlite3_stmt *st = s->statements[PUT_SAMPLE];
    const char *const texts[] = {p->id,   p->kind,  p->scenario, p->category,
                                 p->text, p->alone, p->gender,   p->emotion,
                                 p->rate, p->voice, p->engine,   p->scene};
    int n = (int)(sizeof texts / sizeof *texts);
    for (int i = 0; i < n; i++) {
        bind_text(st, i + 1, texts[i]);
    }
    sqlite3_bind_double(st, n + 1, p->snr_db);
    bind_text(st, n + 2, p->split);
    return run(s, PUT_SAMPLE, err);
}

int store_put_scene(struct store *s, const char *id, const char *category, const char *words,
                    const char *names, struct err *err)
{
    bind_text(s->statements[PUT_SCENE], 1, id);
    bind_text(s->statements[PUT_SCENE], 2, category);
    bind_text(s->statements[PUT_SCENE], 3, words);
    bind_text(s->statements[PUT_SCENE], 4, names);
    return run(s, PUT_SCENE, err);
}

int store_put_strategy(struct store *s, const struct store_strategy *p, struct err *err)
{
    sqlite3_stmt *st = s->statements[GET_STRATEGY];
    bind_text(st, 1, p->name);
    int code = sqlite3_step(st);
    bool is_other = code == SQLITE_ROW && strcmp(column(st, 0), p->sha256) != 0;
    int ok = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : fail(s, err);
    sqlite3_reset(st);
    if (ok != 0 || is_other) {
        return ok != 0 ? -1
                       : err_set(err, ERR_USAGE,
                                 "%s: holds a run with another prompt %s; name another file with "
                                 "-o",
                                 s->path, p->name);
    }
    st = s->statements[PUT_STRATEGY];
    bind_text(st, 1, p->name);
    bind_text(st, 2, p->probe);
    bind_text(st, 3, p->sha256);
    bind_text(st, 4, p->prompt);
    return run(s, PUT_STRATEGY, err);
}

int store_put_trial(struct store *s, const char *sample_id, const char *condition,
                    const char *strategy, int repeat, const char *scene, struct err *err)
{
    sqlite3_stmt *st = s->statements[PUT_TRIAL];
    bind_text(st, 1, sample_id);
    bind_text(st, 2, condition);
    bind_text(st, 3, strategy);
    sqlite3_bind_int(st, 4, repeat);
    bind_text(st, 5, scene);
    return run(s, PUT_TRIAL, err);
}

int store_begin_call(struct store *s, const char *machine, int64_t *ret_id, struct err *err)
{
    bind_text(s->statements[BEGIN_CALL], 1, machine);
    if (run(s, BEGIN_CALL, err) != 0) {
        return -1;
    }
    *ret_id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

int store_end_call(struct store *s, int64_t id, int64_t n_stored, struct err *err)
{
    sqlite3_bind_int64(s->statements[END_CALL], 1, id);
    sqlite3_bind_int64(s->statements[END_CALL], 2, n_stored);
    return run(s, END_CALL, err);
}

int store_call_rate(struct store *s, double *ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[CALL_RATE];
    int ok = 0;
    if (sqlite3_step(st) == SQLITE_ROW) {
        *ret = sqlite3_column_double(st, 0);
    } else {
        ok = fail(s, err);
    }
    sqlite3_reset(st);
    return ok;
}

/* Columns 0 to 4: id, sample, condition, strategy, repeat. */
static struct store_trial read_trial(sqlite3_stmt *st)
{
    struct store_trial t = {.id = sqlite3_column_int64(st, 0), .repeat = sqlite3_column_int(st, 4)};
    snprintf(t.sample_id, sizeof t.sample_id, "%s", column(st, 1));
    snprintf(t.condition, sizeof t.condition, "%s", column(st, 2));
    snprintf(t.strategy, sizeof t.strategy, "%s", column(st, 3));
    return t;
}

int store_each_trial(struct store *s, store_trial_fn fn, void *user, struct err *err)
{
    static const char sql[] =
        "SELECT t.id, t.sample, t.condition, t.strategy, t.repeat, r.kind FROM trial t "
        "LEFT JOIN response r ON r.trial = t.id ORDER BY t.id";
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    int code;
    int ok = 0;
    while (ok == 0 && (code = sqlite3_step(st)) == SQLITE_ROW) {
        struct store_trial t = read_trial(st);
        t.state = state_of(column_or_null(st, 5));
        ok = fn(&t, user, err);
    }
    if (ok == 0 && code != SQLITE_DONE) {
        ok = fail(s, err);
    }
    sqlite3_finalize(st);
    return ok;
}

int store_next_pending(struct store *s, int64_t after_id, struct store_trial *ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[NEXT_PENDING];
    sqlite3_bind_int64(st, 1, after_id);
    int code = sqlite3_step(st);
    int ok = 0;
    if (code == SQLITE_ROW) {
        *ret = read_trial(st);
    } else if (code == SQLITE_DONE) {
        ret->id = -1;
    } else {
        ok = fail(s, err);
    }
    sqlite3_reset(st);
    return ok;
}

int store_put_response(struct store *s, int64_t trial_id, const struct store_response *r,
                       struct err *err)
{
    if (r->server) {
        bind_text(s->statements[PUT_SERVER], 1, r->server);
        if (run(s, PUT_SERVER, err) != 0) {
            return -1;
        }
    }
    sqlite3_stmt *st = s->statements[PUT_RESPONSE];
    sqlite3_bind_int64(st, 1, trial_id);
    bind_text(st, 2, kind_names[r->state]);
    bind_text(st, 3, r->text);
    bind_text(st, 4, r->finish);
    sqlite3_bind_int(st, 5, r->n_prompt_tokens);
    sqlite3_bind_int(st, 6, r->n_answer_tokens);
    sqlite3_bind_double(st, 7, r->prefill_s);
    sqlite3_bind_double(st, 8, r->decode_s);
    sqlite3_bind_int64(st, 9, (sqlite3_int64)r->answer_at);
    bind_double(st, 10, r->margin);
    if (r->checked) {
        sqlite3_bind_int(st, 11, *r->checked);
    } else {
        sqlite3_bind_null(st, 11);
    }
    bind_double(st, 12, r->check_margin);
    bind_text(st, 13, r->reason);
    bind_text(st, 14, r->server);
    sqlite3_bind_int(st, 15, r->n_tries > 0 ? r->n_tries : 1);
    bind_double(st, 16, r->cost);
    return run(s, PUT_RESPONSE, err);
}

int store_delete_error(struct store *s, int64_t trial_id, struct err *err)
{
    sqlite3_bind_int64(s->statements[DELETE_ERROR], 1, trial_id);
    return run(s, DELETE_ERROR, err);
}

int store_each(struct store *s, const char *judge, store_row_fn fn, void *user, struct err *err)
{
    static const char sql[] =
        "SELECT t.id, t.condition, t.strategy, p.id, p.kind, p.scenario, p.category, p.text, "
        "p.alone, p.gender, p.emotion, p.rate, p.voice, p.engine, p.scene, p.snr_db, "
        "r.kind, r.text, r.finish, v.verdict, p.split, y.probe, t.scene, c.names, "
        "r.answer_at, z.trial, z.value, t.repeat, v.detail, r.n_prompt_tokens, r.n_answer_tokens "
        "FROM trial t JOIN sample p ON p.id = t.sample "
        "LEFT JOIN strategy y ON y.name = t.strategy LEFT JOIN scene c ON c.id = t.scene "
        "LEFT JOIN response r ON r.trial = t.id "
        "LEFT JOIN score z ON z.trial = t.id AND z.judge = ?1 "
        "LEFT JOIN verdict v ON v.trial = t.id AND v.judge = ?1 ORDER BY t.id";
    sqlite3_stmt *st = NULL;
    int ok = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    bind_text(st, 1, judge);
    int code;
    while ((code = sqlite3_step(st)) == SQLITE_ROW) {
        enum store_state state = state_of(column_or_null(st, 16));
        bool has_response = state != STORE_PENDING;
        struct store_row row = {
            .trial_id = sqlite3_column_int64(st, 0),
            .condition = column(st, 1),
            .strategy = column(st, 2),
            .repeat = sqlite3_column_int(st, 27),
            .probe = column(st, 21),
            .scene = column_or_null(st, 22),
            .scene_names = column_or_null(st, 23),
            .sample = {.id = column(st, 3),
                       .kind = column(st, 4),
                       .scenario = column(st, 5),
                       .category = column(st, 6),
                       .text = column(st, 7),
                       .alone = column(st, 8),
                       .gender = column(st, 9),
                       .emotion = column(st, 10),
                       .rate = column(st, 11),
                       .voice = column(st, 12),
                       .engine = column(st, 13),
                       .scene = column(st, 14),
                       .snr_db = sqlite3_column_double(st, 15),
                       .split = column(st, 20)},
            .state = state,
            .response = has_response ? column(st, 17) : NULL,
            .finish = column_or_null(st, 18),
            .n_prompt_tokens = sqlite3_column_int(st, 29),
            .n_answer_tokens = sqlite3_column_int(st, 30),
            .verdict = column_or_null(st, 19),
            .detail = column_or_null(st, 28),
            .is_scored = sqlite3_column_type(st, 25) != SQLITE_NULL,
            .score =
                sqlite3_column_type(st, 26) != SQLITE_NULL ? sqlite3_column_double(st, 26) : NAN,
        };
        if (has_response) { /* a damaged file may name a place beyond the end */
            int64_t at = sqlite3_column_int64(st, 24);
            size_t n = strlen(row.response);
            row.answer = row.response + (at > 0 && (uint64_t)at <= n ? (size_t)at : 0);
        }
        if (fn(&row, user, err) != 0) {
            goto out;
        }
    }
    ok = code == SQLITE_DONE ? 0 : fail(s, err);
out:
    sqlite3_finalize(st);
    return ok;
}

/* Call read with every row of sql, until it returns non-zero. */
typedef int (*row_reader)(sqlite3_stmt *st, void *reader, struct err *err);
static int each(struct store *s, const char *sql, row_reader read, void *reader, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    int code;
    int ok = 0;
    while (ok == 0 && (code = sqlite3_step(st)) == SQLITE_ROW) {
        ok = read(st, reader, err);
    }
    if (ok == 0 && code != SQLITE_DONE) {
        ok = fail(s, err);
    }
    sqlite3_finalize(st);
    return ok;
}

struct verdict_reader {
    store_verdict_fn fn;
    void *user;
};

static int read_verdict(sqlite3_stmt *st, void *reader, struct err *err)
{
    struct verdict_reader *r = reader;
    return r->fn(sqlite3_column_int64(st, 0), column(st, 1), column(st, 2), column_or_null(st, 3),
                 r->user, err);
}

struct info_reader {
    store_info_fn fn;
    void *user;
};

static int read_info(sqlite3_stmt *st, void *reader, struct err *err)
{
    struct info_reader *r = reader;
    return r->fn(column(st, 0), column(st, 1), r->user, err);
}

int store_each_info(struct store *s, store_info_fn fn, void *user, struct err *err)
{
    struct info_reader reader = {fn, user};
    return each(s, "SELECT key, value FROM info ORDER BY key", read_info, &reader, err);
}

struct scene_reader {
    store_scene_fn fn;
    void *user;
};

static int read_scene(sqlite3_stmt *st, void *reader, struct err *err)
{
    struct scene_reader *r = reader;
    return r->fn(column(st, 0), column(st, 1), column(st, 2), r->user, err);
}

int store_each_scene(struct store *s, store_scene_fn fn, void *user, struct err *err)
{
    struct scene_reader reader = {fn, user};
    return each(s, "SELECT id, category, words FROM scene ORDER BY id", read_scene, &reader, err);
}

struct strategy_reader {
    store_strategy_fn fn;
    void *user;
};

static int read_strategy(sqlite3_stmt *st, void *reader, struct err *err)
{
    struct strategy_reader *r = reader;
    struct store_strategy strategy = {column(st, 0), column(st, 1), column(st, 2), column(st, 3)};
    return r->fn(&strategy, r->user, err);
}

int store_each_strategy(struct store *s, store_strategy_fn fn, void *user, struct err *err)
{
    struct strategy_reader reader = {fn, user};
    return each(s, "SELECT name, probe, sha256, prompt FROM strategy ORDER BY name", read_strategy,
                &reader, err);
}

static int read_state(sqlite3_stmt *st, void *reader, struct err *err)
{
    (void)err;
    struct store_state_counts *c = reader;
    c->n_trials = sqlite3_column_int64(st, 0);
    c->n_responses = sqlite3_column_int64(st, 1);
    snprintf(c->stamp, sizeof c->stamp, "%lld-%lld-%lld-%s-%s", (long long)c->n_trials,
             (long long)c->n_responses, (long long)sqlite3_column_int64(st, 2), column(st, 3),
             column(st, 4));
    return 0;
}

int store_count_state(struct store *s, struct store_state_counts *ret, struct err *err)
{
    return each(s,
                "SELECT (SELECT count(*) FROM trial), (SELECT count(*) FROM response), "
                "(SELECT count(*) FROM verdict), coalesce((SELECT max(stored_at) FROM verdict), "
                "''), coalesce((SELECT max(stored_at) FROM response), '')",
                read_state, ret, err);
}

int store_each_verdict(struct store *s, store_verdict_fn fn, void *user, struct err *err)
{
    struct verdict_reader reader = {fn, user};
    return each(s, "SELECT trial, judge, verdict, detail FROM verdict ORDER BY trial, judge",
                read_verdict, &reader, err);
}

/* The number in the first row of st, or missing; finalizes st. */
static int only_number(struct store *s, sqlite3_stmt *st, int64_t missing, int64_t *ret,
                       struct err *err)
{
    int code = sqlite3_step(st);
    int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(st, 0) : missing;
    int ok = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : fail(s, err);
    sqlite3_finalize(st);
    if (ok == 0) {
        *ret = number;
    }
    return ok;
}

int store_find_answered(struct store *s, const char *sample_id, const char *condition,
                        const char *strategy, int repeat, int64_t *ret, struct err *err)
{
    static const char sql[] =
        "SELECT t.id FROM trial t JOIN response r ON r.trial = t.id AND r.kind = 'answer' "
        "WHERE t.sample = ?1 AND t.condition = ?2 AND t.strategy = ?3 AND t.repeat = ?4";
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    bind_text(st, 1, sample_id);
    bind_text(st, 2, condition);
    bind_text(st, 3, strategy);
    sqlite3_bind_int(st, 4, repeat);
    return only_number(s, st, -1, ret, err);
}

int store_is_answered(struct store *s, int64_t trial_id, bool *ret, struct err *err)
{
    static const char sql[] = "SELECT 1 FROM response WHERE trial = ?1 AND kind = 'answer'";
    sqlite3_stmt *st = NULL;
    int64_t is_there;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    sqlite3_bind_int64(st, 1, trial_id);
    if (only_number(s, st, 0, &is_there, err) != 0) {
        return -1;
    }
    *ret = is_there != 0;
    return 0;
}

int store_put_verdict(struct store *s, int64_t trial_id, const char *judge, const char *verdict,
                      const char *detail, struct err *err)
{
    sqlite3_stmt *st = s->statements[PUT_VERDICT];
    sqlite3_bind_int64(st, 1, trial_id);
    bind_text(st, 2, judge);
    bind_text(st, 3, verdict);
    bind_text(st, 4, detail);
    return run(s, PUT_VERDICT, err);
}

int store_put_score(struct store *s, int64_t trial_id, const char *judge, double value,
                    struct err *err)
{
    sqlite3_bind_int64(s->statements[PUT_SCORE], 1, trial_id);
    bind_text(s->statements[PUT_SCORE], 2, judge);
    bind_double(s->statements[PUT_SCORE], 3, isnan(value) ? NULL : &value);
    return run(s, PUT_SCORE, err);
}

int store_sum_spending(struct store *s, struct store_spending *ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[SUM_SPENDING];
    int ok = sqlite3_step(st) == SQLITE_ROW ? 0 : fail(s, err);
    if (ok == 0) {
        *ret = (struct store_spending){sqlite3_column_int64(st, 0), sqlite3_column_double(st, 1)};
    }
    sqlite3_reset(st);
    return ok;
}

int store_count_checks(struct store *s, struct store_checks *ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[COUNT_CHECKS];
    int ok = -1;
    if (sqlite3_step(st) == SQLITE_ROW) {
        *ret = (struct store_checks){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                                     sqlite3_column_double(st, 2)};
        ok = 0;
    } else {
        fail(s, err);
    }
    sqlite3_reset(st);
    return ok;
}

const char *store_library_version(void)
{
    return sqlite3_libversion();
}
