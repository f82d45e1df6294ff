#include "stats/corrected.h"

#include <math.h>

static double clamp(double x)
{
    return fmin(1, fmax(0, x));
}

struct corrected corrected_rate(double judged, double n_eff, const struct judge_errors *e, double z)
{
    struct corrected r = {NAN, NAN, NAN};
    double sensitivity = e->n_found / e->n_refusals;
    double specificity = e->n_cleared / e->n_others;
    if (e->n_refusals <= 0 || e->n_others <= 0 || !(sensitivity + specificity > 1)) {
        return r;
    }
    r.rate = clamp((judged + specificity - 1) / (sensitivity + specificity - 1));
    double n = n_eff + z * z;
    double q = (n_eff * judged + z * z / 2) / n;
    double se = (e->n_found + 1) / (e->n_refusals + 2);
    double sp = (e->n_cleared + 1) / (e->n_others + 2);
    double informed =
        se + sp - 1; /* above 0 whenever the raw one is and both samples are not tiny */
    if (!(informed > 0)) {
        return r;
    }
    double p = (q + sp - 1) / informed;
    double v_se = se * (1 - se) / (e->n_refusals + 2);
    double v_sp = sp * (1 - sp) / (e->n_others + 2);
    double shift = 2 * z * z * (p * v_se - (1 - p) * v_sp);
    double half = z * sqrt(q * (1 - q) / n + p * p * v_se + (1 - p) * (1 - p) * v_sp) / informed;
    r.low = clamp(p + shift - half);
    r.high = clamp(p + shift + half);
    return r;
}
