/*
 * model_options.h - the options that say which model a run asks, GGUF files or a served one.
 */
#ifndef AOR_CMD_MODEL_OPTIONS_H
#define AOR_CMD_MODEL_OPTIONS_H

#include "base/opt.h"
#include "model/local.h"
#include "model/preset.h"
#include "model/remote.h"
#include "run/runner.h"

struct model_options {
    const char *model, *mmproj, *chat_template, *direction, *strength; /* local */
    const char *urls, *protocol, *max_cost;                            /* served */
    bool is_fast;
    long n_workers, n_threads, n_ctx, n_gpu_layers;
    long per_minute, max_requests;
    long n_parallel, timeout_s; /* both; 0: by the kind of model */
};

/* The model that was chosen; what it points to is its own. */
struct model_choice {
    bool is_served;
    struct local_params local;
    struct remote_params remote;
    double timeout_s; /* without a word of the model's process */
    char *db_name;    /* the run file's default name */

    struct preset preset;
    struct preset_api api; /* strings borrowed from preset and options, but for a default's body */
    char **urls;
    size_t n_urls;
    char *text_path, *mmproj_path;
    char *template_text;
};

struct model_options model_default_options(void);

/* Rows of a table of options for a struct model_options o. */
/* clang-format off */
#define MODEL_OPTIONS(o) \
    {'m', "model", OPT_STR, &(o).model, "MODEL", \
     "a GGUF file, a name of aor models, with --url the model's name there", 0, 0}, \
    {0, "mmproj", OPT_STR, &(o).mmproj, "GGUF", \
     "the file's audio encoder (needed with -m FILE, for sound)", 0, 0}, \
    {0, "url", OPT_STR, &(o).urls, "LIST", \
     "ask the servers at these base addresses (.../v1)", 0, 0}, \
    {0, "api", OPT_STR, &(o).protocol, "NAME", \
     "how they are asked: openai, gemini (default: the model's, openai)", 0, 0}, \
    {0, "rpm", OPT_INT, &(o).per_minute, "N", "requests a minute at most", 1, 1L << 30}, \
    {0, "max-requests", OPT_INT, &(o).max_requests, "N", \
     "stop when the run has sent so many", 1, 1L << 52}, \
    {0, "max-cost", OPT_STR, &(o).max_cost, "USD", \
     "stop when the run has cost so much, by the model's prices", 0, 0}, \
    {0, "direction", OPT_STR, &(o).direction, "GGUF", "control vector for -a steered", 0, 0}, \
    {0, "strength", OPT_STR, &(o).strength, "X", "factor of its addition (default: the file's own, or 1)", 0, 0}, \
    {0, "chat-template", OPT_STR, &(o).chat_template, "FILE", \
     "a Jinja template instead of the model's", 0, 0}, \
    {0, "fast", OPT_FLAG, &(o).is_fast, NULL, \
     "decode trials together: some answers differ from llama.cpp's", 0, 0}, \
    {0, "parallel", OPT_INT, &(o).n_parallel, "N", \
     "trials at a time (default: 1, with --fast by the model's size, served 32)", 0, \
     REMOTE_MAX_PARALLEL}, \
    {'j', "processes", OPT_INT, &(o).n_workers, "N", \
     "model processes, 0: by the model's size (default: 0)", 0, RUN_MAX_WORKERS}, \
    {'t', "threads", OPT_INT, &(o).n_threads, "N", \
     "threads of each, 0: by the model's size (default: 0)", 0, 1024}, \
    {0, "ctx", OPT_INT, &(o).n_ctx, "N", \
     "tokens of a trial at most (default: 2048, or the model's if less)", 16, 1 << 24}, \
    {0, "timeout", OPT_INT, &(o).timeout_s, "S", \
     "seconds: a request's (default: 120), or a local model's silence (600)", 1, 1 << 20}, \
    {0, "gpu-layers", OPT_INT, &(o).n_gpu_layers, "N", \
     "layers on the GPU, -1: all that fit (default: -1)", -1, 10000}
/* clang-format on */

/* Options that do not go together are usage errors. model_choice_release() frees *ret; it must not
 * be moved. */
int model_choose(const struct model_options *o, struct model_choice *ret, struct err *err);
void model_choice_release(struct model_choice *c);

/* text as a number within low..high. */
int model_number(const char *text, const char *option, double low, double high, double *ret,
                 struct err *err);

#endif
