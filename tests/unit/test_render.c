/* The conditions of samples of the shipped data, in scenes that need no clips. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/level.h"
#include "bench/render.h"

#define assert_near(got, expected, epsilon) assert_true(fabs((got) - (expected)) <= (epsilon))

#define SCENE(id, category, bed)                                                                   \
    "  - id: " id "\n    category: " category                                                      \
    "\n    words: w\n    names: [w]\n    events: []\n    bed:\n      - " bed                       \
    "\n        gain_db: 0\n"

static const char scenes_yaml[] =
    "scenes:\n" SCENE("rain", "work", "noise: {colour: pink, low_hz: 100, high_hz: 6000}")
        SCENE("hum", "stage", "hum: {hz: 100, harmonics: 20, slope_db: -3}");

static struct bench bench;
static struct scene_set scenes;
static char root[] = "/tmp/aor-test-render-XXXXXX";
static char *stems_dir;

static const enum condition audio_conditions[] = {CONDITION_MATCHED, CONDITION_SPEECH,
                                                  CONDITION_NOISE, CONDITION_MISMATCHED};
#define N_AUDIO (sizeof audio_conditions / sizeof *audio_conditions)

static struct sample sample_at(size_t i)
{
    struct sample s = bench.samples[i];
    s.scene = scene_at(&scenes, 0);
    s.other_scene = scene_at(&scenes, 1);
    return s;
}

static struct mix mix(struct renderer *r, const struct sample *s, enum condition c)
{
    struct mix m = {0};
    struct err err = {0};
    if (render_mix(r, s, c, &m, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return m;
}

static void test_levels(void **state)
{
    (void)state;
    struct renderer r = renderer_init(&bench, stems_dir, NULL);
    for (size_t i = 0; i < bench.n_samples; i += bench.n_samples / 8) {
        struct sample s = sample_at(i);
        struct mix matched = mix(&r, &s, CONDITION_MATCHED);
        for (size_t c = 0; c < N_AUDIO; c++) {
            struct mix m = mix(&r, &s, audio_conditions[c]);
            print_message("%s %s: %.1f LUFS, speech %.3f dBFS, SNR %.4f dB of %g\n", s.id,
                          condition_names[audio_conditions[c]], m.lufs, m.active_level_db, m.snr_db,
                          s.snr_db);
            assert_int_equal(m.sum.n_frames, matched.sum.n_frames);
            assert_near(m.active_level_db, matched.active_level_db, 0.05);
            assert_memory_equal(m.speech.pcm, matched.speech.pcm,
                                m.speech.n_frames * sizeof *m.speech.pcm);
            if (audio_conditions[c] == CONDITION_SPEECH) {
                assert_true(isnan(m.snr_db));
                assert_true(level_peak_db(&m.scene) == -INFINITY);
            } else {
                assert_near(m.snr_db, s.snr_db, 0.05);
            }
            struct audio a = {0};
            assert_int_equal(render_sample(&r, &s, audio_conditions[c], &a, NULL), 0);
            assert_memory_equal(a.pcm, m.sum.pcm, a.n_frames * sizeof *a.pcm);
            audio_quantize(&a);
            assert_memory_equal(a.pcm, m.sum.pcm, a.n_frames * sizeof *a.pcm);
            audio_release(&a);
            mix_release(&m);
        }
        mix_release(&matched);
    }
    renderer_release(&r);
}

static void hash_all(const char *dir, char (*ret)[SHA256_HEX_SIZE])
{
    struct renderer r = renderer_init(&bench, dir, NULL);
    struct sample s = sample_at(0);
    for (size_t c = 0; c < N_AUDIO; c++) {
        struct mix m = mix(&r, &s, audio_conditions[c]);
        audio_sha256(&m.sum, ret[c]);
        mix_release(&m);
    }
    renderer_release(&r);
}

/* Another process, from nothing, gives the same; conditions differ. */
static void test_another_process(void **state)
{
    (void)state;
    char ours[N_AUDIO][SHA256_HEX_SIZE], theirs[N_AUDIO][SHA256_HEX_SIZE];
    int ends[2];
    hash_all(stems_dir, ours);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *dir = fs_join(root, "anew");
        hash_all(fs_mkdirs(dir, NULL) == 0 ? dir : "", theirs);
        _exit(fs_write_all(ends[1], theirs, sizeof theirs) == 0 ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(fs_read_all(ends[0], theirs, sizeof theirs), 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_memory_equal(ours, theirs, sizeof ours);
    for (size_t c = 1; c < N_AUDIO; c++) {
        assert_string_not_equal(ours[c - 1], ours[c]);
    }
}

static void assert_fails(const struct sample *s, enum condition c, enum err_code code,
                         const char *message)
{
    struct renderer r = renderer_init(&bench, stems_dir, NULL);
    struct audio a = {0};
    struct err err = {0};
    assert_int_equal(render_sample(&r, s, c, &a, &err), -1);
    assert_int_equal(err.code, code);
    assert_string_equal(err.msg, message);
    assert_null(a.pcm);
    renderer_release(&r);
}

static void test_no_audio(void **state)
{
    (void)state;
    struct sample s = sample_at(0);
    snprintf(s.id, sizeof s.id, "s");
    assert_false(condition_has_audio(CONDITION_TEXT));
    assert_false(condition_has_audio(CONDITION_TEXT_SCENE));
    assert_fails(&s, CONDITION_TEXT, ERR_USAGE, "condition text has no audio");
    assert_fails(&s, CONDITION_TEXT_SCENE, ERR_USAGE, "condition text-scene has no audio");
    s.other_scene = NULL;
    assert_fails(&s, CONDITION_MISMATCHED, ERR_FORMAT,
                 "sample s: there is no scene that its words do not match");
}

/* A take that cannot be stored is made all the same, the same. */
static void test_take_that_cannot_be_stored(void **state)
{
    (void)state;
    char *nowhere = fs_join(root, "nowhere");
    struct sample s = sample_at(0);
    struct audio kept = {0}, loaded = {0}, made = {0};
    struct err err = {0};
    for (int i = 0; i < 3; i++) {
        struct renderer r = renderer_init(&bench, i < 2 ? stems_dir : nowhere, NULL);
        take_cut(&r.takes, s.scene, 99, 5, TAKE_FRAMES,
                 i == 0   ? &kept
                 : i == 1 ? &loaded
                          : &made,
                 &err);
        assert_string_equal(err.msg, "");
        assert_int_equal(take_is_stored(&r.takes, s.scene, 99), i < 2);
        renderer_release(&r);
    }
    assert_memory_equal(kept.pcm, loaded.pcm, TAKE_FRAMES * sizeof *kept.pcm);
    assert_memory_equal(kept.pcm, made.pcm, TAKE_FRAMES * sizeof *kept.pcm);
    audio_release(&made);
    audio_release(&loaded);
    audio_release(&kept);
    free(nowhere);
}

static void empty_dir(char *dir)
{
    char **paths;
    size_t n;
    if (fs_is_dir(dir) && fs_list(dir, "", "", &paths, &n, NULL) == 0) {
        for (size_t i = 0; i < n; i++) {
            unlink(paths[i]);
        }
        fs_free_paths(paths, n);
        rmdir(dir);
    }
    free(dir);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    stems_dir = fs_join(root, "stems");
    return fs_mkdirs(stems_dir, NULL) == 0 &&
                   bench_load(TEST_DATA_DIR "/spec.yaml", TEST_DATA_DIR, NULL, &bench, NULL) == 0 &&
                   scene_set_parse(scenes_yaml, sizeof scenes_yaml - 1, "scenes.yaml", &bench.bank,
                                   &scenes, NULL) == 0
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    scene_set_release(&scenes);
    bench_release(&bench);
    empty_dir(stems_dir);
    empty_dir(fs_join(root, "anew"));
    rmdir(root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_another_process),
        cmocka_unit_test(test_no_audio),
        cmocka_unit_test(test_take_that_cannot_be_stored),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
