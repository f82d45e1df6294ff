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
    assert_true(n[ITEM_SCENARIO] >= 300 && n[ITEM_SCENARIO] % 10 == 0);
    assert_true(n[ITEM_CONTRAST] >= 48);
    assert_true(n[ITEM_PLAIN] >= 24);
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

#define ITEM                                                                                       \
    "category: work\nitems:\n"                                                                     \
    "  - {id: w-1, kind: scenario, version: 1, text: Shoot the bride, scene: s, reason: r,\n"      \
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
        cmocka_unit_test(test_own_data),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
