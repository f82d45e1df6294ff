#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd.h"
#include "preset_options.h"

static bool is_hosted(const struct preset *p)
{
    return p->has_api && !p->serve;
}

/* "gguf, server": where it can run. */
static const char *ways(const struct preset *p)
{
    return !p->has_gguf   ? is_hosted(p) ? "hosted" : "server"
           : is_hosted(p) ? "gguf, hosted"
           : p->has_api   ? "gguf, server"
                          : "gguf";
}

/* A string, or null. */
static json_t *text_or_null(const char *s)
{
    return s ? json_text(s) : json_null();
}

static json_t *gguf_json(const struct preset *p)
{
    const struct preset_gguf *g = &p->gguf;
    if (!p->has_gguf) {
        return json_null();
    }
    char *text = cmd_model_file(p, g->text), *mmproj = cmd_model_file(p, g->mmproj);
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "repository", json_text(g->repository),
                  "revision", json_text(g->revision), "text", json_text(g->text), "mmproj",
                  json_text(g->mmproj), "text_file", json_text(text), "mmproj_file",
                  json_text(mmproj), "is_pulled", fs_exists(text) && fs_exists(mmproj));
    free(text);
    free(mmproj);
    return json;
}

static json_t *price_json(const struct preset_price *p)
{
    return p->as_of ? json_pack("{s:f, s:f, s:f, s:o}", "input", p->input, "audio", p->audio,
                                "output", p->output, "as_of", json_text(p->as_of))
                    : json_null();
}

static json_t *api_json(const struct preset *p)
{
    const struct preset_api *a = &p->api;
    if (!p->has_api) {
        return json_null();
    }
    bool is_openai = a->protocol == PRESET_OPENAI;
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:b, s:o, s:s, s:b, s:b, s:o, s:b, s:o, s:o}", "protocol",
        preset_protocol_names[a->protocol], "url", json_text(a->url), "model", json_text(a->model),
        "key", text_or_null(a->key_variable), "needs_key", a->needs_key, "audio",
        is_openai ? json_string(preset_audio_names[a->audio]) : json_null(), "format",
        preset_format_names[a->format], "stream", a->is_streamed, "temperature",
        a->takes_temperature, "max_tokens",
        is_openai ? json_string(a->max_tokens_key) : json_null(), "system", a->has_system, "body",
        json_loads(a->body, 0, NULL), "price", price_json(&a->price));
}

static json_t *preset_json(const struct preset *p)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}",
                     "name", json_text(p->name), "title", json_text(p->title), "family",
                     json_text(p->family), "developer", json_text(p->developer), "parameters",
                     json_text(p->parameters), "licence", json_text(p->licence), "reference",
                     json_text(p->reference), "weights", text_or_null(p->weights), "tested",
                     json_text(p->tested), "llama_cpp", json_text(p->llama_cpp), "runs", ways(p),
                     "serve", text_or_null(p->serve), "notes", json_text(p->notes), "gguf",
                     gguf_json(p), "api", api_json(p));
}

static void print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
}

#define N_COLUMNS 5

static void row_of(const struct preset *p, const char *ret[N_COLUMNS])
{
    ret[0] = p->name;
    ret[1] = p->parameters;
    ret[2] = p->licence;
    ret[3] = ways(p);
    ret[4] = p->tested;
}

/* Columns of a terminal: one for each code point. */
static int width_of(const char *s)
{
    int n = 0;
    for (; *s; s++) {
        n += ((unsigned char)*s & 0xC0) != 0x80;
    }
    return n;
}

static void print_row(const char *const row[N_COLUMNS], const int width[N_COLUMNS])
{
    for (int c = 0; c < N_COLUMNS; c++) {
        int pad = c + 1 < N_COLUMNS ? width[c] - width_of(row[c]) + 2 : 0;
        printf("%s%*s", row[c], pad, "");
    }
    putchar('\n');
}

static void print_table(const struct preset *presets, size_t n)
{
    const char *head[N_COLUMNS] = {"name", "parameters", "licence", "runs", "tested"};
    const char *row[N_COLUMNS];
    int width[N_COLUMNS] = {0};
    for (size_t i = 0; i <= n; i++) {
        if (i < n) {
            row_of(&presets[i], row);
        }
        for (int c = 0; c < N_COLUMNS; c++) {
            int w = width_of(i < n ? row[c] : head[c]);
            width[c] = w > width[c] ? w : width[c];
        }
    }
    print_row(head, width);
    for (size_t i = 0; i < n; i++) {
        row_of(&presets[i], row);
        print_row(row, width);
    }
}

static void print_field(const char *key, const char *value)
{
    printf("  %-11s %s\n", key, value);
}

static void print_notes(const char *notes)
{
    const char *key = "notes";
    for (const char *at = notes; *at;) {
        size_t n = strcspn(at, "\n");
        printf("  %-11s %.*s\n", key, (int)n, at);
        key = "";
        at += n + (at[n] == '\n');
    }
}

static void print_api(const struct preset_api *a)
{
    printf("  %-11s %s, model %s (protocol %s)\n", "api", a->url, a->model,
           preset_protocol_names[a->protocol]);
    if (a->protocol == PRESET_OPENAI) {
        printf("  %-11s %s, %s; %s%s%s%s%s\n", "request", preset_audio_names[a->audio],
               preset_format_names[a->format], a->max_tokens_key,
               a->takes_temperature ? "" : "; no temperature",
               a->has_system ? "" : "; no system text of its own",
               a->is_streamed ? "; streamed" : "", strcmp(a->body, "{}") == 0 ? "" : "; with more");
    }
    if (strcmp(a->body, "{}") != 0) {
        print_field("body", a->body);
    }
    if (a->key_variable) {
        printf("  %-11s from the environment: %s%s\n", "key", a->key_variable,
               a->needs_key ? "" : ", where the server wants one");
    }
    if (a->price.as_of) {
        printf("  %-11s US$ %g in, %g sound, %g out for a million tokens (%s)\n", "price",
               a->price.input, a->price.audio, a->price.output, a->price.as_of);
    }
}

static void print_gguf(const struct preset *p)
{
    const char *files[] = {p->gguf.text, p->gguf.mmproj};
    printf("  %-11s %s, %s\n", "gguf", p->gguf.repository, p->gguf.revision);
    for (int i = 0; i < 2; i++) {
        char *path = cmd_model_file(p, files[i]);
        printf("  %-11s %s (%s)\n", "", files[i], fs_exists(path) ? path : "not fetched");
        free(path);
    }
}

/* name: as the user gave it, so that the commands work for a file too. */
static void print_whole(const char *name, const struct preset *p)
{
    printf("%s: %s\n", p->name, p->title);
    print_field("family", p->family);
    print_field("developer", p->developer);
    print_field("parameters", p->parameters);
    print_field("licence", p->licence);
    print_field("reference", p->reference);
    print_field("weights", p->weights ? p->weights : "not published");
    print_field("llama.cpp", p->llama_cpp);
    print_field("tested", p->tested);
    if (p->has_gguf) {
        print_gguf(p);
    }
    if (p->has_api) {
        print_api(&p->api);
    }
    print_notes(p->notes);
    if (p->has_gguf) {
        printf("\nOn this machine:\n  aor pull %s && aor run BENCH -m %s -o RUN.db\n", name, name);
    }
    if (p->serve) {
        printf("\nOn a server of your own:\n  %s\n  aor run BENCH -m %s --url %s -o RUN.db\n",
               p->serve, name, p->api.url);
    } else if (p->has_api) {
        printf("\nAs a hosted service:\n  aor run BENCH -m %s -o RUN.db\n", name);
    }
}

static int show_one(const char *name, bool as_json, struct err *err)
{
    struct preset p = {0};
    if (cmd_load_preset(name, &p, err) != 0) {
        return -1;
    }
    if (as_json) {
        print_json(preset_json(&p));
    } else {
        print_whole(name, &p);
    }
    preset_release(&p);
    return 0;
}

static int show_all(bool as_json, struct err *err)
{
    struct preset *presets;
    size_t n;
    if (cmd_load_presets(&presets, &n, err) != 0) {
        return -1;
    }
    if (as_json) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(list, preset_json(&presets[i]));
        }
        print_json(list);
    } else {
        print_table(presets, n);
    }
    for (size_t i = 0; i < n; i++) {
        preset_release(&presets[i]);
    }
    free(presets);
    return 0;
}

static int run(int argc, char **argv)
{
    bool as_json = false;
    const struct opt opts[] = {
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "models",
        .synopsis = "[options] [NAME]",
        .summary = "List the models that aor knows, or say all that is known of one.",
        .details = "NAME is a model of the list, or the path of a YAML file of your own.",
        .examples = "  aor models\n  aor models qwen2.5-omni-7b\n"
                    "  aor models --json | jq -r '.[] | select(.gguf) | .name'\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 0, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    int ok = n_operands == 1 ? show_one(argv[1], as_json, &err) : show_all(as_json, &err);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_models = {"models", "models that aor knows, and how to run them", run};
