/*
 * steer_parts.h - what the subcommands of aor steer share. For cmd_steer.c and steer_*.c only.
 */
#ifndef AOR_CMD_STEER_PARTS_H
#define AOR_CMD_STEER_PARTS_H

#include "base/json.h"
#include "bench/dataset.h"
#include "model_options.h"
#include "steer/activations.h"
#include "steer/asker.h"
#include "steer/fit.h"
#include "steer/gate.h"
#include "steer/labelled.h"
#include "store/store.h"

/* aor steer NAME ...: argv[0] is the name. Each gives an exit code. */
int steer_capture(int argc, char **argv);
int steer_fit(int argc, char **argv);
int steer_sweep(int argc, char **argv);

/* The prompt of a strategy that comes with aor. prompt_release() frees it. */
int steer_load_prompt(const char *strategy, struct prompt *ret, struct err *err);

/* So many processes, each with the model, as its size suggests; wanted 0: choose. */
int steer_n_workers(const struct local_params *model, long wanted);

/* "mean", "pca", "logistic"; a position; by their names' lists. A usage error otherwise. */
int steer_parse_name(const char *option, const char *text, const char *const *names, int *ret,
                     struct err *err);

/* How a direction is fitted. */
struct steer_fit_options {
    const char *method, *position;
    bool removes_harm;
    long n_removed;
};
/* clang-format off */
#define STEER_FIT_OPTIONS(o) \
    {0, "method", OPT_STR, &(o).method, "NAME", "mean, pca or logistic (default: mean)", 0, 0}, \
    {0, "position", OPT_STR, &(o).position, "NAME", \
     "instruction, template, audio, prompt or answer (default: template)", 0, 0}, \
    {0, "without-harm", OPT_FLAG, &(o).removes_harm, NULL, \
     "take out the direction from plain requests to contrasts", 0, 0}, \
    {0, "without-plain", OPT_INT, &(o).n_removed, "K", \
     "take out K main components of plain requests", 0, FIT_MAX_REMOVED}
/* clang-format on */

/* Directions of every layer from 1 on, cross-fitted and from all of dev. */
struct steer_layers {
    int n_layers, n_embd;
    struct fit_params params;
    enum activation_position position;
    float *whole;                /* [n_layers * n_embd]; zeros where there is none; owned */
    float *folds;                /* [FIT_FOLDS * n_layers * n_embd]; owned */
    struct fit_quality *quality; /* [n_layers]; owned */
    bool *has;                   /* [n_layers]; owned */
    struct gate gate;
    struct labelled labelled;
    char *judge, *model_sha256, *architecture;
};

/* From the activations at path, by the verdicts of a run's judge (NULL: the last one). */
int steer_fit_layers(const char *path, const char *run, const char *judge,
                     const struct steer_fit_options *o, struct steer_layers *ret, struct err *err);
void steer_layers_release(struct steer_layers *l);

/* A line a layer. */
void steer_print_layers(const struct steer_layers *l);
json_t *steer_layers_json(const struct steer_layers *l);

/* The layer of the greatest AUC; 0: none. */
int steer_best_layer(const struct steer_layers *l);

/* A control vector with our keys. strength: that was found to be good; it is not in the vectors. */
int steer_save(const char *path, const struct steer_layers *l, const struct steering *s,
               double strength, struct err *err);

#endif
