#include "run/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

bool plan_has_sample(const struct plan *p, const struct sample *s)
{
    return p->is_chosen[s->item - p->bench->items.items];
}

bool plan_has(const struct plan *p, const struct sample *s, enum condition c, size_t prompt)
{
    const struct prompt *q = &p->prompts[prompt];
    bool has_scene = render_scene_of(s, c) != NULL;
    if ((p->conditions & (1u << c)) == 0 || (c == CONDITION_MISMATCHED && !has_scene)) {
        return false;
    }
    switch (c) {
    case CONDITION_TEXT:
        return q->text != NULL;
    case CONDITION_TEXT_SCENE:
        return q->text_scene != NULL;
    default:
        return q->probe != PROMPT_SCENE || has_scene;
    }
}

bool plan_needs_audio(const struct plan *p)
{
    for (int c = 0; condition_names[c]; c++) {
        if ((p->conditions & (1u << c)) != 0 && condition_has_audio((enum condition)c)) {
            return true;
        }
    }
    return false;
}

int plan_find_prompt(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->n_prompts; i++) {
        if (strcmp(p->prompts[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool plan_needs_direction(const struct plan *p)
{
    bool needs = false;
    for (size_t q = 0; q < p->n_prompts; q++) {
        needs = needs || p->prompts[q].is_steered;
    }
    return needs;
}

bool plan_find(const struct plan *p, const char *sample_id, const char *condition,
               const char *strategy, int repeat, size_t *hint, struct plan_trial *ret)
{
    long sample = bench_find(p->bench, sample_id, *hint);
    int prompt = plan_find_prompt(p, strategy);
    int c = 0;
    while (condition_names[c] && strcmp(condition_names[c], condition) != 0) {
        c++;
    }
    if (sample < 0 || prompt < 0 || !condition_names[c] || repeat < 1 || repeat > p->n_repeats) {
        return false;
    }
    *hint = (size_t)sample;
    *ret = (struct plan_trial){(size_t)sample, (enum condition)c, (size_t)prompt, repeat};
    const struct sample *s = &p->bench->samples[sample];
    return plan_has_sample(p, s) && plan_has(p, s, ret->condition, ret->prompt);
}

static int each_of(const struct plan *p, const struct sample *s, enum condition c, bool is_steered,
                   plan_fn fn, void *user, struct err *err)
{
    for (size_t q = 0; q < p->n_prompts; q++) {
        if (p->prompts[q].is_steered != is_steered || !plan_has(p, s, c, q)) {
            continue;
        }
        for (int r = 1; r <= p->n_repeats; r++) {
            if (fn(s, c, q, r, user, err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

int plan_each(const struct plan *p, plan_fn fn, void *user, struct err *err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < p->bench->n_samples; i++) {
            const struct sample *s = &p->bench->samples[i];
            for (int c = 0; condition_names[c] && plan_has_sample(p, s); c++) {
                if (each_of(p, s, (enum condition)c, pass == 1, fn, user, err) != 0) {
                    return -1;
                }
            }
        }
    }
    return 0;
}

struct seen {
    bool conditions[32];
    bool prompts[PLAN_MAX_PROMPTS];
};

static int see(const struct sample *s, enum condition c, size_t prompt, int repeat, void *user,
               struct err *err)
{
    (void)s;
    (void)repeat;
    (void)err;
    struct seen *seen = user;
    seen->conditions[c] = true;
    seen->prompts[prompt] = true;
    return 0;
}

static int check_use(const struct plan *p, struct err *err)
{
    struct seen seen = {0};
    if (plan_each(p, see, &seen, err) != 0) {
        return -1;
    }
    for (int c = 0; condition_names[c]; c++) {
        if ((p->conditions & (1u << c)) != 0 && !seen.conditions[c]) {
            return err_set(err, ERR_USAGE, "condition %s: no sample and prompt has it",
                           condition_names[c]);
        }
    }
    for (size_t q = 0; q < p->n_prompts; q++) {
        if (!seen.prompts[q]) {
            return err_set(err, ERR_USAGE, "prompt %s: cannot be asked in any of these conditions",
                           p->prompts[q].name);
        }
    }
    return 0;
}

int plan_init(const struct bench *bench, const struct bench_selection *select, unsigned conditions,
              const char *const *prompt_paths, size_t n_prompts, int n_repeats, struct plan *ret,
              struct err *err)
{
    struct plan p = {.bench = bench, .conditions = conditions, .n_repeats = n_repeats};
    int ok = -1;
    if (n_prompts == 0 || n_prompts > PLAN_MAX_PROMPTS) {
        return err_set(err, ERR_USAGE, "a run has 1 to %d prompts", PLAN_MAX_PROMPTS);
    }
    p.is_chosen = xcalloc(bench->items.n_items, sizeof *p.is_chosen);
    p.prompts = xcalloc(n_prompts, sizeof *p.prompts);
    if (bench_choose(bench, select, p.is_chosen, err) != 0) {
        goto out;
    }
    for (; p.n_prompts < n_prompts; p.n_prompts++) {
        struct prompt *q = &p.prompts[p.n_prompts];
        if (prompt_load(prompt_paths[p.n_prompts], q, err) != 0) {
            goto out;
        }
        int twin = plan_find_prompt(&p, q->name);
        if (twin >= 0) {
            err_set(err, ERR_USAGE, "%s and %s: two prompts are named %s", prompt_paths[twin],
                    prompt_paths[p.n_prompts], q->name);
            prompt_release(q);
            goto out;
        }
    }
    if (check_use(&p, err) == 0) {
        *ret = p;
        p = (struct plan){0};
        ok = 0;
    }
out:
    plan_release(&p);
    return ok;
}

/* What is in one shard as a whole: a scenario with its contrast, or a plain request. */
struct family {
    const char *id; /* of the scenario or plain request; borrowed */
    char hash[SHA256_HEX_SIZE];
    size_t n_samples;
    int shard;
};

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct family *)a)->id, ((const struct family *)b)->id);
}

/* Large ones first, in the order of their hashes. */
static int compare_sizes(const void *a, const void *b)
{
    const struct family *f = a, *g = b;
    if (f->n_samples != g->n_samples) {
        return f->n_samples > g->n_samples ? -1 : 1;
    }
    return strcmp(f->hash, g->hash);
}

static struct family *find_family(struct family *families, size_t n, const struct item *item)
{
    struct family key = {.id = item->twin ? item->twin : item->id};
    return bsearch(&key, families, n, sizeof *families, compare_ids);
}

void plan_take_shard(struct plan *p, int shard, int n_shards)
{
    const struct item_set *items = &p->bench->items;
    struct family *families = xcalloc(items->n_items + 1, sizeof *families);
    size_t *loads = xcalloc((size_t)n_shards, sizeof *loads); /* samples of each shard */
    size_t n = 0;
    for (size_t i = 0; i < items->n_items; i++) {
        const struct item *item = &items->items[i];
        if (!item->twin) {
            families[n].id = item->id;
            sha256_hex(item->id, strlen(item->id), families[n++].hash);
        }
    }
    qsort(families, n, sizeof *families, compare_ids);
    for (size_t i = 0; i < p->bench->n_samples; i++) {
        find_family(families, n, p->bench->samples[i].item)->n_samples++;
    }
    qsort(families, n, sizeof *families, compare_sizes);
    for (size_t i = 0; i < n; i++) {
        int least = 0;
        for (int k = 1; k < n_shards; k++) {
            least = loads[k] < loads[least] ? k : least;
        }
        loads[least] += families[i].n_samples;
        families[i].shard = least + 1;
    }
    qsort(families, n, sizeof *families, compare_ids);
    for (size_t i = 0; i < items->n_items; i++) {
        const struct family *f = find_family(families, n, &items->items[i]);
        p->is_chosen[i] = p->is_chosen[i] && f->shard == shard;
    }
    free(loads);
    free(families);
    p->shard = shard;
    p->n_shards = n_shards;
}

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->n_prompts; i++) {
        prompt_release(&p->prompts[i]);
    }
    free(p->prompts);
    free(p->is_chosen);
    *p = (struct plan){0};
}
