/*
 * explorer.h - samples, answers and verdicts of runs as JSON pieces for the page (docs/formats.md).
 */
#ifndef AOR_REPORT_EXPLORER_H
#define AOR_REPORT_EXPLORER_H

#include "base/json.h"
#include "bench/dataset.h"
#include "judge/rules.h"
#include "store/store.h"

#define EXPLORER_MAX_ROWS 10000 /* of a piece of trials */

/* A piece is handed over as soon as it is whole; data is borrowed. */
typedef int (*explorer_piece_fn)(const char *name, const json_t *data, void *user, struct err *err);

struct explorer;

/* dataset: the runs' benchmark, for reasons and wanted answers; may be NULL. */
struct explorer *explorer_new(const struct dataset *dataset, explorer_piece_fn fn, void *user);
void explorer_free(struct explorer *e);

/*
 * The pieces "trials-<run>-<k>" and "verdicts-<run>" of a run, by its judge, as in
 * judged_rows_each().
 */
int explorer_add_run(struct explorer *e, struct store *store, size_t run, const char *judge,
                     const struct rule_judge *rules, struct err *err);

/* At last the piece "samples", of what the runs had. */
int explorer_end(struct explorer *e, struct err *err);

/* The samples so far. A new reference. */
json_t *explorer_samples(const struct explorer *e);

/* Gender by voice, of all runs so far. Borrowed. */
const json_t *explorer_voices(const struct explorer *e);

#endif
