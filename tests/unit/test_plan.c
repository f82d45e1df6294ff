/* Which trials a run has, over the shipped benchmark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/plan.h"

#define ALL_CONDITIONS 0x3Fu

static const char *const paths[] = {
    TEST_DATA_DIR "/prompts/direct.yaml", TEST_DATA_DIR "/prompts/scene.yaml",
    TEST_DATA_DIR "/prompts/steered.yaml", TEST_DATA_DIR "/prompts/transcribe.yaml"};

struct counts {
    const struct plan *plan;
    long n, of[6][4];
    bool steered_began;
    size_t hint;
};

static int count(const struct sample *s, enum condition c, size_t prompt, int repeat, void *user,
                 struct err *err)
{
    (void)err;
    struct counts *k = user;
    struct plan_trial t;
    k->n++;
    k->of[c][prompt]++;
    k->steered_began = k->steered_began || k->plan->prompts[prompt].is_steered;
    assert_int_equal(k->steered_began, k->plan->prompts[prompt].is_steered); /* after all others */
    assert_true(plan_find(k->plan, s->id, condition_names[c], k->plan->prompts[prompt].name, repeat,
                          &k->hint, &t));
    assert_true(&k->plan->bench->samples[t.sample] == s && t.condition == c && t.prompt == prompt &&
                t.repeat == repeat);
    return 0;
}

static void test_trials(void **state)
{
    const struct bench *b = *state;
    struct plan p;
    struct err err = {0};
    char test[] = "test";
    char *only[] = {test};
    struct bench_selection select = {.only = only, .n_only = 1};
    assert_int_equal(plan_init(b, &select, ALL_CONDITIONS, paths, 4, 2, &p, &err), 0);
    struct counts k = {.plan = &p};
    assert_int_equal(plan_each(&p, count, &k, &err), 0);
    /* Half of the items; scene is asked where there is one, probes never without sound. */
    long n = (long)b->n_samples / 2 * 2;
    static const bool has[6][4] = {
        [CONDITION_MATCHED] = {true, true, true, true},
        [CONDITION_SPEECH] = {true, false, true, true},
        [CONDITION_NOISE] = {true, false, true, true},
        [CONDITION_MISMATCHED] = {true, true, true, true},
        [CONDITION_TEXT] = {true, false, true, false},
        [CONDITION_TEXT_SCENE] = {true, false, true, false},
    };
    for (int c = 0; c < 6; c++) {
        for (int q = 0; q < 4; q++) {
            assert_int_equal(k.of[c][q], has[c][q] ? n : 0);
        }
    }
    assert_true(plan_needs_audio(&p) && plan_needs_direction(&p));
    assert_true(p.prompts[2].is_steered && !p.prompts[0].is_steered);
    size_t hint = 0;
    struct plan_trial t;
    const char *id = b->samples[0].id;
    assert_false(plan_find(&p, "nobody", "matched", "direct", 1, &hint, &t));
    assert_false(plan_find(&p, id, "matched", "cot", 1, &hint, &t));
    assert_false(plan_find(&p, id, "loud", "direct", 1, &hint, &t));
    assert_false(plan_find(&p, id, "matched", "direct", 3, &hint, &t));
    plan_release(&p);
}

static void test_mistakes(void **state)
{
    const struct bench *b = *state;
    struct plan p;
    struct err err = {0};
    struct bench_selection all = {0};
    const char *twice[] = {paths[0], paths[0]};
    assert_int_equal(plan_init(b, &all, 1u << CONDITION_MATCHED, twice, 2, 1, &p, &err), -1);
    assert_non_null(strstr(err.msg, "two prompts are named direct"));
    assert_int_equal(plan_init(b, &all, 1u << CONDITION_TEXT, &paths[1], 1, 1, &p, &err), -1);
    assert_non_null(strstr(err.msg, "condition text: no sample and prompt"));
    assert_int_equal(plan_init(b, &all, 1u << CONDITION_TEXT, paths, 2, 1, &p, &err), -1);
    assert_non_null(strstr(err.msg, "prompt scene: cannot be asked"));
    assert_int_equal(plan_init(b, &all, 1u << CONDITION_TEXT, paths, 0, 1, &p, &err), -1);
    const char *nowhere[] = {TEST_DATA_DIR "/prompts/nowhere.yaml"};
    assert_int_equal(plan_init(b, &all, 1u << CONDITION_TEXT, nowhere, 1, 1, &p, &err), -1);
    assert_non_null(strstr(err.msg, "nowhere.yaml"));
    char nobody[] = "nobody";
    char *only[] = {nobody};
    struct bench_selection select = {.only = only, .n_only = 1};
    assert_int_equal(plan_init(b, &select, 1u << CONDITION_TEXT, paths, 1, 1, &p, &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
}

/* Note in of_item the shard of its items, and count its samples. */
static void take(const struct bench *b, const struct bench_selection *select, int n_prompts,
                 int shard, int n_shards, int *of_item, long *ret_n_samples)
{
    struct plan p;
    struct err err = {0};
    assert_int_equal(plan_init(b, select, ALL_CONDITIONS, paths, (size_t)n_prompts, 1, &p, &err),
                     0);
    plan_take_shard(&p, shard, n_shards);
    assert_true(p.shard == shard && p.n_shards == n_shards);
    *ret_n_samples = 0;
    for (size_t i = 0; i < b->n_samples; i++) {
        *ret_n_samples += plan_has_sample(&p, &b->samples[i]);
    }
    for (size_t i = 0; i < b->items.n_items; i++) {
        if (p.is_chosen[i]) {
            assert_int_equal(of_item[i], 0); /* in one shard only */
            of_item[i] = shard;
        }
    }
    plan_release(&p);
}

/* Every item is in one shard, and in the same one whatever else is asked; twins are together. */
static void test_shards(void **state)
{
    const struct bench *b = *state;
    struct bench_selection all = {0};
    char test[] = "test";
    char *only[] = {test};
    struct bench_selection part = {.only = only, .n_only = 1};
    static const int counts[] = {1, 2, 3, 4, 7, 8, 16, 32, 64, 400};
    size_t n_items = b->items.n_items;
    int *of_item = xcalloc(n_items, sizeof *of_item);
    int *of_part = xcalloc(n_items, sizeof *of_part);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int n = counts[i];
        long least = LONG_MAX, most = 0, sum = 0, ignored;
        memset(of_item, 0, n_items * sizeof *of_item);
        memset(of_part, 0, n_items * sizeof *of_part);
        for (int k = 1; k <= n; k++) {
            long n_samples;
            take(b, &all, 1, k, n, of_item, &n_samples);
            take(b, &part, 4, k, n, of_part, &ignored);
            least = n_samples < least ? n_samples : least;
            most = n_samples > most ? n_samples : most;
            sum += n_samples;
        }
        assert_int_equal(sum, b->n_samples);
        for (size_t t = 0; t < n_items; t++) {
            const struct item *item = &b->items.items[t];
            assert_in_range(of_item[t], 1, n);
            assert_int_equal(of_part[t], item->split == SPLIT_TEST ? of_item[t] : 0);
            if (item->twin) {
                assert_int_equal(of_item[t],
                                 of_item[item_find(&b->items, item->twin) - b->items.items]);
            }
        }
        /* Shards differ by less than the smallest family, two pairs of voices: for 8 by 0.8%. */
        printf("%d shards: %ld to %ld samples\n", n, least, most);
        assert_true(n > 64 || most - least <= 4);
    }
    free(of_part);
    free(of_item);
}

/* A shard that none of the chosen items is in has no trials, and is none the less one. */
static void test_empty_shard(void **state)
{
    const struct bench *b = *state;
    char one[] = "gaming-001";
    char *only[] = {one};
    struct bench_selection select = {.only = only, .n_only = 1};
    int *of_item = xcalloc(b->items.n_items, sizeof *of_item);
    long n_with = 0, n_samples;
    for (int k = 1; k <= 5; k++) {
        take(b, &select, 1, k, 5, of_item, &n_samples);
        n_with += n_samples > 0;
    }
    assert_int_equal(n_with, 1);
    free(of_item);
}

static int load(void **state)
{
    static struct bench b;
    struct err err = {0};
    *state = &b;
    return bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &b, &err);
}

static int release(void **state)
{
    bench_release(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_empty_shard),
    };
    return cmocka_run_group_tests(tests, load, release);
}
