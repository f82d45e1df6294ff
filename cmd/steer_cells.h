/*
 * steer_cells.h - the cells of a sweep: what each strategy of its run file does to the model. For
 * steer_*.c only.
 */
#ifndef AOR_CMD_STEER_CELLS_H
#define AOR_CMD_STEER_CELLS_H

#include "model/prompt.h"
#include "steer_parts.h"

#define STEER_TURNED "turned" /* the control's name; random directions are "random01" and on */

struct steer_cell {
    char name[PROMPT_MAX_NAME + 1]; /* "add1-2", "ablate1"; with the first letter of another scope
                                       than all, and a condition's share: "add1-2pg10" */
    bool is_steered;                /* false: direct */
    enum steering_operation operation;
    enum steering_scope scope;
    int layer;
    double strength; /* of an addition, in lengths of the direction */
    int gate;        /* percent of the contrasts that a condition lets through; 100: no condition */
    int random;      /* number of a random direction of the same length; 0: the fitted one */
};

struct steer_cells {
    struct steer_cell *list; /* [n], owned; the first is direct */
    size_t n, n_grid;        /* those from n_grid on are controls */
};

/* Lists with commas, as the options give them. */
struct steer_grid {
    const char *layers; /* NULL: all that have a direction */
    const char *strengths, *operations, *scopes, *gates;
};

int steer_cells_make(const struct steer_grid *g, const struct steer_layers *layers,
                     struct steer_cells *ret, struct err *err);
void steer_cells_release(struct steer_cells *c);

/* Add a cell of the grid turned round, where it is an addition, and n_random times with a random
 * direction of the same length. */
void steer_cells_add_controls(struct steer_cells *c, const char *name, long n_random);

/* The place of this name; n: there is none. */
size_t steer_cells_find(const struct steer_cells *c, const char *name);

/*
 * What a cell does by the directions that did not see a fold; -1: by those of all of dev. Its
 * vectors are put into vectors[(n_layers - 1) * n_embd], which it borrows, as its condition does l.
 */
struct steering steer_cell_steering(const struct steer_cell *c, const struct steer_layers *l,
                                    int fold, float *vectors);

/* All but direct. */
json_t *steer_cells_json(const struct steer_cells *c);

#endif
