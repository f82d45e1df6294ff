/* Loudness and true peak: ffmpeg 5.1, -af ebur128=peak=true, of the same signals as 16-bit WAV. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <ebur128.h>
#include <stdbool.h>

#include "audio/level.h"

#define PI 3.14159265358979323846

#define assert_near(got, expected, epsilon) assert_true(fabs((got) - (expected)) <= (epsilon))

static void add_sine(struct audio *a, double hz, double amplitude, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++) {
        a->pcm[i] += (float)(amplitude * sin(2 * PI * hz * (double)i / a->rate));
    }
}

static void test_rms(void **state)
{
    (void)state;
    struct audio a = audio_silence(16000, 16000);
    assert_true(level_rms_db(&a) == -INFINITY);
    add_sine(&a, 1000, 0.1, 0, 16000);
    assert_near(level_rms_db(&a), -23.0103, 1e-4); /* 20 log10(0.1 / sqrt 2) */
    level_apply_gain(&a, 13);
    assert_near(level_rms_db(&a), -10.0103, 1e-4);
    audio_release(&a);
    assert_true(level_rms_db(&a) == -INFINITY);
}

static void test_active(void **state)
{
    (void)state;
    struct audio a = audio_silence(48000, 16000);
    add_sine(&a, 400, 0.2, 16000, 32000);
    add_sine(&a, 400, 0.002, 0, 16000); /* 40 dB below: not speech */
    bool *active;
    assert_near(level_active_db(&a, &active), 20 * log10(0.2 / sqrt(2)), 0.1);
    size_t n = 0;
    for (size_t i = 0; i < a.n_frames; i++) {
        n += active[i];
    }
    assert_near((double)n, 16000, 640);
    assert_true(active[24000] && !active[8000] && !active[40000]);
    assert_true(level_rms_where_db(&a, active) == level_active_db(&a, NULL));
    free(active);
    audio_release(&a);
}

static void test_active_of_little(void **state)
{
    (void)state;
    struct audio a = audio_silence(1000, 16000);
    bool *active;
    assert_true(level_active_db(&a, &active) == -INFINITY);
    assert_false(active[0]);
    free(active);
    audio_release(&a);

    a = audio_silence(100, 16000); /* shorter than a frame */
    add_sine(&a, 1600, 0.5, 0, 100);
    assert_near(level_active_db(&a, NULL), -9.0309, 1e-4);
    a.n_frames = 0;
    assert_true(level_active_db(&a, NULL) == -INFINITY);
    audio_release(&a);
}

static void test_loudness(void **state)
{
    (void)state;
    static const size_t n = 6 * 16000;
    struct err err;
    double lufs, peak;

    struct audio a = audio_silence(n, 16000);
    add_sine(&a, 997, 0.1, 0, n);
    assert_int_equal(level_loudness(&a, &lufs, &peak, &err), 0);
    assert_near(lufs, -23.0, 0.05);
    assert_near(peak, -20.0, 0.05);
    audio_release(&a);

    a = audio_silence(n, 16000); /* the second half falls under the relative gate */
    add_sine(&a, 200, 0.5, 0, n / 2);
    add_sine(&a, 200, 0.01, n / 2, n);
    assert_int_equal(level_loudness(&a, &lufs, &peak, &err), 0);
    assert_near(lufs, -10.1, 0.05);
    assert_near(peak, -6.0, 0.05);
    audio_release(&a);

    a = audio_silence(n, 16000);
    add_sine(&a, 60, 0.2, 0, n);
    add_sine(&a, 3000, 0.1, 0, n);
    assert_int_equal(level_loudness(&a, &lufs, &peak, &err), 0);
    assert_near(lufs, -17.1, 0.05);
    assert_near(peak, -10.5, 0.1);
    audio_release(&a);

    a = audio_silence(n, 16000);
    assert_int_equal(level_loudness(&a, &lufs, &peak, &err), 0);
    assert_true(lufs == -INFINITY && peak == -INFINITY);
    audio_release(&a);
}

/* A sine at a quarter of the rate, sampled 45 degrees off its peaks: 3 dB hide between samples. */
static void test_true_peak_between_samples(void **state)
{
    (void)state;
    struct audio a = audio_silence(16000, 16000);
    for (size_t i = 0; i < a.n_frames; i++) {
        double gain = fmin(1, (double)i / 4000);
        a.pcm[i] = (float)(0.9 * gain * sin(PI / 2 * (double)i + PI / 4));
    }
    struct err err;
    double lufs, peak;
    assert_int_equal(level_loudness(&a, &lufs, &peak, &err), 0);
    assert_near(peak, 20 * log10(0.9), 0.7); /* BS.1770-4: 4 times oversampling, under-read 0.6 */
    assert_true(peak > 20 * log10(0.9 / sqrt(2)) + 2);
    audio_release(&a);
}

/* Only loud parts are looked at for the peak; libebur128 of the whole signal must say the same. */
static void test_true_peak_is_that_of_the_whole(void **state)
{
    (void)state;
    static const int rates[] = {16000, 44100, 48000, 96000};
    uint32_t x = 1;
    for (int k = 0; k < 80; k++) {
        struct audio a = audio_silence(8000, rates[k % 4]);
        for (size_t i = 0; i < a.n_frames; i++) {
            x = x * 1664525 + 1013904223;
            double noise = (double)x / 4294967296.0 - 0.5;
            bool is_loud = i / 400 % 5 == (size_t)k % 5;
            a.pcm[i] = (float)(noise * (is_loud ? 0.9 : 0.02 + 0.005 * k));
        }
        double lufs, peak_db, peak;
        assert_int_equal(level_loudness(&a, &lufs, &peak_db, NULL), 0);
        ebur128_state *whole = ebur128_init(1, (unsigned long)a.rate, EBUR128_MODE_TRUE_PEAK);
        assert_int_equal(ebur128_add_frames_float(whole, a.pcm, a.n_frames), EBUR128_SUCCESS);
        assert_int_equal(ebur128_true_peak(whole, 0, &peak), EBUR128_SUCCESS);
        assert_near(peak_db, 20 * log10(peak), 1e-9);
        ebur128_destroy(&whole);
        audio_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms),
        cmocka_unit_test(test_active),
        cmocka_unit_test(test_active_of_little),
        cmocka_unit_test(test_loudness),
        cmocka_unit_test(test_true_peak_between_samples),
        cmocka_unit_test(test_true_peak_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
