#include "plot/picture.h"

#include <cairo.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "plot/spectrogram.h"

enum {
    WIDTH = 1200,
    HEIGHT = 700,
    LEFT = 80,
    PLOT_WIDTH = WIDTH - LEFT - 30,
    WAVE_TOP = 90,
    WAVE_HEIGHT = 170,
    SPECTRUM_TOP = WAVE_TOP + WAVE_HEIGHT + 40,
    SPECTRUM_HEIGHT = HEIGHT - SPECTRUM_TOP - 60,
};
#define RANGE_DB 70.0 /* of the colours, below the loudest point */

/* Viridis (Smith and van der Walt, matplotlib, CC0) at nine equal steps: even for colour-blind
 * eyes.
 */
static const uint8_t viridis[9][3] = {{68, 1, 84},    {71, 44, 122},  {59, 81, 139},
                                      {44, 113, 142}, {33, 144, 141}, {39, 173, 129},
                                      {92, 200, 99},  {170, 220, 50}, {253, 231, 37}};

static uint32_t colour(double share)
{
    double at = fmin(fmax(share, 0), 1) * 8;
    int i = at < 8 ? (int)at : 7;
    uint32_t rgb = 0;
    for (int c = 0; c < 3; c++) {
        double v = viridis[i][c] + (at - i) * (viridis[i + 1][c] - viridis[i][c]);
        rgb = rgb << 8 | (uint32_t)lround(v);
    }
    return rgb;
}

static void text(cairo_t *cr, double x, double y, double size, const char *s)
{
    cairo_set_font_size(cr, size);
    cairo_move_to(cr, x, y);
    cairo_show_text(cr, s);
}

static void text_left_of(cairo_t *cr, double x, double y, const char *s)
{
    cairo_text_extents_t e;
    cairo_set_font_size(cr, 12);
    cairo_text_extents(cr, s, &e);
    cairo_move_to(cr, x - e.x_advance, y);
    cairo_show_text(cr, s);
}

/* One vertical line a pixel, from the smallest to the largest sample there. */
static void draw_wave(cairo_t *cr, const struct audio *a, double scale)
{
    double middle = WAVE_TOP + WAVE_HEIGHT / 2.0;
    for (size_t x = 0; x < PLOT_WIDTH; x++) {
        size_t start = a->n_frames * x / PLOT_WIDTH;
        size_t end = a->n_frames * (x + 1) / PLOT_WIDTH;
        float low = 0, high = 0;
        for (size_t i = start; i < end; i++) {
            low = a->pcm[i] < low ? a->pcm[i] : low;
            high = a->pcm[i] > high ? a->pcm[i] : high;
        }
        cairo_move_to(cr, LEFT + (double)x + 0.5, middle - (double)high * scale - 0.5);
        cairo_line_to(cr, LEFT + (double)x + 0.5, middle - (double)low * scale + 0.5);
    }
    cairo_stroke(cr);
}

static void draw_waves(cairo_t *cr, const struct picture *p)
{
    float peak = 1e-6f;
    for (size_t i = 0; i < p->mix->n_frames; i++) {
        peak = fmaxf(peak, fabsf(p->mix->pcm[i]));
    }
    double scale = WAVE_HEIGHT / 2.0 / (double)peak;
    cairo_set_line_width(cr, 1);
    cairo_set_source_rgb(cr, 0.65, 0.65, 0.65);
    draw_wave(cr, p->mix, scale);
    if (p->speech) {
        cairo_set_source_rgb(cr, 0.0, 0.45, 0.70);
        draw_wave(cr, p->speech, scale);
    }
    cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
    char label[32];
    snprintf(label, sizeof label, "%.1f dBFS", 20 * log10((double)peak));
    text_left_of(cr, LEFT - 6, WAVE_TOP + 10, label);
    text(cr, LEFT, WAVE_TOP - 8, 13, p->speech ? "waveform: mix grey, speech blue" : "waveform");
}

/* Each pixel shows the loudest point of the spectrogram under it. */
static cairo_surface_t *spectrum_image(const struct spectrogram *s)
{
    cairo_surface_t *image =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, PLOT_WIDTH, SPECTRUM_HEIGHT);
    cairo_surface_flush(image);
    unsigned char *data = cairo_image_surface_get_data(image);
    size_t stride = (size_t)cairo_image_surface_get_stride(image);
    float top = -200;
    for (size_t i = 0; i < s->n_frames * SPECTROGRAM_BINS; i++) {
        top = fmaxf(top, s->db[i]);
    }
    for (size_t y = 0; y < SPECTRUM_HEIGHT && data; y++) {
        size_t up = SPECTRUM_HEIGHT - 1 - y;
        uint32_t *row = (uint32_t *)(void *)(data + y * stride);
        size_t bin = up * SPECTROGRAM_BINS / SPECTRUM_HEIGHT;
        for (size_t x = 0; x < PLOT_WIDTH; x++) {
            size_t f = x * s->n_frames / PLOT_WIDTH;
            size_t end = (x + 1) * s->n_frames / PLOT_WIDTH;
            float db = s->db[f * SPECTROGRAM_BINS + bin];
            for (f++; f < end; f++) {
                db = fmaxf(db, s->db[f * SPECTROGRAM_BINS + bin]);
            }
            row[x] = colour(((double)(db - top) + RANGE_DB) / RANGE_DB);
        }
    }
    cairo_surface_mark_dirty(image);
    return image;
}

static void draw_spectrum(cairo_t *cr, const struct audio *mix)
{
    struct spectrogram s = spectrogram_measure(mix);
    cairo_surface_t *image = spectrum_image(&s);
    cairo_set_source_surface(cr, image, LEFT, SPECTRUM_TOP);
    cairo_paint(cr);
    cairo_surface_destroy(image);
    spectrogram_release(&s);
    cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
    text(cr, LEFT, SPECTRUM_TOP - 8, 13, "spectrogram of the mix, 70 dB from dark to bright");
    for (int hz = 0; hz <= mix->rate / 2; hz += 1000) {
        char label[32];
        snprintf(label, sizeof label, "%d kHz", hz / 1000);
        double y = SPECTRUM_TOP + SPECTRUM_HEIGHT * (1 - 2.0 * hz / mix->rate);
        text_left_of(cr, LEFT - 6, y + (hz == 0 ? 0 : 4), label);
    }
}

static void draw_seconds(cairo_t *cr, const struct audio *mix)
{
    double duration_s = (double)mix->n_frames / mix->rate;
    double step = duration_s > 20 ? 5 : duration_s > 8 ? 1 : 0.5;
    for (int i = 0; i * step <= duration_s; i++) {
        double t = i * step;
        double x = LEFT + PLOT_WIDTH * t / duration_s;
        char label[32];
        snprintf(label, sizeof label, "%g s", t);
        cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
        text(cr, x - 8, SPECTRUM_TOP + SPECTRUM_HEIGHT + 20, 12, label);
        cairo_set_source_rgba(cr, 0.15, 0.15, 0.15, 0.3);
        cairo_move_to(cr, x, WAVE_TOP);
        cairo_line_to(cr, x, WAVE_TOP + WAVE_HEIGHT);
        cairo_stroke(cr);
    }
}

static cairo_status_t add_bytes(void *user, const unsigned char *data, unsigned n)
{
    buf_add(user, data, n);
    return CAIRO_STATUS_SUCCESS;
}

int picture_save(const char *path, const struct picture *p, struct err *err)
{
    if (p->mix->n_frames == 0) {
        return err_set(err, ERR_FORMAT, "%s: there is no sound to draw", path);
    }
    struct buf png = {0};
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
    cairo_t *cr = cairo_create(surface);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    text(cr, LEFT, 32, 18, p->title);
    text(cr, LEFT, 56, 13, p->subtitle);
    draw_waves(cr, p);
    draw_spectrum(cr, p->mix);
    draw_seconds(cr, p->mix);
    cairo_status_t status = cairo_status(cr);
    if (status == CAIRO_STATUS_SUCCESS) {
        status = cairo_surface_write_to_png_stream(surface, add_bytes, &png);
    }
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    int ok = status == CAIRO_STATUS_SUCCESS ? fs_write(path, png.data, png.len, err)
                                            : err_set(err, ERR_FORMAT, "%s: drawing failed: %s",
                                                      path, cairo_status_to_string(status));
    buf_release(&png);
    return ok;
}
