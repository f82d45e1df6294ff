/* Decoding, writing, resampling, effects. The digest is of Python's hashlib and struct. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/audio.h"
#include "audio/effects.h"
#include "audio/level.h"

#define PI 3.14159265358979323846

static void add_le(struct buf *b, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) {
        char byte = (char)(value >> (8 * i) & 0xff);
        buf_add(b, &byte, 1);
    }
}

/* A WAV of raw sample bytes; format 1: integers, 3: floats. */
static struct buf make_wav(int format, int n_channels, uint32_t rate, int bits, const void *data,
                           size_t n)
{
    struct buf b = {0};
    int block = n_channels * bits / 8;
    buf_adds(&b, "RIFF");
    add_le(&b, 36 + n, 4);
    buf_adds(&b, "WAVEfmt ");
    add_le(&b, 16, 4);
    add_le(&b, (uint64_t)format, 2);
    add_le(&b, (uint64_t)n_channels, 2);
    add_le(&b, rate, 4);
    add_le(&b, (uint64_t)rate * (uint64_t)block, 4);
    add_le(&b, (uint64_t)block, 2);
    add_le(&b, (uint64_t)bits, 2);
    buf_adds(&b, "data");
    add_le(&b, n, 4);
    buf_add(&b, data, n);
    return b;
}

static int load(const struct buf *b, int rate, struct audio *ret, struct err *err)
{
    return audio_load_memory(b->data, b->len, "x.wav", rate, 10, ret, err);
}

static void assert_load_fails(struct buf *b, const char *message)
{
    struct audio a = {0};
    struct err err = {0};
    assert_int_equal(load(b, 0, &a, &err), -1);
    assert_string_equal(err.msg, message);
    assert_null(a.pcm);
    buf_release(b);
}

static struct audio make_sine(double hz, double amplitude, size_t n, int rate)
{
    struct audio a = audio_silence(n, rate);
    for (size_t i = 0; i < n; i++) {
        a.pcm[i] = (float)(amplitude * sin(2 * PI * hz * (double)i / rate));
    }
    return a;
}

static void test_wav_is_exact(void **state)
{
    (void)state;
    const int16_t pcm[] = {0, 1, -1, 32767, -32768, 12345};
    struct buf b = make_wav(1, 1, 16000, 16, pcm, sizeof pcm);
    struct audio a;
    struct err err;
    assert_int_equal(load(&b, 16000, &a, &err), 0);
    assert_int_equal(a.n_frames, 6);
    assert_int_equal(a.rate, 16000);
    for (int i = 0; i < 6; i++) {
        assert_true(a.pcm[i] == (float)pcm[i] / 32768.0f);
    }
    audio_release(&a);
    buf_release(&b);
}

static void test_stereo_is_averaged(void **state)
{
    (void)state;
    const int16_t pcm[] = {100, 300, -1000, 1000};
    struct buf b = make_wav(1, 2, 44100, 16, pcm, sizeof pcm);
    struct audio a;
    struct err err;
    assert_int_equal(load(&b, 0, &a, &err), 0);
    assert_int_equal(a.n_frames, 2);
    assert_int_equal(a.rate, 44100);
    assert_true(a.pcm[0] == 200.0f / 32768.0f);
    assert_true(a.pcm[1] == 0.0f);
    audio_release(&a);
    buf_release(&b);
}

/* What OpenAI, ElevenLabs, pocket-tts, and writers to a pipe state of a WAV that they stream. */
static void test_streamed_wav(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0xFFFFFFFF, 0x7FFFFFFF, 2000000000, 0};
    const int16_t pcm[] = {5, 6, 7, 8};
    for (int i = 0; i < 4; i++) {
        struct buf b = make_wav(1, 1, 16000, 16, pcm, sizeof pcm);
        struct audio a;
        struct err err;
        for (int k = 0; k < 4; k++) {
            b.data[40 + k] = (char)(sizes[i] >> (8 * k) & 0xff);
        }
        audio_mend_wav(b.data, b.len);
        assert_int_equal(b.data[40], sizeof pcm);
        assert_int_equal(load(&b, 0, &a, &err), 0);
        assert_int_equal(a.n_frames, 4);
        assert_true(a.pcm[3] == 8 / 32768.0f);
        audio_release(&a);
        buf_release(&b);
    }
    /* A size that may be true stays, and so does what is no WAV. */
    struct buf b = make_wav(1, 1, 16000, 16, pcm, sizeof pcm);
    char before[52];
    b.data[40] = 100;
    memcpy(before, b.data, sizeof before);
    audio_mend_wav(b.data, b.len);
    assert_memory_equal(b.data, before, sizeof before);
    b.data[0] = 'X', b.data[40] = 0;
    memcpy(before, b.data, sizeof before);
    for (size_t n = 0; n <= b.len; n++) {
        audio_mend_wav(b.data, n);
    }
    assert_memory_equal(b.data, before, sizeof before);
    buf_release(&b);
}

static void test_bad_files(void **state)
{
    (void)state;
    const int16_t pcm[100] = {0};
    const float bad[] = {0, NAN, 0};
    const float huge[] = {0, 1e30f, 0};
    struct buf empty = {0};
    buf_adds(&empty, "");
    struct buf wav = make_wav(1, 1, 16000, 16, pcm, 0);
    assert_load_fails(&wav, "x.wav: holds no sound");
    wav = make_wav(1, 1, 16000, 16, pcm, sizeof pcm);
    wav.len -= 50;
    assert_load_fails(&wav, "x.wav: broken off after 150 of 200 bytes of sound");
    wav = make_wav(1, 1, 1, 16, pcm, sizeof pcm);
    assert_load_fails(&wav, "x.wav: a rate of 1 Hz");
    wav = make_wav(1, 1, 2000000000, 16, pcm, sizeof pcm);
    assert_load_fails(&wav, "x.wav: a rate of 2000000000 Hz");
    wav = make_wav(1, 17, 16000, 16, pcm, 170);
    assert_load_fails(&wav, "x.wav: 17 channels");
    wav = make_wav(3, 1, 16000, 32, bad, sizeof bad);
    assert_load_fails(&wav, "x.wav: sample 1 is no sensible number");
    wav = make_wav(3, 1, 16000, 32, huge, sizeof huge);
    assert_load_fails(&wav, "x.wav: sample 1 is no sensible number");

    struct audio a = {0};
    struct err err = {0};
    assert_int_equal(load(&empty, 0, &a, &err), -1);
    buf_adds(&empty, "this is no audio file, whatever its name may say");
    assert_int_equal(load(&empty, 0, &a, &err), -1);
    buf_release(&empty);
    int16_t *second = calloc(16000, sizeof *second);
    wav = make_wav(1, 1, 1000, 16, second, 16000 * sizeof *second);
    free(second);
    assert_load_fails(&wav, "x.wav: longer than 10 s");
}

/* The header promises 2 GB: what is there is read, and no more memory is taken than that. */
static void test_wav_with_a_lying_length(void **state)
{
    (void)state;
    const int16_t pcm[] = {1, 2, 3, 4};
    struct buf b = make_wav(1, 1, 16000, 16, pcm, sizeof pcm);
    memset(b.data + 40, 0x7f, 4);
    struct audio a;
    struct err err;
    assert_int_equal(load(&b, 0, &a, &err), 0);
    assert_int_equal(a.n_frames, 4);
    audio_release(&a);
    buf_release(&b);
}

static void test_quantize(void **state)
{
    (void)state;
    float pcm[] = {0.5f / 32768, -0.5f / 32768, 0.49f / 32768, 1.5f / 32768, 1, -1, 3, -3};
    const float expected[] = {0, 0, 0, 2, 32767, -32768, 32767, -32768}; /* halves to even */
    struct audio a = {pcm, 8, 16000};
    audio_quantize(&a);
    for (int i = 0; i < 8; i++) {
        assert_true(pcm[i] == expected[i] / 32768);
    }
}

static void test_sha256(void **state)
{
    (void)state;
    float pcm[] = {0, 1.0f / 32768, -1.0f / 32768, 1, -1};
    struct audio a = {pcm, 5, 16000};
    char digest[SHA256_HEX_SIZE];
    audio_sha256(&a, digest);
    assert_string_equal(digest, "b9e94d97ecf4a49c39ef6481b1f8c35640ec3c9040053f25268b0140ae60c10b");
}

static char *make_folder(void)
{
    char *dir = strdup("/tmp/aor-test-audio-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

static void test_flac_round_trip(void **state)
{
    (void)state;
    char *dir = make_folder();
    char *path = fs_join(dir, "a.flac");
    struct audio a = make_sine(440, 0.7, 16000, 16000);
    struct audio back = {0};
    struct err err;
    struct buf first = {0}, second = {0};
    assert_int_equal(audio_save_flac(path, &a, &err), 0);
    assert_int_equal(fs_read(path, 1 << 20, &first, &err), 0);
    assert_int_equal(audio_save_flac(path, &a, &err), 0);
    assert_int_equal(fs_read(path, 1 << 20, &second, &err), 0);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);

    assert_int_equal(audio_load(path, 0, 2, &back, &err), 0);
    assert_int_equal(back.n_frames, a.n_frames);
    assert_int_equal(back.rate, 16000);
    audio_quantize(&a);
    assert_memory_equal(back.pcm, a.pcm, a.n_frames * sizeof *a.pcm);
    audio_release(&back);

    assert_int_equal(audio_load_memory(first.data, first.len / 2, "half.flac", 0, 2, &back, &err),
                     -1);
    assert_non_null(strstr(err.msg, "half.flac: broken off after "));
    assert_non_null(strstr(err.msg, " of 16000 frames"));

    buf_release(&first);
    buf_release(&second);
    audio_release(&a);
    unlink(path);
    rmdir(dir);
    free(path);
    free(dir);
}

/* What is sent to a served model is what is in the benchmark. */
static void test_encode_wav(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 16000, 16001};
    for (int i = 0; i < 3; i++) {
        struct audio a = make_sine(440, 1.3, lengths[i], 16000); /* clips */
        struct audio back = {0};
        struct buf file = {0};
        struct err err;
        char wanted[SHA256_HEX_SIZE], is[SHA256_HEX_SIZE];
        assert_int_equal(audio_encode(&a, AUDIO_WAV, &file, &err), 0);
        assert_int_equal(file.len, 44 + 2 * lengths[i]);
        assert_int_equal(load(&file, 0, &back, &err), 0);
        assert_int_equal(back.rate, 16000);
        assert_int_equal(back.n_frames, lengths[i]);
        audio_sha256(&a, wanted);
        audio_sha256(&back, is);
        assert_string_equal(is, wanted);
        audio_release(&back);
        audio_release(&a);
        buf_release(&file);
    }
}

/* The correlation of a with b, which starts lag frames later. */
static double correlate(const struct audio *a, const struct audio *b, size_t lag)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < a->n_frames && i + lag < b->n_frames; i++) {
        ab += (double)a->pcm[i] * b->pcm[i + lag];
        aa += (double)a->pcm[i] * a->pcm[i];
        bb += (double)b->pcm[i + lag] * b->pcm[i + lag];
    }
    return ab / sqrt(aa * bb);
}

/* MP3 adds at most three of its frames, 1152 samples (576 below 32 kHz), and shifts by them. */
static void test_encode_mp3(void **state)
{
    (void)state;
    struct audio a = audio_silence(32000, 16000);
    for (size_t i = 0; i < a.n_frames; i++) { /* a sweep, so that only one lag fits */
        double t = (double)i / 16000;
        a.pcm[i] = (float)(0.5 * sin(2 * PI * (200 * t + 300 * t * t)));
    }
    struct audio back = {0};
    struct buf file = {0};
    struct err err;
    assert_int_equal(audio_encode(&a, AUDIO_MP3, &file, &err), 0);
    assert_true(file.len < a.n_frames); /* under half of the WAV */
    assert_int_equal(audio_load_memory(file.data, file.len, "x.mp3", 0, 10, &back, &err), 0);
    assert_int_equal(back.rate, 16000);
    assert_true(back.n_frames >= a.n_frames && back.n_frames <= a.n_frames + 3 * 1152);
    double best = 0;
    for (size_t lag = 0; lag <= 3 * 1152; lag++) {
        best = fmax(best, correlate(&a, &back, lag));
    }
    if (best < 0.99) {
        fail_msg("correlates with %g", best);
    }
    audio_release(&back);
    audio_release(&a);
    buf_release(&file);
}

static void test_failed_write_leaves_nothing(void **state)
{
    (void)state;
    char *dir = make_folder();
    char *path = fs_join(dir, "a.flac");
    struct audio a = make_sine(440, 0.7, 16000, 16000);
    struct err err;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int ok = audio_save_flac(path, &a, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(ok, -1);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(rmdir(dir), 0); /* fails when a file is left */

    assert_int_equal(audio_save_flac(path, &a, &err), -1);
    assert_non_null(strstr(err.msg, "a.flac: No such file or directory"));
    audio_release(&a);
    free(path);
    free(dir);
}

static void test_resample_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        int from, to;
        size_t expected; /* round(n * to / from) */
    } cases[] = {
        {22050, 22050, 16000, 16000}, {11025, 22050, 16000, 8000}, {1000, 44100, 16000, 363},
        {1, 44100, 16000, 0},         {2, 44100, 16000, 1},        {777, 8000, 16000, 1554},
        {48000, 48000, 16000, 16000}, {5, 16000, 16000, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct audio a = make_sine(100, 0.5, cases[i].n, cases[i].from);
        struct err err;
        assert_int_equal(audio_resample(&a, cases[i].to, &err), 0);
        assert_int_equal(a.n_frames, cases[i].expected);
        assert_int_equal(a.rate, cases[i].to);
        audio_release(&a);
    }
}

static void test_resample_keeps_a_sine(void **state)
{
    (void)state;
    struct audio a = make_sine(1000, 0.5, 44100, 44100);
    struct err err;
    assert_int_equal(audio_resample(&a, 16000, &err), 0);
    for (size_t i = 1000; i < 15000; i++) {
        double expected = 0.5 * sin(2 * PI * 1000 * (double)i / 16000);
        assert_true(fabs(a.pcm[i] - expected) < 1e-4);
    }
    audio_release(&a);

    a = make_sine(9000, 0.5, 44100, 44100); /* above the new Nyquist frequency: gone */
    assert_int_equal(audio_resample(&a, 16000, &err), 0);
    struct audio middle = {a.pcm + 1000, 14000, 16000};
    assert_true(level_rms_db(&middle) < -90);
    audio_release(&a);
}

/* Gain at hz in dB of an effect, once it has settled. */
static double gain_db(void (*effect)(struct audio *a, double x), double x, double hz)
{
    struct audio a = make_sine(hz, 0.1, 16000, 16000);
    effect(&a, x);
    struct audio settled = {a.pcm + 8000, 8000, 16000};
    double db = level_rms_db(&settled) - 20 * log10(0.1 / sqrt(2));
    audio_release(&a);
    return db;
}

static void test_filters(void **state)
{
    (void)state;
    /* Butterworth: half power at the corner, 40 dB a decade beyond (bilinear: a little more). */
    assert_true(fabs(gain_db(effect_low_pass, 1000, 1000) + 3.0103) < 0.01);
    assert_true(fabs(gain_db(effect_high_pass, 1000, 1000) + 3.0103) < 0.01);
    assert_true(fabs(gain_db(effect_high_pass, 1000, 100) + 40) < 0.5);
    assert_true(fabs(gain_db(effect_low_pass, 1000, 100)) < 0.01);
    assert_true(gain_db(effect_low_pass, 8000, 7000) == gain_db(effect_low_pass, 0, 7000));
    /* The shelf: nothing low, all of it high, half of it (in dB) at 1500 Hz. */
    assert_true(fabs(gain_db(effect_tilt, 6, 50)) < 0.05);
    assert_true(fabs(gain_db(effect_tilt, 6, 7500) - 6) < 0.05);
    assert_true(fabs(gain_db(effect_tilt, -4, 1500) + 2) < 0.01);
}

static void test_tremor(void **state)
{
    (void)state;
    struct audio a = make_sine(1000, 0.5, 32000, 16000);
    effect_tremor(&a, 5, 100, 2);
    /* Interpolated upward zero crossings give each period; 100 cents are a factor of 1.0595. */
    double last = -1, lowest = 1e9, highest = 0;
    float peak = 0;
    for (size_t i = 2000; i < 30000; i++) {
        peak = fmaxf(peak, a.pcm[i]);
        if (a.pcm[i] < 0 && a.pcm[i + 1] >= 0) {
            double at = (double)i + a.pcm[i] / (double)(a.pcm[i] - a.pcm[i + 1]);
            if (last > 0) {
                lowest = fmin(lowest, at - last);
                highest = fmax(highest, at - last);
            }
            last = at;
        }
    }
    assert_true(fabs(16 / lowest - 1.0595) < 0.002);
    assert_true(fabs(16 / highest - (2 - 1.0595)) < 0.002);
    assert_true(fabs(20 * log10(peak / 0.5) - 2) < 0.1);
    audio_release(&a);
}

static void test_trim_and_fade(void **state)
{
    (void)state;
    struct audio a = audio_silence(16000, 16000);
    for (size_t i = 3200; i < 9600; i++) { /* ten frames of silence, twenty of sound */
        a.pcm[i] = 0.5f;
    }
    effect_trim(&a, 40);
    assert_int_equal(a.n_frames, 6400);
    effect_fade(&a, 5);
    assert_true(a.pcm[0] < 0.001f && a.pcm[6399] < 0.001f);
    assert_true(fabsf(a.pcm[40] - 0.25f) < 0.01f); /* 2.5 ms: half */
    assert_true(a.pcm[80] == 0.5f && a.pcm[6319] == 0.5f);
    audio_release(&a);

    a = audio_silence(1000, 16000);
    effect_trim(&a, 40);
    assert_int_equal(a.n_frames, 1000);
    effect_fade(&a, 5000);
    audio_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wav_is_exact),
        cmocka_unit_test(test_stereo_is_averaged),
        cmocka_unit_test(test_streamed_wav),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_wav_with_a_lying_length),
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_flac_round_trip),
        cmocka_unit_test(test_encode_wav),
        cmocka_unit_test(test_encode_mp3),
        cmocka_unit_test(test_failed_write_leaves_nothing),
        cmocka_unit_test(test_resample_lengths),
        cmocka_unit_test(test_resample_keeps_a_sine),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_tremor),
        cmocka_unit_test(test_trim_and_fade),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
