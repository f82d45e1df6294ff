/* The noise's third octaves against those of the speech that it was made from, and its steadiness.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audio/level.h"
#include "audio/speech_noise.h"
#include "speech/voices.h"

#define PI 3.14159265358979323846

#define assert_near(got, expected, epsilon) assert_true(fabs((got) - (expected)) <= (epsilon))

#define TEXT "Where should I stand when I shoot the bride this afternoon? She chose the west gate."

/*
 * Edges of bands: one for the first harmonics, which lie too far apart for third octaves (a
 * monotone voice has nothing between 180 and 340 Hz), then third octaves around 500, 630, ... 6300
 * Hz.
 */
#define N_BANDS 13
static double edge_hz(size_t i)
{
    return i == 0 ? 110 : 1000 * exp2(((double)i - 4.5) / 3);
}

/* Power in each band over that in all, in dB: DFT lines 10 Hz apart, Hann frames of 50 ms. */
static void measure_bands(const struct audio *a, double ret_db[N_BANDS])
{
    enum { FRAME = 800, LINE_HZ = 10 };
    double window[FRAME], sum = 0;
    for (size_t i = 0; i < FRAME; i++) {
        window[i] = 0.5 - 0.5 * cos(2 * PI * (double)i / FRAME);
    }
    for (size_t b = 0; b < N_BANDS; b++) {
        ret_db[b] = 0;
        for (int line = (int)ceil(edge_hz(b) / LINE_HZ); line * LINE_HZ < edge_hz(b + 1); line++) {
            double coefficient = 2 * cos(2 * PI * line * LINE_HZ / a->rate); /* Goertzel */
            for (size_t start = 0; start + FRAME <= a->n_frames; start += FRAME) {
                double s1 = 0, s2 = 0;
                for (size_t i = 0; i < FRAME; i++) {
                    double s = window[i] * a->pcm[start + i] + coefficient * s1 - s2;
                    s2 = s1;
                    s1 = s;
                }
                ret_db[b] += s1 * s1 + s2 * s2 - coefficient * s1 * s2;
            }
        }
        sum += ret_db[b];
    }
    for (size_t b = 0; b < N_BANDS; b++) {
        ret_db[b] = 10 * log10(ret_db[b] / sum);
    }
}

static struct voice_set voices;

static struct audio speak(const struct voice *voice)
{
    struct audio a = {0};
    struct err err = {0};
    if (voice_render(voice, emotion_find(&voices, "neutral"), rate_find(&voices, "normal"), TEXT, 1,
                     &a, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return a;
}

static struct audio make_noise(const struct audio *speech, size_t n_frames)
{
    struct rng rng = rng_init(1, "noise");
    struct audio a = {0};
    struct err err = {0};
    if (speech_noise(speech, n_frames, &rng, &a, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(a.n_frames, n_frames);
    assert_int_equal(a.rate, AUDIO_RATE);
    return a;
}

/* For every voice. An all-pole model follows peaks, and fills dips of the spectrum. */
static void test_spectrum(void **state)
{
    (void)state;
    for (size_t v = 0; v < voices.n_voices; v++) {
        struct audio speech = speak(&voices.voices[v]);
        struct audio noise = make_noise(&speech, (size_t)5 * AUDIO_RATE);
        double of_speech[N_BANDS], of_noise[N_BANDS];
        measure_bands(&speech, of_speech);
        measure_bands(&noise, of_noise);
        double squares = 0, worst = 0;
        for (size_t b = 0; b < N_BANDS; b++) {
            double difference = of_noise[b] - of_speech[b];
            squares += difference * difference;
            worst = fmax(worst, fabs(difference));
        }
        print_message("%s: noise over speech, rms of bands %.2f dB, worst %.2f dB\n",
                      voices.voices[v].id, sqrt(squares / N_BANDS), worst);
        assert_near(of_noise[0], of_speech[0], 1.5);
        assert_true(sqrt(squares / N_BANDS) < 2.5);
        assert_true(worst < 8);
        audio_release(&noise);
        audio_release(&speech);
    }
}

static void test_level(void **state)
{
    (void)state;
    struct audio speech = speak(&voices.voices[0]);
    struct audio noise = make_noise(&speech, (size_t)5 * AUDIO_RATE);
    assert_near(level_rms_db(&noise), level_active_db(&speech, NULL), 0.001);
    struct audio half = noise;
    half.n_frames /= 2;
    double first_db = level_rms_db(&half);
    half.pcm += half.n_frames;
    assert_near(level_rms_db(&half), first_db, 1);
    for (half.n_frames = AUDIO_RATE / 2; half.pcm > noise.pcm + half.n_frames;) {
        half.pcm -= half.n_frames;
        assert_near(level_rms_db(&half), first_db, 2);
    }
    audio_release(&noise);
    audio_release(&speech);
}

static void test_seed(void **state)
{
    (void)state;
    struct audio speech = speak(&voices.voices[1]);
    struct audio a = make_noise(&speech, 4001);
    struct audio b = make_noise(&speech, 4001);
    assert_memory_equal(a.pcm, b.pcm, a.n_frames * sizeof *a.pcm);
    struct rng rng = rng_init(2, "noise");
    audio_release(&b);
    assert_int_equal(speech_noise(&speech, 4001, &rng, &b, NULL), 0);
    assert_memory_not_equal(a.pcm, b.pcm, a.n_frames * sizeof *a.pcm);
    audio_release(&b);
    audio_release(&a);
    audio_release(&speech);
}

static void assert_fails(const struct audio *speech, const char *message)
{
    struct rng rng = rng_init(1, "noise");
    struct audio a = {0};
    struct err err = {0};
    assert_int_equal(speech_noise(speech, 100, &rng, &a, &err), -1);
    assert_string_equal(err.msg, message);
    assert_null(a.pcm);
}

static void test_odd_speech(void **state)
{
    (void)state;
    struct audio a = audio_silence(8000, AUDIO_RATE);
    assert_fails(&a, "the speech is silent");
    a.n_frames = 0;
    assert_fails(&a, "the speech is silent");
    /* A click, one sample, a pure tone: little to predict, or all of it. */
    for (size_t n = 1; n <= 8000; n = n == 1 ? 300 : n == 300 ? 8000 : 8001) {
        a.n_frames = n;
        memset(a.pcm, 0, n * sizeof *a.pcm);
        a.pcm[n / 2] = 0.5f;
        struct audio noise = make_noise(&a, 16000);
        assert_near(level_rms_db(&noise), level_active_db(&a, NULL), 0.001);
        audio_release(&noise);
    }
    for (size_t i = 0; i < a.n_frames; i++) {
        a.pcm[i] = (float)(0.5 * sin(2 * PI * 440 * (double)i / AUDIO_RATE));
    }
    struct audio noise = make_noise(&a, 16000);
    assert_true(isfinite(level_rms_db(&noise)));
    audio_release(&noise);
    a.rate = 8000;
    assert_fails(&a, "speech-shaped noise wants 16000 Hz, not 8000");
    audio_release(&a);
}

static int setup(void **state)
{
    (void)state;
    return voice_set_load(TEST_DATA_DIR "/voices.yaml", &voices, NULL);
}

static int teardown(void **state)
{
    (void)state;
    voice_set_release(&voices);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spectrum),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_odd_speech),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
