/*
 * folder.h - a report on disk: a page that opens without a network.
 *
 *     .aor-report               says that the folder is one
 *     index.html                the page
 *     data/<piece>.js           its data (docs/formats.md)
 *     sounds/<condition>/<sample>.js  sounds, as scripts too: a page on disk may load nothing else
 *     tables/                   CSV and LaTeX, where they were asked for
 */
#ifndef AOR_REPORT_FOLDER_H
#define AOR_REPORT_FOLDER_H

#include "report/report.h"

struct folder_params {
    const char *dir; /* new, empty, or a report, which is replaced */
    bool has_tables;
};

/* Make the report and write it; index.html comes last. *ret as in report_make(). */
int folder_write(const struct report_params *p, const struct folder_params *f, struct report *ret,
                 struct err *err);

#endif
