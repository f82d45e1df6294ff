#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd.h"
#include "scene/folder.h"

static int choose_layout(const char *dir, const char *name, enum folder_layout *ret,
                         struct err *err)
{
    if (!name) {
        return folder_guess(dir, ret, err);
    }
    for (int i = 0; folder_layout_names[i]; i++) {
        if (strcmp(folder_layout_names[i], name) == 0) {
            *ret = (enum folder_layout)i;
            return 0;
        }
    }
    return err_set(err, ERR_USAGE, "\"%s\" is no layout: esc-50, fsd50k, map", name);
}

static int hash_sounds(struct sound_folder *f, struct err *err)
{
    struct progress progress;
    progress_start(&progress, "sounds", (long)f->n_sounds, 0);
    for (size_t i = 0; i < f->n_sounds; i++) {
        char *path = fs_join(f->dir, f->sounds[i].path);
        int ok = fs_sha256(path, f->sounds[i].sha256, err);
        free(path);
        if (ok != 0) {
            return -1;
        }
        progress_update(&progress, (long)i + 1, NULL);
    }
    progress_end(&progress, NULL);
    return 0;
}

/* The text once before hashing: whether it is too long is known at once. */
static int make_text(struct sound_folder *f, char **ret, struct err *err)
{
    char *draft;
    if (folder_text(f, &draft, err) != 0) {
        return -1;
    }
    free(draft);
    return hash_sounds(f, err) == 0 ? folder_text(f, ret, err) : -1;
}

static int put_text(const char *text, const char *path, struct err *err)
{
    if (!path) {
        fputs(text, stdout);
        return 0;
    }
    return fs_mkdirs_for(path, err) == 0 ? fs_write(path, text, strlen(text), err) : -1;
}

static int run(int argc, char **argv)
{
    const char *format = NULL, *labels = NULL, *out = NULL;
    const struct opt opts[] = {
        {'f', "format", OPT_STR, &format, "FORMAT",
         "esc-50, fsd50k or map (default: by the files in DIR)", 0, 0},
        {0, "only", OPT_STR, &labels, "LABELS", "sounds with one of these, with commas", 0, 0},
        {'o', "output", OPT_STR, &out, "FILE", "write there (default: stdout)", 0, 0},
        {0},
    };
    const struct opt_command command = {
        .name = "sounds",
        .synopsis = "DIR [options]",
        .summary = "Make clips of a folder of your own recordings: a sounds file.",
        .details = "DIR is ESC-50, FSD50K, or any folder with a file sounds-map.yaml. Put the\n"
                   "sounds file into the folder sounds of a copy of aor's data, and name its\n"
                   "labels where scenes.yaml wants a clip.",
        .examples = "  aor sounds ~/ESC-50 -o mydata/sounds/esc-50.yaml\n"
                    "  aor sounds ~/FSD50K --only dog,rain -o mydata/sounds/fsd50k.yaml\n",
    };
    int n_operands;
    int status = cmd_parse(&command, opts, argc, argv, 1, 1, &n_operands);
    if (status >= 0) {
        return status;
    }
    struct err err = {0};
    struct sound_folder f = {0};
    enum folder_layout layout;
    char **only, *text = NULL;
    size_t n_only;
    cancel_install();
    cmd_split(labels, &only, &n_only);
    status = EXIT_FINE;
    if (choose_layout(argv[1], format, &layout, &err) != 0 ||
        folder_read(argv[1], layout, only, n_only, &f, &err) != 0 ||
        make_text(&f, &text, &err) != 0 || put_text(text, out, &err) != 0) {
        status = cmd_fail(&err);
    }
    free(text);
    folder_release(&f);
    cmd_free_list(only, n_only);
    return status;
}

const struct cmd cmd_sounds = {"sounds", "clips of a folder of your own recordings", run};
