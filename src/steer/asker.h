/*
 * asker.h - one model in this process, asked one trial at a time: read, steered, or as it is. What
 * the trials of a sample and condition share, the sound's encoding, is made once.
 */
#ifndef AOR_STEER_ASKER_H
#define AOR_STEER_ASKER_H

#include "bench/dataset.h"
#include "model/local.h"
#include "model/prompt.h"
#include "steer/activations.h"
#include "steer/steering.h"

struct asker_params { /* all borrowed */
    const struct dataset *dataset;
    const struct local_params *model;
    const struct prompt *prompt;
};

struct asker; /* opaque */

int asker_open(const struct asker_params *p, struct asker **ret, struct err *err);
void asker_close(struct asker *a); /* NULL is fine */

void asker_shape(const struct asker *a, int *ret_n_layers, int *ret_n_embd);

struct asker_answer {
    char *text;     /* the caller's */
    bool is_failed; /* text says why there is no answer */
    enum model_finish finish;
    int n_prompt_tokens, n_answer_tokens;
    double prefill_s, decode_s;
};

/*
 * Ask greedily. steering: what is done meanwhile; reader: takes the residual stream, as the model
 * without steering has it. Either, or both, may be NULL, but not both be given.
 */
int asker_ask(struct asker *a, size_t sample, enum condition condition, struct steering *steering,
              struct activation_reader *reader, struct asker_answer *ret, struct err *err);

#endif
