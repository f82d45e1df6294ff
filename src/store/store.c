#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/schema.h"

#define APPLICATION_ID 0x414F5252
#define SCHEMA_VERSION 1

enum statement {
    PUT_INFO,
    GET_INFO,
    PUT_SAMPLE,
    PUT_TRIAL,
    COUNT,
    NEXT_PENDING,
    PUT_RESPONSE,
    PUT_VERDICT,
    N_STATEMENTS
};

static const char *const statement_sql[N_STATEMENTS] = {
    [PUT_INFO] = "INSERT INTO info (key, value) VALUES (?1, ?2) "
                 "ON CONFLICT (key) DO UPDATE SET value = ?2",
    [GET_INFO] = "SELECT value FROM info WHERE key = ?1",
    [PUT_SAMPLE] = "INSERT OR IGNORE INTO sample VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [PUT_TRIAL] = "INSERT OR IGNORE INTO trial (sample, condition, strategy) VALUES (?1, ?2, ?3)",
    [COUNT] = "SELECT (SELECT count(*) FROM trial), "
              "(SELECT count(*) FROM response WHERE is_error = 0), "
              "(SELECT count(*) FROM response WHERE is_error = 1)",
    [NEXT_PENDING] = "SELECT id, sample, condition, strategy FROM trial WHERE id > ?1 AND "
                     "NOT EXISTS (SELECT 1 FROM response WHERE response.trial = trial.id) "
                     "ORDER BY id LIMIT 1",
    [PUT_RESPONSE] = "INSERT INTO response (trial, is_error, text, finish, n_prompt_tokens, "
                     "n_answer_tokens, prefill_s, decode_s) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
    [PUT_VERDICT] = "INSERT OR REPLACE INTO verdict (trial, judge, verdict, detail) "
                    "VALUES (?1, ?2, ?3, ?4)",
};

struct store {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct fs_lock lock; /* held by a writer */
    bool is_run;         /* it was opened and found to be a run */
};

static int fail(struct store *s, struct err *err)
{
    int code = sqlite3_errcode(s->db) & 0xFF;
    enum err_code kind = code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? ERR_FORMAT : ERR_IO;
    return err_set(err, kind, "%s: %s", s->path, sqlite3_errmsg(s->db));
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
    if (version != SCHEMA_VERSION) {
        return err_set(err, ERR_FORMAT, "%s: has schema version %lld, this aor reads %d", s->path,
                       (long long)version, SCHEMA_VERSION);
    }
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
    if (check_schema(s, mode, err) != 0) {
        return -1;
    }
    if (mode != STORE_READ &&
        sqlite3_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL,
                     NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    for (int i = 0; i < N_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[i], NULL) != SQLITE_OK) {
            return fail(s, err);
        }
    }
    return 0;
}

int store_open(const char *path, enum store_mode mode, struct store **ret, struct err *err)
{
    if (mode != STORE_CREATE && access(path, F_OK) != 0) {
        return err_errno(err, "%s", path);
    }
    struct store *s = xcalloc(1, sizeof *s);
    s->path = xstrdup(path);
    int ok = 0;
    if (mode != STORE_READ) {
        char *lock_path = xasprintf("%s-lock", path);
        char *busy = xasprintf("%s: another process writes this run", path);
        ok = fs_lock(lock_path, false, busy, &s->lock, err);
        free(busy);
        free(lock_path);
    }
    if (ok != 0 || open_db(s, mode, err) != 0) {
        store_close(s, NULL);
        return -1;
    }
    s->is_run = true;
    *ret = s;
    return 0;
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
        /* Another reader may hold the WAL: then it stays, and the next writer tries again. */
        sqlite3_busy_timeout(s->db, 100);
        int code = sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        if (code != SQLITE_OK && (code & 0xFF) != SQLITE_BUSY) {
            ok = fail(s, err);
        }
    }
    sqlite3_close(s->db);
    fs_unlock(&s->lock);
    free(s->path);
    free(s);
    return ok;
}

static int exec(struct store *s, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, err);
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
    return run(s, PUT_SAMPLE, err);
}

int store_put_trial(struct store *s, const char *sample_id, const char *condition,
                    const char *strategy, struct err *err)
{
    sqlite3_stmt *st = s->statements[PUT_TRIAL];
    bind_text(st, 1, sample_id);
    bind_text(st, 2, condition);
    bind_text(st, 3, strategy);
    return run(s, PUT_TRIAL, err);
}

int store_count(struct store *s, struct store_counts *ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[COUNT];
    int ok = -1;
    if (sqlite3_step(st) == SQLITE_ROW) {
        *ret = (struct store_counts){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                                     sqlite3_column_int64(st, 2)};
        ok = 0;
    } else {
        fail(s, err);
    }
    sqlite3_reset(st);
    return ok;
}

int store_next_pending(struct store *s, int64_t after_id, struct store_trial *ret, struct err *err)
{
    sqlite3_stmt *st = s->statements[NEXT_PENDING];
    sqlite3_bind_int64(st, 1, after_id);
    int code = sqlite3_step(st);
    int ok = 0;
    if (code == SQLITE_ROW) {
        ret->id = sqlite3_column_int64(st, 0);
        snprintf(ret->sample_id, sizeof ret->sample_id, "%s", column(st, 1));
        snprintf(ret->condition, sizeof ret->condition, "%s", column(st, 2));
        snprintf(ret->strategy, sizeof ret->strategy, "%s", column(st, 3));
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
    sqlite3_stmt *st = s->statements[PUT_RESPONSE];
    sqlite3_bind_int64(st, 1, trial_id);
    sqlite3_bind_int(st, 2, r->is_error);
    bind_text(st, 3, r->text);
    bind_text(st, 4, r->finish);
    sqlite3_bind_int(st, 5, r->n_prompt_tokens);
    sqlite3_bind_int(st, 6, r->n_answer_tokens);
    sqlite3_bind_double(st, 7, r->prefill_s);
    sqlite3_bind_double(st, 8, r->decode_s);
    return run(s, PUT_RESPONSE, err);
}

int store_delete_errors(struct store *s, int64_t *ret_n, struct err *err)
{
    if (exec(s, "DELETE FROM response WHERE is_error = 1", err) != 0) {
        return -1;
    }
    *ret_n = sqlite3_changes(s->db);
    return 0;
}

int store_each(struct store *s, const char *judge, store_row_fn fn, void *user, struct err *err)
{
    static const char sql[] =
        "SELECT t.id, t.condition, t.strategy, p.id, p.kind, p.scenario, p.category, p.text, "
        "p.alone, p.gender, p.emotion, p.rate, p.voice, p.engine, p.scene, p.snr_db, "
        "r.is_error, r.text, r.finish, v.verdict "
        "FROM trial t JOIN sample p ON p.id = t.sample LEFT JOIN response r ON r.trial = t.id "
        "LEFT JOIN verdict v ON v.trial = t.id AND v.judge = ?1 ORDER BY t.id";
    sqlite3_stmt *st = NULL;
    int ok = -1;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail(s, err);
    }
    bind_text(st, 1, judge);
    int code;
    while ((code = sqlite3_step(st)) == SQLITE_ROW) {
        bool has_response = sqlite3_column_type(st, 16) != SQLITE_NULL;
        bool is_error = has_response && sqlite3_column_int(st, 16) != 0;
        struct store_row row = {
            .trial_id = sqlite3_column_int64(st, 0),
            .condition = column(st, 1),
            .strategy = column(st, 2),
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
                       .snr_db = sqlite3_column_double(st, 15)},
            .has_response = has_response,
            .is_error = is_error,
            .response = has_response ? column(st, 17) : NULL,
            .finish = column_or_null(st, 18),
            .verdict = column_or_null(st, 19),
        };
        if (fn(&row, user, err) != 0) {
            goto out;
        }
    }
    ok = code == SQLITE_DONE ? 0 : fail(s, err);
out:
    sqlite3_finalize(st);
    return ok;
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

const char *store_library_version(void)
{
    return sqlite3_libversion();
}
