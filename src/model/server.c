#include "model/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/wire.h"

#define MAX_REPLY ((size_t)4 << 20)
#define ASK_MS 10000
#define MAX_FACT 200 /* bytes of what a server says of itself */

struct asking {
    struct http_client *client;
    const struct preset_api *api;
    const char *url, *authorization, *secret;
};

/* What a GET says; {0} until then. */
struct glance {
    bool is_done;
    enum http_fault fault;
    int status;
    char reason[200];
    json_t *answer; /* owned; NULL: no JSON */
    char *words;    /* owned */
};

static void take_glance(const struct http_done *d, void *user)
{
    const char *secret = user;
    struct glance *g = d->user;
    g->is_done = true;
    g->fault = d->fault;
    g->status = d->status;
    snprintf(g->reason, sizeof g->reason, "%s", d->reason);
    g->answer = d->body->len > 0 ? json_loadb(d->body->data, d->body->len, 0, NULL) : NULL;
    g->words = http_words(d->body->data, d->body->len, secret);
}

/* The caller releases *ret; -1 where libcurl does not take the address. */
static int glance_at(const struct asking *a, const char *url, struct glance *ret, struct err *err)
{
    const char *headers[] = {"Accept: application/json", a->authorization, NULL};
    struct http_send send = {
        .url = url, .headers = headers, .max_reply = MAX_REPLY, .timeout_ms = ASK_MS, .user = ret};
    *ret = (struct glance){0};
    if (http_client_send(a->client, &send, err) != 0) {
        return -1;
    }
    while (!ret->is_done) {
        http_client_poll(a->client, -1, 1000, take_glance, (void *)a->secret);
    }
    return 0;
}

static void glance_release(struct glance *g)
{
    json_decref(g->answer);
    free(g->words);
    *g = (struct glance){0};
}

/* How servers name themselves in their list of models, and where they tell their version. */
static const struct {
    const char *owner, *path, *member;
} servers[] = {
    {"vllm", "/version", "version"},
    {"sglang", "/get_server_info", "version"},
    {"llamacpp", "/props", "build_info"},
};

/* A copy that may be shown. */
static char *version_of(const char *text)
{
    char *version = xasprintf("%.100s", text);
    text_make_printable(version);
    return version;
}

static int ask_version(const struct asking *a, const char *owner, struct server *ret,
                       struct err *err)
{
    size_t n_root = strlen(a->url);
    n_root -= n_root > 3 && strcmp(a->url + n_root - 3, "/v1") == 0 ? 3 : 0;
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        if (strcmp(servers[i].owner, owner) == 0) {
            char *url = xasprintf("%.*s%s", (int)n_root, a->url, servers[i].path);
            struct glance g;
            int ok = glance_at(a, url, &g, err);
            free(url);
            if (ok != 0) {
                return -1;
            }
            const char *version = wire_str(g.answer, servers[i].member);
            ret->software = xstrdup(owner);
            ret->version = version ? version_of(version) : NULL;
            glance_release(&g);
        }
    }
    return 0;
}

/* The list of models: whether ours is among them, where a server of weights lists what it has. */
static int read_models(const struct asking *a, const json_t *answer, struct server *ret,
                       struct err *err)
{
    const json_t *data = json_object_get(answer, "data");
    const char *owner = wire_str(json_array_get(data, 0), "owned_by");
    if (!owner || ask_version(a, owner, ret, err) != 0) {
        return owner ? -1 : 0;
    }
    if (!ret->software || strcmp(ret->software, "llamacpp") == 0) { /* it answers to any name */
        return 0;
    }
    struct buf names = {0};
    size_t i;
    json_t *model;
    json_array_foreach(data, i, model)
    {
        const char *id = wire_str(model, "id");
        if (id && strcmp(id, a->api->model) == 0) {
            buf_release(&names);
            return 0;
        }
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", id ? id : "?");
    }
    text_make_printable(names.data);
    err_set(err, ERR_USAGE, "%s: serves no model %s, but %.200s", a->url, a->api->model,
            names.data);
    buf_release(&names);
    return -1;
}

int server_identify(struct http_client *client, const struct preset_api *api, const char *url,
                    const char *authorization, const char *secret, struct server *ret,
                    struct err *ret_why, struct err *err)
{
    struct asking a = {client, api, url, authorization, secret};
    bool is_gemini = api->protocol == PRESET_GEMINI;
    char *path =
        is_gemini ? xasprintf("%s/models/%s", url, api->model) : xasprintf("%s/models", url);
    struct glance g;
    int ok = glance_at(&a, path, &g, err);
    free(path);
    if (ok != 0) {
        return -1;
    }
    ret_why->msg[0] = '\0';
    if (g.fault == HTTP_UNREACHED || g.fault == HTTP_BROKEN) {
        err_set(ret_why, ERR_MODEL, "%s: %s", url, g.reason);
    } else if (g.fault != HTTP_NO_FAULT) {
        ok = err_set(err, ERR_MODEL, "%s: %s", url, g.reason);
    } else if (g.status == 401 || g.status == 403) {
        ok = err_set(err, ERR_MODEL, "%s: %d: %s", url, g.status, g.words);
    } else if (g.status == 200 && is_gemini) {
        const char *version = wire_str(g.answer, "version");
        ret->software = xstrdup("gemini");
        ret->version = version ? version_of(version) : NULL;
    } else if (g.status == 200) {
        ok = read_models(&a, g.answer, ret, err);
    }
    glance_release(&g);
    return ok;
}

void server_release(struct server *s)
{
    free(s->software);
    free(s->version);
    *s = (struct server){0};
}

static void add_fact(json_t *o, const char *key, const char *value)
{
    if (value) {
        char *text = xasprintf("%.*s", MAX_FACT, value);
        json_object_set_new(o, key, json_text(text));
        free(text);
    }
}

char *server_facts(const struct server *s, const char *url, const char *header, const char *model,
                   const char *fingerprint)
{
    json_t *o = json_object();
    add_fact(o, "url", url);
    add_fact(o, "software", s->software ? s->software : header);
    add_fact(o, "version", s->version);
    add_fact(o, "model", model);
    add_fact(o, "fingerprint", fingerprint);
    char *facts = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return facts;
}
