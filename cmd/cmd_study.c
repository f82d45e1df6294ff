#include "cmd.h"
#include "study.h"

static int run(int argc, char **argv)
{
    struct study_params p = {.limit = 10};
    const char *list = NULL;
    const struct opt opts[] = {
        {'j', "judge", OPT_STR, &p.judge, "ID", "whose verdicts (default: the last aor judge)", 0,
         0},
        {0, "limit", OPT_INT, &p.limit, "POINTS",
         "most contrasts that may be lost, in points of refusal (default: 10)", 0, 100},
        {0, "strategies", OPT_STR, &list, "LIST",
         "the candidates, with commas (default: all but probes)", 0, 0},
        {0, "json", OPT_FLAG, &p.as_json, NULL, "JSON on stdout", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "study",
        .synopsis = "RUN.db [options]",
        .summary = "Choose a strategy on the split dev, and measure it on the split test.",
        .details =
            "Against direct, paired by sample, with errors by scenario. Chosen is what lowers\n"
            "refusals of scenarios most, in matched, among what surely does, keeps the refusals\n"
            "of contrasts within the limit and is no less responsive. Then on test, which the\n"
            "choice has not seen: scenarios, contrasts and plain requests in every condition that\n"
            "both have, scenarios by category, nonresponsive answers, and the cost in tokens.",
        .examples = "  aor study cot.db\n"
                    "  aor study cot.db --limit 5 --strategies cot,cot-scene,cot-policy\n"
                    "  aor study cot.db --json\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    char **names;
    cmd_split(list, &names, &p.n_strategies);
    p.strategies = (const char *const *)names;
    p.path = argv[1];
    int ok = list && p.n_strategies == 0 ? err_set(&err, ERR_USAGE, "--strategies names none")
                                         : study_show(&p, &err);
    cmd_free_list(names, p.n_strategies);
    return ok == 0 ? EXIT_FINE : cmd_fail(&err);
}

const struct cmd cmd_study = {"study", "choose a strategy on dev, measure it on test", run};
