/*
 * local_parts.h - what the files behind local.h share: local.c (files, prompts, encoding) and
 * batch.c (sequences). For these two only.
 */
#ifndef AOR_MODEL_LOCAL_PARTS_H
#define AOR_MODEL_LOCAL_PARTS_H

#include <llama.h>
#include <mtmd.h>

#include "model/local.h"

struct tokens {
    llama_token *ids; /* owned */
    size_t n;
};

/* What stands between head and tail: audio, encoded, and special tokens between its pieces. */
struct media {
    mtmd_input_chunks *chunks; /* owned; NULL: text only */
    size_t first, end;         /* chunks [first, end) are the middle */
    float **embd;              /* [end - first], owned; NULL for a piece of text */
    size_t n_tokens;
    bool is_held; /* the model's, for several groups: nothing here is owned */
};

/* A question as tokens. */
struct asked {
    int64_t id;
    struct tokens head;   /* before the media; of a text-only prompt what the system's head gives */
    struct tokens tail;   /* after it, at least one */
    size_t n_instruction; /* tokens of the tail up to the instruction's end; 0: it is not in it */
    int steering;
    int max_tokens;
    float temperature;
    uint32_t seed;
};

/* A prompt as the chat template renders it; at marker stands libmtmd's for the audio. */
struct rendered {
    char *system, *instruction; /* NULL: none; owned, as is text */
    bool audio_last;
    char *text;
    size_t marker;
    bool has_tokens; /* of what stands before and after an audio, once one was tokenised in it */
    struct tokens head, tail;
    size_t n_instruction; /* as in struct asked */
};
#define MAX_RENDERED 64

struct batch; /* batch.c */

struct local_model {
    struct model base;
    struct llama_model *text;
    const struct llama_vocab *vocab;
    mtmd_context *audio; /* NULL: text only */
    struct chat_template *chat;
    struct rendered rendered[MAX_RENDERED]; /* the engine takes longer than a small model's token */
    size_t n_rendered;                      /* in all; the oldest makes room */
    struct batch *batch;
    struct steering *steerings; /* [n_steerings], owned; strength included */
    size_t n_steerings;
    bool *has_layer;          /* [n_steerings * n_layers], owned: which it changes */
    const struct audio *held; /* NULL: no sound is */
    struct media held_media;
    char description[MODEL_MAX_DESCRIPTION];
    int n_threads;
    int n_ctx; /* of one trial */
    int n_parallel;
    bool on_gpu; /* some of it, as far as is known */
};

/* The library's own reason, since it was cleared. */
void local_clear_error(void);
int local_fail(struct err *err, const char *where, const char *what);

/* t begins with the tokens of start. */
bool tokens_begin(const struct tokens *t, const struct tokens *start);

void media_release(struct media *m);
void asked_release(struct asked *a);

/*
 * The question as tokens. audio (may be NULL) is made into *media at a group's first question and
 * taken from there at the others.
 */
int local_tokenise(struct local_model *m, const struct model_question *q, const struct audio *audio,
                   struct media *media, struct asked *ret, struct err *err);

/* Text of a token, appended. */
void local_add_piece(const struct local_model *m, llama_token token, struct buf *text);

int batch_open(struct local_model *m, const struct local_params *p, struct batch **ret,
               struct err *err);
void batch_free(struct batch *b);
bool batch_is_plain(const struct batch *b);

/* The steerings have changed. */
void batch_forget_steerings(struct batch *b);

/* What struct model_class says of these. */
bool batch_has_room(const struct local_model *m);
size_t batch_n_pending(const struct local_model *m);
int batch_submit(struct local_model *m, const struct audio *audio,
                 const struct model_question *questions, size_t n, struct err *err);
int batch_step(struct local_model *m, model_done_fn done, void *user, struct err *err);

#endif
