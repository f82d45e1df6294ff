/*
 * study.h - what was chosen on dev, and what it is worth on test: printed for aor study and aor
 * steer sweep.
 */
#ifndef AOR_CMD_STUDY_H
#define AOR_CMD_STUDY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

struct study_params {
    const char *path;
    const char *judge;             /* NULL: the last one of the run */
    const char *const *strategies; /* the candidates */
    size_t n_strategies;           /* 0: all of the run but probes */
    long limit;                    /* points */
    bool as_json;
    bool is_dev_only; /* choose, and leave test alone */
    json_t *extra;    /* a member "controls" of the JSON; NULL: none; borrowed */
};

int study_show(const struct study_params *p, struct err *err);

#endif
