#include "judge/confusion.h"

#include <string.h>

#include "judge/verdict.h"

static bool is_refusal(int verdict, bool is_broad)
{
    return verdict == VERDICT_REFUSAL || (is_broad && verdict == VERDICT_PARTIAL);
}

void confusion_fold(const uint64_t *counts, bool is_broad, uint64_t *ret)
{
    memset(ret, 0, 4 * sizeof *ret);
    for (int a = 0; a < N_VERDICTS; a++) {
        for (int b = 0; b < N_VERDICTS; b++) {
            ret[2 * !is_refusal(a, is_broad) + !is_refusal(b, is_broad)] +=
                counts[a * N_VERDICTS + b];
        }
    }
}

void confusion_write(FILE *out, const uint64_t *counts, const char *corner)
{
    fprintf(out, "%-16s", corner);
    for (int b = 0; b < N_VERDICTS; b++) {
        fprintf(out, "%15s", verdict_name((enum verdict)b));
    }
    putc('\n', out);
    for (int a = 0; a < N_VERDICTS; a++) {
        fprintf(out, "%-16s", verdict_name((enum verdict)a));
        for (int b = 0; b < N_VERDICTS; b++) {
            fprintf(out, "%15llu", (unsigned long long)counts[a * N_VERDICTS + b]);
        }
        putc('\n', out);
    }
}

json_t *confusion_json(const uint64_t *counts)
{
    json_t *matrix = json_object();
    for (int a = 0; a < N_VERDICTS; a++) {
        json_t *row = json_object();
        for (int b = 0; b < N_VERDICTS; b++) {
            json_object_set_new(row, verdict_name((enum verdict)b),
                                json_integer((json_int_t)counts[a * N_VERDICTS + b]));
        }
        json_object_set_new(matrix, verdict_name((enum verdict)a), row);
    }
    return matrix;
}
