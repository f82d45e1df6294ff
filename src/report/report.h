/*
 * report.h - the data of the report's page: pieces of JSON, in files beside it or from a server
 * (docs/formats.md).
 */
#ifndef AOR_REPORT_REPORT_H
#define AOR_REPORT_REPORT_H

#include "base/json.h"
#include "base/mem.h"
#include "bench/dataset.h"
#include "report/findings.h"

struct report_params {
    struct findings_params findings;
    const struct dataset *dataset; /* the runs' benchmark; NULL: no reasons, no sounds */
    unsigned sounds;               /* a bit for each enum condition whose sounds are there */
    const char *command;           /* that repeats it */
    const char *version;           /* of the program */
    const char *stamp;             /* of report_state(), from a server; NULL: on disk */
    bool has_listening;            /* which has the listening page, too */
};

/* A piece as a script: aorPiece("name", "base64 of zlib of JSON"). name and script are borrowed. */
typedef int (*report_piece_fn)(const char *name, const struct buf *script, void *user,
                               struct err *err);

/* What stands in the piece "findings", by which a caller prints JSON and writes tables, too. */
struct report {
    struct findings_set set;
    json_t *document;
    json_t *samples; /* those of the runs, as in the piece of that name; NULL without pieces */
};

/*
 * Count the runs and hand over all pieces, "findings" at the end. fn NULL: no pieces, only *ret,
 * which is the caller's: report_release(). Fails where the dataset is not the runs' benchmark.
 */
int report_make(const struct report_params *p, report_piece_fn fn, void *user, struct report *ret,
                struct err *err);
void report_release(struct report *r);

/*
 * A stamp of what the findings are made of, and how far the runs are as JSON: a list of run,
 * trials, answered.
 */
int report_state(const struct findings_params *p, json_t **ret_runs, char **ret_stamp,
                 struct err *err);

#endif
