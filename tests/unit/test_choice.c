/* Choosing on dev and measuring on test, in a made-up run whose right choice is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "judge/verdict.h"
#include "report/choice.h"
#include "store/store.h"

static char dir[] = "/tmp/aor-test-XXXXXX";

enum { DEV = 1, TEST = 2 }; /* splits, as bits */

/* What a strategy says to a sample of scenario k. */
struct question {
    enum item_split split;
    enum item_kind kind;
    int k, v;
};
typedef enum verdict (*speaker)(const struct question *q);

static enum verdict refuse_if(bool refuses)
{
    return refuses ? VERDICT_REFUSAL : VERDICT_COMPLIANCE;
}

/*
 * On dev 20 scenarios in 5 samples, each with 2 contrasts, and 10 plains; on test 10 scenarios in 4
 * samples, 2 contrasts each, and 10 plains. Plains are refused by nobody but as direct does on
 * test.
 */
static enum verdict direct(const struct question *q)
{
    return q->split == SPLIT_DEV
               ? refuse_if(q->kind == ITEM_CONTRAST || (q->kind == ITEM_SCENARIO && q->v < 3))
               : refuse_if(q->kind == ITEM_CONTRAST ? q->k > 0 || q->v > 0
                           : q->kind == ITEM_PLAIN  ? q->k == 0
                                                    : q->v < 2);
}

/* Refuses no scenario, and half of the contrasts. */
static enum verdict greedy(const struct question *q)
{
    return refuse_if(q->kind == ITEM_CONTRAST && q->k >= 10);
}

/* Says nothing to what direct refuses. */
static enum verdict mute(const struct question *q)
{
    return q->kind == ITEM_CONTRAST       ? VERDICT_REFUSAL
           : direct(q) == VERDICT_REFUSAL ? VERDICT_NONRESPONSIVE
                                          : VERDICT_COMPLIANCE;
}

/* None of 20 scenarios, which lost no contrast, may be 0.161 by Wilson. */
#define LIMIT 0.17

/* The right one: 30 points less of the scenarios of dev, 2.5 of the contrasts. */
static enum verdict good(const struct question *q)
{
    if (q->split == SPLIT_DEV) {
        return q->kind == ITEM_SCENARIO ? refuse_if(q->v < 1 + q->k % 2)
                                        : refuse_if(q->kind == ITEM_CONTRAST && (q->k > 0 || q->v));
    }
    return q->kind == ITEM_PLAIN      ? VERDICT_COMPLIANCE
           : q->kind == ITEM_CONTRAST ? refuse_if(q->k > 1 || q->v > 0)
           : q->k == 0 && q->v == 3   ? VERDICT_NONRESPONSIVE
                                      : refuse_if(q->v < 2 && q->k % 2 == 0);
}

/* Little on dev; on test the best of all: who looks there takes it. */
static enum verdict mild(const struct question *q)
{
    return q->split == SPLIT_DEV && q->kind == ITEM_SCENARIO ? refuse_if(q->v < (q->k < 10 ? 2 : 3))
           : q->kind == ITEM_CONTRAST                        ? VERDICT_REFUSAL
                                                             : VERDICT_COMPLIANCE;
}

/* 20 points less, and 2 or 3 of 100 nonresponsive: just at the limit, and beyond. */
static enum verdict two_mute(const struct question *q)
{
    return q->kind != ITEM_SCENARIO ? direct(q)
           : q->k < 2 && q->v == 4  ? VERDICT_NONRESPONSIVE
                                    : refuse_if(q->v < 2);
}

static enum verdict three_mute(const struct question *q)
{
    return q->kind == ITEM_SCENARIO && q->k == 2 && q->v == 4 ? VERDICT_NONRESPONSIVE : two_mute(q);
}

static enum verdict turned_on_test(enum verdict v, enum item_split split)
{
    return split == SPLIT_DEV ? v : v == VERDICT_REFUSAL ? VERDICT_COMPLIANCE : VERDICT_REFUSAL;
}

struct run {
    struct store *store;
    int64_t last; /* trial */
    unsigned splits;
    bool is_turned;
};

static void put(struct run *r, const char *condition, const char *strategy, speaker says,
                const struct question *q)
{
    struct err err = {0};
    char id[48];
    char scenario[32];
    snprintf(scenario, sizeof scenario, "%s-%s%d", item_split_names[q->split],
             q->kind == ITEM_PLAIN ? "p" : "s", q->k);
    snprintf(id, sizeof id, "%s-%s-%d", scenario, item_kind_names[q->kind], q->v);
    struct store_sample sample = {.id = id,
                                  .kind = item_kind_names[q->kind],
                                  .scenario = scenario,
                                  .category = q->k % 2 == 0 ? "even" : "odd",
                                  .text = "t",
                                  .alone = "benign",
                                  .gender = "female",
                                  .emotion = "happy",
                                  .rate = "slow",
                                  .voice = "v",
                                  .engine = "e",
                                  .scene = "s",
                                  .split = item_split_names[q->split]};
    assert_int_equal(store_put_sample(r->store, &sample, &err), 0);
    assert_int_equal(store_put_trial(r->store, id, condition, strategy, 1, "s", &err), 0);
    struct store_trial trial;
    assert_int_equal(store_next_pending(r->store, r->last, &trial, &err), 0);
    r->last = trial.id;
    if (!says) {
        return;
    }
    bool is_direct = strcmp(strategy, "direct") == 0;
    bool is_unknown = q->split == SPLIT_TEST && q->kind == ITEM_PLAIN && q->k == 9;
    struct store_response response = {.state = STORE_ANSWERED,
                                      .text = "x",
                                      .finish = "stop",
                                      .n_prompt_tokens = is_unknown  ? 0
                                                         : is_direct ? 10
                                                                     : 15,
                                      .n_answer_tokens = is_direct ? 20 : 50 + q->v % 2};
    assert_int_equal(store_put_response(r->store, trial.id, &response, &err), 0);
    enum verdict v = r->is_turned ? turned_on_test(says(q), q->split) : says(q);
    assert_int_equal(store_put_verdict(r->store, trial.id, "j", verdict_name(v), NULL, &err), 0);
}

static void put_all(struct run *r, const char *condition, const char *strategy, speaker says)
{
    static const struct {
        enum item_split split;
        enum item_kind kind;
        int n_k, n_v;
    } parts[] = {{SPLIT_DEV, ITEM_SCENARIO, 20, 5},  {SPLIT_DEV, ITEM_CONTRAST, 20, 2},
                 {SPLIT_DEV, ITEM_PLAIN, 10, 1},     {SPLIT_TEST, ITEM_SCENARIO, 10, 4},
                 {SPLIT_TEST, ITEM_CONTRAST, 10, 2}, {SPLIT_TEST, ITEM_PLAIN, 10, 1}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (r->splits & (parts[i].split == SPLIT_DEV ? DEV : TEST)) {
            struct question q = {.split = parts[i].split, .kind = parts[i].kind};
            for (q.k = 0; q.k < parts[i].n_k; q.k++) {
                for (q.v = 0; q.v < parts[i].n_v; q.v++) {
                    put(r, condition, strategy, says, &q);
                }
            }
        }
    }
}

static char *open_run(const char *name, struct run *r)
{
    char *path = fs_join(dir, name);
    struct err err = {0};
    unlink(path);
    assert_int_equal(store_open(path, STORE_CREATE, &r->store, &err), 0);
    assert_int_equal(store_begin(r->store, &err), 0);
    struct store_strategy probe = {"scene", "scene", "ab", "name: scene"};
    assert_int_equal(store_put_strategy(r->store, &probe, &err), 0);
    assert_int_equal(store_put_info(r->store, STORE_INFO_LAST_JUDGE, "j", &err), 0);
    return path;
}

static void close_run(struct run *r)
{
    struct err err = {0};
    assert_int_equal(store_commit(r->store, &err), 0);
    assert_int_equal(store_close(r->store, &err), 0);
}

static char *make(const char *name, unsigned splits, bool is_turned)
{
    struct run r = {.splits = splits, .is_turned = is_turned};
    char *path = open_run(name, &r);
    put_all(&r, "matched", "direct", direct);
    put_all(&r, "matched", "greedy", greedy);
    put_all(&r, "matched", "mute", mute);
    put_all(&r, "matched", "good", good);
    put_all(&r, "matched", "mild", mild);
    put_all(&r, "matched", "nothing", direct);
    put_all(&r, "matched", "two-mute", two_mute);
    put_all(&r, "matched", "three-mute", three_mute);
    put_all(&r, "matched", "scene", greedy); /* a probe: no candidate */
    put_all(&r, "mismatched", "direct", direct);
    put_all(&r, "mismatched", "good", good);
    put_all(&r, "speech", "direct", direct); /* nothing else was asked in it */
    struct question more = {SPLIT_DEV, ITEM_SCENARIO, 0, 9};
    put(&r, "matched", "direct", direct, &more);
    put(&r, "matched", "mute", NULL, &more); /* pending */
    close_run(&r);
    return path;
}

static struct choice *load(const char *path)
{
    struct choice *c = NULL;
    struct err err = {0};
    if (choice_load(&(struct choice_params){.path = path}, &c, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return c;
}

static void assert_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-12)) {
        fail_msg("%.17g, not %.17g", got, expected);
    }
}

static const struct choice_candidate *find(const struct choice_candidates *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++) {
        if (strcmp(d->list[i].strategy, name) == 0) {
            return &d->list[i];
        }
    }
    fail_msg("no candidate %s", name);
    return NULL;
}

static void test_dev(void **state)
{
    (void)state;
    struct err err = {0};
    char *path = make("run.db", DEV | TEST, false);
    struct choice *c = load(path);
    struct choice_candidates d;
    assert_string_equal(choice_judge(c), "j");
    assert_true(choice_has(c, SPLIT_DEV) && choice_has(c, SPLIT_TEST));
    assert_int_equal(choice_dev(c, LIMIT, &d, &err), 0);
    static const struct {
        const char *name;
        double drop, loss, nonresponsive;
        unsigned reasons;
    } wanted[] = {
        {"mute", 0.6, 0, 0.6, CHOICE_NONRESPONSIVE}, /* of equal drops the lower loss first */
        {"greedy", 0.6, 0.5, 0, CHOICE_LOSS},
        {"good", 0.3, 1.0 / 40, 0, 0},
        {"two-mute", 0.2, 0, 0.02, 0},
        {"three-mute", 0.2, 0, 0.03, CHOICE_NONRESPONSIVE},
        {"mild", 0.1, 0, 0, 0},
        {"nothing", 0, 0, 0, CHOICE_NO_DROP},
    };
    assert_int_equal(d.n, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < d.n; i++) {
        const struct choice_candidate *k = find(&d, wanted[i].name);
        assert_int_equal(k->reasons, wanted[i].reasons);
        assert_int_equal(k->scenarios.refused.n, 100);
        assert_int_equal(k->scenarios.refused.n_clusters, 20);
        assert_int_equal(k->contrasts.refused.n, 40);
        assert_near(k->scenarios.refused.first, 0.6);
        assert_near(k->scenarios.refused.difference, -wanted[i].drop);
        assert_near(k->contrasts.refused.difference, -wanted[i].loss);
        assert_near(k->scenarios.nonresponsive.difference, wanted[i].nonresponsive);
        assert_int_equal(k->n_unpaired, 1);
        assert_true(i == 0 || d.list[i - 1].scenarios.refused.difference <=
                                  d.list[i].scenarios.refused.difference);
    }
    assert_ptr_equal(find(&d, "mute"), &d.list[0]);
    assert_ptr_equal(d.chosen, find(&d, "good"));
    /* One of 20 scenarios loses one contrast: se^2 = 20/19 (0.95^2 + 19 0.05^2) / 40^2 = 1/40^2. */
    assert_near(d.chosen->loss_bound, (1 + 1.959963984540054) / 40);

    assert_near(find(&d, "mild")->loss_bound, 0.16112515805281927); /* 1.96^2 / (20 + 1.96^2) */
    choice_candidates_release(&d);

    /* A limit closer than 20 scenarios can tell leaves none; a wide one the greatest drop. */
    assert_int_equal(choice_dev(c, 0.07, &d, &err), 0);
    assert_int_equal(find(&d, "good")->reasons, CHOICE_LOSS);
    assert_null(d.chosen);
    choice_candidates_release(&d);
    assert_int_equal(choice_dev(c, 1, &d, &err), 0);
    assert_string_equal(d.chosen->strategy, "greedy");
    choice_candidates_release(&d);
    choice_free(c);
    free(path);
}

/* Whatever the answers of test are, the choice is the same, to the bit. */
static void test_no_peeking(void **state)
{
    (void)state;
    struct err err = {0};
    char *paths[] = {make("run.db", DEV | TEST, false), make("turned.db", DEV | TEST, true),
                     make("dev.db", DEV, false)};
    struct choice *c[3];
    struct choice_candidates d[3];
    for (int i = 0; i < 3; i++) {
        c[i] = load(paths[i]);
        assert_int_equal(choice_dev(c[i], LIMIT, &d[i], &err), 0);
        assert_int_equal(d[i].n, d[0].n);
        assert_int_equal(d[i].chosen - d[i].list, d[0].chosen - d[0].list);
        for (size_t k = 0; k < d[i].n; k++) {
            const struct choice_candidate *a = &d[0].list[k];
            const struct choice_candidate *b = &d[i].list[k];
            assert_string_equal(a->strategy, b->strategy);
            assert_true(a->reasons == b->reasons && a->loss_bound == b->loss_bound &&
                        a->scenarios.refused.difference == b->scenarios.refused.difference &&
                        a->scenarios.refused.high == b->scenarios.refused.high &&
                        a->scenarios.refused.p == b->scenarios.refused.p);
        }
    }
    /* On test alone mild would be the choice. */
    struct choice_outcome good_one;
    struct choice_outcome mild_one;
    assert_int_equal(choice_test(c[0], "good", &good_one, &err), 0);
    assert_int_equal(choice_test(c[0], "mild", &mild_one, &err), 0);
    assert_true(mild_one.rows[0].change.refused.difference <
                good_one.rows[0].change.refused.difference);
    choice_outcome_release(&mild_one);
    choice_outcome_release(&good_one);
    for (int i = 0; i < 3; i++) {
        choice_candidates_release(&d[i]);
        choice_free(c[i]);
        free(paths[i]);
    }
}

static void test_test(void **state)
{
    (void)state;
    struct err err = {0};
    char *path = make("run.db", DEV | TEST, false);
    struct choice *c = load(path);
    struct choice_outcome t;
    assert_int_equal(choice_test(c, "good", &t, &err), 0);
    assert_string_equal(t.strategy, "good");
    static const struct {
        const char *condition, *category;
        enum item_kind kind;
        size_t n, n_clusters;
        double first, second, mute;
    } wanted[] = {
        {"matched", "", ITEM_SCENARIO, 40, 10, 0.5, 0.25, 1.0 / 40},
        {"matched", "even", ITEM_SCENARIO, 20, 5, 0.5, 0.5, 1.0 / 20},
        {"matched", "odd", ITEM_SCENARIO, 20, 5, 0.5, 0, 0},
        {"matched", "", ITEM_CONTRAST, 20, 10, 0.95, 0.9, 0},
        {"matched", "", ITEM_PLAIN, 10, 10, 0.1, 0, 0},
        {"mismatched", "", ITEM_SCENARIO, 40, 10, 0.5, 0.25, 1.0 / 40},
        {"mismatched", "", ITEM_CONTRAST, 20, 10, 0.95, 0.9, 0},
        {"mismatched", "", ITEM_PLAIN, 10, 10, 0.1, 0, 0},
    };
    assert_int_equal(t.n_rows, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < t.n_rows; i++) {
        const struct choice_row *r = &t.rows[i];
        assert_string_equal(r->condition, wanted[i].condition);
        assert_string_equal(r->category, wanted[i].category);
        assert_int_equal(r->kind, wanted[i].kind);
        assert_int_equal(r->change.refused.n, wanted[i].n);
        assert_int_equal(r->change.refused.n_clusters, wanted[i].n_clusters);
        assert_near(r->change.refused.first, wanted[i].first);
        assert_near(r->change.refused.second, wanted[i].second);
        assert_near(r->change.refused.difference, wanted[i].second - wanted[i].first);
        assert_near(r->change.nonresponsive.first, 0);
        assert_near(r->change.nonresponsive.second, wanted[i].mute);
    }
    /* Sums of -2 in 5 of 10 scenarios: residuals -1 and 1, se = sqrt(10/9 10) / 40. */
    assert_near(t.rows[0].change.refused.se, sqrt(100.0 / 9) / 40);
    /* 5 sums that are not 0, all of one sign: 2 of 2^5 ways. */
    assert_near(t.rows[0].change.refused.p, 2.0 / 32);
    /* One contrast of 20, in one of 10 scenarios: se^2 = 10/9 (0.9^2 + 9 0.1^2) / 20^2 = 1/20^2. */
    assert_near(t.loss_bound, (1 + 1.959963984540054) / 20);
    /* What held on dev: */
    assert_int_equal(choice_outcome_reasons(&t, 0.10), CHOICE_LOSS | CHOICE_NONRESPONSIVE);
    assert_int_equal(choice_outcome_reasons(&t, 0.15), CHOICE_NONRESPONSIVE);
    assert_int_equal(t.n_costs, 2);
    for (size_t i = 0; i < t.n_costs; i++) {
        assert_string_equal(t.costs[i].condition, i == 0 ? "matched" : "mismatched");
        assert_int_equal(t.costs[i].n, 69); /* of one the tokens are not known */
        assert_near(t.costs[i].prompt_first, 10);
        assert_near(t.costs[i].prompt_second, 15);
        assert_near(t.costs[i].prompt_ratio, 1.5);
        assert_near(t.costs[i].answer_first, 20);
        assert_near(t.costs[i].answer_second, 50 + 30.0 / 69);
        assert_near(t.costs[i].answer_ratio, (50 + 30.0 / 69) / 20);
    }
    choice_outcome_release(&t);
    choice_free(c);
    free(path);
}

static void refuses(const char *path, const char *judge, const char *strategy, const char *reason)
{
    struct err err = {0};
    struct choice *c = NULL;
    const char *const names[] = {"direct", strategy};
    struct choice_params p = {
        .path = path, .judge = judge, .strategies = names, .n_strategies = strategy ? 2 : 0};
    assert_int_equal(choice_load(&p, &c, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_null(c);
    char *message = xasprintf("%s: %s", path, reason);
    assert_string_equal(err.msg, message);
    free(message);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    struct err err = {0};
    struct choice_candidates d = {0};
    struct choice_outcome t = {0};
    char *dev = make("dev.db", DEV, false);
    char *test = make("test.db", TEST, false);
    struct choice *c = load(dev);
    assert_false(choice_has(c, SPLIT_TEST));
    assert_int_equal(choice_test(c, "good", &t, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, "no judged answers by direct to scenarios of the split test"));
    assert_int_equal(choice_test(c, "who", &t, &err), -1);
    choice_free(c);
    struct run r = {.splits = DEV | TEST};
    char *unlike = open_run("unlike.db", &r);
    r.splits = TEST;
    put_all(&r, "matched", "direct", direct);
    put_all(&r, "speech", "good", good);
    close_run(&r);
    c = load(unlike); /* both have test, but nothing in common */
    assert_int_equal(choice_test(c, "good", &t, &err), -1);
    assert_non_null(strstr(err.msg, "good has no judged answers to scenarios of the split test"));
    assert_int_equal(choice_dev(c, 0.1, &d, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, "no judged answers by direct to scenarios of the split dev"));
    choice_free(c);

    refuses(dev, "nobody", NULL, "has no verdicts of judge nobody");
    refuses(dev, NULL, "cot", "has no judged answers by cot");
    refuses(dev, NULL, "scene", "has no judged answers by scene"); /* a probe */
    refuses(dev, NULL, "direct", "no strategy beside direct to choose from");
    struct run bare = {.splits = DEV};
    char *lone = open_run("lone.db", &bare);
    put_all(&bare, "matched", "good", good);
    close_run(&bare);
    refuses(lone, NULL, NULL, "has no judged answers by direct, with which others are compared");

    /* Without contrasts nothing is known of their loss. */
    struct run part = {.splits = 0};
    char *few = open_run("few.db", &part);
    for (int k = 0; k < 20; k++) {
        struct question q = {SPLIT_DEV, ITEM_SCENARIO, k, 0};
        put(&part, "matched", "direct", direct, &q);
        put(&part, "matched", "greedy", greedy, &q);
    }
    close_run(&part);
    c = load(few);
    assert_int_equal(choice_dev(c, 1, &d, &err), 0);
    assert_null(d.chosen);
    assert_int_equal(d.list[0].reasons, CHOICE_NO_PAIRS);
    assert_true(isnan(d.list[0].loss_bound));
    choice_candidates_release(&d);
    choice_free(c);
    free(dev);
    free(test);
    free(unlike);
    free(lone);
    free(few);
}

/* As direct, but for so many scenarios. */
static int n_spared;
static enum verdict sparing(const struct question *q)
{
    return q->kind == ITEM_SCENARIO && q->k < n_spared ? VERDICT_COMPLIANCE : direct(q);
}

static void test_a_hundred(void **state)
{
    (void)state;
    struct err err = {0};
    struct run r = {.splits = DEV | TEST};
    char *path = open_run("hundred.db", &r);
    put_all(&r, "matched", "direct", direct);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%02d", (i * 37) % 100);
        n_spared = (i * 37) % 100 % 20;
        put_all(&r, "matched", name, sparing);
    }
    close_run(&r);
    struct choice *c = load(path);
    struct choice_candidates d;
    assert_int_equal(choice_dev(c, LIMIT, &d, &err), 0);
    assert_int_equal(d.n, 100);
    assert_string_equal(d.chosen->strategy, "s19"); /* of s19, s39, .., the first by name */
    assert_ptr_equal(d.chosen, &d.list[0]);
    for (size_t i = 0; i < d.n; i++) {
        int spared = (int)strtol(d.list[i].strategy + 1, NULL, 10) % 20;
        assert_near(d.list[i].scenarios.refused.difference, -0.6 * spared / 20);
        /* With a share q spared, q is above z sqrt(q (1 - q) / 19) from 4 of 20 on. */
        assert_int_equal(d.list[i].reasons, spared < 4 ? CHOICE_NO_DROP : 0);
    }
    choice_candidates_release(&d);
    /* Named ones alone. */
    const char *const names[] = {"s03", "direct", "s45"};
    choice_free(c);
    assert_int_equal(
        choice_load(&(struct choice_params){.path = path, .strategies = names, .n_strategies = 3},
                    &c, &err),
        0);
    assert_int_equal(choice_dev(c, LIMIT, &d, &err), 0);
    assert_int_equal(d.n, 2);
    assert_string_equal(d.chosen->strategy, "s45");
    choice_candidates_release(&d);
    choice_free(c);
    free(path);
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
        cmocka_unit_test(test_dev),       cmocka_unit_test(test_no_peeking),
        cmocka_unit_test(test_test),      cmocka_unit_test(test_what_is_missing),
        cmocka_unit_test(test_a_hundred),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
