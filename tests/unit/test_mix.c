/* SNR is measured here from the parts again, by mix.h's definition written out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audio/level.h"
#include "audio/mix.h"
#include "base/rng.h"

#define PI 3.14159265358979323846

#define assert_near(got, expected, epsilon) assert_true(fabs((got) - (expected)) <= (epsilon))

/* Two seconds: a tone burst, a pause of half a second, a softer burst. */
static struct audio make_speech(void)
{
    struct audio a = audio_silence(32000, AUDIO_RATE);
    for (size_t i = 0; i < a.n_frames; i++) {
        double gain = i < 12000 ? 0.3 : i < 20000 ? 0 : 0.15;
        a.pcm[i] = (float)(gain * sin(2 * PI * 220 * (double)i / AUDIO_RATE));
    }
    return a;
}

/* Noise that swells, so that its power differs between speech and pause. */
static struct audio make_scene(size_t n_frames)
{
    struct audio a = audio_silence(n_frames, AUDIO_RATE);
    struct rng rng = rng_init(1, "noise");
    for (size_t i = 0; i < n_frames; i++) {
        double gain = 0.05 + 0.04 * sin(2 * PI * (double)i / (double)n_frames);
        a.pcm[i] = (float)(gain * rng_range(&rng, -1, 1));
    }
    return a;
}

static double power(const struct audio *a, const bool *active)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < a->n_frames; i++) {
        if (active[i]) {
            sum += (double)a->pcm[i] * a->pcm[i];
            count++;
        }
    }
    return sum / count;
}

static void test_snr(void **state)
{
    (void)state;
    static const double snrs[] = {-5, 0, 5, 10, 15, 30};
    struct audio speech = make_speech();
    for (size_t i = 0; i < sizeof snrs / sizeof *snrs; i++) {
        struct mix_params p = mix_default_params();
        p.snr_db = snrs[i];
        p.lead_s = 0.5;
        p.tail_s = 0.25;
        size_t n = mix_n_frames(&p, speech.n_frames);
        assert_int_equal(n, 8000 + 32000 + 4000);
        struct audio scene = make_scene(n);
        struct mix m;
        struct err err;
        assert_int_equal(mix_build(&p, &speech, &scene, &m, &err), 0);
        bool *active;
        level_active_db(&m.speech, &active);
        double s = power(&m.speech, active);
        double v = power(&m.scene, active);
        free(active);
        assert_near(10 * log10(s / v), snrs[i], 0.01);
        assert_near(m.snr_db, snrs[i], 0.01);
        assert_near(10 * log10(s), -26, 0.01);
        assert_true(m.speech.pcm[7999] == 0 && m.speech.pcm[40000] == 0);
        audio_release(&scene);
        mix_release(&m);
    }
    audio_release(&speech);
}

static void test_loud_mix_is_turned_down(void **state)
{
    (void)state;
    struct audio speech = make_speech();
    struct mix_params p = mix_default_params();
    p.speech_level_db = -6;
    p.snr_db = -3;
    struct audio scene = make_scene(mix_n_frames(&p, speech.n_frames));
    struct mix m;
    struct err err;
    assert_int_equal(mix_build(&p, &speech, &scene, &m, &err), 0);
    double lufs, peak;
    assert_int_equal(level_loudness(&m.sum, &lufs, &peak, &err), 0);
    assert_near(peak, -1.1, 0.01); /* a tenth below the limit */
    assert_true(lufs == m.lufs && peak == m.true_peak_db);
    assert_near(m.snr_db, -3, 0.01);
    audio_release(&scene);
    audio_release(&speech);
    mix_release(&m);
}

static void test_sum_is_on_the_grid(void **state)
{
    (void)state;
    struct audio speech = make_speech();
    struct mix_params p = mix_default_params();
    struct audio scene = make_scene(mix_n_frames(&p, speech.n_frames));
    struct mix m;
    struct err err;
    assert_int_equal(mix_build(&p, &speech, &scene, &m, &err), 0);
    for (size_t i = 0; i < m.sum.n_frames; i++) {
        assert_true(m.sum.pcm[i] * 32768 == roundf(m.sum.pcm[i] * 32768));
        assert_near(m.sum.pcm[i], m.speech.pcm[i] + m.scene.pcm[i], 0.51 / 32768);
    }
    audio_release(&scene);
    audio_release(&speech);
    mix_release(&m);
}

static void assert_fails(const struct audio *speech, const struct audio *scene, const char *message)
{
    struct mix_params p = mix_default_params();
    struct mix m = {0};
    struct err err;
    assert_int_equal(mix_build(&p, speech, scene, &m, &err), -1);
    assert_string_equal(err.msg, message);
    assert_null(m.speech.pcm);
}

static void test_silence_is_refused(void **state)
{
    (void)state;
    struct mix_params p = mix_default_params();
    struct audio speech = make_speech();
    struct audio silent_speech = audio_silence(speech.n_frames, AUDIO_RATE);
    size_t n = mix_n_frames(&p, speech.n_frames);
    struct audio scene = make_scene(n);
    struct audio silent_scene = audio_silence(n, AUDIO_RATE);
    silent_scene.pcm[0] = 1; /* heard, but not under the speech */
    assert_fails(&silent_speech, &scene, "the speech is silent");
    assert_fails(&speech, &silent_scene, "the scene is silent under the speech");
    scene.n_frames--;
    assert_fails(&speech, &scene, "a mix wants 16000 Hz and a scene of 48000 frames, not 47999");
    audio_release(&silent_scene);
    audio_release(&silent_speech);
    audio_release(&scene);
    audio_release(&speech);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snr),
        cmocka_unit_test(test_loud_mix_is_turned_down),
        cmocka_unit_test(test_sum_is_on_the_grid),
        cmocka_unit_test(test_silence_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
