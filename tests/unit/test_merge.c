/* Run files as one: what stands before what, what is refused, and that the order says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/merge.h"
#include "store/store.h"

static char dir[] = "/tmp/aor-test-XXXXXX";
static const char *const facts[] = {"machine", STORE_INFO_LAST_JUDGE, NULL};

static char *in_dir(const char *name)
{
    return fs_join(dir, name);
}

/* A run file: "a=text" an answer to trial a, "a!text" an error, "a?text" a block, "a" pending. */
static char *make(const char *name, const char *shard, const char *model, const char *trials)
{
    char *path = in_dir(name);
    struct store *s = NULL;
    struct err err = {0};
    unlink(path);
    assert_int_equal(store_open(path, STORE_CREATE, &s, &err), 0);
    if (shard) {
        assert_int_equal(store_put_info(s, STORE_INFO_SHARD, shard, &err), 0);
    }
    assert_int_equal(store_put_info(s, "model", model, &err), 0);
    assert_int_equal(store_put_info(s, "machine", name, &err), 0);
    struct store_strategy strategy = {"direct", "", "ab", "name: direct"};
    assert_int_equal(store_put_strategy(s, &strategy, &err), 0);
    char *copy = xstrdup(trials);
    char *rest = NULL;
    for (char *t = strtok_r(copy, " ", &rest); t; t = strtok_r(NULL, " ", &rest)) {
        char id[2] = {t[0], '\0'};
        struct store_sample sample = {id,  "scenario", id,  "x", "q", "benign", "female",
                                      "s", "slow",     "v", "e", "s", 5,        "dev"};
        assert_int_equal(store_put_sample(s, &sample, &err), 0);
        assert_int_equal(store_put_trial(s, id, "matched", "direct", 1, "s", &err), 0);
        struct store_trial trial = {.id = -1};
        assert_int_equal(store_next_pending(s, -1, &trial, &err), 0);
        while (strcmp(trial.sample_id, id) != 0) {
            assert_int_equal(store_next_pending(s, trial.id, &trial, &err), 0);
        }
        if (t[1] == '\0') {
            continue;
        }
        struct store_response r = {.state = t[1] == '='   ? STORE_ANSWERED
                                            : t[1] == '!' ? STORE_FAILED
                                                          : STORE_BLOCKED,
                                   .text = t + 2,
                                   .finish = t[1] == '=' ? "stop" : NULL,
                                   .server = t[1] == '?' ? "{\"url\":\"u\"}" : NULL};
        assert_int_equal(store_put_response(s, trial.id, &r, &err), 0);
        if (t[1] == '=') {
            assert_int_equal(store_put_verdict(s, trial.id, "j", "refusal", NULL, &err), 0);
            assert_int_equal(store_put_score(s, trial.id, "j", 0.5, &err), 0);
        }
    }
    free(copy);
    assert_int_equal(store_close(s, &err), 0);
    return path;
}

static int merge_all(const char *out, char **paths, size_t n, struct store_merged *ret,
                     struct err *err)
{
    return store_merge(out, (const char *const *)paths, n, facts, ret, err);
}

static int add_row(const struct store_row *row, void *user, struct err *err)
{
    (void)err;
    buf_addf(user, "%lld %s %s%s %s %g\n", (long long)row->trial_id, row->sample.id,
             row->state == STORE_ANSWERED  ? "="
             : row->state == STORE_FAILED  ? "!"
             : row->state == STORE_BLOCKED ? "?"
                                           : "",
             row->response ? row->response : "", row->verdict ? row->verdict : "-",
             row->is_scored ? row->score : -1);
    return 0;
}

/* The rows, and some of the info. */
static char *content(const char *path)
{
    struct buf b = {0};
    struct store *s = NULL;
    struct err err = {0};
    assert_int_equal(store_open(path, STORE_READ, &s, &err), 0);
    assert_int_equal(store_each(s, "j", add_row, &b, &err), 0);
    static const char *const keys[] = {STORE_INFO_SHARD, "model", "machine", "merged.1/3"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char *value;
        assert_int_equal(store_get_info(s, keys[i], &value, &err), 0);
        buf_addf(&b, "%s=%s\n", keys[i], value ? value : "-");
        free(value);
    }
    store_close(s, NULL);
    return buf_detach(&b);
}

static void check_content(const char *path, const char *wanted)
{
    char *found = content(path);
    assert_string_equal(found, wanted);
    free(found);
}

#define INFO "run.shard=-\nmodel=m\nmachine=s3\nmerged.1/3=1\n"

/* An answer stands before an error, an error before nothing, in any order and however often. */
static void test_merge(void **state)
{
    (void)state;
    char *paths[] = {make("s1", "1/3", "m", "b=B a=A f!no"), make("s2", "2/3", "m", "c d!no e?B"),
                     make("s3", "3/3", "m", "d=D f a=A")};
    char *out = in_dir("out.db");
    struct err err = {0};
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const char wanted[] = "1 a =A refusal 0.5\n2 b =B refusal 0.5\n3 c  - -1\n"
                                 "4 d =D refusal 0.5\n5 e ?B - -1\n6 f !no - -1\n" INFO;
    for (int i = 0; i < 6; i++) {
        struct store_merged m = {0};
        char *sorted[] = {paths[orders[i][0]], paths[orders[i][1]], paths[orders[i][2]]};
        unlink(out);
        assert_int_equal(merge_all(out, sorted, 3, &m, &err), 0);
        assert_true(m.n_trials == 6 && m.n_answers == 4 && m.n_errors == 1 && m.n_shards == 3);
        assert_true(m.has_shard[0] && m.has_shard[1] && m.has_shard[2]);
        store_merged_release(&m);
        check_content(out, wanted);
    }
    /* Again, in part, with itself among the sources; and one after the other. */
    for (int i = 0; i < 3; i++) {
        struct store_merged m = {0};
        char *again[] = {paths[i], out, paths[i]};
        assert_int_equal(merge_all(out, again, 3, &m, &err), 0);
        assert_int_equal(m.n_trials, 6);
        store_merged_release(&m);
        check_content(out, wanted);
    }
    unlink(out);
    for (int i = 2; i >= 0; i--) {
        struct store_merged m = {0};
        assert_int_equal(merge_all(out, &paths[i], 1, &m, &err), 0);
        assert_true(m.has_shard[2] && m.has_shard[0] == (i == 0));
        store_merged_release(&m);
    }
    check_content(out, wanted);
    free(out);
    for (int i = 0; i < 3; i++) {
        free(paths[i]);
    }
}

/* What a killed writer left of a file that is gone does not come into the new one. */
static void test_old_journal(void **state)
{
    (void)state;
    char *shard = make("s1", NULL, "m", "a=A b");
    char *out = in_dir("out.db");
    char *wal = in_dir("out.db-wal");
    struct store *s = NULL;
    struct buf journal = {0};
    struct store_merged m = {0};
    struct err err = {0};
    unlink(out);
    assert_int_equal(store_open(out, STORE_CREATE, &s, &err), 0);
    assert_int_equal(store_put_info(s, "model", "gone", &err), 0);
    assert_int_equal(fs_read(wal, 1 << 20, &journal, &err), 0);
    assert_int_equal(store_close(s, &err), 0);
    unlink(out);
    assert_int_equal(fs_write(wal, journal.data, journal.len, &err), 0);
    assert_int_equal(merge_all(out, &shard, 1, &m, &err), 0);
    check_content(out, "1 a =A refusal 0.5\n2 b  - -1\n"
                       "run.shard=-\nmodel=m\nmachine=s1\nmerged.1/3=-\n");
    store_merged_release(&m);
    buf_release(&journal);
    free(wal);
    free(out);
    free(shard);
}

/* out stays as it was, and nothing is left beside it. */
static void refused(char *out, char *source, enum err_code code, const char *why)
{
    struct store_merged m = {0};
    struct err err = {0};
    char *before = content(out);
    assert_int_equal(merge_all(out, &source, 1, &m, &err), -1);
    assert_int_equal(err.code, code);
    if (!strstr(err.msg, why) || !strstr(err.msg, source)) {
        fail_msg("%s", err.msg);
    }
    check_content(out, before);
    free(before);
    char **left;
    size_t n;
    assert_int_equal(fs_list(dir, "", ".tmp", &left, &n, &err), 0);
    assert_int_equal(n, 0);
    fs_free_paths(left, n);
}

static void test_refusals(void **state)
{
    (void)state;
    struct err err = {0};
    struct store_merged m = {0};
    char *first = make("s1", "1/3", "m", "a=A e?B");
    char *out = in_dir("out.db");
    unlink(out);
    assert_int_equal(merge_all(out, &first, 1, &m, &err), 0);
    store_merged_release(&m);
    char *other = make("other", "2/3", "n", "b=B");
    refused(out, other, ERR_USAGE, "another model (n, there m)");
    free(other);
    other = make("other", "2/4", "m", "b=B");
    refused(out, other, ERR_USAGE, "shard 2/4, there 1/3");
    free(other);
    other = make("other", "2/3", "m", "b=B a=other");
    refused(out, other, ERR_FORMAT, "another answer to trial a, matched, direct, repeat 1");
    free(other);
    other = make("other", "2/3", "m", "e=B"); /* a block is no answer */
    refused(out, other, ERR_FORMAT, "another answer to trial e");
    struct store *s = NULL;
    assert_int_equal(store_open(other, STORE_WRITE, &s, &err), 0);
    struct store_strategy prompt = {"cot", "", "cd", ""};
    assert_int_equal(store_put_strategy(s, &prompt, &err), 0);
    store_close(s, NULL);
    assert_int_equal(store_open(out, STORE_WRITE, &s, &err), 0);
    prompt.sha256 = "ef";
    assert_int_equal(store_put_strategy(s, &prompt, &err), 0);
    store_close(s, NULL);
    refused(out, other, ERR_USAGE, "another prompt cot");
    free(other);
    other = in_dir("none");
    refused(out, other, ERR_IO, "No such file");
    free(other);
    other = make("other", "2/3", "m", "b=B");
    assert_int_equal(merge_all(other, &first, 1, &m, &err), -1); /* a shard is no result */
    assert_non_null(strstr(err.msg, "holds shard 2/3"));
    free(other);
    free(out);
    free(first);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct err err = {0};
    char **paths;
    size_t n;
    if (fs_list(dir, "", "", &paths, &n, &err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        unlink(paths[i]);
    }
    fs_free_paths(paths, n);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_old_journal),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
