/*
 * asker.h - one model in this process, asked about one sample at a time: read, steered, or as it
 * is. What the questions about a sample and condition share, the sound's encoding, is made once.
 */
#ifndef AOR_STEER_ASKER_H
#define AOR_STEER_ASKER_H

#include "bench/dataset.h"
#include "model/local.h"
#include "model/prompt.h"
#include "steer/activations.h"

struct asker_params { /* all borrowed */
    const struct dataset *dataset;
    const struct local_params *model;
    const struct prompt *prompt;
};

struct asker; /* opaque */

int asker_open(const struct asker_params *p, struct asker **ret, struct err *err);
void asker_close(struct asker *a); /* NULL is fine */

void asker_shape(const struct asker *a, int *ret_n_layers, int *ret_n_embd);

#define ASKER_MAX_GROUP 32

struct asker_answer {
    char *text;     /* the caller's */
    bool is_failed; /* text says why there is no answer */
    enum model_finish finish;
    int n_prompt_tokens, n_answer_tokens;
    double prefill_s, decode_s;
    enum model_check check; /* in the fast mode */
};

/*
 * Ask greedily, once as the model is, and put what the reader takes of the residual stream into it.
 */
int asker_read(struct asker *a, size_t sample, enum condition condition,
               struct activation_reader *reader, struct asker_answer *ret, struct err *err);

/*
 * Ask greedily under each of n steerings, at most ASKER_MAX_GROUP; NULL among them: as the model
 * is. ret[n] is filled where it returns 0.
 */
int asker_ask(struct asker *a, size_t sample, enum condition condition,
              const struct steering *const *steerings, size_t n, struct asker_answer *ret,
              struct err *err);

#endif
