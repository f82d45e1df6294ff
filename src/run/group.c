#include "run/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

struct model_question group_question(const struct prompt *p)
{
    return (struct model_question){
        .system = p->system,
        .instruction = p->instruction,
        .audio_last = p->audio_last,
        .max_tokens = p->max_tokens,
        .steering = p->is_steered ? 1 : 0,
    };
}

/* What tells a trial from all others, whatever runs beside it. */
static void hash_trial(uint64_t seed, const struct sample *s, const struct worker_task *t,
                       const char *prompt, char ret[SHA256_HEX_SIZE])
{
    char *key = xasprintf("%llu\n%s\n%s\n%s\n%d", (unsigned long long)seed, s->id,
                          condition_names[t->condition], prompt, t->repeat);
    sha256_hex(key, strlen(key), ret);
    free(key);
}

/* The seed of its random choice. */
static uint32_t seed_of(const char hex[SHA256_HEX_SIZE])
{
    char first[9] = {0};
    memcpy(first, hex, 8);
    return (uint32_t)strtoul(first, NULL, 16);
}

int group_fill(const struct worker_params *p, struct renderer *renderer,
               const struct worker_task *tasks, size_t n, int sample_rate, struct group *ret,
               struct err *err)
{
    const struct sample *s = &p->dataset->bench.samples[tasks[0].sample];
    enum condition condition = (enum condition)tasks[0].condition;
    const struct scene *scene = render_scene_of(s, condition);
    ret->n = n;
    ret->has_audio = condition_has_audio(condition);
    if (ret->has_audio &&
        (dataset_audio(p->dataset, renderer, tasks[0].sample, condition, &ret->audio, err) != 0 ||
         audio_resample(&ret->audio, sample_rate, err) != 0)) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        const struct prompt *prompt = &p->plan->prompts[tasks[i].prompt];
        struct model_question q = group_question(prompt);
        q.id = tasks[i].trial_id;
        q.temperature = p->temperature;
        hash_trial(p->seed, s, &tasks[i], prompt->name, ret->names[i]);
        q.name = ret->names[i];
        q.seed = seed_of(ret->names[i]);
        if (!ret->has_audio) {
            ret->texts[i] = prompt_fill(prompt, condition == CONDITION_TEXT_SCENE, s->item->text,
                                        scene ? scene_words(scene) : NULL, err);
            if (!ret->texts[i]) {
                return -1;
            }
            q.text = ret->texts[i];
        }
        ret->questions[i] = q;
    }
    return 0;
}

void group_release(struct group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->texts[i]);
    }
    audio_release(&g->audio);
    *g = (struct group){0};
}
