#include "report_options.h"

#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static bool is_plain(const char *word)
{
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "-_./,:=@%+") == strlen(word);
}

char *report_command(int argc, char **argv)
{
    struct buf b = {0};
    buf_adds(&b, "aor");
    for (int i = 0; i < argc; i++) {
        if (is_plain(argv[i])) {
            buf_addf(&b, " %s", argv[i]);
            continue;
        }
        buf_adds(&b, " '");
        for (const char *c = argv[i]; *c; c++) {
            buf_add(&b, *c == '\'' ? "'\\''" : c, *c == '\'' ? 4 : 1);
        }
        buf_adds(&b, "'");
    }
    return buf_detach(&b);
}

int report_source_open(const struct report_options *o, char **paths, size_t n, const char *command,
                       struct report_source *ret, struct err *err)
{
    char *rules = cmd_shared_path("data/judge/rules-en.yaml");
    int ok = (!o->bench || dataset_open(o->bench, &ret->dataset, err) == 0) &&
                     rule_judge_load(rules, &ret->rules, err) == 0
                 ? 0
                 : -1;
    free(rules);
    ret->params = (struct report_params){
        .findings = {.paths = (const char *const *)paths,
                     .n_paths = n,
                     .judge = o->judge,
                     .labels = o->labels,
                     .rules = ret->rules},
        .dataset = o->bench ? &ret->dataset : NULL,
        .command = command,
        .version = AOR_VERSION,
    };
    return ok;
}

void report_source_release(struct report_source *s)
{
    dataset_release(&s->dataset);
    rule_judge_free(s->rules);
    *s = (struct report_source){0};
}
