#include "steer_cells.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "report/choice.h"

#define SEED 20261126

static struct steer_cell *add_cell(struct steer_cells *c)
{
    c->list = xrealloc(c->list, (c->n + 1) * sizeof *c->list);
    c->list[c->n] = (struct steer_cell){.is_steered = true};
    return &c->list[c->n++];
}

size_t steer_cells_find(const struct steer_cells *c, const char *name)
{
    size_t k = 0;
    while (k < c->n && strcmp(c->list[k].name, name) != 0) {
        k++;
    }
    return k;
}

static int name_cell(struct steer_cell *c, struct err *err)
{
    char strength[24] = "";
    char gate[16] = "";
    if (c->operation == STEERING_ADD) {
        snprintf(strength, sizeof strength, "%+g", c->strength);
    }
    if (c->gate < 100) {
        snprintf(gate, sizeof gate, "g%d", c->gate);
    }
    char *name =
        xasprintf("%s%d%s%.*s%s", steering_operation_names[c->operation], c->layer, strength,
                  c->scope == STEERING_ALL ? 0 : 1, steering_scope_names[c->scope], gate);
    bool fits = strlen(name) <= PROMPT_MAX_NAME;
    snprintf(c->name, sizeof c->name, "%.15s", name);
    int ok = fits ? 0 : err_set(err, ERR_USAGE, "%s is too long a name for a cell", name);
    free(name);
    return ok;
}

/* The numbers of a list with commas. *ret is the caller's. */
static int parse_numbers(const char *option, const char *text, bool is_whole, double min,
                         double max, double **ret, size_t *ret_n, struct err *err)
{
    char **list;
    size_t n;
    cmd_split(text, &list, &n);
    int ok = n > 0 || !text ? 0 : err_set(err, ERR_USAGE, "%s wants a list of numbers", option);
    *ret = xcalloc(n + 1, sizeof **ret);
    for (size_t i = 0; ok == 0 && i < n; i++) {
        ok = model_number(list[i], option, min, max, &(*ret)[i], err);
        if (ok == 0 && is_whole && (*ret)[i] != floor((*ret)[i])) {
            ok = err_set(err, ERR_USAGE, "%s wants whole numbers", option);
        }
    }
    cmd_free_list(list, n);
    *ret_n = n;
    return ok;
}

/* Those of --layers, --strengths and --gates. */
struct numbers {
    double *layers, *strengths, *gates;
    size_t n_layers, n_strengths, n_gates;
};

/* Cells of one layer, operation and scope. */
static int add_cells(struct steer_cells *cells, int layer, enum steering_operation operation,
                     enum steering_scope scope, const struct numbers *v, struct err *err)
{
    size_t n_strengths = operation == STEERING_ADD ? v->n_strengths : 1;
    int ok = 0;
    for (size_t i = 0; i < n_strengths; i++) {
        for (size_t g = 0; ok == 0 && g < v->n_gates; g++) {
            struct steer_cell *c = add_cell(cells);
            c->operation = operation;
            c->scope = scope;
            c->layer = layer;
            c->strength = operation == STEERING_ADD ? v->strengths[i] : 0;
            c->gate = (int)v->gates[g];
            ok = name_cell(c, err);
            if (ok == 0 && steer_cells_find(cells, c->name) < cells->n - 1) {
                cells->n--; /* listed twice */
            }
        }
    }
    return ok;
}

/* Which of the names are in a list with commas. */
static int parse_list(const char *option, const char *text, const char *const *names,
                      bool *ret_wanted, struct err *err)
{
    char **list;
    size_t n;
    int k;
    cmd_split(text, &list, &n);
    int ok = n > 0 ? 0 : err_set(err, ERR_USAGE, "%s wants a list", option);
    for (size_t i = 0; ok == 0 && i < n; i++) {
        ok = steer_parse_name(option, list[i], names, &k, err);
        if (ok == 0) {
            ret_wanted[k] = true;
        }
    }
    cmd_free_list(list, n);
    return ok;
}

static bool wants_layer(const struct numbers *v, int layer)
{
    bool is_wanted = v->n_layers == 0;
    for (size_t i = 0; i < v->n_layers; i++) {
        is_wanted = is_wanted || (int)v->layers[i] == layer;
    }
    return is_wanted;
}

int steer_cells_make(const struct steer_grid *grid, const struct steer_layers *layers,
                     struct steer_cells *ret, struct err *err)
{
    struct steer_cells c = {0};
    bool operations[2] = {false};
    bool scopes[3] = {false};
    struct numbers v = {0};
    int ok = -1;
    if (parse_list("--operations", grid->operations, steering_operation_names, operations, err) !=
            0 ||
        parse_list("--scopes", grid->scopes, steering_scope_names, scopes, err) != 0 ||
        parse_numbers("--strengths", grid->strengths, false, -1e6, 1e6, &v.strengths,
                      &v.n_strengths, err) != 0 ||
        parse_numbers("--gates", grid->gates, true, 0, 100, &v.gates, &v.n_gates, err) != 0 ||
        parse_numbers("--layers", grid->layers, true, 1, layers->n_layers - 1, &v.layers,
                      &v.n_layers, err) != 0) {
        goto out;
    }
    struct steer_cell *direct = add_cell(&c);
    direct->is_steered = false;
    snprintf(direct->name, sizeof direct->name, "%s", CHOICE_REFERENCE);
    for (int layer = 1; layer < layers->n_layers; layer++) {
        for (int k = 0; layers->has[layer] && wants_layer(&v, layer) && k < 2 * 3; k++) {
            if (operations[k / 3] && scopes[k % 3] &&
                add_cells(&c, layer, (enum steering_operation)(k / 3), (enum steering_scope)(k % 3),
                          &v, err) != 0) {
                goto out;
            }
        }
    }
    c.n_grid = c.n;
    ok =
        c.n > 1 ? 0 : err_set(err, ERR_USAGE, "no layer of these has a direction at this position");
    for (size_t k = 1; ok == 0 && k < c.n; k++) {
        if (c.list[k].gate < 100 && layers->gate.layer < 0) {
            ok = err_set(err, ERR_USAGE, "a condition wants captured contrasts: --gates 100");
        }
    }
out:
    free(v.layers);
    free(v.strengths);
    free(v.gates);
    if (ok == 0) {
        *ret = c;
    } else {
        steer_cells_release(&c);
    }
    return ok;
}

void steer_cells_release(struct steer_cells *c)
{
    free(c->list);
    *c = (struct steer_cells){0};
}

void steer_cells_add_controls(struct steer_cells *c, const char *name, long n_random)
{
    size_t at = steer_cells_find(c, name);
    for (long i = 0; i <= n_random; i++) {
        struct steer_cell cell = c->list[at];
        if (i == 0) {
            cell.strength = -cell.strength;
            snprintf(cell.name, sizeof cell.name, STEER_TURNED);
        } else {
            cell.random = (int)i;
            snprintf(cell.name, sizeof cell.name, "random%02d", (int)i % 100);
        }
        if (i > 0 || cell.operation == STEERING_ADD) { /* an ablation has no sign */
            *add_cell(c) = cell;
        }
    }
}

struct steering steer_cell_steering(const struct steer_cell *c, const struct steer_layers *l,
                                    int fold, float *vectors)
{
    size_t width = (size_t)l->n_embd;
    size_t n = (size_t)l->n_layers * width;
    const float *all = fold < 0 ? l->whole : l->folds + (size_t)fold * n;
    const float *v = all + (size_t)c->layer * width;
    float *own = xcalloc(width, sizeof *own);
    memcpy(own, v, width * sizeof *own);
    if (c->random > 0) {
        fit_random_direction(v, width, SEED, c->random, own);
    }
    for (int layer = 1; layer < l->n_layers; layer++) {
        float *to = vectors + (size_t)(layer - 1) * width;
        for (size_t i = 0; i < width; i++) {
            bool is_here = c->operation == STEERING_ABLATE || layer == c->layer;
            double factor = c->operation == STEERING_ABLATE ? 1 : c->strength;
            to[i] = is_here ? (float)(factor * (double)own[i]) : 0;
        }
    }
    free(own);
    return (struct steering){.operation = c->operation,
                             .scope = c->scope,
                             .n_layers = l->n_layers,
                             .n_embd = l->n_embd,
                             .vectors = vectors,
                             .condition = c->gate < 100 ? gate_condition(&l->gate, fold, c->gate)
                                                        : (struct steering_condition){0}};
}

json_t *steer_cells_json(const struct steer_cells *cells)
{
    json_t *list = json_array();
    for (size_t k = 1; k < cells->n; k++) {
        const struct steer_cell *c = &cells->list[k];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:i, s:o, s:i, s:i}", "strategy", c->name, "operation",
                            steering_operation_names[c->operation], "scope",
                            steering_scope_names[c->scope], "layer", c->layer, "strength",
                            json_number(c->strength), "gate", c->gate, "random", c->random));
    }
    return list;
}
