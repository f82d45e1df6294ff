#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store.h"

static char path[] = "/tmp/aor-test-XXXXXX";

static const struct store_sample sample = {.id = "x-1-f",
                                           .kind = "scenario",
                                           .scenario = "x-1",
                                           .category = "x",
                                           .text = "it's \"q\"; --",
                                           .alone = "alarming",
                                           .gender = "female",
                                           .emotion = "sad",
                                           .rate = "slow",
                                           .voice = "v",
                                           .engine = "e",
                                           .scene = "s",
                                           .snr_db = 5,
                                           .split = "dev"};

static int count_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    assert_string_equal(row->sample.text, sample.text);
    assert_true(row->sample.snr_db == 5);
    if (row->state == STORE_ANSWERED) {
        assert_string_equal(row->response, "thoughts. an answer");
        assert_string_equal(row->answer, "an answer");
        assert_true(row->is_scored && row->score == 0.5);
        assert_string_equal(row->verdict, "refusal");
    }
    ++*(int *)user;
    return 0;
}

static int count_old_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    assert_string_equal(row->sample.text, sample.text);
    assert_string_equal(row->probe, "");
    if (row->trial_id == 7) {
        assert_string_equal(row->answer, "an answer");
        assert_string_equal(row->verdict, "refusal");
        assert_string_equal(row->scene, "s");
    } else {
        assert_int_equal(row->state, STORE_PENDING);
        assert_null(row->scene);
    }
    ++*(int *)user;
    return 0;
}

static int count_state(const struct store_trial *t, void *user, struct err *err)
{
    (void)err;
    assert_string_equal(t->sample_id, "x-1-f");
    ((int *)user)[t->state]++;
    return 0;
}

static void test_run(void **state)
{
    (void)state;
    struct store *s = NULL;
    struct err err = {0};
    unlink(path);
    assert_int_equal(store_open(path, STORE_READ, &s, &err), -1);
    assert_int_equal(store_open(path, STORE_CREATE, &s, &err), 0);
    for (int i = 0; i < 2; i++) { /* the second time changes nothing */
        assert_int_equal(store_put_sample(s, &sample, &err), 0);
        assert_int_equal(store_put_trial(s, "x-1-f", "matched", "direct", 1, "s", &err), 0);
        assert_int_equal(store_put_trial(s, "x-1-f", "speech", "direct", 1, NULL, &err), 0);
    }
    struct store_trial t;
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_string_equal(t.sample_id, "x-1-f");
    assert_string_equal(t.condition, "matched");
    int64_t first = t.id;
    double margin = 0.25;
    struct store_response good = {.state = STORE_ANSWERED,
                                  .text = "thoughts. an answer",
                                  .finish = "stop",
                                  .n_answer_tokens = 2,
                                  .answer_at = 10,
                                  .margin = &margin};
    struct store_response bad = {.state = STORE_FAILED, .text = "why"};
    assert_int_equal(store_put_response(s, first, &good, &err), 0);
    assert_int_equal(store_put_response(s, first, &good, &err), -1); /* once only */
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_string_equal(t.condition, "speech");
    assert_int_equal(store_put_response(s, t.id, &bad, &err), 0);
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_int_equal(t.id, -1);
    assert_int_equal(store_put_verdict(s, first, "j", "compliance", NULL, &err), 0);
    assert_int_equal(store_put_verdict(s, first, "j", "refusal", "rule", &err), 0);
    int states[4] = {0};
    assert_int_equal(store_each_trial(s, count_state, states, &err), 0);
    assert_true(states[STORE_PENDING] == 0 && states[STORE_ANSWERED] == 1 &&
                states[STORE_FAILED] == 1);
    assert_int_equal(store_put_score(s, first, "j", 0.5, &err), 0);
    assert_int_equal(store_put_score(s, first, "another", 1, &err), 0);
    int n = 0;
    assert_int_equal(store_each(s, "j", count_row, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(store_delete_error(s, first, &err), 0); /* no error row: it stays */
    assert_int_equal(store_delete_error(s, t.id < 0 ? first + 1 : t.id, &err), 0);
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_int_equal(t.id, first + 1);
    struct store_strategy strategy = {"direct", "", "ab", "name: direct"};
    assert_int_equal(store_put_strategy(s, &strategy, &err), 0);
    assert_int_equal(store_put_strategy(s, &strategy, &err), 0);
    strategy.sha256 = "cd";
    assert_int_equal(store_put_strategy(s, &strategy, &err), -1);
    assert_non_null(strstr(err.msg, "another prompt direct"));
    int64_t call;
    double rate = -1;
    assert_int_equal(store_begin_call(s, "m", &call, &err), 0);
    assert_int_equal(store_end_call(s, call, 2, &err), 0);
    assert_int_equal(store_call_rate(s, &rate, &err), 0);
    assert_true(rate >= 0);
    assert_int_equal(store_put_info(s, "k", "v1", &err), 0);
    assert_int_equal(store_put_info(s, "k", "v2", &err), 0);
    assert_int_equal(store_close(s, &err), 0);

    /* One file is left, which a reader opens. */
    char *wal = xasprintf("%s-wal", path);
    assert_int_equal(access(wal, F_OK), -1);
    free(wal);
    assert_int_equal(store_open(path, STORE_READ, &s, &err), 0);
    char *value = NULL;
    assert_int_equal(store_get_info(s, "k", &value, &err), 0);
    assert_string_equal(value, "v2");
    free(value);
    assert_int_equal(store_get_info(s, "none", &value, &err), 0);
    assert_null(value);
    assert_int_equal(store_put_info(s, "k", "v3", &err), -1);
    assert_int_equal(store_close(s, &err), 0);
}

/* The file of schema 1 that an earlier aor left is brought up to date, and nothing of it is lost.
 */
static void test_migration(void **state)
{
    (void)state;
    static const char v1[] =
        "PRAGMA application_id = 1095717458; PRAGMA user_version = 1;"
        "CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
        "INSERT INTO info VALUES ('prompt.sha256', 'abc');"
        "CREATE TABLE sample (id TEXT PRIMARY KEY, kind TEXT NOT NULL, scenario TEXT NOT NULL, "
        "category TEXT NOT NULL, text TEXT NOT NULL, alone TEXT NOT NULL, gender TEXT NOT NULL, "
        "emotion TEXT NOT NULL, rate TEXT NOT NULL, voice TEXT NOT NULL, engine TEXT NOT NULL, "
        "scene TEXT NOT NULL, snr_db REAL NOT NULL) WITHOUT ROWID;"
        "INSERT INTO sample VALUES ('x-1-f', 'scenario', 'x-1', 'x', 'it''s \"q\"; --', "
        "'alarming', "
        "'female', 'sad', 'slow', 'v', 'e', 's', 5);"
        "CREATE TABLE trial (id INTEGER PRIMARY KEY, sample TEXT NOT NULL REFERENCES sample (id), "
        "condition TEXT NOT NULL, strategy TEXT NOT NULL, UNIQUE (sample, condition, strategy));"
        "INSERT INTO trial VALUES (7, 'x-1-f', 'matched', 'direct'), "
        "(9, 'x-1-f', 'speech', 'direct');"
        "CREATE TABLE response (trial INTEGER PRIMARY KEY REFERENCES trial (id), is_error INTEGER "
        "NOT NULL CHECK (is_error IN (0, 1)), text TEXT NOT NULL, finish TEXT, n_prompt_tokens "
        "INTEGER NOT NULL, n_answer_tokens INTEGER NOT NULL, prefill_s REAL NOT NULL, decode_s "
        "REAL NOT NULL, stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')));"
        "INSERT INTO response VALUES (7, 0, 'an answer', 'stop', 1, 2, 0.5, 0.5, 'then');"
        "CREATE TABLE verdict (trial INTEGER NOT NULL REFERENCES trial (id), judge TEXT NOT NULL, "
        "verdict TEXT NOT NULL, detail TEXT, stored_at TEXT NOT NULL DEFAULT "
        "(strftime('%Y-%m-%dT%H:%M:%fZ')), PRIMARY KEY (trial, judge)) WITHOUT ROWID;"
        "INSERT INTO verdict VALUES (7, 'j', 'refusal', NULL, 'then');";
    struct err err = {0};
    unlink(path);
    char *command = xasprintf("sqlite3 '%s'", path);
    FILE *f = popen(command, "w");
    assert_non_null(f);
    fputs(v1, f);
    assert_int_equal(pclose(f), 0);
    free(command);
    for (int round = 0; round < 2; round++) { /* a reader, and again when it is done */
        struct store *s = NULL;
        assert_int_equal(store_open(path, STORE_READ, &s, &err), 0);
        int n = 0;
        assert_int_equal(store_each(s, "j", count_old_row, &n, &err), 0);
        assert_int_equal(n, 2);
        struct store_trial t;
        assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
        assert_true(t.id == 9 && t.repeat == 1);
        char *protocol;
        assert_int_equal(store_get_info(s, "model.protocol", &protocol, &err), 0);
        assert_string_equal(protocol, "none"); /* as aor run writes it for a local model */
        free(protocol);
        assert_int_equal(store_close(s, &err), 0);
    }
}

/* What a transaction did not commit is not there. */
static void test_rollback(void **state)
{
    (void)state;
    struct store *s = NULL;
    struct err err = {0};
    unlink(path);
    assert_int_equal(store_open(path, STORE_CREATE, &s, &err), 0);
    assert_int_equal(store_begin(s, &err), 0);
    assert_int_equal(store_put_info(s, "k", "v", &err), 0);
    store_close(s, NULL);
    assert_int_equal(store_open(path, STORE_WRITE, &s, &err), 0);
    char *value = NULL;
    assert_int_equal(store_get_info(s, "k", &value, &err), 0);
    assert_null(value);
    assert_int_equal(store_close(s, &err), 0);
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_migration),
        cmocka_unit_test(test_rollback),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
