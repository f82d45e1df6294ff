#include <stdlib.h>

#include "audio/level.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/pool.h"
#include "cmd.h"
#include "run/worker.h"
#include "scene/soundbank.h"
#include "speech/tts.h"
#include "store/store.h"

struct doctor {
    json_t *findings; /* {name, ok, detail} */
    int n_bad;
};

static void add(struct doctor *d, const char *name, bool is_ok, const char *detail)
{
    json_array_append_new(d->findings, json_pack("{s:o, s:b, s:o}", "name", json_text(name), "ok",
                                                 is_ok, "detail", json_text(detail)));
    d->n_bad += !is_ok;
}

static void examine_engines(struct doctor *d)
{
    static const struct tts_request requests[] = {
        {.engine = "espeak", .voice = "en-us", .text = "This is a test.", .speed = 1, .range = 1},
        {.engine = "flite", .voice = "slt", .text = "This is a test.", .speed = 1, .range = 1},
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const char *engine = requests[i].engine;
        struct audio a = {0};
        struct err err = {0};
        bool is_ok = tts_render(&requests[i], &a, &err) == 0;
        char *name = xasprintf("speech engine %s", engine);
        char *detail = is_ok ? xasprintf("version %s, speaks (%.1f s of sound)",
                                         tts_engine_version(engine), (double)a.n_frames / a.rate)
                             : xstrdup(err.msg);
        add(d, name, is_ok, detail);
        free(detail);
        free(name);
        audio_release(&a);
    }
}

static void examine_sounds(struct doctor *d)
{
    struct soundbank bank = {0};
    struct err err = {0};
    char *yaml = cmd_shared_path("data/sounds.yaml");
    char *dir = cmd_cache_path("sounds");
    if (soundbank_load(yaml, NULL, &bank, &err) != 0) {
        add(d, "recorded sounds", false, err.msg);
    }
    for (size_t i = 0; i < bank.n_packages; i++) {
        char *package = fs_join(dir, bank.packages[i].name);
        char *name = xasprintf("sounds of %s", bank.packages[i].name);
        bool is_ok = fs_is_dir(package);
        char *detail =
            is_ok ? xstrdup(package) : xasprintf("not in %s: run tools/setup/sounds.sh", dir);
        add(d, name, is_ok, detail);
        free(detail);
        free(name);
        free(package);
    }
    soundbank_release(&bank);
    free(dir);
    free(yaml);
}

static void examine_model(struct doctor *d)
{
    char *text = cmd_shared_path("models/aor-tiny/aor-tiny.gguf");
    char *mmproj = cmd_shared_path("models/aor-tiny/aor-tiny-mmproj.gguf");
    struct dataset no_dataset = {0};
    struct plan no_plan = {0};
    struct local_params local = local_default_params();
    local.text_path = text;
    local.mmproj_path = mmproj;
    struct worker_params params = {.dataset = &no_dataset, .plan = &no_plan, .local = &local};
    struct worker w = {0};
    struct err err = {0};
    struct worker_model model;
    bool is_ok = worker_start(&w, &params, &model, &err) == 0;
    add(d, "embedded model", is_ok, is_ok ? model.description : err.msg);
    worker_stop(&w);
    free(mmproj);
    free(text);
}

static int run(int argc, char **argv)
{
    bool as_json = false;
    const struct opt opts[] = {
        {0, "json", OPT_FLAG, &as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "doctor",
        .synopsis = "[options]",
        .summary = "Say what is installed and whether engines, sounds and the model work here.",
        .details = "Ends with code 1 when something does not.",
        .examples = "  aor doctor\n  aor doctor --json | jq '.[] | select(.ok | not)'\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 0, 0, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct doctor d = {.findings = json_array()};
    char *machine = xasprintf("%d processors, %s", pool_default_workers(), local_cpu_features());
    add(&d, "machine", true, machine);
    free(machine);
    add(&d, "llama.cpp", true, local_library_version());
    add(&d, "SQLite", true, store_library_version());
    examine_engines(&d);
    examine_sounds(&d);
    examine_model(&d);
    if (as_json) {
        json_dumpf(d.findings, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        size_t i;
        json_t *f;
        json_array_foreach(d.findings, i, f)
        {
            printf("%-4s %-28s %s\n", json_is_true(json_object_get(f, "ok")) ? "ok" : "BAD",
                   json_string_value(json_object_get(f, "name")),
                   json_string_value(json_object_get(f, "detail")));
        }
    }
    json_decref(d.findings);
    return d.n_bad > 0 ? EXIT_FAILED : EXIT_FINE;
}

const struct cmd cmd_doctor = {"doctor", "what is installed and works here", run};
