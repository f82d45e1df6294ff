/* The data that comes with aor as a plan, and the readers of scenarios and metadata. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/balance.h"
#include "bench/dataset.h"

static void test_own_data(void **state)
{
    (void)state;
    struct bench b;
    struct err err = {0};
    int ok = bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &b, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(ok, 0);
    size_t n[ITEM_N_KINDS] = {0};
    for (size_t i = 0; i < b.n_samples; i++) {
        n[b.samples[i].item->kind]++;
        assert_int_equal(bench_find(&b, b.samples[i].id, 0), i);
    }
    assert_int_equal(n[ITEM_SCENARIO], 3000);
    assert_int_equal(n[ITEM_CONTRAST], 600);
    assert_int_equal(n[ITEM_PLAIN], 240);
    /* The two voices of a pair differ in gender and in nothing else. */
    for (size_t i = 0; i < b.n_samples; i += 2) {
        const struct sample *f = &b.samples[i], *m = &b.samples[i + 1];
        assert_true(f->voice->gender == VOICE_FEMALE && m->voice->gender == VOICE_MALE);
        assert_ptr_equal(f->item, m->item);
        assert_ptr_equal(f->emotion, m->emotion);
        assert_ptr_equal(f->rate, m->rate);
        assert_true(f->snr_db == m->snr_db && f->take_seed == m->take_seed &&
                    f->take_start == m->take_start);
    }
    bench_release(&b);
}

/* The balance that DESIGN promises, on the full plan: planning needs no synthesis. */
static void test_balance(void **state)
{
    (void)state;
    static const struct {
        const char *factor;
        size_t levels, min, max;
    } scenarios[] = {
        {"gender x emotion x rate", 30, 100, 100},
        {"voice", 8, 375, 375},
        {"voice x emotion x rate", 120, 25, 25},
        {"SNR", 3, 1000, 1000},
        {"voice x SNR", 24, 125, 125},
        {"SNR x emotion x rate", 45, 66, 68}, /* 33 or 34 pairs */
        {"category", 6, 500, 500},
        {"category x SNR", 18, 166, 168},
        {"category x split", 12, 250, 250},
        {"category x emotion x rate", 90, 32, 36}, /* 16 to 18 pairs */
        {"split x alone", 6, 380, 590},            /* as even as their numbers: see below */
        {"scene", 24, 120, 130},                   /* 12 or 13 scenarios */
        {"scene x take", 72, 40, 44},
    };
    struct bench b;
    struct err err = {0};
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &b, &err), 0);
    size_t n_found = 0;
    for (int f = 0; f < BALANCE_N_FACTORS; f++) {
        struct balance got = balance_count(&b, ITEM_SCENARIO, f);
        for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
            if (strcmp(got.factor, scenarios[i].factor) == 0) {
                n_found++;
                assert_int_equal(got.n_levels, scenarios[i].levels);
                assert_true(got.min >= scenarios[i].min && got.max <= scenarios[i].max);
            }
        }
        /* Contrasts and plains stand in the same cells, as evenly as their numbers allow. */
        struct balance contrasts = balance_count(&b, ITEM_CONTRAST, f);
        struct balance plains = balance_count(&b, ITEM_PLAIN, f);
        if (strcmp(got.factor, "gender x emotion x rate") == 0) {
            assert_int_equal(contrasts.n_levels, 30);
            assert_true(contrasts.min == 20 && contrasts.max == 20);
            assert_int_equal(plains.n_levels, 30);
            assert_true(plains.min == 8 && plains.max == 8);
        }
        if (strcmp(got.factor, "scene") == 0) {
            assert_int_equal(contrasts.n_levels, 24);
            assert_int_equal(plains.n_levels, 24);
        }
    }
    size_t n_alone[SPLIT_N][3] = {0};
    for (size_t i = 0; i < b.items.n_items; i++) {
        n_alone[b.items.items[i].split][b.items.items[i].alone] +=
            b.items.items[i].kind == ITEM_SCENARIO;
    }
    for (int a = 0; a < 3; a++) {
        assert_in_range(n_alone[SPLIT_DEV][a] - n_alone[SPLIT_TEST][a] + 1, 0, 2);
    }
    assert_int_equal(n_found, sizeof scenarios / sizeof *scenarios);
    bench_release(&b);
}

/* A selection has the samples of the whole plan, and a limit keeps whole items. */
static void test_selection(void **state)
{
    (void)state;
    struct bench all, part;
    struct err err = {0};
    char gaming[] = "gaming", lake[] = "lake", contrast[] = "work-c01", nobody[] = "no-such-thing";
    char *names[] = {gaming, lake, contrast};
    struct bench_selection select = {.only = names, .n_only = 3};
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &all, &err), 0);
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, &select, &part, &err),
                     0);
    assert_true(part.n_samples > 600 && part.n_samples < 1000);
    for (size_t i = 0; i < part.n_samples; i++) {
        const struct sample *p = &part.samples[i];
        const struct sample *a = &all.samples[bench_find(&all, p->id, i)];
        assert_string_equal(p->item->id, a->item->id);
        assert_true(p->take_seed == a->take_seed && p->take_start == a->take_start &&
                    p->speech_seed == a->speech_seed && p->snr_db == a->snr_db);
    }
    bench_release(&part);
    select = (struct bench_selection){.limit = 300};
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, &select, &part, &err),
                     0);
    assert_in_range(part.n_samples, 290, 300);
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        assert_true(bench_count(&part).items[k] > 0);
    }
    bench_release(&part);
    names[0] = nobody;
    select = (struct bench_selection){.only = names, .n_only = 3};
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, &select, &part, &err),
                     -1);
    assert_string_equal(err.msg, "\"no-such-thing\" is no item, scene, category, kind or split");
    bench_release(&all);
}

#define ITEM                                                                                       \
    "category: work\nitems:\n"                                                                     \
    "  - {id: w-1, kind: scenario, split: dev, version: 1, text: Shoot the bride, scene: s, "      \
    "reason: r,\n"                                                                                 \
    "     alone: alarming, alarming: [shoot], content: [bride], answer: a, redeemed_by: [],\n"     \
    "     controversial: false}\n"

static int parse_items(const char *text, struct item_set *set, struct err *err)
{
    return item_set_parse(text, strlen(text), "w.yaml", set, err);
}

static void test_items(void **state)
{
    (void)state;
    struct item_set set = {0};
    struct err err = {0};
    assert_int_equal(parse_items(ITEM, &set, &err), 0);
    assert_int_equal(set.n_items, 1);
    assert_string_equal(set.items[0].alarming[0], "shoot");
    assert_int_equal(parse_items(ITEM, &set, &err), -1);
    assert_string_equal(err.msg, "w.yaml:3:10: id w-1 is there twice");
    assert_int_equal(set.n_items, 1);
    item_set_release(&set);

    static const char *const changes[][3] = {
        {"[bride]", "[brid]", "w.yaml:4:52: \"brid\" is no word of the text"},
        {"id: w-1", "id: ../1",
         "w.yaml:3:10: an id has lower-case letters, digits and hyphens, at most 64"},
        {"kind: scenario", "kind: contrast", "w.yaml:3:6: key \"twin\" is missing"},
        {"category: work", "category: a/b", "w.yaml:1:11: \"a/b\" is no category name"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(ITEM, changes[i][0]);
        char *text = xasprintf("%.*s%s%s", (int)(at - ITEM), ITEM, changes[i][1],
                               at + strlen(changes[i][0]));
        assert_int_equal(parse_items(text, &set, &err), -1);
        assert_string_equal(err.msg, changes[i][2]);
        assert_int_equal(set.n_items, 0);
        item_set_release(&set);
        free(text);
    }
}

static void test_metadata(void **state)
{
    (void)state;
    struct bench b;
    struct err err = {0};
    assert_int_equal(bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &b, &err), 0);
    struct sample_facts *facts = xcalloc(b.n_samples, sizeof *facts);
    struct sample_facts f = {.is_built = true,
                             .duration_s = 5.3,
                             .lufs = -26.125,
                             .true_peak_db = -3,
                             .active_level_db = -26,
                             .achieved_snr_db = 9.999};
    memset(f.sha256, 'a', sizeof f.sha256 - 1);
    memset(f.recipe, 'b', sizeof f.recipe - 1);
    char *line = dataset_line(&b.samples[3], &f);
    char path[] = "/tmp/aor-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    /* A line, and one that was cut off while it was written. */
    char *text = xasprintf("%s%.40s", line, line);
    assert_int_equal(fs_write(path, text, strlen(text), &err), 0);
    assert_int_equal(dataset_read_facts(path, &b, facts, NULL, NULL, &err), 0);
    assert_memory_equal(&facts[3], &f, sizeof f);
    assert_false(facts[2].is_built);
    assert_int_equal(fs_write(path, "{}\n", 3, &err), 0);
    assert_int_equal(dataset_read_facts(path, &b, facts, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.msg, ":1: \"id\": is missing"));
    unlink(path);
    free(text);
    free(line);
    free(facts);
    bench_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_data),  cmocka_unit_test(test_balance),
        cmocka_unit_test(test_selection), cmocka_unit_test(test_items),
        cmocka_unit_test(test_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
