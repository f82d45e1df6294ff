/* Which scenes the shipped data's items are put in under the condition mismatched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/mismatch.h"
#include "bench/render.h"

static struct bench bench;

static void test_scenes_do_not_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < bench.n_samples; i++) {
        const struct sample *s = &bench.samples[i];
        assert_non_null(s->other_scene);
        assert_string_not_equal(scene_category(s->other_scene), s->item->category);
        for (size_t k = 0; k < s->item->n_redeemed_by; k++) {
            assert_string_not_equal(scene_id(s->other_scene), s->item->redeemed_by[k]);
        }
        assert_ptr_equal(render_scene_of(s, CONDITION_MATCHED), s->scene);
        assert_ptr_equal(render_scene_of(s, CONDITION_TEXT_SCENE), s->scene);
        assert_ptr_equal(render_scene_of(s, CONDITION_MISMATCHED), s->other_scene);
        assert_null(render_scene_of(s, CONDITION_SPEECH));
        assert_null(render_scene_of(s, CONDITION_NOISE));
        assert_null(render_scene_of(s, CONDITION_TEXT));
    }
}

/* The voices of a pair share it; the pairs of an item have different ones. */
static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < bench.n_samples; i += 2) {
        const struct sample *f = &bench.samples[i], *m = &bench.samples[i + 1];
        assert_ptr_equal(f->other_scene, m->other_scene);
        assert_true(f->other_take_seed == m->other_take_seed);
        for (size_t k = i; k >= 2 && bench.samples[k - 2].item == f->item; k -= 2) {
            assert_ptr_not_equal(bench.samples[k - 2].other_scene, f->other_scene);
        }
    }
}

/* A take of the number that the scene's own samples know it by. */
static void test_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < bench.n_samples; i += 2) {
        const struct sample *s = &bench.samples[i];
        size_t k = 0;
        while (k < bench.n_samples &&
               (bench.samples[k].scene != s->other_scene || bench.samples[k].take != s->take)) {
            k++;
        }
        assert_true(k < bench.n_samples && bench.samples[k].take_seed == s->other_take_seed);
    }
}

struct range {
    unsigned min, max;
};

static struct range add(struct range r, unsigned n)
{
    return (struct range){n < r.min ? n : r.min, n > r.max ? n : r.max};
}

/* Samples by the scene they are put in, and by their own category and that scene. */
static void test_balance(void **state)
{
    (void)state;
    static const struct {
        struct range scene, category_scene;
    } limits[ITEM_N_KINDS] = {
        [ITEM_SCENARIO] = {{118, 132}, {18, 32}}, /* of 3,000: 125 and 25 are even */
        [ITEM_CONTRAST] = {{20, 30}, {2, 10}},    /* of 600: 25 and 5 */
        [ITEM_PLAIN] = {{6, 14}, {0, 6}},         /* of 240: 10 and 2 */
    };
    size_t n_scenes = bench.scenes.n_scenes;
    for (int kind = 0; kind < ITEM_N_KINDS; kind++) {
        struct range of_scene = {UINT32_MAX, 0}, of_cell = {UINT32_MAX, 0};
        for (size_t j = 0; j < n_scenes; j++) {
            const struct scene *other = scene_at(&bench.scenes, j);
            unsigned n = 0;
            for (size_t own = 0; own < n_scenes; own += 4) { /* four of each category together */
                const char *category = scene_category(scene_at(&bench.scenes, own));
                unsigned n_cell = 0;
                for (size_t i = 0; i < bench.n_samples; i++) {
                    const struct sample *s = &bench.samples[i];
                    n_cell += (int)s->item->kind == kind && s->other_scene == other &&
                              strcmp(s->item->category, category) == 0;
                }
                n += n_cell;
                if (strcmp(category, scene_category(other)) != 0) {
                    of_cell = add(of_cell, n_cell);
                }
            }
            of_scene = add(of_scene, n);
        }
        print_message("%ss: %u to %u a scene, %u to %u a category and scene\n",
                      item_kind_names[kind], of_scene.min, of_scene.max, of_cell.min, of_cell.max);
        assert_true(of_scene.min >= limits[kind].scene.min &&
                    of_scene.max <= limits[kind].scene.max);
        assert_true(of_cell.min >= limits[kind].category_scene.min &&
                    of_cell.max <= limits[kind].category_scene.max);
    }
}

static void test_part(void **state)
{
    (void)state;
    struct bench part;
    char kitchen[] = "kitchen", contrast[] = "work-c01";
    char *names[] = {kitchen, contrast};
    struct bench_selection select = {.only = names, .n_only = 2};
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, &select, &part, NULL),
                     0);
    for (size_t i = 0; i < part.n_samples; i++) {
        const struct sample *s = &part.samples[i];
        const struct sample *whole = &bench.samples[bench_find(&bench, s->id, i)];
        assert_string_equal(scene_id(s->other_scene), scene_id(whole->other_scene));
        assert_true(s->other_take_seed == whole->other_take_seed);
    }
    bench_release(&part);
}

static void test_seed(void **state)
{
    (void)state;
    struct mismatch a = mismatch_init(&bench.scenes, 1), b = mismatch_init(&bench.scenes, 2);
    size_t n_same = 0;
    for (size_t i = 0; i < bench.items.n_items; i++) {
        const struct item *item = &bench.items.items[i];
        const struct scene *scene = scene_find(&bench.scenes, item->scene), *x, *y;
        mismatch_choose(&a, item, scene, 1, &x);
        mismatch_choose(&b, item, scene, 1, &y);
        n_same += x == y;
    }
    print_message("%zu of %zu the same with another seed\n", n_same, bench.items.n_items);
    assert_true(n_same < bench.items.n_items / 4);
    mismatch_release(&b);
    mismatch_release(&a);
}

#define SCENE(id, category)                                                                        \
    "  - id: " id "\n    category: " category                                                      \
    "\n    words: w\n    names: [w]\n    events: []\n    bed:\n"                                   \
    "      - hum: {hz: 50, harmonics: 1, slope_db: 0}\n        gain_db: 0\n"

static void test_no_candidate(void **state)
{
    (void)state;
    static const char text[] =
        "scenes:\n" SCENE("a", "work") SCENE("b", "work") SCENE("c", "stage") SCENE("d", "stage");
    struct scene_set set = {0};
    struct err err = {0};
    scene_set_parse(text, sizeof text - 1, "s.yaml", &bench.bank, &set, &err);
    assert_string_equal(err.msg, "");
    char id[] = "w-1", category[] = "work", c[] = "c", d[] = "d";
    char *redeemed_by[] = {c, d};
    struct item item = {.id = id, .category = category, .redeemed_by = redeemed_by};
    const struct scene *own = scene_find(&set, "a"), *others[2];
    struct mismatch m = mismatch_init(&set, 1);
    for (item.n_redeemed_by = 0; item.n_redeemed_by <= 2; item.n_redeemed_by++) {
        mismatch_choose(&m, &item, own, 2, others);
        for (int p = 0; p < 2; p++) {
            if (item.n_redeemed_by == 2) {
                assert_null(others[p]);
            } else {
                assert_string_equal(scene_category(others[p]), "stage");
            }
        }
        assert_int_equal(others[0] == others[1], item.n_redeemed_by > 0);
    }
    mismatch_release(&m);
    scene_set_release(&set);
}

static int setup(void **state)
{
    (void)state;
    return bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &bench, NULL);
}

static int teardown(void **state)
{
    (void)state;
    bench_release(&bench);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenes_do_not_fit),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_takes),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_no_candidate),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
