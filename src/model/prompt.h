/*
 * prompt.h - how a trial is asked (data/prompts/<strategy>.yaml).
 */
#ifndef AOR_MODEL_PROMPT_H
#define AOR_MODEL_PROMPT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/fs.h"

#define PROMPT_MAX_STRATEGY 15

struct prompt {
    char *strategy;
    char *system;      /* "" : none */
    char *instruction; /* "" : the audio alone */
    bool audio_last;
    int max_tokens;
    char sha256[SHA256_HEX_SIZE]; /* of the file */
};

int prompt_load(const char *path, struct prompt *ret, struct err *err);
void prompt_release(struct prompt *p);

#endif
