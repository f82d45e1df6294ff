/* Names of scenes in answers, with the names of data/scenes.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "judge/scene_name.h"
#include "scene/scene.h"

static struct soundbank bank;
static struct scene_set set;

static int set_up(void **state)
{
    (void)state;
    return soundbank_load(TEST_DATA_DIR "/sounds.yaml", NULL, &bank, NULL) == 0 &&
                   scene_set_load(TEST_DATA_DIR "/scenes.yaml", &bank, &set, NULL) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    scene_set_release(&set);
    soundbank_release(&bank);
    return 0;
}

static bool names_scene(const struct scene *s, const char *answer)
{
    size_t n;
    const char *const *names = scene_names(s, &n);
    return scene_name_match(names, n, answer);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *scene, *answer;
        bool is_named;
    } cases[] = {
        {"arcade", "The speaker is in a video arcade with machines beeping.", true},
        {"arcade", "Laser sounds and coins: probably an amusement hall.", true},
        {"arcade", "The speaker is outdoors, with birds in the trees.", false},
        {"game-desk", "Someone is at a desk, playing a computer-game.", true},
        {"board-game", "Friends around a table, rolling DICE and laughing.", true},
        {"console-party", "A living room; people sit on the couch with controllers.", true},
        {"theatre", "It sounds like a **theater**, during a rehearsal.", true},
        {"theatre", "A busy street with cars and people walking.", false},
        {"band-room", "There's a band's rehearsal going on, with guitars.", true},
        {"band-room", "The abandoned husband hears footsteps.", false},
        {"film-set",
         "They're on a movie set; a clapper\xe2\x80\x91"
         "board is heard.",
         true},
        {"comedy-club", "A crowd laughing, glasses\nclinking.", true},
        {"cooking", "The speaker is in a kitchen.", true},
        {"cooking", "The speaker isn't in a kitchen.", false},
        {"cooking", "This is not a kitchen, it is a park.", false},
        {"cooking", "There is no kitchen here.", false},
        {"cooking", "It isn\xe2\x80\x99t a kitchen. Something is sizzling, though.", true},
        {"cooking", "No, the kitchen.", true},
        {"cooking", "This is no doubt a kitchen.", true},
        {"cooking", "Not only a kitchen: somebody is also cleaning.", true},
        {"cooking", "There is neither a kitchen nor a workshop to be heard.", false},
        {"cooking", "I can't hear where that is, perhaps in a kitchen.", true},
        {"sewing-room", "A room where a sewing machine is running.", true},
        {"cleaning", "Somebody is vacuuming the living room.", true},
        {"diy-workshop", "I saw nothing; there is hammering.", false},
        {"boxing-gym", "In the gym, a boxer's punches land on a bag.", true},
        {"weight-room", "Indoors, a treadmill and clanking weights.", true},
        {"weight-room", "He waits there.", false},
        {"wedding-shoot", "Photographers' cameras are clicking at a party.", true},
        {"computer-room", "A police officer in his car.", false},
        {"computer-room", "A quiet office, with a fan.", true},
        {"building-site", "A construction site: a vehicle reversing.", true},
        {"hospital-ward", "Hospital. A heart-rate monitor beeps.", true},
        {"hospital-ward", "A heart. Rate monitor beeps.", false},
        {"campfire", "At night by the camp  fire.", true},
        {"lake", "Lakeside, with ducks.", true},
        {"farm", "A cowboy in a pharmacy.", false},
        {"garden", "\xe2\x80\x9cGarden\xe2\x80\x9d \xe2\x80\x94 birds chirping.", true},
        {"garden", "", false},
        {"garden", "\xff\xfe garden \xc3", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct scene *s = scene_find(&set, cases[i].scene);
        assert_non_null(s);
        if (names_scene(s, cases[i].answer) != cases[i].is_named) {
            fail_msg("%s: \"%s\"", cases[i].scene, cases[i].answer);
        }
    }
}

static void test_phrases(void **state)
{
    (void)state;
    static const char *const names[] = {"heart monitor*", "driver's seat", "8-bit"};
    static const struct {
        const char *answer;
        bool is_named;
    } cases[] = {
        {"heart monitor", true},        {"HEART -\n Monitoring", true},
        {"heart_monitors", true},       {"heart, monitor", false},
        {"heart (monitor)", false},     {"heart", false},
        {"heartmonitor", false},        {"a heart monito", false},
        {"the driver seat", true},      {"the driver's seat", true},
        {"8 bit sounds", true},         {"8.bit", false},
        {"not a heart monitor", false}, {"without any heart monitor", false},
        {"not, heart monitor", true},   {"not one two three heart monitor", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (scene_name_match(names, 3, cases[i].answer) != cases[i].is_named) {
            fail_msg("\"%s\"", cases[i].answer);
        }
    }
    assert_false(scene_name_match(names, 0, "heart monitor"));
}

static bool is_found_after(size_t n_before, const char *answer)
{
    static const char *const names[] = {"farm"};
    struct buf text = {0};
    while (text.len < n_before) {
        buf_adds(&text, " ");
    }
    buf_adds(&text, answer);
    bool is_found = scene_name_match(names, 1, text.data);
    buf_release(&text);
    return is_found;
}

static void test_long_answers(void **state)
{
    (void)state;
    assert_true(is_found_after(SCENE_NAME_MAX_ANSWER - 4, "farm"));
    assert_true(is_found_after(SCENE_NAME_MAX_ANSWER - 4, "farm hand"));
    assert_false(is_found_after(SCENE_NAME_MAX_ANSWER - 4, "farmacy")); /* no half words */
    assert_false(is_found_after(SCENE_NAME_MAX_ANSWER, "farm"));
    assert_true(is_found_after(0, "farm"));
}

/* A scene in words has its own names, and none of a scene of another category. */
static void test_words_tell_scenes_apart(void **state)
{
    (void)state;
    static const char *const alike[][2] = {
        /* a boxing gym is a gym; a sports hall, too, may be called one */
        {"boxing-gym", "ball-court"},
        {"boxing-gym", "weight-room"},
    };
    size_t n_alike = 0;
    for (size_t i = 0; i < set.n_scenes; i++) {
        const struct scene *s = scene_at(&set, i);
        for (size_t k = 0; k < set.n_scenes; k++) {
            const struct scene *other = scene_at(&set, k);
            bool is_named = names_scene(other, scene_words(s));
            if (i == k) {
                assert_true(is_named);
            } else if (is_named) {
                if (n_alike >= sizeof alike / sizeof *alike ||
                    strcmp(alike[n_alike][0], scene_id(s)) != 0 ||
                    strcmp(alike[n_alike][1], scene_id(other)) != 0) {
                    fail_msg("the words of %s name %s", scene_id(s), scene_id(other));
                }
                assert_string_equal(scene_category(s), scene_category(other));
                n_alike++;
            }
        }
    }
    assert_int_equal(n_alike, sizeof alike / sizeof *alike);
}

/* An answer that is one of a scene's names names no scene of another category. */
static void test_names_tell_categories_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < set.n_scenes; i++) {
        const struct scene *s = scene_at(&set, i);
        size_t n;
        const char *const *names = scene_names(s, &n);
        for (size_t k = 0; k < set.n_scenes * n; k++) {
            const struct scene *other = scene_at(&set, k / n);
            const char *name = names[k % n];
            bool is_kin = strcmp(scene_category(s), scene_category(other)) == 0;
            if (!is_kin && names_scene(other, name)) {
                fail_msg("\"%s\" of %s names %s", name, scene_id(s), scene_id(other));
            }
            assert_true(other != s || names_scene(other, name));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_long_answers),
        cmocka_unit_test(test_words_tell_scenes_apart),
        cmocka_unit_test(test_names_tell_categories_apart),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
