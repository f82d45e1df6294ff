#include "steer/asker.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/group.h"

struct asker {
    struct asker_params params;
    struct model *model;
    struct renderer renderer;
    struct audio audio; /* of the sample and condition asked last */
    long sample;        /* -1: none */
    enum condition condition;
    int n_layers, n_embd;
};

int asker_open(const struct asker_params *p, struct asker **ret, struct err *err)
{
    struct asker *a = xcalloc(1, sizeof *a);
    a->params = *p;
    a->sample = -1;
    if (local_open(p->model, &a->model, err) != 0) {
        free(a);
        return -1;
    }
    local_shape(a->model, &a->n_layers, &a->n_embd);
    a->renderer = renderer_init(&p->dataset->bench, p->dataset->stems_dir, NULL);
    *ret = a;
    return 0;
}

void asker_close(struct asker *a)
{
    if (!a) {
        return;
    }
    a->model->class->free(a->model);
    renderer_release(&a->renderer);
    audio_release(&a->audio);
    free(a);
}

void asker_shape(const struct asker *a, int *ret_n_layers, int *ret_n_embd)
{
    *ret_n_layers = a->n_layers;
    *ret_n_embd = a->n_embd;
}

/* The sound is this sample's under the condition, encoded. */
static int hold(struct asker *a, size_t sample, enum condition condition, struct err *err)
{
    if (a->sample == (long)sample && a->condition == condition) {
        return 0;
    }
    a->sample = -1;
    if (local_hold_audio(a->model, NULL, err) != 0) {
        return -1;
    }
    audio_release(&a->audio);
    if (condition_has_audio(condition) &&
        (dataset_audio(a->params.dataset, &a->renderer, sample, condition, &a->audio, err) != 0 ||
         audio_resample(&a->audio, a->model->class->facts(a->model).sample_rate, err) != 0 ||
         local_hold_audio(a->model, &a->audio, err) != 0)) {
        return -1;
    }
    a->sample = (long)sample;
    a->condition = condition;
    return 0;
}

static void take_answer(int64_t id, const struct model_answer *answer, void *user)
{
    struct asker_answer *a = user;
    a[id] = (struct asker_answer){.text = xstrdup(answer->text),
                                  .is_failed = answer->outcome != MODEL_ANSWERED,
                                  .finish = answer->finish,
                                  .n_prompt_tokens = answer->n_prompt_tokens,
                                  .n_answer_tokens = answer->n_answer_tokens,
                                  .prefill_s = answer->prefill_s,
                                  .decode_s = answer->decode_s,
                                  .check = answer->check};
}

/* The question about a sample; *ret_text is the caller's, and is borrowed by it. */
static int make_question(const struct asker *a, size_t sample, enum condition condition,
                         struct model_question *ret, char **ret_text, struct err *err)
{
    const struct sample *s = &a->params.dataset->bench.samples[sample];
    const struct scene *scene = render_scene_of(s, condition);
    *ret = group_question(a->params.prompt);
    *ret_text = NULL;
    if (!condition_has_audio(condition)) {
        *ret_text = prompt_fill(a->params.prompt, condition == CONDITION_TEXT_SCENE, s->item->text,
                                scene ? scene_words(scene) : NULL, err);
        ret->text = *ret_text;
    }
    return condition_has_audio(condition) || *ret_text ? 0 : -1;
}

/* Questions 0..n-1, whose steering fields are set. */
static int answer(struct asker *a, const struct model_question *questions, size_t n,
                  struct asker_answer *ret, struct err *err)
{
    bool has_audio = condition_has_audio(a->condition);
    const struct model_class *class = a->model->class;
    int ok = class->submit(a->model, has_audio ? &a->audio : NULL, questions, n, err);
    memset(ret, 0, n * sizeof *ret);
    while (ok == 0 && class->n_pending(a->model) > 0) {
        ok = class->step(a->model, -1, take_answer, ret, err);
    }
    for (size_t i = 0; ok != 0 && i < n; i++) {
        free(ret[i].text);
    }
    return ok;
}

int asker_read(struct asker *a, size_t sample, enum condition condition,
               struct activation_reader *reader, struct asker_answer *ret, struct err *err)
{
    struct model_question q;
    char *text;
    if (hold(a, sample, condition, err) != 0 ||
        make_question(a, sample, condition, &q, &text, err) != 0) {
        return -1;
    }
    activation_reader_begin(reader);
    local_on_residual(a->model, activation_read, reader);
    q.steering = 0;
    int ok = answer(a, &q, 1, ret, err);
    local_on_residual(a->model, NULL, NULL);
    free(text);
    return ok;
}

int asker_ask(struct asker *a, size_t sample, enum condition condition,
              const struct steering *const *steerings, size_t n, struct asker_answer *ret,
              struct err *err)
{
    struct steering list[ASKER_MAX_GROUP];
    struct model_question questions[ASKER_MAX_GROUP];
    struct model_question q;
    char *text;
    int n_steerings = 0;
    if (hold(a, sample, condition, err) != 0 ||
        make_question(a, sample, condition, &q, &text, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        questions[i] = q;
        questions[i].id = (int64_t)i;
        questions[i].steering = 0;
        if (steerings[i]) {
            list[n_steerings++] = *steerings[i];
            questions[i].steering = n_steerings;
        }
    }
    int ok = local_set_steerings(a->model, list, (size_t)n_steerings, err) == 0
                 ? answer(a, questions, n, ret, err)
                 : -1;
    free(text);
    return ok;
}
