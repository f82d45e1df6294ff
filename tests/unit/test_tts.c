/* Both engines, the voice list, and that pitch, range and speed do what they say. */
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

#include "audio/effects.h"
#include "audio/level.h"
#include "audio/pitch.h"
#include "speech/tts.h"
#include "speech/voices.h"

#define TEXT "Where should I stand when I shoot the bride this afternoon?"

#define assert_near(got, expected, epsilon) assert_true(fabs((got) - (expected)) <= (epsilon))

static struct tts_request make_request(const char *engine, const char *voice, const char *text)
{
    return (struct tts_request){
        .engine = engine, .voice = voice, .text = text, .speed = 1, .range = 1, .seed = 7};
}

static struct audio speak(const struct tts_request *r)
{
    struct audio a = {0};
    struct err err = {0};
    if (tts_render(r, &a, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return a;
}

static void assert_speech_fails(struct tts_request r, const char *message)
{
    struct audio a = {0};
    struct err err = {0};
    assert_int_equal(tts_render(&r, &a, &err), -1);
    assert_string_equal(err.msg, message);
    assert_null(a.pcm);
}

static struct pitch measure_pitch(const struct audio *speech)
{
    struct pitch p;
    assert_int_equal(pitch_measure(speech, &p, NULL), 0);
    assert_true(p.n_voiced > 20);
    return p;
}

/* From a to b in semitones. */
static double semitones(const struct pitch *a, const struct pitch *b)
{
    return 12 * log2(b->mean_hz / a->mean_hz);
}

static void test_same_request_same_samples(void **state)
{
    (void)state;
    static const char *const voices[][2] = {{"espeak", "en-us+f2"},
                                            {"espeak", "en-gb-x-rp+f5"},
                                            {"espeak", "en-gb-scotland+m2"},
                                            {"flite", "slt"}};
    for (int i = 0; i < 4; i++) {
        const char *const *next = voices[(i + 1) % 4];
        struct tts_request r = make_request(voices[i][0], voices[i][1], TEXT);
        struct tts_request other = make_request(next[0], next[1], "Something else!");
        struct audio first = speak(&r);
        struct audio between = speak(&other);
        struct audio again = speak(&r);
        assert_int_equal(first.n_frames, again.n_frames);
        assert_memory_equal(first.pcm, again.pcm, first.n_frames * sizeof *first.pcm);
        assert_int_not_equal(first.n_frames, between.n_frames);
        assert_true(first.rate == 22050 || first.rate == 16000);
        audio_release(&first);
        audio_release(&between);
        audio_release(&again);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static char long_text[1002];
    memset(long_text, 'a', 1001);
    assert_speech_fails(make_request("festival", "slt", TEXT),
                        "there is no speech engine \"festival\"");
    assert_speech_fails(make_request("flite", "kate", TEXT), "flite, voice kate: no such voice");
    assert_speech_fails(make_request("http", "af_heart", TEXT),
                        "http, voice af_heart: no speech server is named");
    assert_speech_fails(make_request("espeak", "xx", TEXT), "espeak, voice xx: no such voice");
    assert_speech_fails(make_request("espeak", "en-us+f99", TEXT),
                        "espeak, voice en-us+f99: no such voice");
    assert_speech_fails(make_request("espeak", "en-us", ""),
                        "espeak, voice en-us: the text has 0 bytes, not 1..1000");
    assert_speech_fails(make_request("espeak", "en-us", long_text),
                        "espeak, voice en-us: the text has 1001 bytes, not 1..1000");
    assert_speech_fails(make_request("flite", "slt", "caf\xe9"),
                        "flite, voice slt: the text is no UTF-8");
    struct tts_request r = make_request("flite", "slt", TEXT);
    r.speed = 3;
    assert_speech_fails(r, "flite, voice slt: speed 3, pitch 0, range 1: out of range");
}

static void test_versions(void **state)
{
    (void)state;
    for (const char *const *e = tts_engines(); *e; e++) {
        assert_true(strlen(tts_engine_version(*e)) > 2);
    }
    assert_null(tts_engine_version("festival"));
}

static void test_speed_pitch_and_range(void **state)
{
    (void)state;
    static const char *const voices[][2] = {{"espeak", "en-us+f2"},
                                            {"espeak", "en-us+m3"},
                                            {"flite", "slt"},
                                            {"flite", "awb"},
                                            {"flite", "kal16"}};
    for (int i = 0; i < 5; i++) {
        struct tts_request r = make_request(voices[i][0], voices[i][1], TEXT);
        struct audio normal = speak(&r);
        effect_trim(&normal, 40);
        struct pitch at_rest = measure_pitch(&normal);

        static const double speeds[] = {0.8, 1.25};
        for (int k = 0; k < 2; k++) {
            r.speed = speeds[k];
            struct audio a = speak(&r);
            effect_trim(&a, 40);
            double speed = (double)normal.n_frames / (double)a.n_frames;
            assert_near(speed / speeds[k], 1, 0.04);
            audio_release(&a);
        }
        r.speed = 1;

        static const double pitches[] = {-2, 3};
        for (int k = 0; k < 2; k++) {
            r.pitch = pitches[k];
            struct audio a = speak(&r);
            struct pitch p = measure_pitch(&a);
            assert_near(semitones(&at_rest, &p), pitches[k], 0.5);
            effect_trim(&a, 40);
            assert_near((double)a.n_frames / (double)normal.n_frames, 1, 0.02);
            audio_release(&a);
        }
        r.pitch = 0;

        static const double ranges[] = {0.5, 1.5};
        for (int k = 0; k < 2; k++) {
            r.range = ranges[k];
            struct audio a = speak(&r);
            struct pitch p = measure_pitch(&a);
            assert_near(semitones(&at_rest, &p), 0, 0.6);
            assert_near(p.range_st / at_rest.range_st, ranges[k], 0.25);
            audio_release(&a);
        }
        audio_release(&normal);
    }
}

static void test_voice_list(void **state)
{
    (void)state;
    struct voice_set set;
    struct err err = {0};
    assert_int_equal(voice_set_load(TEST_DATA_DIR "/voices.yaml", &set, &err), 0);
    assert_int_equal(set.n_voices, 8);
    assert_int_equal(set.n_emotions, 5);
    assert_int_equal(set.n_rates, 3);
    int n[2] = {0}, n_flite[2] = {0};
    double lowest_female = 1e9, highest_male = 0;
    const struct emotion *neutral = emotion_find(&set, "neutral");
    const struct rate *normal = rate_find(&set, "normal");
    for (size_t i = 0; i < set.n_voices; i++) {
        const struct voice *v = &set.voices[i];
        n[v->gender]++;
        n_flite[v->gender] += strcmp(v->engine, "flite") == 0;
        struct audio a;
        assert_int_equal(voice_render(v, neutral, normal, TEXT, 1, &a, &err), 0);
        assert_int_equal(a.rate, AUDIO_RATE);
        assert_near(level_active_db(&a, NULL), VOICE_LEVEL_DB, 0.01);
        double hz = measure_pitch(&a).mean_hz;
        if (v->gender == VOICE_FEMALE) {
            lowest_female = fmin(lowest_female, hz);
        } else {
            highest_male = fmax(highest_male, hz);
        }
        audio_release(&a);
    }
    assert_true(n[VOICE_FEMALE] == 4 && n[VOICE_MALE] == 4);
    assert_true(n_flite[VOICE_FEMALE] == 1 && n_flite[VOICE_MALE] == 1);
    assert_true(lowest_female > highest_male + 20);
    assert_null(voice_find(&set, "nobody"));
    assert_null(emotion_find(&set, "bored"));
    assert_null(rate_find(&set, "glacial"));
    assert_string_equal(voice_gender_name(voice_find(&set, "m-us")->gender), "male");
    voice_set_release(&set);
}

/* Emotion must not be rate or level in disguise. */
static void test_emotions_keep_duration_and_level(void **state)
{
    (void)state;
    struct voice_set set;
    struct err err;
    assert_int_equal(voice_set_load(TEST_DATA_DIR "/voices.yaml", &set, &err), 0);
    const struct rate *normal = rate_find(&set, "normal");
    static const char *const voices[] = {"f-slt", "m-rp"};
    for (int i = 0; i < 2; i++) {
        const struct voice *v = voice_find(&set, voices[i]);
        double n_neutral = 0;
        for (size_t k = 0; k < set.n_emotions; k++) {
            struct audio a;
            assert_int_equal(voice_render(v, &set.emotions[k], normal, TEXT, 1, &a, &err), 0);
            n_neutral = k == 0 ? (double)a.n_frames : n_neutral;
            assert_near((double)a.n_frames / n_neutral, 1, 0.02);
            assert_near(level_active_db(&a, NULL), VOICE_LEVEL_DB, 0.01);
            audio_release(&a);
        }
    }
    voice_set_release(&set);
}

static void test_bad_voice_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"voices: []\nemotions: []\nrates: []\n", ":1:1: \"voices\" is empty"},
        {"voices:\n  - {id: a, gender: other, engine: flite, voice: slt, pitch: 0}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":2:21: \"other\": one of female, male is wanted"},
        {"voices:\n  - {id: a, gender: male, engine: flite, voice: awb, pitch: 0}\n"
         "  - {id: a, gender: male, engine: flite, voice: awb, pitch: 0}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":3:6: voice \"a\" is there twice"},
        {"voices:\n  - {id: a, gender: male, engine: flite, voice: awb, pitch: 0, loud: 1}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":2:64: unknown key \"loud\""},
        {"voices:\n  - {id: a, gender: male, engine: flite, voice: awb, pitch: 99}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":2:61: 99 is not within -6..6"},
        {"voices:\n  - {id: a, gender: male, engine: http, voice: v}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":2:6: a voice of http wants a speech_server above"},
        {"speech_server: {url: \"http://h/v1\", model: m}\n"
         "voices:\n  - {id: a, gender: male, engine: http, voice: v, pitch: 1}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":3:58: 1 is not within 0..0"},
        {"speech_server: {url: \"https://me:secret@h/v1\", model: m}\n"
         "voices:\n  - {id: a, gender: male, engine: http, voice: v}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":1:23: an http:// or https:// URL of at most 200 bytes, without user and query, is "
         "wanted "
         "here"},
        {"speech_server: {url: \"file:///etc\", model: m}\n"
         "voices:\n  - {id: a, gender: male, engine: http, voice: v}\n"
         "emotions:\n  - {id: e}\nrates:\n  - {id: r, speed: 1}\n",
         ":1:23: an http:// or https:// URL of at most 200 bytes, without user and query, is "
         "wanted "
         "here"},
    };
    char path[] = "/tmp/aor-test-voices-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct voice_set set;
        struct err err;
        char expected[512];
        assert_int_equal(fs_write(path, cases[i].text, strlen(cases[i].text), &err), 0);
        assert_int_equal(voice_set_load(path, &set, &err), -1);
        snprintf(expected, sizeof expected, "%s%s", path, cases[i].message);
        assert_string_equal(err.msg, expected);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_request_same_samples),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_speed_pitch_and_range),
        cmocka_unit_test(test_voice_list),
        cmocka_unit_test(test_emotions_keep_duration_and_level),
        cmocka_unit_test(test_bad_voice_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
