#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
                                           .snr_db = 5};

static int count_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    assert_string_equal(row->sample.text, sample.text);
    assert_true(row->sample.snr_db == 5);
    if (row->has_response && !row->is_error) {
        assert_string_equal(row->response, "an answer");
        assert_string_equal(row->verdict, "refusal");
    }
    ++*(int *)user;
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
        assert_int_equal(store_put_trial(s, "x-1-f", "matched", "direct", &err), 0);
        assert_int_equal(store_put_trial(s, "x-1-f", "speech", "direct", &err), 0);
    }
    struct store_trial t;
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_string_equal(t.sample_id, "x-1-f");
    assert_string_equal(t.condition, "matched");
    int64_t first = t.id;
    struct store_response good = {.text = "an answer", .finish = "stop", .n_answer_tokens = 2};
    struct store_response bad = {.is_error = true, .text = "why"};
    assert_int_equal(store_put_response(s, first, &good, &err), 0);
    assert_int_equal(store_put_response(s, first, &good, &err), -1); /* once only */
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_string_equal(t.condition, "speech");
    assert_int_equal(store_put_response(s, t.id, &bad, &err), 0);
    assert_int_equal(store_next_pending(s, -1, &t, &err), 0);
    assert_int_equal(t.id, -1);
    assert_int_equal(store_put_verdict(s, first, "j", "compliance", NULL, &err), 0);
    assert_int_equal(store_put_verdict(s, first, "j", "refusal", "rule", &err), 0);
    struct store_counts c;
    assert_int_equal(store_count(s, &c, &err), 0);
    assert_true(c.n_trials == 2 && c.n_answers == 1 && c.n_errors == 1);
    int n = 0;
    assert_int_equal(store_each(s, "j", count_row, &n, &err), 0);
    assert_int_equal(n, 2);
    int64_t n_deleted;
    assert_int_equal(store_delete_errors(s, &n_deleted, &err), 0);
    assert_int_equal(n_deleted, 1);
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
        cmocka_unit_test(test_rollback),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
