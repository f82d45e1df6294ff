#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "cmd.h"
#include "model/direction.h"
#include "steer_parts.h"

static int parse(const struct steer_fit_options *o, struct steer_layers *l, struct err *err)
{
    int method = FIT_MEAN;
    int position = ACTIVATION_TEMPLATE;
    if ((o->method &&
         steer_parse_name("--method", o->method, fit_method_names, &method, err) != 0) ||
        (o->position && steer_parse_name("--position", o->position, activation_position_names,
                                         &position, err) != 0)) {
        return -1;
    }
    l->params = (struct fit_params){.method = (enum fit_method)method,
                                    .removes_harm = o->removes_harm,
                                    .n_removed = (int)o->n_removed};
    l->position = (enum activation_position)position;
    return 0;
}

/* A layer that was not computed at the position has no direction. */
static void fit_layer(struct steer_layers *l, const struct activations *a, int layer)
{
    float *x;
    struct err err = {0};
    size_t width = (size_t)l->n_embd;
    l->quality[layer] = (struct fit_quality){.auc = NAN, .cosine = NAN};
    if (labelled_get(&l->labelled, a, l->position, layer, &x, &err) != 0) {
        return;
    }
    struct fit_data d = labelled_data(&l->labelled, x, width);
    float *directions = xcalloc(FIT_FOLDS * width, sizeof *directions);
    bool has[FIT_FOLDS];
    l->has[layer] = fit_direction(&d, &l->params, -1, l->whole + (size_t)layer * width) > 0;
    for (int f = 0; f < FIT_FOLDS; f++) {
        float *v = directions + (size_t)f * width;
        has[f] = fit_direction(&d, &l->params, f, v) > 0;
        l->has[layer] = l->has[layer] && has[f];
        memcpy(l->folds + ((size_t)f * (size_t)l->n_layers + (size_t)layer) * width, v,
               width * sizeof *v);
    }
    l->quality[layer] = fit_measure(&d, directions, has);
    free(directions);
    free(x);
}

int steer_fit_layers(const char *path, const char *run, const char *judge,
                     const struct steer_fit_options *o, struct steer_layers *ret, struct err *err)
{
    struct steer_layers l = {0};
    struct activations *a = NULL;
    struct store *store = NULL;
    char *model = NULL;
    char *description = NULL;
    int ok = -1;
    if (parse(o, &l, err) != 0 || activations_open(path, &a, err) != 0 ||
        store_open(run, STORE_READ, &store, err) != 0 ||
        store_get_info(store, "model.text.sha256", &model, err) != 0 ||
        store_get_info(store, "model.description", &description, err) != 0) {
        goto out;
    }
    if (!model || strcmp(model, activations_model(a)) != 0) {
        err_set(err, ERR_USAGE, "%s: is of another model than %s", path, run);
        goto out;
    }
    l.judge = xstrdup(judge);
    if (!l.judge && store_get_info(store, STORE_INFO_LAST_JUDGE, &l.judge, err) != 0) {
        goto out;
    }
    if (!l.judge) {
        err_set(err, ERR_USAGE, "%s: has no verdicts yet: run aor judge", run);
        goto out;
    }
    if (labelled_load(store, l.judge, a, &l.labelled, err) != 0 ||
        gate_fit(&l.labelled, a, &l.gate, err) != 0) {
        goto out;
    }
    l.n_layers = activations_n_layers(a);
    l.n_embd = activations_n_embd(a);
    size_t n = (size_t)l.n_layers * (size_t)l.n_embd;
    l.model_sha256 = xstrdup(model);
    l.architecture = xasprintf("%.*s", description ? (int)strcspn(description, " ") : 0,
                               description ? description : ""); /* "llama 1.7M F16. ..." */
    l.whole = xcalloc(n, sizeof *l.whole);
    l.folds = xcalloc(FIT_FOLDS * n, sizeof *l.folds);
    l.quality = xcalloc((size_t)l.n_layers, sizeof *l.quality);
    l.has = xcalloc((size_t)l.n_layers, sizeof *l.has);
    for (int layer = 0; layer < l.n_layers; layer++) {
        fit_layer(&l, a, layer);
    }
    *ret = l;
    l = (struct steer_layers){0};
    ok = 0;
out:
    steer_layers_release(&l);
    free(model);
    free(description);
    activations_close(a, NULL);
    store_close(store, NULL);
    return ok;
}

void steer_layers_release(struct steer_layers *l)
{
    free(l->whole);
    free(l->folds);
    free(l->quality);
    free(l->has);
    free(l->judge);
    free(l->model_sha256);
    free(l->architecture);
    gate_release(&l->gate);
    labelled_release(&l->labelled);
    *l = (struct steer_layers){0};
}

static double length_of(const struct steer_layers *l, int layer)
{
    double sum = 0;
    for (int i = 0; i < l->n_embd; i++) {
        double x = (double)l->whole[layer * l->n_embd + i];
        sum += x * x;
    }
    return sqrt(sum);
}

void steer_print_layers(const struct steer_layers *l)
{
    const size_t *n = l->labelled.n_class;
    printf("%s at %s; dev: %zu refused, %zu complied, %zu contrasts, %zu plains; judge %s\n",
           fit_method_names[l->params.method], activation_position_names[l->position],
           n[FIT_REFUSED], n[FIT_COMPLIED], n[FIT_CONTRAST], n[FIT_PLAIN], l->judge);
    printf("  %5s  %10s  %14s  %8s\n", "layer", "AUC", "cosine (folds)", "length");
    for (int layer = 0; layer < l->n_layers; layer++) {
        if (isnan(l->quality[layer].auc)) {
            printf("  %5d  %10s\n", layer, "none");
        } else {
            printf("  %5d  %10.3f  %14.3f  %8.3f\n", layer, l->quality[layer].auc,
                   l->quality[layer].cosine, length_of(l, layer));
        }
    }
    if (l->gate.layer >= 0) {
        printf("condition: layer %d tells scenarios from contrasts with an AUC of %.3f\n",
               l->gate.layer, l->gate.auc);
    }
}

json_t *steer_layers_json(const struct steer_layers *l)
{
    json_t *list = json_array();
    for (int layer = 0; layer < l->n_layers; layer++) {
        const struct fit_quality *q = &l->quality[layer];
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:I, s:o}", "layer", layer, "auc",
                                              json_number(q->auc), "cosine", json_number(q->cosine),
                                              "pairs", (json_int_t)q->n_pairs, "length",
                                              json_number(length_of(l, layer))));
    }
    return list;
}

int steer_best_layer(const struct steer_layers *l)
{
    int best = 0;
    for (int layer = 1; layer < l->n_layers; layer++) {
        if (l->has[layer] && (best == 0 || l->quality[layer].auc > l->quality[best].auc)) {
            best = layer;
        }
    }
    return best;
}

int steer_save(const char *path, const struct steer_layers *l, const struct steering *s,
               double strength, struct err *err)
{
    const struct direction_fact facts[] = {
        {"aor.method", fit_method_names[l->params.method]},
        {"aor.position", activation_position_names[l->position]},
        {"aor.hook", "l_out"},
        {"aor.sign", "refused - complied"},
        {"aor.judge", l->judge},
        {"aor.model.sha256", l->model_sha256},
    };
    return direction_save(path, s, strength, l->architecture, facts, sizeof facts / sizeof *facts,
                          err);
}

static int save(const struct steer_layers *l, const char *path, long layer, struct err *err)
{
    int chosen = layer > 0 ? (int)layer : steer_best_layer(l);
    size_t width = (size_t)l->n_embd;
    if (chosen < 1 || chosen >= l->n_layers || !l->has[chosen]) {
        return err_set(err, ERR_USAGE, "layer %d has no direction", chosen);
    }
    float *vectors = xcalloc((size_t)l->n_layers * width, sizeof *vectors);
    memcpy(vectors + (size_t)(chosen - 1) * width, l->whole + (size_t)chosen * width,
           width * sizeof *vectors);
    struct steering s = {.n_layers = l->n_layers, .n_embd = l->n_embd, .vectors = vectors};
    int ok = steer_save(path, l, &s, -1, err);
    free(vectors);
    if (ok == 0) {
        log_info("%s: the direction of layer %d, from complied to refused", path, chosen);
    }
    return ok;
}

int steer_fit(int argc, char **argv)
{
    struct steer_fit_options o = {0};
    const char *path = NULL;
    const char *judge = NULL;
    long layer = 0;
    bool as_json = false;
    const struct opt opts[] = {
        {'o', "output", OPT_STR, &path, "GGUF", "the control vector", 0, 0},
        STEER_FIT_OPTIONS(o),
        {0, "layer", OPT_INT, &layer, "N", "of -o (default: that of the greatest AUC)", 1, 100000},
        {'j', "judge", OPT_STR, &judge, "ID", "whose verdicts (default: the last aor judge)", 0, 0},
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "steer fit",
        .synopsis = "ACTS RUN.db [options]",
        .summary = "Directions from complied to refused answers, a layer each.",
        .details =
            "Of dev trials only, by what differs between refused and complied answers to the same\n"
            "request in the same condition. AUC is of held-out scenarios, in 5 folds. -o writes\n"
            "a GGUF control vector, as llama-server --control-vector-scaled FILE:-1 takes it.",
        .examples = "  aor steer fit acts.safetensors aor-tiny.db\n"
                    "  aor steer fit acts.safetensors aor-tiny.db --layer 1 -o refusal.gguf\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 2, 2, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    struct steer_layers l = {0};
    int ok = steer_fit_layers(argv[1], argv[2], judge, &o, &l, &err);
    if (ok == 0 && as_json) {
        json_t *doc = json_pack("{s:s, s:s, s:s, s:o}", "method", fit_method_names[l.params.method],
                                "position", activation_position_names[l.position], "judge", l.judge,
                                "layers", steer_layers_json(&l));
        json_dumpf(doc, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(doc);
    } else if (ok == 0) {
        steer_print_layers(&l);
    }
    if (ok == 0 && path) {
        ok = save(&l, path, layer, &err);
    }
    steer_layers_release(&l);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}
