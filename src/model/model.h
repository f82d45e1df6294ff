/*
 * model.h - questions, answers, and what every kind of model does with them: GGUF files in this
 * process (local.h), models behind servers (remote.h).
 */
#ifndef AOR_MODEL_MODEL_H
#define AOR_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/audio.h"
#include "base/err.h"

/* How one user turn is asked; text is borrowed until the call returns. */
struct model_question {
    int64_t id;              /* comes back with the answer */
    const char *name;        /* the same for this trial in every call; NULL where nobody asks */
    const char *system;      /* NULL or "": none */
    const char *instruction; /* "" or NULL: none */
    const char *text;        /* stands in the audio's place in a group without one */
    bool audio_last;         /* the instruction stands before the audio */
    int steering;            /* the model's n-th, from 1 on; 0: none */
    int max_tokens;
    double temperature; /* 0: greedy */
    uint32_t seed;      /* of the random choice */
};

enum model_finish {
    MODEL_FINISH_STOP,    /* the model ended its answer */
    MODEL_FINISH_LENGTH,  /* max_tokens reached: truncated */
    MODEL_FINISH_CONTEXT, /* the context was full: truncated */
};

/* What a second, exact answer in the fast mode said. */
enum model_check { MODEL_UNCHECKED, MODEL_SAME, MODEL_DIFFERS };

/* What came of a question. */
enum model_outcome {
    MODEL_ANSWERED,
    MODEL_BLOCKED, /* the provider refused, not the model; text: the model's words up to there */
    MODEL_FAILED,  /* text says why there is no answer */
    MODEL_DROPPED, /* it was not asked, as the model stops: another call may ask it */
};

/* Strings are borrowed. */
struct model_answer {
    enum model_outcome outcome;
    const char *text;   /* well-formed UTF-8, special tokens not shown */
    const char *reason; /* MODEL_BLOCKED: as the provider says it; otherwise NULL */
    const char *server; /* who answered, as a JSON object; NULL: this process */
    enum model_finish finish;
    int n_prompt_tokens; /* positions, audio included */
    int n_answer_tokens;
    double prefill_s; /* encoding and evaluating what the group shares: a share of it. Served: 0 */
    double
        decode_s;  /* from its own tokens to its end, beside others. Served: the last try's time */
    double margin; /* least lead of a chosen token's logit over the next; negative: not known */
    enum model_check check;
    double check_margin; /* MODEL_DIFFERS: lead of the exact logit where they part */
    int n_tries;         /* requests sent; 1 in this process */
    double cost;         /* US dollars of the request that was answered; negative: not known */
};

struct model_facts {
    uint64_t n_params; /* of the language model; 0: served */
    int n_threads;     /* what they came out as; 0: served */
    int n_parallel;    /* questions at a time; served: that it holds at a time */
    bool is_plain;     /* this model's memory cannot be copied, or params.is_plain */
    int sample_rate;   /* Hz that a group's audio must have; 0: it takes none */
};

#define MODEL_STOPPED 1
#define MODEL_MAX_DESCRIPTION 512 /* bytes, with the 0 */

typedef void (*model_done_fn)(int64_t id, const struct model_answer *answer, void *user);

struct model;

/* What a kind of model does; the first member of each is a struct model. */
struct model_class {
    /*
     * What the model says of itself, "llama 1M F16", and what its file's general.description adds;
     * below MODEL_MAX_DESCRIPTION bytes; borrowed.
     */
    const char *(*description)(const struct model *m);
    struct model_facts (*facts)(const struct model *m);

    /*
     * Fail where this system text and instruction cannot be asked, so that a run fails once and not
     * at every trial.
     */
    int (*check)(struct model *m, const struct model_question *q, struct err *err);

    /* Takes another group now. */
    bool (*has_room)(const struct model *m);

    /* Questions that have no answer yet. */
    size_t (*n_pending)(const struct model *m);

    /*
     * Take over a group of questions about one audio (NULL: text only). Steered and plain questions
     * must not be mixed, nor be submitted while the other kind is pending. -1: none was taken.
     */
    int (*submit)(struct model *m, const struct audio *audio, const struct model_question *q,
                  size_t n, struct err *err);

    /*
     * Go on for a moment, and call done for each question that ended. A model that waits comes back
     * when wake_fd can be read. -1: it cannot go on, and its process is to end. MODEL_STOPPED: it
     * goes on no more, and nothing is pending; *err says why.
     */
    int (*step)(struct model *m, int wake_fd, model_done_fn done, void *user, struct err *err);

    /* Begin nothing new: what is not being answered is dropped at the next step. NULL: it goes on.
     */
    void (*drain)(struct model *m);

    void (*free)(struct model *m); /* NULL is fine */
};

struct model {
    const struct model_class *class;
};

#endif
