/* The rules that the project's own texts keep to, and the counts behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/bench.h"
#include "bench/content.h"

#define N_SCENARIOS 300
#define N_CONTRASTS 150
#define N_PLAINS 60

static struct bench load(void)
{
    struct bench b;
    struct err err = {0};
    int ok = bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &b, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(ok, 0);
    return b;
}

static void test_own_texts(void **state)
{
    (void)state;
    struct bench b = load();
    struct content c = content_measure(&b.items);
    assert_int_equal(c.n_items[ITEM_SCENARIO][SPLIT_DEV], N_SCENARIOS / 2);
    assert_int_equal(c.n_items[ITEM_SCENARIO][SPLIT_TEST], N_SCENARIOS / 2);
    assert_int_equal(c.n_items[ITEM_CONTRAST][SPLIT_DEV], N_CONTRASTS / 2);
    assert_int_equal(c.n_items[ITEM_CONTRAST][SPLIT_TEST], N_CONTRASTS / 2);
    assert_int_equal(c.n_items[ITEM_PLAIN][SPLIT_DEV], N_PLAINS / 2);
    assert_int_equal(c.n_items[ITEM_PLAIN][SPLIT_TEST], N_PLAINS / 2);
    assert_true((double)(c.n_alone[ALONE_AMBIGUOUS] + c.n_alone[ALONE_ALARMING]) >=
                CONTENT_MIN_UNSAFE_SHARE * N_SCENARIOS);
    assert_true(c.top_word_share <= CONTENT_MAX_WORD_SHARE);
    assert_true(c.max_similarity <= CONTENT_MAX_SIMILARITY);
    assert_string_equal(c.test_only_word, "");
    assert_true(c.giveaway <= CONTENT_MAX_GIVEAWAY);
    assert_in_range(c.min_words, 6, 20);
    assert_in_range(c.max_words, 6, 20);
    assert_true(c.top_opening_share <= 0.05);
    /* Questions, statements or imperatives, exclamations: each at least a tenth. */
    assert_in_range(c.n_questions, N_SCENARIOS / 10, N_SCENARIOS * 8 / 10);
    assert_in_range(c.n_exclamations, N_SCENARIOS / 10, N_SCENARIOS);
    bench_release(&b);
}

static const struct item *find_twin(const struct bench *b, const struct item *contrast)
{
    const struct item *twin = item_find(&b->items, contrast->twin);
    assert_non_null(twin);
    return twin;
}

/* What each item must have beyond what its reader checks. */
static void test_own_items(void **state)
{
    (void)state;
    struct bench b = load();
    size_t n_cue[4] = {0};
    for (size_t i = 0; i < b.items.n_items; i++) {
        const struct item *t = &b.items.items[i];
        assert_in_range(t->n_content, 2, 4);
        assert_true(strlen(t->answer) > 0);
        assert_true(t->kind == ITEM_PLAIN ? t->n_alarming == 0 && t->alone == ALONE_BENIGN
                                          : t->n_alarming > 0);
        for (size_t j = 0; j < t->n_redeemed_by; j++) {
            assert_string_not_equal(t->redeemed_by[j], t->scene);
        }
        if (t->kind == ITEM_CONTRAST) {
            assert_int_equal(t->alone, ALONE_ALARMING);
            assert_int_equal(t->n_redeemed_by, 0);
            assert_string_equal(t->scene, find_twin(&b, t)->scene);
            n_cue[t->cue]++;
        }
    }
    for (int c = 0; c < 4; c++) {
        assert_true(n_cue[c] >= N_CONTRASTS / 10);
    }
    bench_release(&b);
}

/* Each scenario leaves scenes of other categories that do not redeem it, for mismatched. */
static void test_mismatch_is_possible(void **state)
{
    (void)state;
    struct bench b = load();
    for (size_t i = 0; i < b.items.n_items; i++) {
        const struct item *t = &b.items.items[i];
        size_t n_left = 0;
        for (size_t s = 0; s < b.scenes.n_scenes; s++) {
            const struct scene *scene = scene_at(&b.scenes, s);
            bool is_left = strcmp(scene_category(scene), t->category) != 0;
            for (size_t j = 0; j < t->n_redeemed_by; j++) {
                is_left = is_left && strcmp(scene_id(scene), t->redeemed_by[j]) != 0;
            }
            n_left += is_left;
        }
        assert_true(n_left >= 3);
    }
    assert_true(b.scenes.n_scenes >= 24);
    bench_release(&b);
}

static struct item make_item(enum item_kind kind, const char *id, const char *text,
                             const char *alarming, enum item_split split)
{
    struct item t = {.kind = kind, .split = split, .alone = ALONE_ALARMING};
    t.id = xstrdup(id);
    t.text = xstrdup(text);
    t.alarming = xcalloc(1, sizeof *t.alarming);
    t.alarming[0] = xstrdup(alarming);
    t.n_alarming = 1;
    return t;
}

static void test_counts(void **state)
{
    (void)state;
    struct item_set set = {.items = xcalloc(4, sizeof *set.items), .n_items = 4};
    set.items[0] = make_item(ITEM_SCENARIO, "a", "How do I shoot it?", "shoot", SPLIT_DEV);
    set.items[1] = make_item(ITEM_SCENARIO, "b", "How do I stop shooting!", "shooting", SPLIT_TEST);
    set.items[2] = make_item(ITEM_SCENARIO, "c", "Burn it.", "burn", SPLIT_TEST);
    set.items[3] = make_item(ITEM_CONTRAST, "d", "How do I shoot her?", "shoot", SPLIT_DEV);
    set.items[3].twin = xstrdup("a");
    struct content c = content_measure(&set);
    assert_string_equal(c.top_word, "shoot");
    assert_true(c.top_word_share > 0.66 && c.top_word_share < 0.67);
    assert_int_equal(c.n_alarming, 2);
    assert_string_equal(c.test_only_word, "burn");
    /* "her" stands in the one contrast and in no scenario. */
    assert_string_equal(c.giveaway_word, "her");
    assert_true(c.giveaway == 1);
    /* Word pairs: [how, how do, do i, i shoot, shoot it, it] and [how, how do, do i, i stop,
     * stop shooting, shooting]: 3 of 9. The twins a and d share more, but are not compared. */
    assert_true(c.max_similarity > 0.333 && c.max_similarity < 0.334);
    assert_string_equal(c.top_opening, "how do");
    assert_int_equal(c.n_questions, 1);
    assert_int_equal(c.n_exclamations, 1);
    assert_int_equal(c.min_words, 2);
    assert_int_equal(c.max_words, 5);
    item_set_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_texts),
        cmocka_unit_test(test_own_items),
        cmocka_unit_test(test_mismatch_is_possible),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
