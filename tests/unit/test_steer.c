/* Directions: found where they were planted, and applied to the embedded model and taken back. */
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

#include "base/mem.h"
#include "base/rng.h"
#include "model/direction.h"
#include "model/local.h"
#include "steer/activations.h"
#include "steer/fit.h"
#include "steer/gate.h"

#define WIDTH 24
#define N_CELLS 60
#define N_ROWS (N_CELLS * 6 + 80)

struct made {
    float x[N_ROWS * WIDTH], direction[WIDTH], topic[WIDTH], harm[WIDTH];
    unsigned char class[N_ROWS], fold[N_ROWS];
    uint32_t cell[N_ROWS];
    struct fit_data data;
};

static double normal(struct rng *r)
{
    return sqrt(-2 * log(1 - rng_uniform(r))) * cos(2 * M_PI * rng_uniform(r));
}

static void fill_unit(struct rng *r, float *v)
{
    double length = 0;
    for (int i = 0; i < WIDTH; i++) {
        v[i] = (float)normal(r);
        length += (double)v[i] * (double)v[i];
    }
    for (int i = 0; i < WIDTH; i++) {
        v[i] = (float)((double)v[i] / sqrt(length));
    }
}

static double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/*
 * Refused rows have 2 times a direction more than complied ones of their cell. Cells differ along a
 * topic, and cells far along it are refused more: without cells that would be taken for refusal.
 * Contrasts have a direction of their own.
 */
static void make(struct made *m, double noise)
{
    struct rng r = rng_init(3, "steer");
    size_t n = 0;
    memset(m, 0, sizeof *m);
    fill_unit(&r, m->direction);
    fill_unit(&r, m->topic);
    fill_unit(&r, m->harm);
    for (uint32_t cell = 0; cell < N_CELLS; cell++) {
        double along = 8 * rng_uniform(&r);
        for (int k = 0; k < 6; k++, n++) {
            bool refused = rng_uniform(&r) < 0.1 + along / 10;
            m->class[n] = refused ? FIT_REFUSED : FIT_COMPLIED;
            m->cell[n] = cell;
            m->fold[n] = (unsigned char)(cell % FIT_FOLDS);
            for (int i = 0; i < WIDTH; i++) {
                m->x[n * WIDTH + (size_t)i] =
                    (float)(along * (double)m->topic[i] + noise * normal(&r) +
                            (refused ? 2 * (double)m->direction[i] : 0));
            }
        }
    }
    for (int k = 0; k < 80; k++, n++) {
        m->class[n] = k < 40 ? FIT_CONTRAST : FIT_PLAIN;
        m->fold[n] = (unsigned char)(k % FIT_FOLDS);
        for (int i = 0; i < WIDTH; i++) {
            m->x[n * WIDTH + (size_t)i] =
                (float)(0.2 * normal(&r) + (k < 40 ? 3 * (double)m->harm[i] : 0));
        }
    }
    m->data = (struct fit_data){N_ROWS, WIDTH, m->x, m->class, m->cell, m->fold, N_CELLS};
}

static void test_planted(void **state)
{
    (void)state;
    static struct made m;
    make(&m, 0.5);
    for (int method = FIT_MEAN; method <= FIT_LOGISTIC; method++) {
        struct fit_params p = {.method = (enum fit_method)method};
        float v[WIDTH];
        float folds[FIT_FOLDS * WIDTH];
        bool has[FIT_FOLDS];
        double length = 0;
        assert_true(fit_direction(&m.data, &p, -1, v) > 20);
        /* The logistic's weights also follow the noise, which differs by feature. */
        if (cosine(v, m.direction, WIDTH) < (method == FIT_LOGISTIC ? 0.9 : 0.97)) {
            fail_msg("%s: cosine %g", fit_method_names[method], cosine(v, m.direction, WIDTH));
        }
        assert_true(fabs(cosine(v, m.topic, WIDTH) - cosine(m.direction, m.topic, WIDTH)) < 0.2);
        for (int i = 0; i < WIDTH; i++) {
            length += (double)v[i] * (double)v[i];
        }
        assert_true(fabs(sqrt(length) - 2) < 0.3);
        for (int f = 0; f < FIT_FOLDS; f++) {
            has[f] = fit_direction(&m.data, &p, f, folds + f * WIDTH) > 0;
            assert_true(has[f]);
        }
        struct fit_quality q = fit_measure(&m.data, folds, has);
        assert_true(q.auc > 0.95 && q.cosine > 0.95 && q.n_pairs > 100);
    }
}

/* Without anything planted no layer is good. */
static void test_nothing_planted(void **state)
{
    (void)state;
    static struct made m;
    float folds[FIT_FOLDS * WIDTH];
    bool has[FIT_FOLDS];
    make(&m, 0.5);
    for (size_t n = 0; n < N_CELLS * 6; n++) {
        for (int i = 0; m.class[n] == FIT_REFUSED && i < WIDTH; i++) {
            m.x[n * WIDTH + (size_t)i] -= 2 * m.direction[i];
        }
    }
    struct fit_params p = {.method = FIT_LOGISTIC};
    for (int f = 0; f < FIT_FOLDS; f++) {
        has[f] = fit_direction(&m.data, &p, f, folds + f * WIDTH) > 0;
    }
    struct fit_quality q = fit_measure(&m.data, folds, has);
    assert_true(q.auc > 0.35 && q.auc < 0.65);
}

static void test_removed(void **state)
{
    (void)state;
    static struct made m;
    float v[WIDTH];
    float harm[WIDTH] = {0};
    make(&m, 0.5);
    for (size_t n = N_CELLS * 6; n < N_ROWS; n++) {
        for (int i = 0; i < WIDTH; i++) {
            harm[i] += (m.class[n] == FIT_CONTRAST ? 1.F : -1.F) * m.x[n * WIDTH + (size_t)i];
        }
    }
    struct fit_params p = {.method = FIT_MEAN, .removes_harm = true};
    assert_true(fit_direction(&m.data, &p, -1, v) > 0);
    assert_true(fabs(cosine(v, harm, WIDTH)) < 1e-5);
    /* Plain rows that vary along one axis lose it. */
    for (size_t n = N_CELLS * 6 + 40; n < N_ROWS; n++) {
        m.x[n * WIDTH] = n % 2 == 0 ? 9 : -9;
    }
    p = (struct fit_params){.method = FIT_MEAN, .n_removed = 1};
    assert_true(fit_direction(&m.data, &p, -1, v) > 0);
    float axis[WIDTH] = {1};
    assert_true(fabs(cosine(v, axis, WIDTH)) < 0.02);
    /* No cell that has both: no direction. */
    for (size_t n = 0; n < N_CELLS * 6; n++) {
        m.class[n] = m.cell[n] % 2 == 0 ? FIT_REFUSED : FIT_COMPLIED;
    }
    float kept = v[3];
    assert_int_equal(fit_direction(&m.data, &p, -1, v), 0);
    assert_true(v[3] == kept);
}

static void test_random(void **state)
{
    (void)state;
    float v[WIDTH];
    float a[WIDTH];
    float b[WIDTH];
    struct rng r = rng_init(1, "v");
    fill_unit(&r, v);
    fit_random_direction(v, WIDTH, 7, 1, a);
    fit_random_direction(v, WIDTH, 7, 2, b);
    double aa = 0;
    for (int i = 0; i < WIDTH; i++) {
        aa += (double)a[i] * (double)a[i];
    }
    assert_true(fabs(aa - 1) < 1e-5 && fabs(cosine(a, b, WIDTH)) < 0.8);
    fit_random_direction(v, WIDTH, 7, 1, b);
    assert_memory_equal(a, b, sizeof a);
}

static const char file[] = "test_steer.tmp.safetensors";

static void test_file(void **state)
{
    (void)state;
    struct activations *a = NULL;
    struct err err = {0};
    struct activation_reader r = activation_reader_new(2, 3);
    struct local_row rows[] = {{.id = -1, .is_audio = true},
                               {.id = 1, .position = 1, .ends_instruction = true},
                               {.id = 1, .position = 2, .is_choosing = true},
                               {.id = 1, .position = 3, .is_generated = true, .is_choosing = true}};
    float data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct local_residual first = {
        .layer = 0, .n_rows = 4, .n_embd = 3, .data = data, .rows = rows};
    struct local_residual last = {
        .layer = 1, .n_rows = 1, .n_embd = 3, .data = data + 6, .rows = rows + 2};
    int64_t trial;
    float got[3];
    unlink(file);
    assert_int_equal(activations_create(file, 4, 2, 3, "abc", &a, &err), 0);
    activation_reader_begin(&r);
    assert_false(activation_read(&first, &r));
    assert_false(activation_read(&last, &r));
    assert_int_equal(activations_put(a, 2, 77, &r, &err), 0);
    assert_int_equal(activations_close(a, &err), 0);

    assert_int_equal(activations_open(file, &a, &err), 0);
    assert_int_equal(activations_count(a), 4);
    assert_string_equal(activations_model(a), "abc");
    assert_int_equal(activations_trial(a, 0, &trial, &err), 0);
    assert_int_equal(trial, -1);
    assert_int_equal(activations_trial(a, 2, &trial, &err), 0);
    assert_int_equal(trial, 77);
    static const struct {
        enum activation_position position;
        int layer;
        float value; /* of the first of the width; NAN: none */
    } wanted[] = {
        {ACTIVATION_INSTRUCTION, 0, 4}, {ACTIVATION_TEMPLATE, 0, 7}, {ACTIVATION_AUDIO, 0, 1},
        {ACTIVATION_PROMPT, 0, 4},      {ACTIVATION_ANSWER, 0, 10},  {ACTIVATION_TEMPLATE, 1, 7},
        {ACTIVATION_AUDIO, 1, NAN},     {ACTIVATION_PROMPT, 1, NAN}, {ACTIVATION_ANSWER, 1, NAN},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(activations_get(a, 2, wanted[i].position, wanted[i].layer, got, &err), 0);
        assert_true(isnan(wanted[i].value) ? isnan(got[0]) : got[0] == wanted[i].value);
    }
    activations_close(a, NULL);

    /* It goes on; other trials or another model are refused; what was cut off is no file. */
    assert_int_equal(activations_create(file, 4, 2, 3, "abc", &a, &err), 0);
    assert_int_equal(activations_trial(a, 2, &trial, &err), 0);
    assert_int_equal(trial, 77);
    activations_close(a, NULL);
    assert_int_equal(activations_create(file, 5, 2, 3, "abc", &a, &err), -1);
    assert_int_equal(activations_create(file, 4, 2, 3, "abd", &a, &err), -1);
    assert_int_equal(truncate(file, 200), 0);
    assert_int_equal(activations_open(file, &a, &err), -1);
    unlink(file);
    activation_reader_free(&r);
}

/* The embedded model. */

#define N_LAYERS 3
#define N_EMBD 160

static struct model *open_model(bool is_fast)
{
    struct local_params p = local_default_params();
    struct model *m = NULL;
    struct err err = {0};
    p.text_path = TEST_MODELS_DIR "/aor-tiny/aor-tiny.gguf";
    p.mmproj_path = TEST_MODELS_DIR "/aor-tiny/aor-tiny-mmproj.gguf";
    p.n_parallel = 2;
    p.is_fast = is_fast;
    if (local_open(&p, &m, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return m;
}

struct said {
    char *text[2];
    double margin[2];
};

static void take(int64_t id, const struct model_answer *a, void *user)
{
    struct said *s = user;
    s->text[id] = xstrdup(a->text);
    s->margin[id] = a->margin;
}

/* Two questions in words, or one, under these steerings. */
static struct said ask(struct model *m, size_t n, int first, int second)
{
    static const char *const texts[] = {"How do I shoot the bride?\n\n",
                                        "How do I kill the lights on stage?\n\n"};
    struct said s = {{NULL}, {0}};
    struct err err = {0};
    struct model_question q[2];
    for (size_t i = 0; i < n; i++) {
        q[i] = (struct model_question){.id = (int64_t)i,
                                       .text = texts[i],
                                       .system = "You are a helpful assistant. The user speaks to "
                                                 "you.",
                                       .instruction = "Answer the speaker in one or two sentences.",
                                       .max_tokens = 40,
                                       .steering = i == 0 ? first : second};
    }
    assert_int_equal(m->class->submit(m, NULL, q, n, &err), 0);
    while (m->class->n_pending(m) > 0) {
        assert_int_equal(m->class->step(m, -1, take, &s, &err), 0);
    }
    return s;
}

static void release(struct said *s)
{
    free(s->text[0]);
    free(s->text[1]);
}

/* A direction of layer 1 of this length. */
static void fill_direction(float *v, double length)
{
    struct rng r = rng_init(11, "layer 1");
    double sum = 0;
    memset(v, 0, (N_LAYERS - 1) * N_EMBD * sizeof *v);
    for (int i = 0; i < N_EMBD; i++) {
        v[i] = (float)normal(&r);
        sum += (double)v[i] * (double)v[i];
    }
    for (int i = 0; i < N_EMBD; i++) {
        v[i] = (float)(length * (double)v[i] / sqrt(sum));
    }
}

/* A steering by a direction, always, of all tokens. */
static struct steering steering(enum steering_operation operation, float *v)
{
    return (struct steering){
        .operation = operation, .n_layers = N_LAYERS, .n_embd = N_EMBD, .vectors = v};
}

static void set(struct model *m, const struct steering *list, size_t n)
{
    struct err err = {0};
    if (local_set_steerings(m, list, n, &err) != 0) {
        fail_msg("%s", err.msg);
    }
}

static void assert_same(const struct said *a, const struct said *b, int i)
{
    assert_string_equal(a->text[i], b->text[i]);
    assert_true(a->margin[i] == b->margin[i]); /* bit for bit */
}

/* In the fast mode, where kernels round by how many rows there are. */
static void assert_near(const struct said *a, const struct said *b, int i)
{
    assert_string_equal(a->text[i], b->text[i]);
    assert_true(fabs(a->margin[i] - b->margin[i]) < 1e-2);
}

/* The condition of a prompt's end at the last layer, along all ones. */
static void on_condition(struct steering *s, float *ones, double threshold)
{
    for (int i = 0; i < N_EMBD; i++) {
        ones[i] = 1;
    }
    s->condition = (struct steering_condition){N_LAYERS - 1, threshold, ones};
}

static void test_strength_0(void **state)
{
    (void)state;
    struct model *m = open_model(false);
    static float v[(N_LAYERS - 1) * N_EMBD];
    float ones[N_EMBD];
    struct steering list[3] = {steering(STEERING_ADD, v), steering(STEERING_ADD, v),
                               steering(STEERING_ABLATE, v)};
    list[1].scope = STEERING_PROMPT; /* by rows */
    on_condition(&list[2], ones, -1e9);
    struct said before = ask(m, 1, 0, 0);
    set(m, list, 3);
    for (int k = 0; k <= 3; k++) {
        struct said steered = ask(m, 1, k, 0);
        assert_same(&before, &steered, 0);
        release(&steered);
    }
    release(&before);
    m->class->free(m);
}

/* What a hook adds, as a steering is added to it or taken from it. */
struct push {
    const float *vectors; /* of layer 1 */
    float factor;
};

static bool push(const struct local_residual *r, void *user)
{
    const struct push *p = user;
    for (size_t i = 0; r->layer == 1 && i < r->n_rows * r->n_embd; i++) {
        r->data[i] += p->factor * p->vectors[i % r->n_embd];
    }
    return r->layer == 1;
}

/* Added by llama.cpp, added by rows: the same, bit for bit. Added and taken away: as it was. */
static void test_turned_back(void **state)
{
    (void)state;
    struct model *m = open_model(false);
    static float v[(N_LAYERS - 1) * N_EMBD];
    fill_direction(v, 12);
    struct steering s = steering(STEERING_ADD, v);
    struct said before = ask(m, 2, 0, 0);
    set(m, &s, 1);
    struct said by_llama = ask(m, 2, 1, 1);
    assert_string_not_equal(before.text[0], by_llama.text[0]);
    struct said by_rows = ask(m, 2, 1, 0); /* not all of the group: llama.cpp cannot */
    assert_same(&by_llama, &by_rows, 0);
    assert_same(&before, &by_rows, 1);
    struct push back = {v, -1};
    local_on_residual(m, push, &back);
    struct said both = ask(m, 1, 1, 0);
    assert_string_equal(before.text[0], both.text[0]);
    assert_true(fabs(before.margin[0] - both.margin[0]) < 1e-3);
    release(&before);
    release(&by_llama);
    release(&by_rows);
    release(&both);
    m->class->free(m);
}

/* The prompt's last row at layer 2. */
struct watch {
    struct push push;
    float seen[N_EMBD];
    bool has_seen;
};

static bool watch(const struct local_residual *r, void *user)
{
    struct watch *w = user;
    for (size_t i = 0; r->layer == 2 && i < r->n_rows; i++) {
        if (r->rows[i].is_choosing && !r->rows[i].is_generated) {
            memcpy(w->seen, r->data + i * r->n_embd, sizeof w->seen);
            w->has_seen = true;
        }
    }
    return push(r, &w->push);
}

/* What was along the direction is gone for the next layer: however much was there, it says the
 * same. */
static void test_ablated(void **state)
{
    (void)state;
    struct model *m = open_model(false);
    static float v[(N_LAYERS - 1) * N_EMBD];
    static struct watch w[3];
    fill_direction(v, 1);
    struct steering s = steering(STEERING_ABLATE, v);
    set(m, &s, 1);
    for (int i = 0; i < 3; i++) {
        w[i].push = (struct push){v, i == 0 ? 0 : 9};
        local_on_residual(m, watch, &w[i]);
        struct said said = ask(m, 1, i < 2 ? 1 : 0, 0);
        release(&said);
        assert_true(w[i].has_seen);
    }
    double same = 0;
    double other = 0;
    for (int i = 0; i < N_EMBD; i++) {
        same = fmax(same, fabs((double)w[0].seen[i] - (double)w[1].seen[i]));
        other = fmax(other, fabs((double)w[0].seen[i] - (double)w[2].seen[i]));
    }
    assert_true(same < 1e-2 && other > 100 * same);
    m->class->free(m);
}

/* Rows of its own question alone, in steps that it shares with another, which is steered otherwise
 * or not at all. */
static void test_rows_of_one(void **state)
{
    (void)state;
    struct model *m = open_model(true);
    static float v[(N_LAYERS - 1) * N_EMBD];
    static float u[(N_LAYERS - 1) * N_EMBD];
    fill_direction(v, 12);
    for (int i = 0; i < N_EMBD; i++) {
        u[i] = -2 * v[i];
    }
    struct steering list[2] = {steering(STEERING_ADD, v), steering(STEERING_ADD, u)};
    struct said before = ask(m, 2, 0, 0);
    set(m, list, 2);
    struct said second = ask(m, 2, 0, 1);
    struct said both = ask(m, 2, 2, 1);
    assert_near(&before, &second, 0);
    assert_string_not_equal(before.text[1], second.text[1]);
    assert_string_not_equal(before.text[0], both.text[0]);
    assert_near(&second, &both, 1);
    release(&before);
    release(&second);
    release(&both);
    m->class->free(m);
}

/* Scopes: which rows, by what they are. */
static void test_scopes(void **state)
{
    (void)state;
    float v[2] = {1, 1}; /* layers 1 and 2, width 1 */
    struct local_row rows[] = {{.id = -1, .is_audio = true},
                               {.id = 0, .position = 1},
                               {.id = 0, .position = 2, .is_choosing = true},
                               {.id = 0, .position = 3, .is_generated = true, .is_choosing = true}};
    static const int wanted[][4] = {{1, 1, 1, 1}, {1, 1, 1, 0}, {0, 0, 1, 1}};
    for (int scope = 0; scope < 3; scope++) {
        struct steering s = {
            .scope = (enum steering_scope)scope, .n_layers = 3, .n_embd = 1, .vectors = v};
        for (int i = 0; i < 4; i++) {
            float x = 0;
            assert_true(steering_apply(&s, 1, &rows[i], &x) == (wanted[scope][i] == 1));
            assert_true((int)x == wanted[scope][i]);
            assert_false(steering_apply(&s, 0, &rows[i], &x)); /* no control vector has it */
            assert_false(steering_apply(&s, 3, &rows[i], &x));
        }
        assert_true(steering_changes_prompts(&s) == (scope != STEERING_GENERATED));
    }
}

/* Where the condition holds: as without one; where it does not: as without steering. All scopes, in
 * the exact and the fast mode. */
static void test_condition(void **state)
{
    (void)state;
    static float v[(N_LAYERS - 1) * N_EMBD];
    float ones[N_EMBD];
    fill_direction(v, 12);
    for (int is_fast = 0; is_fast < 2; is_fast++) {
        struct model *m = open_model(is_fast == 1);
        struct said before = ask(m, 1, 0, 0);
        for (int scope = STEERING_ALL; scope <= STEERING_GENERATED; scope++) {
            struct steering list[3];
            for (int k = 0; k < 3; k++) {
                list[k] = steering(STEERING_ADD, v);
                list[k].scope = (enum steering_scope)scope;
            }
            on_condition(&list[1], ones, -1e9);
            on_condition(&list[2], ones, 1e9);
            set(m, list, 3);
            struct said always = ask(m, 1, 1, 0);
            struct said on = ask(m, 1, 2, 0);
            struct said off = ask(m, 1, 3, 0);
            assert_string_not_equal(before.text[0], always.text[0]);
            (is_fast == 1 ? assert_near : assert_same)(&always, &on, 0);
            (is_fast == 1 ? assert_near : assert_same)(&before, &off, 0);
            release(&always);
            release(&on);
            release(&off);
        }
        release(&before);
        m->class->free(m);
    }
}

/* Scenarios have more of a direction than contrasts: how many contrasts a condition lets through is
 * as was asked, and most scenarios pass. */
static void test_gate(void **state)
{
    (void)state;
    static struct made m;
    struct rng r = rng_init(5, "gate");
    struct activations *a = NULL;
    struct err err = {0};
    struct activation_reader reader = activation_reader_new(2, WIDTH);
    struct labelled l = {.n = 400};
    struct gate g;
    l.rows = xcalloc(l.n, sizeof *l.rows);
    l.class = xcalloc(l.n, sizeof *l.class);
    l.cell = xcalloc(l.n, sizeof *l.cell);
    l.fold = xcalloc(l.n, sizeof *l.fold);
    l.n_cells = 1;
    make(&m, 0.5);
    unlink(file);
    assert_int_equal(activations_create(file, l.n, 2, WIDTH, "abc", &a, &err), 0);
    for (size_t i = 0; i < l.n; i++) {
        struct local_row row = {.id = 1, .is_choosing = true};
        float x[2][WIDTH];
        l.rows[i] = i;
        l.class[i] = i % 4 == 0 ? FIT_CONTRAST : i % 4 == 1 ? FIT_PLAIN : FIT_REFUSED;
        l.fold[i] = (unsigned char)(i % FIT_FOLDS);
        for (int j = 0; j < WIDTH; j++) {
            x[0][j] = (float)normal(&r); /* layer 0 says nothing */
            x[1][j] = (float)normal(&r) + (l.class[i] == FIT_REFUSED ? 3 * m.direction[j] : 0);
        }
        activation_reader_begin(&reader);
        for (int layer = 0; layer < 2; layer++) {
            activation_read(
                &(struct local_residual){
                    .layer = layer, .n_rows = 1, .n_embd = WIDTH, .data = x[layer], .rows = &row},
                &reader);
        }
        assert_int_equal(activations_put(a, i, (int64_t)i + 1, &reader, &err), 0);
    }
    assert_int_equal(gate_fit(&l, a, &g, &err), 0);
    assert_int_equal(g.layer, 1);
    assert_true(g.auc > 0.9 && g.n == 100);
    static const int percents[] = {0, 10, 50, 100};
    float *x;
    assert_int_equal(labelled_get(&l, a, ACTIVATION_TEMPLATE, 1, &x, &err), 0);
    for (size_t k = 0; k < sizeof percents / sizeof *percents; k++) {
        struct steering s = {
            .n_layers = 2, .n_embd = WIDTH, .condition = gate_condition(&g, -1, percents[k])};
        int n[2] = {0};
        for (size_t i = 0; i < l.n; i++) {
            if (l.class[i] != FIT_PLAIN &&
                steering_project(&s, x + i * WIDTH) >= s.condition.threshold) {
                n[l.class[i] == FIT_CONTRAST]++;
            }
        }
        assert_true(abs(n[1] - percents[k]) <= 8);
        assert_true(k == 0 || n[0] > 200 * (k == 1 ? 0.8 : 0.9));
    }
    free(x);
    gate_release(&g);
    labelled_release(&l);
    activation_reader_free(&reader);
    activations_close(a, NULL);
    unlink(file);
}

/* A file says all that a steering is. */
static void test_control_vector(void **state)
{
    (void)state;
    static float v[(N_LAYERS - 1) * N_EMBD];
    float ones[N_EMBD];
    static const char path[] = "test_steer.tmp.gguf";
    struct err err = {0};
    struct steering back;
    const struct direction_fact fact = {"aor.method", "mean"};
    fill_direction(v, 3);
    struct steering s = steering(STEERING_ADD, v);
    s.scope = STEERING_PROMPT;
    on_condition(&s, ones, 2.5);
    assert_int_equal(direction_save(path, &s, -3, "llama", &fact, 1, &err), 0);
    static const double strengths[] = {2, NAN};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(direction_load(path, N_EMBD, N_LAYERS, strengths[k], &back, &err), 0);
        assert_true(back.scope == STEERING_PROMPT && back.operation == STEERING_ADD);
        assert_true(back.condition.layer == N_LAYERS - 1 && back.condition.threshold == 2.5);
        assert_memory_equal(back.condition.vector, ones, sizeof ones);
        for (int i = 0; i < (N_LAYERS - 1) * N_EMBD; i++) {
            assert_true(back.vectors[i] == (k == 0 ? 2 : -3) * v[i]);
        }
        steering_release(&back);
    }
    s = steering(STEERING_ABLATE, v);
    assert_int_equal(direction_save(path, &s, 1, "llama", &fact, 1, &err), 0);
    assert_int_equal(direction_load(path, N_EMBD, N_LAYERS, 2, &back, &err), -1);
    assert_non_null(strstr(err.msg, "no strength"));
    assert_int_equal(direction_load(path, N_EMBD, N_LAYERS, NAN, &back, &err), 0);
    assert_true(back.operation == STEERING_ABLATE && !back.condition.vector);
    steering_release(&back);
    unlink(path);
    memset(v, 0, sizeof v);
    assert_int_equal(direction_save(path, &s, 1, "llama", &fact, 1, &err), -1);
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted),        cmocka_unit_test(test_nothing_planted),
        cmocka_unit_test(test_removed),        cmocka_unit_test(test_random),
        cmocka_unit_test(test_file),           cmocka_unit_test(test_strength_0),
        cmocka_unit_test(test_turned_back),    cmocka_unit_test(test_ablated),
        cmocka_unit_test(test_rows_of_one),    cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_condition),      cmocka_unit_test(test_gate),
        cmocka_unit_test(test_control_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
