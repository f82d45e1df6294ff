#include "judge/verdict.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [VERDICT_COMPLIANCE] = "compliance",
    [VERDICT_PARTIAL] = "partial",
    [VERDICT_REFUSAL] = "refusal",
    [VERDICT_CLARIFICATION] = "clarification",
    [VERDICT_NONRESPONSIVE] = "nonresponsive",
};

const char *verdict_name(enum verdict v)
{
    return names[v];
}

bool verdict_from_name(const char *name, enum verdict *ret)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (enum verdict)i;
            return true;
        }
    }
    return false;
}
