/*
 * labels.h - what listeners are asked, and their labels: a file of JSON lines that only grows.
 *
 * The draw is the first samples in the order of draw.h: all listeners get the same ones in the same
 * random order, so that labels overlap, and those of any moment are of a random subsample.
 */
#ifndef AOR_WEB_LABELS_H
#define AOR_WEB_LABELS_H

#include "base/json.h"
#include "bench/dataset.h"

struct labels_params {
    const char *path;              /* made with the first label */
    const struct dataset *dataset; /* of the runs */
    const char *run;               /* whose samples are drawn, and whose answers are shown */
    size_t n_samples;              /* drawn at most */
    bool asks_answer;              /* also the verdict on an answer */
    bool is_synthetic; /* a test's: labellers get LISTENERS_SYNTHETIC before their name */
};

struct labels;

/* Takes a lock beside the file. A last line that was cut off is removed. */
int labels_open(const struct labels_params *p, struct labels **ret, struct err *err);
void labels_free(struct labels *l);

/*
 * What the page shows a labeller: the next sample without a label of it, or item (from 0 on; -1:
 * the next), with an answer that came since labels_open() too. A new reference; NULL where there is
 * no such item.
 */
json_t *labels_ask(struct labels *l, const char *labeller, long item);

/*
 * Append what the page sent, and sync. ret_error is why it is no label (the caller's to show, not
 * an error of the file): borrowed, NULL where it was stored.
 */
int labels_put(struct labels *l, const json_t *sent, const char **ret_error, struct err *err);

/* How many of the draw the labeller has labelled. */
size_t labels_done(const struct labels *l, const char *labeller);

/* The sample of an item; -1: there is none. Index into dataset->bench.samples. */
long labels_sample(const struct labels *l, size_t item);

/* The file as it is, and as CSV. */
int labels_read(const struct labels *l, struct buf *ret, struct err *err);
int labels_csv(const struct labels *l, struct buf *ret, struct err *err);

#endif
