#include <stddef.h>

#include "run/group.h"
#include "run/runner.h"

struct first {
    const struct bench *bench;
    struct worker_task task;
    bool is_found;
};

static int take_first(const struct sample *s, enum condition c, size_t prompt, int repeat,
                      void *user, struct err *err)
{
    (void)err;
    struct first *f = user;
    f->task = (struct worker_task){.sample = (uint32_t)(s - f->bench->samples),
                                   .condition = (uint16_t)c,
                                   .prompt = (uint16_t)prompt,
                                   .repeat = repeat};
    f->is_found = true;
    return -1; /* one is enough */
}

char *run_preview(const struct run_params *p, struct err *err)
{
    struct worker_params wp = {.dataset = p->dataset,
                               .plan = p->plan,
                               .remote = p->remote,
                               .temperature = p->temperature,
                               .seed = p->seed};
    struct renderer renderer = renderer_init(&p->dataset->bench, p->dataset->stems_dir, NULL);
    struct first first = {.bench = &p->dataset->bench};
    struct group g = {0};
    char *preview = NULL;
    plan_each(p->plan, take_first, &first, err);
    if (!first.is_found) {
        err_set(err, ERR_USAGE, "there is no trial to show");
    } else if (group_fill(&wp, &renderer, &first.task, 1, AUDIO_RATE, &g, err) == 0) {
        preview = remote_preview(p->remote, g.has_audio ? &g.audio : NULL, &g.questions[0], err);
    }
    group_release(&g);
    renderer_release(&renderer);
    return preview;
}
