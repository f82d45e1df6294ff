/*
 * chat.h - what wants C++ of llama.cpp: a model's own chat template (Jinja), through llama-common's
 * engine, and exceptions.
 */
#ifndef AOR_MODEL_CHAT_H
#define AOR_MODEL_CHAT_H

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct llama_model;
struct chat_template;

/*
 * The template in the model's file, or override (a template's text) where it is not NULL.
 * A model without a template, or one that does not parse, is an error: never a silent ChatML.
 */
int chat_template_open(const struct llama_model *model, const char *override,
                       struct chat_template **ret, struct err *err);
void chat_template_free(struct chat_template *t);

/*
 * The prompt for one user turn, up to where the assistant's answer begins. system may be NULL.
 * *ret is the caller's (free).
 */
int chat_template_apply(const struct chat_template *t, const char *system, const char *user,
                        char **ret, struct err *err);

/* Called with what a C++ exception says that nobody catches, just before it ends the process. */
void chat_on_exception(void (*callback)(const char *message));

#ifdef __cplusplus
}
#endif

#endif
