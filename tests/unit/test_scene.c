/* Recipes and their rendering, on a sound bank of two clips that the test writes itself. */
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

#include "audio/level.h"
#include "scene/beds.h"
#include "scene/scene.h"

#define PI 3.14159265358979323846

#define assert_near(got, expected, epsilon) assert_true(fabs((got) - (expected)) <= (epsilon))

#define SCENE(bed, events)                                                                         \
    "scenes:\n  - id: s\n    category: work\n    words: \"w\"\n    names: [w]\n"                   \
    "    bed:\n" bed "    events:" events

#define NOISE "      - noise: {colour: pink, low_hz: 100, high_hz: 4000}\n        gain_db: -6\n"

static char dir[] = "/tmp/aor-test-scene-XXXXXX";
static struct soundbank bank;

static char *in_dir(const char *name)
{
    return fs_join(dir, name);
}

static void write_text(const char *name, const char *text)
{
    char *path = in_dir(name);
    assert_int_equal(fs_write(path, text, strlen(text), NULL), 0);
    free(path);
}

/* A clip as FLAC (a decaying sine) and its hash. */
static void write_clip(const char *name, double hz, double gain, char sha256[SHA256_HEX_SIZE])
{
    struct audio a = audio_silence(22050, 22050);
    for (size_t i = 0; i < a.n_frames; i++) {
        double t = (double)i / a.rate;
        a.pcm[i] = (float)(gain * exp(-3 * t) * sin(2 * PI * hz * t));
    }
    char *path = in_dir(name);
    assert_int_equal(audio_save_flac(path, &a, NULL), 0);
    assert_int_equal(fs_sha256(path, sha256, NULL), 0);
    audio_release(&a);
    free(path);
}

static int set_up(void **state)
{
    (void)state;
    char ding[SHA256_HEX_SIZE], dong[SHA256_HEX_SIZE], nothing[SHA256_HEX_SIZE];
    struct err err = {0};
    if (!mkdtemp(dir)) {
        return -1;
    }
    char *sounds = in_dir("sounds/pack/usr/bells"), *stems = in_dir("stems");
    int ok = fs_mkdirs(sounds, &err) == 0 && fs_mkdirs(stems, &err) == 0 ? 0 : -1;
    free(sounds);
    free(stems);
    write_clip("sounds/pack/usr/bells/ding.flac", 880, 0.5, ding);
    write_clip("sounds/pack/usr/bells/dong.flac", 440, 0.5, dong);
    write_clip("sounds/pack/usr/bells/nothing.flac", 440, 0, nothing);
    struct buf yaml = {0};
    buf_addf(&yaml,
             "packages:\n  - {package: pack, root: usr/bells, licence: CC0, copyright: us}\n"
             "clips:\n"
             "  - {id: ding, package: pack, labels: [bell], path: ding.flac, sha256: %s}\n"
             "  - {id: dong, package: pack, labels: [bell, low, ding], path: dong.flac,\n"
             "     sha256: %s, licence: CC-BY-3.0, copyright: them}\n"
             "  - {id: nothing, package: pack, path: nothing.flac, sha256: %s}\n"
             "  - {id: changed, package: pack, path: ding.flac, sha256: 00%s}\n",
             ding, dong, nothing, dong + 2);
    write_text("sounds.yaml", yaml.data);
    buf_release(&yaml);
    char *path = in_dir("sounds.yaml");
    ok = ok == 0 ? soundbank_load(path, NULL, &bank, &err) : ok;
    free(path);
    return ok;
}

static int tear_down(void **state)
{
    (void)state;
    soundbank_release(&bank);
    char *command = NULL;
    int ok = asprintf(&command, "rm -r %s", dir) > 0 ? system(command) : -1;
    free(command);
    return ok;
}

static struct scene_set parse(const char *text)
{
    struct scene_set set = {0};
    struct err err = {0};
    if (scene_set_parse(text, strlen(text), "scenes.yaml", &bank, &set, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return set;
}

static struct audio render(const char *text, uint64_t seed, size_t n_frames)
{
    struct scene_set set = parse(text);
    char *sounds = in_dir("sounds"), *stems = in_dir("stems");
    struct scene_cache cache = {.bank = &bank, .sounds_dir = sounds, .stems_dir = stems};
    struct audio a = {0};
    struct err err = {0};
    if (scene_render(scene_at(&set, 0), &cache, seed, n_frames, &a, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    scene_cache_release(&cache);
    scene_set_release(&set);
    free(sounds);
    free(stems);
    return a;
}

static bool is_same(const struct audio *a, const struct audio *b)
{
    return a->n_frames == b->n_frames && memcmp(a->pcm, b->pcm, a->n_frames * sizeof *a->pcm) == 0;
}

static const char full[] =
    SCENE(NOISE "      - hum: {hz: 50, harmonics: 3, slope_db: -6}\n        gain_db: -20\n"
                "      - crackle: {per_s: 30, low_hz: 800, high_hz: 6000, decay_ms: 4}\n"
                "        gain_db: -12\n"
                "      - clip: dong\n        gain_db: -10\n",
          "\n      - clip: [ding, dong]\n        every_s: [0.5, 1]\n        gain_db: [-9, -3]\n"
          "        max_s: 0.3\n"
          "      - click: {low_hz: 1500, high_hz: 7000, decay_ms: 12, count: 2, gap_ms: 70}\n"
          "        every_s: [0.6, 1.8]\n        gain_db: [-6, 0]\n"
          "      - tone: {hz: 980, ms: 120, harmonics: 2}\n"
          "        every_s: [0.9, 0.9]\n        gain_db: [-12, -12]\n");

static void test_render_depends_on_the_seed_alone(void **state)
{
    (void)state;
    struct audio a = render(full, 5, 48000);
    struct audio again = render(full, 5, 48000);
    struct audio other = render(full, 6, 48000);
    assert_int_equal(a.n_frames, 48000);
    assert_int_equal(a.rate, AUDIO_RATE);
    assert_true(is_same(&a, &again));
    assert_false(is_same(&a, &other));
    audio_release(&a);
    audio_release(&again);
    audio_release(&other);
}

/* The difference that a second layer makes is that layer: the first one's samples stay. */
static void test_layers_are_independent(void **state)
{
    (void)state;
    struct audio noise = render(SCENE(NOISE, " []\n"), 3, 32000);
    struct audio both = render(SCENE(NOISE "      - hum: {hz: 100, harmonics: 1, slope_db: 0}\n"
                                           "        gain_db: -10\n",
                                     " []\n"),
                               3, 32000);
    for (size_t i = 0; i < both.n_frames; i++) {
        both.pcm[i] -= noise.pcm[i];
    }
    assert_near(level_rms_db(&both), -30, 0.01);
    for (size_t i = 0; i + 160 < both.n_frames; i++) { /* 100 Hz and nothing else */
        assert_near(both.pcm[i], both.pcm[i + 160], 1e-4);
    }
    audio_release(&noise);
    audio_release(&both);
}

static void test_levels(void **state)
{
    (void)state;
    struct audio a = render(SCENE(NOISE, " []\n"), 3, 32000);
    assert_near(level_rms_db(&a), -26, 0.01);
    audio_release(&a);

    a = render(SCENE("      - clip: ding\n        gain_db: -5\n", " []\n"), 3, 16000 * 19);
    assert_near(level_rms_db(&a), -25, 0.001); /* 20 whole turns of 0.95 s */
    audio_release(&a);

    /* The bed is 40 dB below: the peak is the beep's, -6 dBFS and its gain of -3 dB. */
    a = render(SCENE("      - noise: {colour: white, low_hz: 0, high_hz: 8000}\n"
                     "        gain_db: -40\n",
                     "\n      - tone: {hz: 500, ms: 200, harmonics: 1}\n"
                     "        every_s: [0.5, 0.5]\n        gain_db: [-3, -3]\n"),
               3, 32000);
    float peak = 0;
    for (size_t i = 0; i < a.n_frames; i++) {
        peak = fmaxf(peak, fabsf(a.pcm[i]));
    }
    assert_near(20 * log10(peak), -9, 0.1);
    audio_release(&a);
}

static double band_db(const struct audio *a, double hz)
{
    double re = 0, im = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        re += a->pcm[i] * cos(2 * PI * hz * (double)i / a->rate);
        im += a->pcm[i] * sin(2 * PI * hz * (double)i / a->rate);
    }
    return 10 * log10(re * re + im * im);
}

static double mean_band_db(const struct audio *a, double hz)
{
    double sum = 0;
    for (int i = 0; i < 100; i++) {
        sum += band_db(a, hz + i);
    }
    return sum / 100;
}

static void test_noise_colours(void **state)
{
    (void)state;
    static const double octave_db[] = {0, -3.01, -6.02};
    for (int colour = NOISE_WHITE; colour <= NOISE_BROWN; colour++) {
        struct noise_spec spec = {.colour = (enum noise_colour)colour, .high_hz = 8000};
        struct rng rng = rng_init(1, "colour");
        struct audio a = bed_noise(&spec, &rng, 16000);
        double slope = (mean_band_db(&a, 1950) - mean_band_db(&a, 450)) / log2(2000.0 / 500);
        assert_near(slope, octave_db[colour], 1);
        audio_release(&a);
    }
}

static void test_hum_harmonics(void **state)
{
    (void)state;
    struct hum_spec spec = {.hz = 100, .n_harmonics = 200, .slope_db = -6};
    struct rng rng = rng_init(1, "hum");
    struct audio a = bed_hum(&spec, &rng, 16000);
    assert_near(band_db(&a, 200) - band_db(&a, 100), -6, 0.01);
    assert_near(band_db(&a, 400) - band_db(&a, 100), -18, 0.01);
    assert_true(band_db(&a, 150) - band_db(&a, 100) < -80);
    audio_release(&a);
}

static void test_loop_has_no_seam(void **state)
{
    (void)state;
    struct audio clip = audio_silence(5000, AUDIO_RATE);
    for (size_t i = 0; i < clip.n_frames;
         i++) { /* 7.3 periods of a slow sine: a step if just cut */
        clip.pcm[i] = (float)(0.5 * sin(2 * PI * 7.3 * (double)i / 5000));
    }
    struct rng rng = rng_init(1, "loop");
    struct audio loop = bed_seamless(&clip);
    assert_int_equal(loop.n_frames, 5000 - 800);
    struct audio a = bed_repeat(&loop, &rng, 32000);
    for (size_t i = 0; i + 1 < a.n_frames; i++) {
        assert_true(fabsf(a.pcm[i + 1] - a.pcm[i]) < 0.01f);
    }
    audio_release(&a);
    audio_release(&loop);
    clip.n_frames = 1; /* the shortest clip there is */
    loop = bed_seamless(&clip);
    assert_int_equal(loop.n_frames, 1);
    audio_release(&loop);
    audio_release(&clip);
}

static void test_clips(void **state)
{
    (void)state;
    struct scene_set set = parse(full);
    const struct scene *s = scene_find(&set, "s");
    assert_non_null(s);
    assert_null(scene_find(&set, "t"));
    assert_string_equal(scene_id(s), "s");
    assert_string_equal(scene_category(s), "work");
    assert_string_equal(scene_words(s), "w");
    size_t n_names;
    assert_string_equal(scene_names(s, &n_names)[0], "w");
    assert_int_equal(n_names, 1);
    bool used[4] = {0};
    assert_int_equal(bank.n_clips, 4);
    scene_mark_clips(s, used);
    assert_true(used[0] && used[1] && !used[2] && !used[3]);
    assert_string_equal(soundbank_licence(&bank, &bank.clips[0]), "CC0");
    assert_string_equal(soundbank_copyright(&bank, &bank.clips[0]), "us");
    assert_string_equal(soundbank_licence(&bank, &bank.clips[1]), "CC-BY-3.0");
    assert_string_equal(soundbank_copyright(&bank, &bank.clips[1]), "them");
    scene_set_release(&set);
}

#define LAYER(clip) "      - clip: " clip "\n        gain_db: -5\n"

/* The clips' own frequencies tell which one is heard. */
static bool is_low(const struct audio *a)
{
    double difference_db = band_db(a, 440) - band_db(a, 880);
    assert_true(fabs(difference_db) > 10);
    return difference_db > 0;
}

/* A layer draws one clip for the whole of it; where there is one only, the label changes nothing.
 */
static void test_label_in_the_bed(void **state)
{
    (void)state;
    int n_low = 0;
    for (uint64_t seed = 0; seed < 16; seed++) {
        struct audio a = render(SCENE(LAYER("bell"), " []\n"), seed, 32000);
        struct audio again = render(SCENE(LAYER("bell"), " []\n"), seed, 32000);
        n_low += is_low(&a);
        assert_true(is_same(&a, &again));
        audio_release(&a);
        audio_release(&again);
    }
    assert_in_range(n_low, 1, 15);
    struct audio clip = render(SCENE(LAYER("dong"), " []\n"), 3, 32000);
    struct audio label = render(SCENE(LAYER("low"), " []\n"), 3, 32000);
    assert_true(is_same(&clip, &label));
    audio_release(&clip);
    audio_release(&label);
}

#define EVENT(clip) "\n      - clip: " clip "\n        every_s: [1, 1]\n        gain_db: [0, 0]\n"

/* A label is the list of its clips; a clip's id goes before the label of that name. */
static void test_label_in_events(void **state)
{
    (void)state;
    static const struct {
        const char *names, *clips;
    } cases[] = {
        {SCENE(NOISE, EVENT("bell")), SCENE(NOISE, EVENT("[ding, dong]"))},
        {SCENE(NOISE, EVENT("[low, bell]")), SCENE(NOISE, EVENT("[dong, ding, dong]"))},
        {SCENE(NOISE, EVENT("ding")), SCENE(NOISE, EVENT("[ding]"))},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct audio a = render(cases[i].names, 3, 160000);
        struct audio b = render(cases[i].clips, 3, 160000);
        assert_true(is_same(&a, &b));
        audio_release(&a);
        audio_release(&b);
    }
}

static int clip_audio(const char *id, const char *sounds, struct audio *ret, struct err *err)
{
    char *sounds_dir = sounds ? in_dir(sounds) : NULL, *stems_dir = in_dir("stems");
    int ok =
        soundbank_clip_audio(&bank, soundbank_find(&bank, id), sounds_dir, stems_dir, ret, err);
    free(sounds_dir);
    free(stems_dir);
    return ok;
}

static void test_soundbank_audio(void **state)
{
    (void)state;
    struct audio a = {0}, stored = {0};
    struct err err = {0};
    char expected[512];
    assert_int_equal(clip_audio("changed", "sounds", &a, &err), -1);
    snprintf(expected, sizeof expected,
             "clip changed: %s/sounds/pack/usr/bells/ding.flac: its SHA-256 is not that of "
             "the sounds file",
             dir);
    assert_string_equal(err.msg, expected);
    assert_int_equal(clip_audio("nothing", "sounds", &a, &err), -1);
    snprintf(expected, sizeof expected,
             "clip nothing: %s/sounds/pack/usr/bells/nothing.flac: is silent", dir);
    assert_string_equal(err.msg, expected);
    assert_int_equal(clip_audio("nothing", NULL, &a, &err), -1);
    assert_int_equal(clip_audio("nothing", "elsewhere", &a, &err), -1);

    assert_int_equal(clip_audio("ding", "sounds", &a, &err), 0);
    assert_int_equal(a.rate, AUDIO_RATE);
    assert_int_equal(a.n_frames, 16000);
    assert_int_equal(clip_audio("ding", NULL, &stored, &err), 0); /* from the stems alone */
    assert_true(is_same(&a, &stored));
    audio_release(&a);
    audio_release(&stored);
}

static void test_bad_recipes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"scenes: [", "scenes.yaml:2:1: "},
        {"%\xe8\xfd", "scenes.yaml:1:2: no UTF-8 here"}, /* the library alone would never return */
        {"scene: []\n", "scenes.yaml:1:1: unknown key \"scene\""},
        {SCENE("      - noise: {colour: red, low_hz: 1, high_hz: 2}\n        gain_db: 0\n",
               " []\n"),
         "scenes.yaml:7:25: \"red\": one of white, pink, brown is wanted"},
        {SCENE("      - noise: {colour: pink, low_hz: 5000, high_hz: 2}\n        gain_db: 0\n",
               " []\n"),
         "scenes.yaml:7:17: low_hz is not below high_hz"},
        {SCENE("      - hum: {hz: 50, harmonics: 6, slope_db: nan}\n        gain_db: 0\n", " []\n"),
         "scenes.yaml:7:47: \"nan\" is no number"},
        {SCENE("      - clip: gong\n        gain_db: 0\n", " []\n"),
         "scenes.yaml:7:15: no clip and no label \"gong\" in the sound bank"},
        {SCENE("      - crackle: {per_s: 9, low_hz: 800, high_hz: 6000, decay_ms: 4}\n"
               "        gain_db: 0\n",
               " []\n"),
         "scenes.yaml:2:5: the bed has no layer that is never silent"},
        {SCENE("      - clip: ding\n        hum: {}\n        gain_db: 0\n", " []\n"),
         "scenes.yaml:7:9: more than one sound here"},
        {SCENE(NOISE, "\n      - every_s: [1, 2]\n        gain_db: [0, 0]\n"),
         "scenes.yaml:10:9: no sound here"},
        {SCENE(NOISE, "\n      - clip: ding\n        every_s: [2, 1]\n        gain_db: [0, 0]\n"),
         "scenes.yaml:11:19: \"every_s\" falls"},
        {SCENE(NOISE, "\n      - clip: ding\n        every_s: [0, 1]\n        gain_db: [0, 0]\n"),
         "scenes.yaml:11:19: 0 is not within 0.02..600"},
        {SCENE(NOISE, "\n      - clip: []\n        every_s: [1, 1]\n        gain_db: [0, 0]\n"),
         "scenes.yaml:10:9: a list without clips"},
        {SCENE(NOISE, "\n      - tone: {hz: 980, ms: 120, harmonics: 2}\n        every_s: [1, 1]\n"
                      "        gain_db: [0, 0]\n        max_s: 1\n"),
         "scenes.yaml:10:9: \"max_s\" is for clips"},
        {SCENE(NOISE,
               " []\n") "  - id: s\n    category: a\n    words: w\n    names: [w]\n    bed:\n" NOISE
                        "    events: []\n",
         "scenes.yaml:10:5: scene \"s\" is there twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene_set set = {0};
        struct err err = {0};
        const char *text = cases[i].text;
        assert_int_equal(scene_set_parse(text, strlen(text), "scenes.yaml", &bank, &set, &err), -1);
        err.msg[strlen(cases[i].message)] = '\0'; /* of a syntax error only the place is ours */
        assert_string_equal(err.msg, cases[i].message);
        assert_null(set.scenes);
    }
}

#define NAMED(names)                                                                               \
    "scenes:\n  - id: s\n    category: work\n    words: w\n" names "    bed:\n" NOISE              \
    "    events: []\n"

static void test_names(void **state)
{
    (void)state;
#define BAD_NAME                                                                                   \
    ": a name has 1 to 40 bytes: lower-case words with single blanks, and perhaps * at the end"
    static const struct {
        const char *text, *message;
    } cases[] = {
        {NAMED(""), "scenes.yaml:2:5: key \"names\" is missing"},
        {NAMED("    names: w\n"), "scenes.yaml:5:12: \"names\" wants a list"},
        {NAMED("    names: []\n"), "scenes.yaml:5:5: a scene has 1 to 40 names"},
        {NAMED("    names: [w, W]\n"), "scenes.yaml:5:16" BAD_NAME},
        {NAMED("    names: [\"\"]\n"), "scenes.yaml:5:14" BAD_NAME},
        {NAMED("    names: [\"*\"]\n"), "scenes.yaml:5:14" BAD_NAME},
        {NAMED("    names: [bar* room]\n"), "scenes.yaml:5:13" BAD_NAME},
        {NAMED("    names: [\"bar  room\"]\n"), "scenes.yaml:5:14" BAD_NAME},
        {NAMED("    names: [a234567890123456789012345678901234567890b]\n"),
         "scenes.yaml:5:13" BAD_NAME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene_set set = {0};
        struct err err = {0};
        const char *text = cases[i].text;
        assert_int_equal(scene_set_parse(text, strlen(text), "scenes.yaml", &bank, &set, &err), -1);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(set.scenes);
    }
    struct scene_set set = parse(NAMED("    names: [bar, \"back-room 2*\", driver's seat]\n"));
    size_t n;
    const char *const *names = scene_names(scene_at(&set, 0), &n);
    assert_int_equal(n, 3);
    assert_string_equal(names[1], "back-room 2*");
    scene_set_release(&set);
}

static void test_bad_soundbanks(void **state)
{
    (void)state;
#define PACK "packages:\n  - {package: p, root: r, licence: l, copyright: c}\nclips:\n"
#define HASH "0000000000000000000000000000000000000000000000000000000000000000"
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"packages:\n  - {package: p, root: ../r, licence: l, copyright: c}\nclips: []\n",
         ":2:24: \"../r\" is no path inside a folder"},
        {"packages:\n  - {package: p, folder: a/b, root: ., licence: l, copyright: c}\nclips: []\n",
         ":2:26: \"a/b\" is no absolute path"},
        {PACK "  - {id: a, package: p, labels: dog, path: a.wav, sha256: " HASH "}\n",
         ":4:33: \"labels\" wants a list"},
        {PACK "  - {id: a, package: q, path: a.wav, sha256: " HASH "}\n",
         ":4:22: no package \"q\""},
        {PACK "  - {id: a, package: p, path: /a.wav, sha256: " HASH "}\n",
         ":4:31: \"/a.wav\" is no path inside a folder"},
        {PACK "  - {id: a, package: p, path: x/../../a.wav, sha256: " HASH "}\n",
         ":4:31: \"x/../../a.wav\" is no path inside a folder"},
        {PACK "  - {id: a, package: p, path: a.wav, sha256: 00}\n",
         ":4:46: 64 lower-case hexadecimal digits are wanted here"},
        {PACK "  - {id: a, package: p, path: a.wav, sha256: " HASH "}\n"
              "  - {id: a, package: p, path: b.wav, sha256: " HASH "}\n",
         ":5:6: clip \"a\" is there twice"},
    };
    char *path = in_dir("bad.yaml");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct soundbank bad = {0};
        struct err err = {0};
        char expected[512];
        write_text("bad.yaml", cases[i].text);
        assert_int_equal(soundbank_load(path, NULL, &bad, &err), -1);
        snprintf(expected, sizeof expected, "%s%s", path, cases[i].message);
        assert_string_equal(err.msg, expected);
    }
    free(path);
}

static int load_more(struct soundbank *ret, struct err *err)
{
    char *path = in_dir("sounds.yaml"), *more = in_dir("more");
    int ok = soundbank_load(path, more, ret, err);
    free(more);
    free(path);
    return ok;
}

/* A folder of the user's own: read where it is, and no more once its clip is stored. */
static void test_more_soundbanks(void **state)
{
    (void)state;
    struct soundbank all = {0};
    struct audio a = {0};
    struct err err = {0};
    char gong[SHA256_HEX_SIZE];
    char *more = in_dir("more"), *stems = in_dir("stems"), *file = in_dir("gong.flac");
    assert_int_equal(load_more(&all, &err), 0); /* no such folder: nothing more */
    assert_int_equal(all.n_clips, 4);
    soundbank_release(&all);
    assert_int_equal(fs_mkdirs(more, NULL), 0);
    write_clip("gong.flac", 220, 0.5, gong);

    char *yaml = NULL;
    assert_true(asprintf(&yaml,
                         "packages:\n"
                         "  - {package: mine, folder: %s, root: ., licence: CC0, copyright: me}\n"
                         "clips: [{id: gong, package: mine, path: gong.flac, sha256: %s}]\n",
                         dir, gong) > 0);
    write_text("more/b.yaml", yaml);
    write_text("more/a.yaml", PACK "  - {id: first, package: p, path: a, sha256: " HASH "}\n");
    assert_int_equal(load_more(&all, &err), 0);
    assert_int_equal(all.n_clips, 6);
    assert_string_equal(all.clips[4].id, "first");
    const struct sound_clip *clip = soundbank_find(&all, "gong");
    assert_non_null(clip);
    assert_int_equal(soundbank_clip_audio(&all, clip, NULL, stems, &a, &err), -1);
    assert_int_equal(soundbank_clip_audio(&all, clip, "elsewhere", stems, &a, &err), 0);
    audio_release(&a);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(soundbank_clip_audio(&all, clip, NULL, stems, &a, &err), 0);
    audio_release(&a);
    soundbank_release(&all);

    write_text("more/c.yaml", PACK "  - {id: gong, package: p, path: a, sha256: " HASH "}\n");
    assert_int_equal(load_more(&all, &err), -1);
    assert_non_null(strstr(err.msg, "/more/c.yaml:4:6: clip \"gong\" is there twice"));
    write_text("more/c.yaml", "packages: []\n"
                              "clips: [{id: x, package: mine, path: a, sha256: " HASH "}]\n");
    assert_int_equal(load_more(&all, &err), -1);
    assert_non_null(strstr(err.msg, "/more/c.yaml:2:26: no package \"mine\""));
    free(yaml);
    free(file);
    free(stems);
    free(more);
}

/* The recipes that are shipped name only clips that are there. */
static void test_shipped_data(void **state)
{
    (void)state;
    struct soundbank shipped;
    struct scene_set set;
    struct err err = {0};
    assert_int_equal(soundbank_load(TEST_DATA_DIR "/sounds.yaml", NULL, &shipped, &err), 0);
    assert_int_equal(scene_set_load(TEST_DATA_DIR "/scenes.yaml", &shipped, &set, &err), 0);
    assert_true(set.n_scenes >= 12);
    scene_set_release(&set);
    soundbank_release(&shipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render_depends_on_the_seed_alone),
        cmocka_unit_test(test_layers_are_independent),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_noise_colours),
        cmocka_unit_test(test_hum_harmonics),
        cmocka_unit_test(test_loop_has_no_seam),
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_label_in_the_bed),
        cmocka_unit_test(test_label_in_events),
        cmocka_unit_test(test_soundbank_audio),
        cmocka_unit_test(test_bad_recipes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_soundbanks),
        cmocka_unit_test(test_more_soundbanks),
        cmocka_unit_test(test_shipped_data),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
