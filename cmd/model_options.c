#include "model_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/download.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cmd.h"
#include "preset_options.h"

#define MAX_TEMPLATE (1u << 20)
#define DEFAULT_PARALLEL 32
#define DEFAULT_KEY "AOR_API_KEY" /* of a server that no preset is about */

struct model_options model_default_options(void)
{
    struct local_params d = local_default_params();
    return (struct model_options){.n_ctx = d.n_ctx, .n_gpu_layers = d.n_gpu_layers};
}

int model_number(const char *text, const char *option, double low, double high, double *ret,
                 struct err *err)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(v >= low && v <= high)) {
        return err_set(err, ERR_USAGE, "%s wants a number from %g to %g", option, low, high);
    }
    *ret = v;
    return 0;
}

static bool has_end(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t n_end = strlen(end);
    return n > n_end && strcmp(name + n - n_end, end) == 0;
}

/* "dir/NAME.gguf" to "NAME.db". */
static char *default_db_name(const char *model)
{
    const char *name = fs_basename(model);
    size_t n = strlen(name);
    n -= has_end(name, ".gguf") || has_end(name, ".yaml") ? 5 : 0;
    return xasprintf("%.*s.db", (int)n, name);
}

/* Names the first option that was given of those that are for the other kind of model; or NULL. */
static const char *misplaced(const struct model_options *o, bool is_served)
{
    struct local_params d = local_default_params();
    const struct {
        bool is_given, is_for_served;
        const char *name;
    } all[] = {
        {o->mmproj != NULL, false, "--mmproj"},
        {o->chat_template != NULL, false, "--chat-template"},
        {o->direction || o->strength, false, "--direction"},
        {o->is_fast, false, "--fast"},
        {o->n_workers > 0, false, "--processes"},
        {o->n_threads > 0, false, "--threads"},
        {o->n_ctx != d.n_ctx, false, "--ctx"},
        {o->n_gpu_layers != d.n_gpu_layers, false, "--gpu-layers"},
        {o->protocol != NULL, true, "--api"},
        {o->per_minute > 0, true, "--rpm"},
        {o->max_requests > 0, true, "--max-requests"},
        {o->max_cost != NULL, true, "--max-cost"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].is_given && all[i].is_for_served != is_served) {
            return all[i].name;
        }
    }
    return NULL;
}

static int choose_local(const struct model_options *o, struct model_choice *c, struct err *err)
{
    const struct preset *p = &c->preset;
    if (p->name && o->mmproj) {
        return err_set(err, ERR_USAGE, "--mmproj is for a GGUF file: %s has its own", p->name);
    }
    if (p->name) {
        c->text_path = cmd_model_file(p, p->gguf.text);
        c->mmproj_path = p->gguf.mmproj ? cmd_model_file(p, p->gguf.mmproj) : NULL;
        if (!fs_exists(c->text_path) || (c->mmproj_path && !fs_exists(c->mmproj_path))) {
            return err_set(err, ERR_USAGE,
                           "%s: is not here yet: aor pull %s, or name its server "
                           "with --url",
                           p->name, p->name);
        }
    } else if (o->model && !has_end(o->model, ".gguf") && !fs_exists(o->model)) {
        return err_set(err, ERR_USAGE,
                       "%s: is no file and no model of aor models; a server's wants --url",
                       o->model);
    } else if (o->model) {
        c->text_path = xstrdup(o->model);
        c->mmproj_path = xstrdup(o->mmproj);
    } else {
        c->text_path = cmd_shared_path("models/aor-tiny/aor-tiny.gguf");
        c->mmproj_path = o->mmproj ? xstrdup(o->mmproj)
                                   : cmd_shared_path("models/aor-tiny/aor-tiny-mmproj.gguf");
    }
    struct buf text = {0};
    if (o->chat_template && fs_read(o->chat_template, MAX_TEMPLATE, &text, err) != 0) {
        return -1;
    }
    c->template_text = text.data;
    if (o->chat_template && text.len == 0) {
        return err_set(err, ERR_FORMAT, "%s: is empty", o->chat_template);
    }
    if (o->n_parallel > LOCAL_MAX_PARALLEL) {
        return err_set(err, ERR_USAGE, "--parallel: a local model takes at most %d",
                       LOCAL_MAX_PARALLEL);
    }
    c->local = local_default_params();
    c->local.text_path = c->text_path;
    c->local.mmproj_path = c->mmproj_path;
    c->local.chat_template = c->template_text;
    c->local.direction_path = o->direction;
    c->local.n_threads = (int)o->n_threads;
    c->local.n_ctx = (int)o->n_ctx;
    c->local.n_parallel = (int)o->n_parallel;
    c->local.n_gpu_layers = (int)o->n_gpu_layers;
    c->local.is_fast = o->is_fast;
    c->timeout_s = o->timeout_s > 0 ? (double)o->timeout_s : 600;
    return o->strength ? model_number(o->strength, "--strength", -1e6, 1e6, &c->local.strength, err)
                       : 0;
}

/* The base address as requests want it: without a slash at its end. */
static int check_url(char *url, struct err *err)
{
    if (!download_is_base_url(url)) {
        return err_set(err, ERR_USAGE, "--url: %s is no base address (http://HOST:PORT/v1)", url);
    }
    for (size_t n = strlen(url); url[n - 1] == '/'; n--) {
        url[n - 1] = '\0';
    }
    return 0;
}

static int choose_protocol(const char *name, struct preset_api *api, struct err *err)
{
    for (int i = 0; preset_protocol_names[i]; i++) {
        if (strcmp(name, preset_protocol_names[i]) == 0) {
            api->protocol = (enum preset_protocol)i;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "--api wants openai or gemini");
}

static int choose_served(const struct model_options *o, struct model_choice *c, struct err *err)
{
    if (c->preset.has_api) {
        c->api = c->preset.api;
    } else {
        c->api = preset_default_api();
        c->api.model = c->preset.weights ? c->preset.weights : (char *)o->model;
        c->api.key_variable = (char *)DEFAULT_KEY;
    }
    if (o->protocol && choose_protocol(o->protocol, &c->api, err) != 0) {
        return -1;
    }
    cmd_split(o->urls ? o->urls : c->api.url, &c->urls, &c->n_urls);
    if (c->n_urls == 0 || c->n_urls > REMOTE_MAX_URLS) {
        return err_set(err, ERR_USAGE, "--url wants 1 to %d addresses", REMOTE_MAX_URLS);
    }
    for (size_t i = 0; i < c->n_urls; i++) {
        if (check_url(c->urls[i], err) != 0) {
            return -1;
        }
    }
    c->remote = (struct remote_params){
        .api = &c->api,
        .urls = c->urls,
        .n_urls = c->n_urls,
        .n_parallel = o->n_parallel > 0 ? (int)o->n_parallel : DEFAULT_PARALLEL,
        .per_minute = (double)o->per_minute,
        .max_requests = o->max_requests,
        .timeout_s = o->timeout_s > 0 ? (double)o->timeout_s : 120,
    };
    c->timeout_s = 600; /* its process says that it is alive while it waits */
    bool has_prices = c->api.price.input > 0 || c->api.price.output > 0;
    if (o->max_cost && !has_prices) {
        return err_set(err, ERR_USAGE,
                       "--max-cost wants a model whose prices are known: give its "
                       "own file with -m FILE.yaml");
    }
    return o->max_cost
               ? model_number(o->max_cost, "--max-cost", 1e-6, 1e9, &c->remote.max_cost, err)
               : 0;
}

/* Whether -m names a preset: one of ours, or a file of YAML. */
static int find_preset(const struct model_options *o, struct model_choice *c, struct err *err)
{
    if (!o->model || has_end(o->model, ".gguf")) {
        return 0;
    }
    char *file = xasprintf("data/models/%s.yaml", o->model);
    char *path = cmd_shared_path(file);
    bool is_ours = !strchr(o->model, '/') && fs_exists(path);
    free(path);
    free(file);
    return is_ours || has_end(o->model, ".yaml") ? cmd_load_preset(o->model, &c->preset, err) : 0;
}

int model_choose(const struct model_options *o, struct model_choice *ret, struct err *err)
{
    struct model_choice *c = ret;
    *c = (struct model_choice){0};
    if (find_preset(o, c, err) != 0) {
        return -1;
    }
    if (o->urls && !o->model) {
        return err_set(err, ERR_USAGE, "--url wants the model's name there: -m NAME");
    }
    c->is_served = o->urls || (c->preset.name && !c->preset.has_gguf);
    if (c->is_served && !o->urls && !c->preset.has_api) {
        return err_set(err, ERR_USAGE,
                       "%s: has neither GGUF files nor a server of its own: name "
                       "one with --url",
                       c->preset.name);
    }
    const char *wrong = misplaced(o, c->is_served);
    if (wrong) {
        return err_set(err, ERR_USAGE, "%s is for %s models", wrong,
                       c->is_served ? "local" : "served");
    }
    c->db_name = default_db_name(o->model ? o->model : "aor-tiny");
    return c->is_served ? choose_served(o, c, err) : choose_local(o, c, err);
}

void model_choice_release(struct model_choice *c)
{
    if (!c->preset.has_api) { /* else it is the preset's */
        free(c->api.body);
    }
    preset_release(&c->preset);
    cmd_free_list(c->urls, c->n_urls);
    free(c->text_path);
    free(c->mmproj_path);
    free(c->template_text);
    free(c->db_name);
    *c = (struct model_choice){0};
}
