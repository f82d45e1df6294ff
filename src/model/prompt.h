/*
 * prompt.h - how a trial is asked (data/prompts/<name>.yaml), and where in a response the answer
 * is.
 */
#ifndef AOR_MODEL_PROMPT_H
#define AOR_MODEL_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/fs.h"

#define PROMPT_MAX_NAME 15
#define PROMPT_MAX_FILE ((size_t)64 << 10)
#define PROMPT_MAX_MARKER 64 /* bytes of answer_after */

/* What the response is. */
enum prompt_probe {
    PROMPT_ANSWER,     /* an answer to the speaker: it is judged */
    PROMPT_TRANSCRIBE, /* the speaker's words */
    PROMPT_SCENE,      /* where the speaker is */
};
extern const char *const prompt_probe_names[]; /* "" for an answer; ended by NULL */

struct prompt {
    char *name; /* becomes trial.strategy */
    enum prompt_probe probe;
    char *system;       /* "" : none */
    char *instruction;  /* "" : the audio alone */
    bool audio_last;    /* the audio, or what stands in its place, comes after the instruction */
    char *text;         /* in the audio's place, in words; NULL: cannot be asked, as with probes */
    char *text_scene;   /* the same with the scene in words; NULL likewise */
    bool is_steered;    /* asked under the run's direction file */
    char *answer_after; /* NULL: the whole response is the answer */
    int max_tokens;
    char *yaml;                   /* the file's text */
    char sha256[SHA256_HEX_SIZE]; /* of the file */
};

/* Errors name file:line:column. *ret owns everything: prompt_release(). */
int prompt_load(const char *path, struct prompt *ret, struct err *err);

/* The same for n bytes of YAML; name stands in errors. */
int prompt_parse(const char *yaml, size_t n, const char *name, struct prompt *ret, struct err *err);
void prompt_release(struct prompt *p);

/*
 * What stands in the audio's place: p->text, or p->text_scene where with_scene, with text put for
 * {text} and scene for {scene}. Other braces stay, and so do those in text and scene. scene is not
 * looked at (and may be NULL) without with_scene. The caller's; NULL, with *err filled, where p
 * has no such template.
 */
char *prompt_fill(const struct prompt *p, bool with_scene, const char *text, const char *scene,
                  struct err *err);

/*
 * The byte of response at which its answer starts. Without p->answer_after that is 0. Otherwise it
 * is after the first place where answer_after stands: in either case (of ASCII letters), not within
 * a word, with or without Markdown emphasis around or in it ("**Answer:**", "**Answer**:"); blanks
 * and line ends after it are passed over. Where it stands nowhere, the whole response is the answer
 * (0), but not one that was cut off (is_truncated): that never got to its answer, so what is
 * returned is strlen(response).
 */
size_t prompt_answer_start(const struct prompt *p, const char *response, bool is_truncated);

#endif
