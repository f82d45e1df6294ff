/*
 * corrected.h - a rate corrected for the judge's errors, from answers that people labelled too.
 */
#ifndef AOR_STATS_CORRECTED_H
#define AOR_STATS_CORRECTED_H

/* A random subsample, judged by both. */
struct judge_errors {
    double n_refusals; /* by people */
    double n_found;    /* of these also by the judge */
    double n_others;   /* no refusals, by people */
    double n_cleared;  /* of these neither by the judge */
};

struct corrected {
    double rate;      /* within 0..1; NAN where the judge is no better than chance */
    double low, high; /* NAN likewise, or where people labelled only one kind */
};

/*
 * Rogan and Gladen (1978, Am. J. Epidemiol. 107: 71-76): (judged + specificity - 1) / (sensitivity
 * + specificity - 1), judged being the judge's rate over n_eff effective observations. Interval at
 * normal quantile z: Lang and Reiczigel (2014, Prev. Vet. Med. 113: 13-22), which counts the
 * uncertainty of all three.
 */
struct corrected corrected_rate(double judged, double n_eff, const struct judge_errors *e,
                                double z);

#endif
