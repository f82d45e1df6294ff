/*
 * judge_llm.h - part of aor judge: a language model as judge, in GGUF files or behind a server.
 */
#ifndef AOR_CMD_JUDGE_LLM_H
#define AOR_CMD_JUDGE_LLM_H

#include <stdbool.h>

#include "base/err.h"
#include "model_options.h"

struct llm_options {
    struct model_options model;
    const char *rubric; /* NULL: the one that comes with aor */
    long n_votes;       /* odd; more than one are sampled */
    bool as_json;
};

/*
 * Ask the model for a verdict on every answer of the run that it has given none on; each is stored
 * when it is there. *ret_status is an exit code, where there was no error.
 */
int judge_by_llm(const char *run_path, const struct llm_options *o, int *ret_status,
                 struct err *err);

#endif
