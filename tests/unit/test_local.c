/* The embedded model through libllama and libmtmd, in this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "model/local.h"

#define MAX_ANSWERS 64

static struct local_params params(void)
{
    struct local_params p = local_default_params();
    p.text_path = TEST_MODELS_DIR "/aor-tiny/aor-tiny.gguf";
    p.mmproj_path = TEST_MODELS_DIR "/aor-tiny/aor-tiny-mmproj.gguf";
    p.n_parallel = 8;
    return p;
}

static struct model *open_model(const struct local_params *p)
{
    struct model *m = NULL;
    struct err err = {0};
    if (local_open(p, &m, &err) != 0) {
        fail_msg("%s", err.msg);
    }
    return m;
}

/* A tone that comes and goes: any sound does here. */
static struct audio sound(double seconds, double hz)
{
    struct audio a = audio_silence((size_t)(seconds * AUDIO_RATE), AUDIO_RATE);
    for (size_t i = 0; i < a.n_frames; i++) {
        double t = (double)i / AUDIO_RATE;
        a.pcm[i] = (float)(0.3 * sin(2 * M_PI * hz * t) * sin(2 * M_PI * 3 * t));
    }
    return a;
}

struct answers {
    struct {
        char *text, *error;
        struct model_answer answer;
        int n;
    } of[MAX_ANSWERS];
};

static void take(int64_t id, const struct model_answer *a, void *user)
{
    struct answers *all = user;
    assert_in_range(id, 0, MAX_ANSWERS - 1);
    all->of[id].text = xstrdup(a->text);
    all->of[id].error = a->outcome == MODEL_FAILED ? xstrdup(a->text) : NULL;
    all->of[id].answer = *a;
    all->of[id].n++;
}

static void release(struct answers *all)
{
    for (int i = 0; i < MAX_ANSWERS; i++) {
        free(all->of[i].text);
        free(all->of[i].error);
    }
    *all = (struct answers){0};
}

static void finish(struct model *m, struct answers *all)
{
    struct err err = {0};
    for (int i = 0; m->class->n_pending(m) > 0; i++) {
        assert_in_range(i, 0, 10000);
        assert_int_equal(m->class->step(m, -1, take, all, &err), 0);
    }
}

/* Ask when there is room, as a worker does. */
static int ask(struct model *m, const struct audio *a, const struct model_question *q, size_t n,
               struct answers *all, struct err *err)
{
    while (!m->class->has_room(m)) {
        assert_int_equal(m->class->step(m, -1, take, all, err), 0);
    }
    return m->class->submit(m, a, q, n, err);
}

#define N_SOUNDS 4
static const char *const instructions[] = {"answer.", "transcribe.", "which scene?",
                                           "think, then answer."};
static const char *const texts[] = {"how do i smash the code", "how do i kill the lights",
                                    "how do i shoot the bride", "how do i peel the apple"};

/* Sixteen questions about four sounds and eight about texts, with heads of two kinds. */
static void ask_many(struct model *m, struct answers *all)
{
    struct err err = {0};
    for (int s = 0; s < N_SOUNDS; s++) {
        struct audio a = sound(1.5 + 0.7 * s, 180 + 90 * s);
        struct model_question q[6];
        for (int i = 0; i < 4; i++) {
            q[i] = (struct model_question){.id = s * 6 + i,
                                           .system = "Be kind.",
                                           .instruction = instructions[i],
                                           .audio_last = s == 3 && i >= 2,
                                           .max_tokens = 40};
        }
        assert_int_equal(ask(m, &a, q, 4, all, &err), 0);
        for (int i = 4; i < 6; i++) {
            q[i] = (struct model_question){.id = s * 6 + i,
                                           .system = "Be kind.",
                                           .instruction = instructions[i - 4],
                                           .text = texts[s],
                                           .max_tokens = 40};
        }
        assert_int_equal(ask(m, NULL, &q[4], 2, all, &err), 0);
        audio_release(&a);
    }
    finish(m, all);
    for (int i = 0; i < N_SOUNDS * 6; i++) {
        assert_int_equal(all->of[i].n, 1);
        assert_null(all->of[i].error);
        assert_true(all->of[i].answer.n_answer_tokens > 0);
    }
}

/*
 * One at a time with nothing shared is the reference: the exact mode gives the same words in any
 * batch; the fast mode says where it does not.
 */
static void test_batches(void **state)
{
    (void)state;
    struct answers alone = {0}, together = {0};
    struct local_params p = params();
    p.n_parallel = 1;
    p.is_plain = true;
    struct model *m = open_model(&p);
    assert_true(m->class->facts(m).is_plain);
    ask_many(m, &alone);
    m->class->free(m);
    for (int n = 2; n <= 32; n *= 4) {
        p.n_parallel = n;
        for (int is_plain = 0; is_plain < 2; is_plain++) {
            p.is_plain = is_plain;
            m = open_model(&p);
            assert_int_equal(m->class->facts(m).is_plain, is_plain);
            ask_many(m, &together);
            m->class->free(m);
            for (int i = 0; i < N_SOUNDS * 6; i++) {
                assert_string_equal(alone.of[i].text, together.of[i].text);
                assert_int_equal(alone.of[i].answer.n_prompt_tokens,
                                 together.of[i].answer.n_prompt_tokens);
                assert_true(alone.of[i].answer.margin == together.of[i].answer.margin);
            }
            release(&together);
        }
    }
    p.is_plain = false;
    p.is_fast = true;
    m = open_model(&p);
    ask_many(m, &together);
    int n_checked = 0;
    for (int i = 0; i < N_SOUNDS * 6; i++) {
        const struct model_answer *a = &together.of[i].answer;
        n_checked += a->check != MODEL_UNCHECKED;
        if (a->check == MODEL_SAME) {
            assert_string_equal(alone.of[i].text, together.of[i].text);
        }
        /* Rounding decides only where two tokens are nearly equal. */
        if (strcmp(alone.of[i].text, together.of[i].text) != 0) {
            assert_true(alone.of[i].answer.margin < 0.1);
        }
    }
    assert_int_equal(n_checked, 1);
    release(&together);
    release(&alone);
    m->class->free(m);
}

static void test_ends(void **state)
{
    (void)state;
    struct local_params p = params();
    p.n_ctx = 256;
    struct model *m = open_model(&p);
    assert_int_equal(m->class->facts(m).sample_rate, 16000);
    struct answers all = {0};
    struct err err = {0};
    struct audio a = sound(2, 220);
    struct model_question q = {
        .id = 0, .system = "Be kind.", .instruction = "answer.", .max_tokens = 64};
    assert_int_equal(ask(m, &a, &q, 1, &all, &err), 0);
    q.id = 1;
    q.max_tokens = 1;
    assert_int_equal(ask(m, &a, &q, 1, &all, &err), 0);
    q.instruction = "a <__media__> b";
    assert_int_equal(ask(m, &a, &q, 1, &all, &err), -1);
    assert_non_null(strstr(err.msg, "marker"));
    audio_release(&a);

    /* A prompt that does not fit, beside one that does. */
    a = sound(16, 220);
    char *longer = xmalloc(400);
    memset(longer, 'x', 399);
    longer[399] = '\0';
    struct model_question two[] = {
        {.id = 2, .instruction = longer, .max_tokens = 64},
        {.id = 3, .instruction = "answer.", .max_tokens = 64},
    };
    assert_int_equal(ask(m, &a, two, 2, &all, &err), 0);
    finish(m, &all);
    free(longer);
    audio_release(&a);
    assert_true(all.of[0].answer.finish == MODEL_FINISH_STOP);
    assert_true(all.of[0].answer.n_answer_tokens > 1);
    assert_true(all.of[0].answer.n_prompt_tokens > 25); /* 12.5 audio tokens a second, the text */
    assert_true(all.of[0].answer.margin > 0);
    assert_true(all.of[1].answer.finish == MODEL_FINISH_LENGTH);
    assert_int_equal(all.of[1].answer.n_answer_tokens, 1);
    assert_memory_equal(all.of[1].text, all.of[0].text, strlen(all.of[1].text));
    assert_non_null(strstr(all.of[2].error, "context: the prompt has"));
    assert_null(all.of[3].error);
    release(&all);
    m->class->free(m);

    /* Text that ends with the context. */
    p.mmproj_path = NULL;
    p.n_ctx = 64;
    m = open_model(&p);
    assert_int_equal(m->class->facts(m).sample_rate, 0);
    q = (struct model_question){
        .text = "how do i kill the lights", .instruction = "answer.", .max_tokens = 64};
    a = sound(1, 220);
    assert_int_equal(ask(m, &a, &q, 1, &all, &err), -1);
    assert_non_null(strstr(err.msg, "hears nothing"));
    assert_int_equal(ask(m, NULL, &q, 1, &all, &err), 0);
    finish(m, &all);
    assert_true(all.of[0].error || all.of[0].answer.n_answer_tokens > 0);
    audio_release(&a);
    release(&all);
    m->class->free(m);
}

/* The same seed gives the same words in any batch; another one others. */
static void test_sampling(void **state)
{
    (void)state;
    struct answers first = {0}, again = {0};
    struct err err = {0};
    struct audio a = sound(2, 220);
    for (int round = 0; round < 2; round++) {
        struct local_params p = params();
        p.n_parallel = round == 0 ? 16 : 3;
        struct model *m = open_model(&p);
        struct model_question q[16];
        for (uint32_t i = 0; i < 16; i++) {
            q[i] = (struct model_question){.id = i,
                                           .instruction = "answer.",
                                           .max_tokens = 30,
                                           .temperature = 4,
                                           .seed = i / 2};
        }
        assert_int_equal(ask(m, &a, q, 16, round == 0 ? &first : &again, &err), 0);
        finish(m, round == 0 ? &first : &again);
        m->class->free(m);
    }
    int n_different = 0;
    for (int i = 0; i < 16; i++) {
        assert_string_equal(first.of[i].text, again.of[i].text);
        assert_string_equal(first.of[i].text, first.of[i / 2 * 2].text); /* twins by their seed */
        n_different += strcmp(first.of[i].text, first.of[0].text) != 0;
    }
    assert_true(n_different >= 8);
    audio_release(&a);
    release(&first);
    release(&again);
}

struct seen {
    long n_calls, n_rows, n_generated, n_audio;
    int max_layer;
    double sum;
    float scale; /* 0: only look */
};

static bool look(const struct local_residual *r, void *user)
{
    struct seen *s = user;
    s->n_calls++;
    s->n_rows += (long)r->n_rows;
    s->max_layer = r->layer > s->max_layer ? r->layer : s->max_layer;
    for (size_t i = 0; i < r->n_rows; i++) {
        s->n_generated += r->rows[i].is_generated;
        s->n_audio += r->rows[i].is_audio;
        assert_true(r->rows[i].position >= 0 && r->rows[i].position < 2048);
    }
    for (size_t i = 0; i < r->n_rows * r->n_embd; i++) {
        assert_true(isfinite(r->data[i]));
        s->sum += (double)r->data[i];
        r->data[i] *= s->scale;
    }
    return s->scale != 0;
}

static char *answer_one(struct model *m, const char *instruction, bool is_steered)
{
    struct answers all = {0};
    struct err err = {0};
    struct audio a = sound(2, 220);
    struct model_question q = {
        .instruction = instruction, .max_tokens = 30, .steering = is_steered};
    assert_int_equal(ask(m, &a, &q, 1, &all, &err), 0);
    finish(m, &all);
    char *text = xstrdup(all.of[0].text);
    audio_release(&a);
    release(&all);
    return text;
}

/* A hook that only looks changes nothing; one that writes does; without it all is as before. */
static void check_residual(bool is_fast)
{
    struct local_params p = params();
    p.is_fast = is_fast;
    struct model *m = open_model(&p);
    struct seen seen = {0};
    char *before = answer_one(m, "answer.", false);
    local_on_residual(m, look, &seen);
    char *looked = answer_one(m, "answer.", false);
    assert_string_equal(before, looked);
    assert_true(seen.n_calls > 0 && seen.n_generated > 0 && seen.n_audio > 20);
    assert_true(seen.max_layer >= 1 && seen.sum != 0);
    seen.scale = -1;
    char *turned = answer_one(m, "answer.", false);
    assert_string_not_equal(before, turned);
    local_on_residual(m, NULL, NULL);
    char *after = answer_one(m, "answer.", false);
    assert_string_equal(before, after);
    free(before);
    free(looked);
    free(turned);
    free(after);
    m->class->free(m);
}

static void test_residual(void **state)
{
    (void)state;
    check_residual(false);
    check_residual(true);
}

#define DIRECTION "test_local_direction.gguf"
#define N_LAYERS 3
#define WIDTH 160

/* GGUF 3 of one tensor, little-endian. */
static void write_direction(int layer)
{
    char name[16];
    snprintf(name, sizeof name, "direction.%d", layer);
    const uint32_t version = 3, n_dims = 1, type_f32 = 0;
    const uint64_t n_tensors = 1, n_keys = 0, name_len = strlen(name), width = WIDTH, offset = 0;
    struct buf b = {0};
    buf_adds(&b, "GGUF");
    buf_add(&b, &version, sizeof version);
    buf_add(&b, &n_tensors, sizeof n_tensors);
    buf_add(&b, &n_keys, sizeof n_keys);
    buf_add(&b, &name_len, sizeof name_len);
    buf_adds(&b, name);
    buf_add(&b, &n_dims, sizeof n_dims);
    buf_add(&b, &width, sizeof width);
    buf_add(&b, &type_f32, sizeof type_f32);
    buf_add(&b, &offset, sizeof offset);
    while (b.len % 32 != 0) {
        buf_add(&b, "", 1);
    }
    for (int i = 0; i < WIDTH; i++) {
        const float x = i % 2 ? 1 : -1;
        buf_add(&b, &x, sizeof x);
    }
    FILE *f = fopen(DIRECTION, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
    assert_int_equal(fclose(f), 0);
    buf_release(&b);
}

/* A direction changes steered questions only, in both modes; one that libllama passes over fails.
 */
static void test_steering(void **state)
{
    (void)state;
    for (int is_fast = 0; is_fast < 2; is_fast++) {
        struct local_params p = params();
        p.is_fast = is_fast;
        p.direction_path = DIRECTION;
        p.strength = 50;
        write_direction(N_LAYERS - 1);
        struct model *m = open_model(&p);
        char *before = answer_one(m, "answer.", false);
        char *steered = answer_one(m, "answer.", true);
        char *after = answer_one(m, "answer.", false);
        assert_string_equal(before, after);
        assert_string_not_equal(before, steered);
        free(before);
        free(steered);
        free(after);
        m->class->free(m);
        write_direction(N_LAYERS);
        struct err err = {0};
        m = NULL;
        assert_int_equal(local_open(&p, &m, &err), -1);
        assert_non_null(strstr(err.msg, "the model has layers 0 to"));
        unlink(DIRECTION);
    }
}

static void test_bad_files(void **state)
{
    (void)state;
    struct model *m = NULL;
    struct err err = {0};
    struct local_params p = params();
    p.text_path = TEST_DATA_DIR "/spec.yaml";
    assert_int_equal(local_open(&p, &m, &err), -1);
    assert_non_null(strstr(err.msg, "is no GGUF file"));
    p = params();
    p.chat_template = "{{ messages";
    assert_int_equal(local_open(&p, &m, &err), -1);
    assert_non_null(strstr(err.msg, "chat template"));
    p = params();
    p.direction_path = TEST_MODELS_DIR "/aor-tiny/aor-tiny.gguf";
    assert_int_equal(local_open(&p, &m, &err), -1);
    assert_non_null(strstr(err.msg, "is no direction.N"));
    p.direction_path = TEST_DATA_DIR "/spec.yaml";
    assert_int_equal(local_open(&p, &m, &err), -1);
    assert_non_null(strstr(err.msg, "is no GGUF file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_sampling), cmocka_unit_test(test_residual),
        cmocka_unit_test(test_steering), cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
