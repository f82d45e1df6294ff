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

/* llama.cpp's own addition does it where all rows get the same. */
static bool is_plain_addition(const struct steering *s)
{
    return s->operation == STEERING_ADD && s->scope == STEERING_ALL && s->condition.layer < 0;
}

static void take_answer(int64_t id, const struct model_answer *answer, void *user)
{
    (void)id;
    struct asker_answer *a = user;
    *a = (struct asker_answer){.text = xstrdup(answer->text),
                               .is_failed = answer->outcome != MODEL_ANSWERED,
                               .finish = answer->finish,
                               .n_prompt_tokens = answer->n_prompt_tokens,
                               .n_answer_tokens = answer->n_answer_tokens,
                               .prefill_s = answer->prefill_s,
                               .decode_s = answer->decode_s};
}

static int answer(struct asker *a, const struct model_question *q, struct asker_answer *ret,
                  struct err *err)
{
    bool has_audio = condition_has_audio(a->condition);
    const struct model_class *class = a->model->class;
    struct asker_answer got = {0};
    int ok = class->submit(a->model, has_audio ? &a->audio : NULL, q, 1, err);
    while (ok == 0 && class->n_pending(a->model) > 0) {
        ok = class->step(a->model, -1, take_answer, &got, err);
    }
    if (ok == 0) {
        *ret = got;
    } else {
        free(got.text);
    }
    return ok;
}

int asker_ask(struct asker *a, size_t sample, enum condition condition, struct steering *steering,
              struct activation_reader *reader, struct asker_answer *ret, struct err *err)
{
    const struct sample *s = &a->params.dataset->bench.samples[sample];
    const struct scene *scene = render_scene_of(s, condition);
    struct model_question q = group_question(a->params.prompt);
    char *text = NULL;
    if (hold(a, sample, condition, err) != 0) {
        return -1;
    }
    if (!condition_has_audio(condition)) {
        text = prompt_fill(a->params.prompt, condition == CONDITION_TEXT_SCENE, s->item->text,
                           scene ? scene_words(scene) : NULL, err);
        if (!text) {
            return -1;
        }
        q.text = text;
    }
    int ok = 0;
    q.is_steered = steering && is_plain_addition(steering);
    if (reader) {
        activation_reader_begin(reader);
        local_on_residual(a->model, activation_read, reader);
    } else if (q.is_steered) {
        local_on_residual(a->model, NULL, NULL);
        ok = local_set_direction(a->model, steering->vectors, err);
    } else if (steering) {
        steering_begin(steering);
        local_on_residual(a->model, steering_apply, steering);
    } else {
        local_on_residual(a->model, NULL, NULL);
    }
    ok = ok == 0 ? answer(a, &q, ret, err) : -1;
    free(text);
    return ok;
}
