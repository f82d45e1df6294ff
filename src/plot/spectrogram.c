#include "plot/spectrogram.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define PI 3.14159265358979323846
#define FLOOR_POWER 1e-14 /* -140 dB */

struct spectrogram spectrogram_measure(const struct audio *a)
{
    struct spectrogram s = {.n_frames = (a->n_frames + SPECTROGRAM_HOP - 1) / SPECTROGRAM_HOP};
    float window[SPECTROGRAM_WINDOW];
    float gain = 0;
    for (int i = 0; i < SPECTROGRAM_WINDOW; i++) {
        window[i] = (float)(0.5 - 0.5 * cos(2 * PI * i / SPECTROGRAM_WINDOW));
        gain += window[i] / 2; /* of a sine's amplitude */
    }
    float *in = fftwf_alloc_real(SPECTROGRAM_WINDOW);
    fftwf_complex *out = fftwf_alloc_complex(SPECTROGRAM_BINS);
    fftwf_plan plan = fftwf_plan_dft_r2c_1d(SPECTROGRAM_WINDOW, in, out, FFTW_ESTIMATE);
    s.db = xcalloc(s.n_frames * SPECTROGRAM_BINS, sizeof *s.db);
    for (size_t f = 0; f < s.n_frames; f++) {
        size_t start = f * SPECTROGRAM_HOP;
        for (size_t i = 0; i < SPECTROGRAM_WINDOW; i++) {
            in[i] = start + i < a->n_frames ? a->pcm[start + i] * window[i] : 0;
        }
        fftwf_execute(plan);
        for (size_t k = 0; k < SPECTROGRAM_BINS; k++) {
            double re = (double)(out[k][0] / gain), im = (double)(out[k][1] / gain);
            s.db[f * SPECTROGRAM_BINS + k] = (float)(10 * log10(re * re + im * im + FLOOR_POWER));
        }
    }
    fftwf_destroy_plan(plan);
    fftwf_free(out);
    fftwf_free(in);
    return s;
}

void spectrogram_release(struct spectrogram *s)
{
    free(s->db);
    *s = (struct spectrogram){0};
}
