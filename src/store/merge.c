#include "store/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "store/store_parts.h"

/* Of a shard's run.shard "2/8" the merged file keeps a key of its own. */
#define MERGED "merged."

/*
 * What goes from one file to the other: each row of select is bound to check and to insert, by
 * number. A row that check gives says what does not fit; misfit is the error's code then.
 */
struct part {
    const char *select, *check, *insert;
    enum err_code misfit;
};

#define TRIAL                                                                                      \
    "(SELECT id FROM trial WHERE sample = ?1 AND condition = ?2 AND strategy = ?3 AND repeat = "   \
    "?4)"

/* What has no ids, and, to be sorted, what gets new ones. */
static const struct part first_parts[] = {
    {"SELECT CASE key WHEN '" STORE_INFO_SHARD "' THEN '" MERGED "' || value ELSE key END, "
     "CASE key WHEN '" STORE_INFO_SHARD "' THEN '1' ELSE value END FROM info ORDER BY key",
     "SELECT 'another ' || ?1 || ' (' || substr(?2, 1, 20) || ', there ' || substr(value, 1, 20) "
     "|| ')' FROM info WHERE key = ?1 AND value <> ?2 AND key NOT IN (SELECT key FROM fact) "
     "UNION ALL SELECT 'shard ' || substr(?1, length('" MERGED "') + 1) || ', there ' || "
     "substr(key, length('" MERGED "') + 1) FROM info WHERE key GLOB '" MERGED "*' AND "
     "?1 GLOB '" MERGED "*' AND substr(key, instr(key, '/')) <> substr(?1, instr(?1, '/'))",
     "INSERT INTO info VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2 "
     "WHERE ?2 > value",
     ERR_USAGE},
    {"SELECT name, probe, sha256, prompt FROM strategy",
     "SELECT 'another prompt ' || name FROM strategy WHERE name = ?1 AND sha256 <> ?3",
     "INSERT INTO strategy VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING", ERR_USAGE},
    {"SELECT id, category, words, names FROM scene", NULL,
     "INSERT INTO scene VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING", ERR_NONE},
    {"SELECT id, kind, scenario, category, text, alone, gender, emotion, rate, voice, engine, "
     "scene, snr_db, split FROM sample",
     NULL,
     "INSERT INTO sample VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) "
     "ON CONFLICT (id) DO UPDATE SET split = ?14 WHERE ?14 > split",
     ERR_NONE},
    {"SELECT sample, condition, strategy, repeat, scene FROM trial", NULL,
     "INSERT INTO stage_trial VALUES (?1, ?2, ?3, ?4, ?5) "
     "ON CONFLICT DO UPDATE SET scene = ?5 WHERE scene IS NULL OR ?5 > scene",
     ERR_NONE},
    {"SELECT facts FROM server", NULL,
     "INSERT INTO stage_server VALUES (?1) ON CONFLICT DO NOTHING", ERR_NONE},
    {"SELECT machine, started_at, ended_at, n_stored FROM call", NULL,
     "INSERT INTO stage_call VALUES (?1, ?2, ?3, ?4)", ERR_NONE},
};

static const char begin_sql[] =
    "CREATE TEMP TABLE fact (key TEXT PRIMARY KEY);"
    "CREATE TABLE stage_trial (sample TEXT NOT NULL, condition TEXT NOT NULL, "
    "strategy TEXT NOT NULL, repeat INTEGER NOT NULL, scene TEXT, "
    "PRIMARY KEY (sample, condition, strategy, repeat)) WITHOUT ROWID;"
    "CREATE TABLE stage_server (facts TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE stage_call (machine, started_at, ended_at, n_stored);";

static const char number_sql[] =
    "INSERT INTO trial (sample, condition, strategy, repeat, scene) "
    "SELECT * FROM stage_trial ORDER BY sample, condition, strategy, repeat; DROP TABLE "
    "stage_trial;"
    "INSERT INTO server (facts) SELECT facts FROM stage_server ORDER BY facts;"
    "DROP TABLE stage_server;"
    "INSERT INTO call (machine, started_at, ended_at, n_stored) "
    "SELECT DISTINCT * FROM stage_call ORDER BY started_at, machine, ended_at, n_stored;"
    "DROP TABLE stage_call;";

/* What belongs to a trial. */
static const struct part second_parts[] = {
    {"SELECT t.sample, t.condition, t.strategy, t.repeat, r.kind, r.text, r.finish, "
     "r.n_prompt_tokens, r.n_answer_tokens, r.prefill_s, r.decode_s, r.stored_at, r.answer_at, "
     "r.margin, r.checked, r.check_margin, r.reason, s.facts, r.n_tries, r.cost "
     "FROM response r JOIN trial t ON t.id = r.trial LEFT JOIN server s ON s.id = r.server",
     "SELECT 'another answer to trial ' || ?1 || ', ' || ?2 || ', ' || ?3 || ', repeat ' || ?4 "
     "FROM response WHERE trial = " TRIAL " AND kind <> 'error' AND ?5 <> 'error' AND NOT "
     "(kind = ?5 AND text = ?6 AND finish IS ?7 AND answer_at = ?13 AND reason IS ?17) "
     /* written meanwhile: SQLite would give it a number of its own */
     "UNION ALL SELECT 'a trial that it did not have before' WHERE " TRIAL " IS NULL",
     "INSERT INTO response (trial, kind, text, finish, n_prompt_tokens, n_answer_tokens, "
     "prefill_s, decode_s, stored_at, answer_at, margin, checked, check_margin, reason, server, "
     "n_tries, cost) VALUES (" TRIAL ", ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "
     "?17, (SELECT id FROM server WHERE facts = ?18), ?19, ?20) "
     "ON CONFLICT (trial) DO UPDATE SET (kind, text, finish, n_prompt_tokens, n_answer_tokens, "
     "prefill_s, decode_s, stored_at, answer_at, margin, checked, check_margin, reason, server, "
     "n_tries, cost) = (excluded.kind, excluded.text, excluded.finish, excluded.n_prompt_tokens, "
     "excluded.n_answer_tokens, excluded.prefill_s, excluded.decode_s, excluded.stored_at, "
     "excluded.answer_at, excluded.margin, excluded.checked, excluded.check_margin, "
     "excluded.reason, excluded.server, excluded.n_tries, excluded.cost) "
     "WHERE (excluded.kind <> 'error', excluded.stored_at, excluded.text, excluded.prefill_s, "
     "excluded.decode_s) > (kind <> 'error', stored_at, text, prefill_s, decode_s)",
     ERR_FORMAT},
    {"SELECT t.sample, t.condition, t.strategy, t.repeat, v.judge, v.verdict, v.detail, "
     "v.stored_at FROM verdict v JOIN trial t ON t.id = v.trial",
     NULL,
     "INSERT INTO verdict (trial, judge, verdict, detail, stored_at) "
     "VALUES (" TRIAL ", ?5, ?6, ?7, ?8) ON CONFLICT (trial, judge) DO UPDATE SET verdict = ?6, "
     "detail = ?7, stored_at = ?8 WHERE (?8, ?6, coalesce(?7, '')) > "
     "(stored_at, verdict, coalesce(detail, ''))",
     ERR_NONE},
    {"SELECT t.sample, t.condition, t.strategy, t.repeat, z.judge, z.value, z.stored_at "
     "FROM score z JOIN trial t ON t.id = z.trial",
     NULL,
     "INSERT INTO score (trial, judge, value, stored_at) VALUES (" TRIAL ", ?5, ?6, ?7) "
     "ON CONFLICT (trial, judge) DO UPDATE SET value = ?6, stored_at = ?7 "
     "WHERE (?7, coalesce(?6, -1)) > (stored_at, coalesce(value, -1))",
     ERR_NONE},
};

struct merge {
    const char *path; /* of the result */
    const char *const *sources;
    size_t n_sources;
    struct fs_lock lock; /* of path, where nothing is there yet */
    struct store *old;   /* what is there, with its lock */
    struct store *out;   /* the new file */
};

static int out_fail(struct merge *m, struct err *err)
{
    return store_db_fail(store_db(m->out), m->path, err);
}

static int out_exec(struct merge *m, const char *sql, struct err *err)
{
    return sqlite3_exec(store_db(m->out), sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                              : out_fail(m, err);
}

static void bind_row(sqlite3_stmt *to, sqlite3_stmt *row)
{
    int n = sqlite3_bind_parameter_count(to);
    for (int i = 0; i < n && i < sqlite3_column_count(row); i++) {
        sqlite3_bind_value(to, i + 1, sqlite3_column_value(row, i));
    }
}

/* The row of the file at path into the new one. */
static int put_row(struct merge *m, const char *path, enum err_code misfit, sqlite3_stmt *row,
                   sqlite3_stmt *check, sqlite3_stmt *insert, struct err *err)
{
    int ok = 0;
    if (check) {
        bind_row(check, row);
        int code = sqlite3_step(check);
        if (code == SQLITE_ROW) {
            ok = err_set(err, misfit, "%s: does not go with the runs before it: it has %s", path,
                         (const char *)sqlite3_column_text(check, 0));
        } else if (code != SQLITE_DONE) {
            ok = out_fail(m, err);
        }
        sqlite3_reset(check);
    }
    if (ok == 0) {
        bind_row(insert, row);
        int code = sqlite3_step(insert) & 0xFF;
        if (code == SQLITE_CONSTRAINT) {
            ok = err_set(err, ERR_FORMAT, "%s: is damaged: %s", path,
                         sqlite3_errmsg(store_db(m->out)));
        } else if (code != SQLITE_DONE) {
            ok = out_fail(m, err);
        }
        sqlite3_reset(insert);
    }
    return ok;
}

static int copy_part(struct merge *m, struct store *from, const char *path, const struct part *part,
                     struct err *err)
{
    sqlite3 *out = store_db(m->out);
    sqlite3_stmt *row = NULL, *check = NULL, *insert = NULL;
    int ok = -1;
    if (sqlite3_prepare_v2(store_db(from), part->select, -1, &row, NULL) != SQLITE_OK) {
        store_db_fail(store_db(from), path, err);
        goto out;
    }
    if ((part->check && sqlite3_prepare_v2(out, part->check, -1, &check, NULL) != SQLITE_OK) ||
        sqlite3_prepare_v2(out, part->insert, -1, &insert, NULL) != SQLITE_OK) {
        out_fail(m, err);
        goto out;
    }
    int code;
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        if (cancel_requested()) {
            err_set(err, ERR_CANCELLED, "stopped by a signal; nothing is merged");
            goto out;
        }
        if (put_row(m, path, part->misfit, row, check, insert, err) != 0) {
            goto out;
        }
    }
    ok = code == SQLITE_DONE ? 0 : store_db_fail(store_db(from), path, err);
out:
    sqlite3_finalize(row);
    sqlite3_finalize(check);
    sqlite3_finalize(insert);
    return ok;
}

/* One state of the file for all parts. */
static int copy_parts(struct merge *m, struct store *from, const char *path,
                      const struct part *parts, size_t n_parts, struct err *err)
{
    sqlite3_exec(store_db(from), "BEGIN", NULL, NULL, NULL);
    int ok = 0;
    for (size_t i = 0; i < n_parts && ok == 0; i++) {
        ok = copy_part(m, from, path, &parts[i], err);
    }
    sqlite3_exec(store_db(from), "COMMIT", NULL, NULL, NULL);
    return ok;
}

static int check_whole(struct store *s, const char *path, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int ok = 0;
    if (sqlite3_prepare_v2(store_db(s), "PRAGMA quick_check(1)", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        ok = store_db_fail(store_db(s), path, err);
    } else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
        ok = err_set(err, ERR_FORMAT, "%s: is damaged: %s", path,
                     (const char *)sqlite3_column_text(st, 0));
    }
    sqlite3_finalize(st);
    return ok;
}

static int open_source(const char *path, struct store **ret, struct err *err)
{
    char *lock = xasprintf("%s-lock", path);
    bool is_locked = fs_is_locked(lock);
    free(lock);
    return is_locked ? err_set(err, ERR_IO, "%s: another process writes this run", path)
                     : store_open(path, STORE_READ, ret, err);
}

static int copy_all(struct merge *m, bool is_first, struct err *err)
{
    const struct part *parts = is_first ? first_parts : second_parts;
    size_t n = is_first ? sizeof first_parts / sizeof *first_parts
                        : sizeof second_parts / sizeof *second_parts;
    int ok = m->old ? copy_parts(m, m->old, m->path, parts, n, err) : 0;
    for (size_t i = 0; i < m->n_sources && ok == 0; i++) {
        const char *path = m->sources[i];
        struct store *from = NULL;
        if (m->old && fs_is_same(path, m->path)) {
            continue; /* see above */
        }
        ok = open_source(path, &from, err) == 0 && (!is_first || check_whole(from, path, err) == 0)
                 ? copy_parts(m, from, path, parts, n, err)
                 : -1;
        store_close(from, NULL);
    }
    return ok;
}

static int put_facts(struct merge *m, const char *const *facts, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int ok = 0;
    if (sqlite3_prepare_v2(store_db(m->out), "INSERT INTO fact VALUES (?1)", -1, &st, NULL) !=
        SQLITE_OK) {
        ok = out_fail(m, err);
    }
    for (; ok == 0 && *facts; facts++) {
        sqlite3_bind_text(st, 1, *facts, -1, SQLITE_STATIC);
        ok = sqlite3_step(st) == SQLITE_DONE ? 0 : out_fail(m, err);
        sqlite3_reset(st);
    }
    sqlite3_finalize(st);
    return ok;
}

static int fill(struct merge *m, const char *const *facts, struct err *err)
{
    return out_exec(m, begin_sql, err) == 0 && put_facts(m, facts, err) == 0 &&
                   out_exec(m, "BEGIN", err) == 0 && copy_all(m, true, err) == 0 &&
                   out_exec(m, number_sql, err) == 0 && copy_all(m, false, err) == 0 &&
                   out_exec(m, "COMMIT", err) == 0
               ? 0
               : -1;
}

static int count_trials(struct merge *m, struct store_merged *ret, struct err *err)
{
    static const char sql[] = "SELECT count(*), total(r.kind <> 'error'), total(r.kind = 'error') "
                              "FROM trial t LEFT JOIN response r ON r.trial = t.id";
    sqlite3_stmt *st = NULL;
    int ok = 0;
    if (sqlite3_prepare_v2(store_db(m->out), sql, -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        ok = out_fail(m, err);
    } else {
        ret->n_trials = sqlite3_column_int64(st, 0);
        ret->n_answers = sqlite3_column_int64(st, 1);
        ret->n_errors = sqlite3_column_int64(st, 2);
    }
    sqlite3_finalize(st);
    return ok;
}

static int count_shards(struct merge *m, struct store_merged *ret, struct err *err)
{
    static const char sql[] = "SELECT key FROM info WHERE key GLOB '" MERGED "*'";
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(store_db(m->out), sql, -1, &st, NULL) != SQLITE_OK) {
        return out_fail(m, err);
    }
    int code;
    while ((code = sqlite3_step(st)) == SQLITE_ROW) {
        char *end;
        const char *key = (const char *)sqlite3_column_text(st, 0);
        long shard = strtol(key + strlen(MERGED), &end, 10);
        long n_shards = *end == '/' ? strtol(end + 1, &end, 10) : 0;
        if (*end == '\0' && shard >= 1 && shard <= n_shards && n_shards <= STORE_MAX_SHARDS) {
            if (!ret->has_shard) {
                ret->n_shards = (int)n_shards;
                ret->has_shard = xcalloc((size_t)n_shards, sizeof *ret->has_shard);
            }
            if (n_shards == ret->n_shards) {
                ret->has_shard[shard - 1] = true;
            }
        }
    }
    sqlite3_finalize(st);
    return code == SQLITE_DONE ? 0 : out_fail(m, err);
}

/* What a merge left that was killed; the lock is ours. */
static int remove_left(const char *path, struct err *err)
{
    const char *name = fs_basename(path);
    char *dir = name == path ? xstrdup(".") : xasprintf("%.*s", (int)(name - path), path);
    int ok = fs_remove_temp(dir, name, err);
    free(dir);
    return ok;
}

/* The journal of a file that somebody removed would be taken for the new file's. */
static int remove_journal(const char *path, struct err *err)
{
    static const char *const ends[] = {"-journal", "-wal", "-shm"};
    int ok = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *journal = xasprintf("%s%s", path, ends[i]);
        if (unlink(journal) != 0 && errno != ENOENT) {
            ok = err_errno(err, "%s", journal);
        }
        free(journal);
    }
    return ok;
}

static int check_old(struct merge *m, struct err *err)
{
    char *shard = NULL;
    int ok = check_whole(m->old, m->path, err);
    if (ok == 0) {
        ok = store_get_info(m->old, STORE_INFO_SHARD, &shard, err);
    }
    if (ok == 0 && shard) {
        ok = err_set(err, ERR_USAGE, "%s: holds shard %.20s of a run; name another file with -o",
                     m->path, shard);
    }
    free(shard);
    return ok;
}

/* Take the lock of path, and open what is there. */
static int take_path(struct merge *m, struct err *err)
{
    if (store_lock(m->path, &m->lock, err) != 0 || remove_left(m->path, err) != 0) {
        return -1;
    }
    if (!fs_exists(m->path)) {
        return remove_journal(m->path, err);
    }
    if (store_open_holding(m->path, STORE_WRITE, &m->lock, &m->old, err) != 0 ||
        check_old(m, err) != 0) {
        return -1;
    }
    /* Its journal likewise. */
    if (sqlite3_exec(store_db(m->old), "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) !=
        SQLITE_OK) {
        store_db_fail(store_db(m->old), m->path, err);
        return err_wrap(err, "to be read by this process alone");
    }
    return 0;
}

int store_merge(const char *path, const char *const *sources, size_t n_sources,
                const char *const *facts, struct store_merged *ret, struct err *err)
{
    struct merge m = {.path = path, .sources = sources, .n_sources = n_sources};
    struct store_merged merged = {0};
    struct fs_out file = {0};
    struct fs_lock none = {0};
    int ok = -1;
    if (take_path(&m, err) != 0 || fs_out_open(path, &file, err) != 0) {
        goto out;
    }
    if (store_open_holding(file.temp, STORE_CREATE, &none, &m.out, err) == 0 &&
        fill(&m, facts, err) == 0 && count_trials(&m, &merged, err) == 0 &&
        count_shards(&m, &merged, err) == 0) {
        ok = 0;
    }
    store_close(m.out, NULL);
    /* While the old file is open, nobody else gets its lock. */
    ok = fs_out_close(&file, ok == 0, err) == 0 ? ok : -1;
    if (ok == 0) {
        *ret = merged;
        merged = (struct store_merged){0};
    }
out:
    store_merged_release(&merged);
    store_close(m.old, NULL);
    fs_unlock(&m.lock);
    return ok;
}

void store_merged_release(struct store_merged *m)
{
    free(m->has_shard);
    *m = (struct store_merged){0};
}
