#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/download.h"
#include "base/fs.h"
#include "base/http.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "preset_options.h"

#define HUB "https://huggingface.co"

struct hub {
    char *url;         /* without a slash at its end; owned */
    const char *token; /* NULL: none */
};

/* A token in clear could be read on its way, but not on this machine. */
static bool is_private(const char *url)
{
    static const char *const starts[] = {"https://", "http://127.0.0.1", "http://localhost",
                                         "http://[::1]"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t n = strlen(starts[i]);
        if (strncmp(url, starts[i], n) == 0 && (i == 0 || strchr(":/", url[n]))) {
            return true;
        }
    }
    return false;
}

static int find_hub(const char *option, struct hub *ret, struct err *err)
{
    const char *endpoint = getenv("HF_ENDPOINT");
    const char *token;
    const char *url = option ? option : endpoint && *endpoint ? endpoint : HUB;
    const char *from = option ? "--hub" : "HF_ENDPOINT";
    if (!download_is_base_url(url)) {
        return err_set(err, ERR_USAGE,
                       "%s wants http:// or https:// and a server, without user and query", from);
    }
    if (http_key("HF_TOKEN", &token, err) != 0) {
        return -1;
    }
    if (token && !is_private(url)) {
        return err_set(err, ERR_USAGE,
                       "%s is http://, where HF_TOKEN could be read on its way: use https://, or "
                       "unset HF_TOKEN",
                       from);
    }
    *ret = (struct hub){xstrdup(url), token};
    for (size_t n = strlen(ret->url); ret->url[n - 1] == '/'; n--) {
        ret->url[n - 1] = '\0';
    }
    return 0;
}

static void report(const char *file, const struct download_result *r)
{
    const char *done = r->was_there ? "is there" : "fetched";
    if (r->is_verified) {
        log_info("%s: %s, %" PRIu64 " bytes, SHA-256 as the hub states it", file, done, r->n_bytes);
    } else {
        log_info("%s: %s, %" PRIu64 " bytes; the hub states no SHA-256, %s %s", file, done,
                 r->n_bytes, r->was_there ? "it is as it was fetched:" : "what came has",
                 r->sha256);
    }
}

static int pull(const struct preset *p, const struct hub *hub, const char *file, struct err *err)
{
    char *path = cmd_model_file(p, file);
    char *url =
        xasprintf("%s/%s/resolve/%s/%s", hub->url, p->gguf.repository, p->gguf.revision, file);
    struct download_request request = {.url = url, .token = hub->token, .path = path};
    struct download_result result;
    int ok = fs_mkdirs_for(path, err) == 0 ? download_file(&request, &result, err) : -1;
    if (ok == 0) {
        report(fs_basename(file), &result);
        puts(path);
        fflush(stdout);
    }
    free(url);
    free(path);
    return ok;
}

static int pull_all(const char *name, const char *hub_option, struct err *err)
{
    struct preset p = {0};
    struct hub hub = {0};
    int ok = cmd_load_preset(name, &p, err);
    if (ok == 0 && !p.has_gguf) {
        ok = err_set(err, ERR_USAGE,
                     "%s has no GGUF files to fetch; aor models %s says how it runs", p.name, name);
    }
    ok = ok == 0 ? find_hub(hub_option, &hub, err) : -1;
    ok = ok == 0 ? pull(&p, &hub, p.gguf.text, err) : -1;
    ok = ok == 0 ? pull(&p, &hub, p.gguf.mmproj, err) : -1;
    free(hub.url);
    preset_release(&p);
    return ok;
}

static int run(int argc, char **argv)
{
    const char *hub = NULL;
    const struct opt opts[] = {
        {0, "hub", OPT_STR, &hub, "URL", "where models are (default: HF_ENDPOINT, or " HUB ")", 0,
         0},
        {0},
    };
    const struct opt_command command = {
        .name = "pull",
        .synopsis = "[options] NAME",
        .summary = "Fetch a model's GGUF files into the cache, for aor run -m NAME.",
        .details =
            "Stopped at any moment, the same command goes on. The files' paths go to stdout.",
        .examples = "  aor pull qwen2.5-omni-7b\n"
                    "  aor pull --hub https://hub.example.org mine.yaml\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    cancel_install();
    return pull_all(argv[1], hub, &err) == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_pull = {"pull", "fetch a model's files", run};
