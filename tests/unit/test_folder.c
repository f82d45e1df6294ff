/* Folders of the user's own recordings: the layouts on small made-up trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/yaml.h"
#include "scene/folder.h"
#include "scene/soundbank.h"

static char dir[] = "/tmp/aor-test-folder-XXXXXX";

static char *in_dir(const char *name)
{
    return fs_join(dir, name);
}

static void write_text(const char *name, const char *text)
{
    char *path = in_dir(name);
    assert_int_equal(fs_mkdirs_for(path, NULL), 0);
    assert_int_equal(fs_write(path, text, strlen(text), NULL), 0);
    free(path);
}

/* Metadata is all that is read here: any bytes are a sound. */
static void write_sounds(const char *const *names)
{
    for (; *names; names++) {
        write_text(*names, *names);
    }
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char *command = NULL;
    int ok = asprintf(&command, "rm -r %s", dir) > 0 ? system(command) : -1;
    free(command);
    return ok;
}

static int read_folder(const char *name, const char *only, struct sound_folder *ret,
                       struct err *err)
{
    enum folder_layout layout;
    char *path = in_dir(name), *label = xstrdup(only);
    int ok = folder_guess(path, &layout, err);
    if (ok == 0) {
        ok = folder_read(path, layout, &label, only ? 1 : 0, ret, err);
    }
    free(label);
    free(path);
    return ok;
}

static struct sound_folder read_good(const char *name, const char *only)
{
    struct sound_folder f = {0};
    struct err err = {0};
    if (read_folder(name, only, &f, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return f;
}

static void assert_bad(const char *name, const char *only, enum err_code code, const char *message)
{
    struct sound_folder f = {0};
    struct err err = {0};
    assert_int_equal(read_folder(name, only, &f, &err), -1);
    if (err.code != code || !strstr(err.msg, message)) {
        fail_msg("code %d: %s\nwanted %d: %s", err.code, err.msg, code, message);
    }
    assert_null(f.sounds);
}

#define ESC50_TITLES "filename,fold,target,category,esc10,src_file,take\n"

static void test_esc50(void **state)
{
    (void)state;
    static const char *const sounds[] = {"esc/audio/1-100032-A-0.wav", "esc/audio/1-1-A-13.wav",
                                         "esc/audio/5-9032-A-0.wav", NULL};
    write_sounds(sounds);
    write_text("esc/meta/esc50.csv", ESC50_TITLES "1-100032-A-0.wav,1,0,dog,True,100032,A\n"
                                                  "1-1-A-13.wav,1,13,crackling_fire,False,1,A\n"
                                                  "5-9032-A-0.wav,5,0,dog,True,9032,A\n");
    struct sound_folder f = read_good("esc", NULL);
    assert_string_equal(f.name, "esc-50");
    assert_string_equal(f.licence, "CC-BY-NC-3.0");
    assert_int_equal(f.n_sounds, 3);
    assert_string_equal(f.sounds[0].id, "esc-50-1-100032-a-0");
    assert_string_equal(f.sounds[0].path, "audio/1-100032-A-0.wav");
    assert_string_equal(f.sounds[0].licence, "CC-BY-3.0");
    assert_int_equal(f.sounds[1].n_labels, 1);
    assert_string_equal(f.sounds[1].labels[0], "crackling-fire");
    assert_null(f.sounds[1].licence);
    folder_release(&f);
    f = read_good("esc", "Dog");
    assert_int_equal(f.n_sounds, 2);
    assert_string_equal(f.sounds[1].id, "esc-50-5-9032-a-0");
    folder_release(&f);
    assert_bad("esc", "cat", ERR_USAGE, "/esc: no sound has the label \"cat\"");
}

static void test_bad_esc50(void **state)
{
    (void)state;
    static const struct {
        const char *csv;
        const char *message;
    } cases[] = {
        {ESC50_TITLES, "/bad: its metadata names no sound"},
        {"filename,category\na.wav,dog\n", "esc50.csv:1: no column \"esc10\""},
        {ESC50_TITLES "a.wav,1,0,dog,True,1\n", "esc50.csv:2: 6 fields; there are 7 titles"},
        {ESC50_TITLES "a.wav,1,0,dog,yes,1,A\n", "esc50.csv:2: esc10 is \"yes\""},
        {ESC50_TITLES "\na.wav,1,0,_,True,1,A\n", "esc50.csv:3: \"_\" is no label"},
        {ESC50_TITLES "../a.wav,1,0,dog,True,1,A\n",
         "esc50.csv:2: \"audio/../a.wav\" is no path inside the folder"},
        {ESC50_TITLES "_.wav,1,0,dog,True,1,A\n",
         "esc50.csv:2: \"audio/_.wav\" has neither letters nor digits in its name"},
        {ESC50_TITLES "a_b.wav,1,0,dog,True,1,A\na-b.wav,1,0,dog,True,1,A\n",
         "esc50.csv:3: audio/a_b.wav and audio/a-b.wav both give the id esc-50-a-b: rename one"},
        {ESC50_TITLES "none.wav,1,0,dog,True,1,A\n", "/bad/audio/none.wav is not there"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("bad/meta/esc50.csv", cases[i].csv);
        assert_bad("bad", NULL, i == sizeof cases / sizeof *cases - 1 ? ERR_IO : ERR_FORMAT,
                   cases[i].message);
    }
}

#define TRUTH "FSD50K.ground_truth/"
#define INFO "FSD50K.metadata/"
#define CC "http://creativecommons.org/"

static void test_fsd50k(void **state)
{
    (void)state;
    static const char *const sounds[] = {"fsd/FSD50K.dev_audio/64760.wav",
                                         "fsd/FSD50K.dev_audio/21914.wav",
                                         "fsd/FSD50K.eval_audio/99.wav", NULL};
    write_sounds(sounds);
    write_text("fsd/" TRUTH "dev.csv",
               "fname,labels,mids,split\n"
               "64760,\"Electric_guitar,Guitar,Music\",\"/m/02sgy,/m/0342h,/m/04rlf\",train\n"
               "21914,Frying_(food),/m/0dxrf,val\n");
    write_text("fsd/" INFO "dev_clips_info_FSD50K.json",
               "{\"64760\": {\"title\": \"guitar_63.wav\", \"license\": \"" CC
               "licenses/sampling+/1.0/\", \"uploader\": \"somebody\"},\n"
               " \"21914\": {\"license\": \"" CC
               "publicdomain/zero/1.0/\", \"uploader\": \"else\"}}");
    struct sound_folder f = read_good("fsd", NULL); /* without the other set */
    assert_int_equal(f.n_sounds, 2);
    assert_string_equal(f.sounds[0].id, "fsd50k-64760");
    assert_string_equal(f.sounds[0].path, "FSD50K.dev_audio/64760.wav");
    assert_int_equal(f.sounds[0].n_labels, 3);
    assert_string_equal(f.sounds[0].labels[0], "electric-guitar");
    assert_string_equal(f.sounds[0].labels[2], "music");
    assert_string_equal(f.sounds[0].licence, "CC-Sampling-Plus-1.0");
    assert_string_equal(f.sounds[0].copyright,
                        "somebody, guitar_63.wav, https://freesound.org/s/64760/");
    assert_string_equal(f.sounds[1].labels[0], "frying-food");
    assert_string_equal(f.sounds[1].licence, "CC0-1.0");
    assert_string_equal(f.sounds[1].copyright, "else, https://freesound.org/s/21914/");
    folder_release(&f);

    write_text("fsd/" TRUTH "eval.csv", "fname,labels,mids\r\n99,Guitar,/m/0342h\r\n");
    assert_bad("fsd", NULL, ERR_IO, "eval_clips_info_FSD50K.json: No such file");
    write_text("fsd/" INFO "eval_clips_info_FSD50K.json", "{}");
    assert_bad("fsd", NULL, ERR_FORMAT, "eval_clips_info_FSD50K.json holds no \"99\"");
    write_text("fsd/" INFO "eval_clips_info_FSD50K.json", "{\"99\": {\"license\": 3}}");
    assert_bad("fsd", NULL, ERR_FORMAT, "\"99\": \"license\": is no string");
    write_text("fsd/" INFO "eval_clips_info_FSD50K.json",
               "{\"99\": {\"license\": \"theirs\", \"uploader\": \"u\"}}");
    f = read_good("fsd", "guitar");
    assert_int_equal(f.n_sounds, 2);
    assert_string_equal(f.sounds[1].path, "FSD50K.eval_audio/99.wav");
    assert_string_equal(f.sounds[1].licence, "theirs");
    folder_release(&f);
    write_text("fsd/" TRUTH "eval.csv", "fname,labels,mids\n99,\"Guitar,,Music\",/m/0342h\n");
    assert_bad("fsd", NULL, ERR_FORMAT, "eval.csv:2: \"\" is no label");
}

#define MAP "licence: CC0-1.0\ncopyright: me\nsounds:\n"

static void test_map(void **state)
{
    (void)state;
    static const char *const sounds[] = {"My Sounds/barks/a b.wav", "My Sounds/door.flac",
                                         "My Sounds/x\"y.wav", NULL};
    write_sounds(sounds);
    write_text("My Sounds/sounds-map.yaml", MAP "  Dog: [barks/a b.wav, 'x\"y.wav']\n"
                                                "  door: [door.flac]\n"
                                                "  loud: [door.flac]\n");
    struct sound_folder f = read_good("My Sounds", NULL);
    assert_string_equal(f.name, "my-sounds");
    assert_int_equal(f.n_sounds, 3);
    assert_string_equal(f.sounds[0].id, "my-sounds-barks-a-b");
    assert_string_equal(f.sounds[0].labels[0], "dog");
    assert_string_equal(f.sounds[2].id, "my-sounds-door");
    assert_int_equal(f.sounds[2].n_labels, 2);
    assert_string_equal(f.sounds[2].labels[1], "loud");

    /* The sounds file says the same. */
    struct soundbank bank = {0};
    struct err err = {0};
    char *text = NULL, *path = in_dir("map.yaml");
    assert_int_equal(folder_text(&f, &text, &err), 0);
    write_text("map.yaml", text);
    if (soundbank_load(path, NULL, &bank, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(bank.n_packages, 1);
    assert_string_equal(bank.packages[0].folder, f.dir);
    assert_string_equal(bank.packages[0].licence, "CC0-1.0");
    assert_int_equal(bank.n_clips, 3);
    assert_string_equal(bank.clips[1].path, "x\"y.wav");
    assert_true(sound_clip_has_label(&bank.clips[2], "loud"));
    assert_null(bank.clips[2].licence);
    soundbank_release(&bank);
    free(path);
    free(text);
    folder_release(&f);
}

static void test_bad_maps(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"licence: a\nsounds: {}\n", "sounds-map.yaml:1:1: key \"copyright\" is missing"},
        {MAP "  dog: a.wav\n", "sounds-map.yaml:4:3: \"dog\" wants a list of files"},
        {MAP "  - dog\n", "\"sounds\" wants a mapping of labels to lists of files"},
        {MAP "  dog: [/etc/passwd]\n",
         "sounds-map.yaml:4:9: \"/etc/passwd\" is no path inside the folder"},
        {MAP "  dog: [\"a\\0b.wav\"]\n", "sounds-map.yaml:4:10: text is wanted here"},
        {MAP "  '?': [a.wav]\n", "sounds-map.yaml:4:9: \"?\" is no label"},
        {"licence: a\ncopyright: b\nsounds: {}\n", "/badmap: its metadata names no sound"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("badmap/sounds-map.yaml", cases[i].yaml);
        assert_bad("badmap", NULL, ERR_FORMAT, cases[i].message);
    }
    write_text("badmap/sounds-map.yaml", MAP "  dog: [none.wav]\n");
    assert_bad("badmap", NULL, ERR_IO, "sounds-map.yaml:4:9: ");
    assert_bad("nowhere", NULL, ERR_IO, "/nowhere: no such folder");
    write_text("empty/file", "");
    assert_bad("empty", NULL, ERR_FORMAT,
               "/empty: has none of sounds-map.yaml, meta/esc50.csv, "
               "FSD50K.ground_truth/dev.csv, FSD50K.ground_truth/eval.csv");
}

static void test_licence_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {CC "licenses/by/3.0/", "CC-BY-3.0"},
        {"https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"},
        {"https://www.creativecommons.org/licenses/by-sa/2.0/de/deed.en", "CC-BY-SA-2.0-DE"},
        {CC "licenses/by/3.0/deed.en", "CC-BY-3.0"},
        {CC "publicdomain/zero/1.0/", "CC0-1.0"},
        {CC "publicdomain/mark/1.0/", "public-domain"},
        {CC "licenses/sampling+/1.0/", "CC-Sampling-Plus-1.0"},
        {CC "licenses/", CC "licenses/"},
        {"all mine", "all mine"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *name = folder_licence_name(names[i][0]);
        assert_string_equal(name, names[i][1]);
        free(name);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    struct sound_folder f = {.dir = xstrdup("/d"), .name = xstrdup("d")};
    struct err err = {0};
    char *label = xstrdup("x"), *text = NULL;
    for (int i = 0; i < 160000; i++) {
        struct folder_sound *s;
        char *name = xasprintf("%d", i);
        assert_int_equal(folder_add(&f, name, name, &label, 1, "", &s, &err), 0);
        free(name);
    }
    assert_int_equal(folder_text(&f, &text, &err), -1);
    assert_non_null(strstr(err.msg, "160000 sounds are more than a sounds file may hold (16 MiB)"));
    free(label);
    folder_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_esc50),    cmocka_unit_test(test_bad_esc50),
        cmocka_unit_test(test_fsd50k),   cmocka_unit_test(test_map),
        cmocka_unit_test(test_bad_maps), cmocka_unit_test(test_licence_names),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
