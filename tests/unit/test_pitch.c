/* F0: of tones whose F0 is known, and of speech as Praat measures it (tests/reference/pitch.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/pitch.h"
#include "base/mem.h"
#include "speech/voices.h"

#define PI 3.14159265358979323846
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

/* Ten harmonics whose F0 goes from low to high at a steady pace in semitones, n_s seconds. */
static struct audio glide(double low_hz, double high_hz, double n_s)
{
    struct audio a = audio_silence((size_t)(n_s * AUDIO_RATE), AUDIO_RATE);
    double phase = 0;
    for (size_t i = 0; i < a.n_frames; i++) {
        double hz = low_hz * pow(high_hz / low_hz, (double)i / (double)a.n_frames);
        phase += 2 * PI * hz / AUDIO_RATE;
        for (int k = 1; k <= 10 && k * hz < 3900; k++) {
            a.pcm[i] += (float)(0.1 / k * sin(k * phase));
        }
    }
    return a;
}

static void test_tones(void **state)
{
    (void)state;
    static const double tones[][2] = {{70, 70}, {100, 100}, {211, 211}, {400, 400}, {100, 200}};
    for (size_t i = 0; i < sizeof tones / sizeof *tones; i++) {
        struct audio a = glide(tones[i][0], tones[i][1], 2);
        struct pitch p;
        struct err err = {0};
        assert_int_equal(pitch_measure(&a, &p, &err), 0);
        assert_near(p.mean_hz / sqrt(tones[i][0] * tones[i][1]), 1, 0.005);
        assert_near(p.range_st, 0.8 * 12 * log2(tones[i][1] / tones[i][0]), 0.3);
        assert_true(p.n_voiced > 190);
        audio_release(&a);
    }
}

static void test_noise_and_silence(void **state)
{
    (void)state;
    struct audio a = audio_silence(16000, AUDIO_RATE);
    struct pitch p;
    struct err err = {0};
    assert_int_equal(pitch_measure(&a, &p, &err), 0);
    assert_int_equal(p.n_voiced, 0);
    assert_true(p.mean_hz == 0);
    uint32_t x = 1;
    for (size_t i = 0; i < a.n_frames; i++) {
        x = x * 1664525 + 1013904223;
        a.pcm[i] = (float)((double)x / 4294967296.0 - 0.5);
    }
    assert_int_equal(pitch_measure(&a, &p, &err), 0);
    assert_true(p.n_voiced < 5);
    audio_release(&a);
    a = audio_silence(100, AUDIO_RATE); /* shorter than a window */
    assert_int_equal(pitch_measure(&a, &p, &err), 0);
    assert_int_equal(p.n_voiced, 0);
    audio_release(&a);
}

static void test_speech(void **state)
{
    (void)state;
    static const struct {
        double mean_hz, range_st;
    } praat[] = {{173.50, 3.17}, {196.03, 3.79}, {205.81, 3.12}, {179.19, 3.27},
                 {127.70, 4.67}, {105.01, 3.76}, {93.48, 3.71},  {101.06, 2.51}};
    struct voice_set set;
    struct err err = {0};
    assert_int_equal(voice_set_load(TEST_DATA_DIR "/voices.yaml", &set, &err), 0);
    assert_int_equal(set.n_voices, sizeof praat / sizeof *praat);
    for (size_t i = 0; i < set.n_voices; i++) {
        struct audio a;
        struct pitch p;
        assert_int_equal(
            voice_render(&set.voices[i], emotion_find(&set, "neutral"), rate_find(&set, "normal"),
                         "Tell me how to kill the lights in the garden before the guests arrive.",
                         7, &a, &err),
            0);
        assert_int_equal(pitch_measure(&a, &p, &err), 0);
        assert_near(p.mean_hz / praat[i].mean_hz, 1, 0.02);
        assert_near(p.range_st, praat[i].range_st, 0.5);
        audio_release(&a);
    }
    voice_set_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tones),
        cmocka_unit_test(test_noise_and_silence),
        cmocka_unit_test(test_speech),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
