#include "bench/card.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Licences that may be combined into a work under CC-BY-SA-3.0. */
static bool is_combinable(const char *licence)
{
    static const char *const known[] = {"CC0-1.0",      "public-domain", "CC-BY-3.0",
                                        "CC-BY-SA-3.0", "MIT",           NULL};
    for (const char *const *k = known; *k; k++) {
        if (strcmp(licence, *k) == 0) {
            return true;
        }
    }
    return false;
}

static bool wants_attribution(const char *licence)
{
    return strcmp(licence, "CC0-1.0") != 0 && strcmp(licence, "public-domain") != 0;
}

/* Which clips of the bank the scenes may use that samples are heard in, also when they are
 * mismatched; the caller's. */
static bool *used_clips(const struct bench *b)
{
    bool *used = xcalloc(b->bank.n_clips, sizeof *used);
    bool *is_heard = xcalloc(b->scenes.n_scenes, sizeof *is_heard);
    for (size_t i = 0; i < b->n_samples; i++) {
        const struct sample *s = &b->samples[i];
        is_heard[scene_index_of(&b->scenes, s->scene)] = true;
        if (s->other_scene) {
            is_heard[scene_index_of(&b->scenes, s->other_scene)] = true;
        }
    }
    for (size_t i = 0; i < b->scenes.n_scenes; i++) {
        if (is_heard[i]) {
            scene_mark_clips(scene_at(&b->scenes, i), used);
        }
    }
    free(is_heard);
    return used;
}

static void add_front_matter(struct buf *c, const struct bench *b, const bool *used,
                             const struct card_config *configs, size_t n_configs)
{
    bool is_combined = true;
    for (size_t i = 0; i < b->bank.n_clips; i++) {
        is_combined = is_combined &&
                      (!used[i] || is_combinable(soundbank_licence(&b->bank, &b->bank.clips[i])));
    }
    buf_addf(c,
             "---\npretty_name: %s\nlanguage: [en]\nlicense: %s\n"
             "task_categories: [audio-text-to-text]\n"
             "tags: [safety, over-refusal, audio-language-models, synthetic-speech]\n"
             "annotations_creators: [expert-generated]\nsource_datasets: [original]\n"
             "size_categories: [%s]\nconfigs:\n",
             b->spec.name, is_combined ? "cc-by-sa-3.0" : "other",
             b->n_samples < 1000    ? "n<1K"
             : b->n_samples < 10000 ? "1K<n<10K"
                                    : "10K<n<100K");
    for (size_t i = 0; i < n_configs; i++) {
        if (i == 0 || strcmp(configs[i].name, configs[i - 1].name) != 0) {
            buf_addf(c, "  - config_name: %s\n%s    data_files:\n", configs[i].name,
                     i == 0 ? "    default: true\n" : "");
        }
        buf_addf(c, "      - split: %s\n        path: [%s]\n", configs[i].split, configs[i].files);
    }
    buf_adds(c, "---\n\n");
}

static void add_description(struct buf *c, const struct bench *b)
{
    struct plan_counts n = bench_count(b);
    buf_addf(c, "# %s\n\n", b->spec.name);
    buf_adds(
        c,
        "Spoken requests whose words sound harmful and that are benign in the sound scene around\n"
        "them, with harmful contrasts and plain requests: for measuring how often audio language\n"
        "models refuse what they should answer. The design follows AOR-Bench (arXiv 2606.21147),\n"
        "whose own data are unreleased; the texts, scenes and recordings here are independent.\n\n"
        "**Not human-validated:** no person has yet listened to these samples and confirmed that\n"
        "the scenes make the requests harmless. Speech is synthetic; \"emotion\" is intended "
        "prosody.\n\n"
        "| kind | items | samples | a good model |\n|---|---|---|---|\n");
    static const char *const wanted[ITEM_N_KINDS] = {"answers", "refuses", "answers"};
    for (int k = 0; k < ITEM_N_KINDS; k++) {
        buf_addf(c, "| %s | %zu | %zu | %s |\n", item_kind_names[k], n.items[k], n.samples[k],
                 wanted[k]);
    }
    buf_adds(
        c,
        "\n## Uses\n\nMeasuring over-refusal and what drives it: words, scene, voice, intended\n"
        "emotion, rate, SNR. Not for training a model that is then measured on it; not evidence\n"
        "about the safety of a model as a whole. The contrasts are bare questions without "
        "detail.\n\n"
        "## Structure\n\nOne line of `metadata.jsonl` a sample. 16 kHz, mono, 16 bit FLAC.\n\n"
        "| field | meaning |\n|---|---|\n"
        "| `kind`, `item`, `scenario` | scenario, contrast (`scenario` names its twin) or plain |\n"
        "| `split` | dev or test: fixed by scenario, twins together |\n"
        "| `text`, `alone` | what is said; how the words stand without any scene |\n"
        "| `scene`, `scene_words`, `take`, `reason` | what is heard around it, why that makes it "
        "benign |\n"
        "| `answer` | an example of a good answer (of a contrast: a decent refusal) |\n"
        "| `cue` | of a contrast: what makes it harmful |\n"
        "| `gender`, `voice`, `engine`, `emotion`, `rate` | who speaks and how, as intended |\n"
        "| `snr_db`, `achieved_snr_db` | speech over scene over speech-active frames |\n"
        "| `duration_s`, `lufs`, `true_peak_db`, `active_level_db` | measured on the sample |\n"
        "| `sha256` | of the decoded 16-bit PCM |\n"
        "| `controversial`, `item_version` | people may disagree about the item; its version |\n\n"
        "## Creation\n\nTexts were written for this benchmark by category and read again by a\n"
        "second reader against the same rules. Speech is synthesised, scenes are mixed from the\n"
        "recordings named below and from synthetic layers. Over the whole design every (gender,\n"
        "emotion, rate) cell holds the same number of scenario samples; the two genders are "
        "paired.\n"
        "`aor check` prints the counts and measures of this folder.\n\n"
        "## Limits\n\nEnglish only; synthetic voices (four a gender); scenes a listener may not\n"
        "recognise in a few seconds; everyday scenarios of a Western, urban kind. Variants of one\n"
        "scenario are not independent: cluster by `scenario`.\n\n");
}

/* Foreign text in one line, nothing of it Markdown or HTML. */
static void add_plain(struct buf *c, const char *text)
{
    char *clean = xstrdup(text);
    text_make_printable(clean);
    for (const char *p = clean; *p; p++) {
        buf_adds(c, strchr("\\`*_[]<>&|~#$", *p) ? "\\" : "");
        buf_add(c, p, 1);
    }
    free(clean);
}

/* One line a source: packages of one name, licence and copyright in several files are one. */
static bool is_same_source(const struct sound_package *a, const struct sound_package *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->licence, b->licence) == 0 &&
           strcmp(a->copyright, b->copyright) == 0;
}

/* The sources of used clips that have no licence of their own. */
static void add_sources(struct buf *c, const struct soundbank *bank, const bool *used)
{
    bool *is_listed = xcalloc(bank->n_packages, sizeof *is_listed);
    bool is_first = true;
    for (size_t i = 0; i < bank->n_clips; i++) {
        is_listed[bank->clips[i].package] |= used[i] && !bank->clips[i].licence;
    }
    for (size_t i = 0; i < bank->n_packages; i++) {
        const struct sound_package *p = &bank->packages[i];
        const char *const cells[] = {p->name, p->licence, p->copyright};
        for (size_t j = 0; j < i; j++) {
            is_listed[i] = is_listed[i] && !(is_listed[j] && is_same_source(p, &bank->packages[j]));
        }
        if (!is_listed[i]) {
            continue;
        }
        buf_adds(c, is_first ? "| source | licence | copyright |\n|---|---|---|\n" : "");
        is_first = false;
        for (size_t j = 0; j < sizeof cells / sizeof *cells; j++) {
            buf_adds(c, j == 0 ? "| " : " | ");
            add_plain(c, cells[j]);
        }
        buf_adds(c, " |\n");
    }
    free(is_listed);
}

static int compare_licences(const void *a, const void *b)
{
    const struct sound_clip *const *p = a, *const *q = b;
    int order = strcmp((*p)->licence, (*q)->licence);
    return order != 0 ? order : (*p > *q) - (*p < *q);
}

/* Used clips with a licence of their own, by licence and in the bank's order; the caller's. */
static const struct sound_clip **own_licences(const struct soundbank *bank, const bool *used,
                                              size_t *ret_n)
{
    const struct sound_clip **own = xcalloc(bank->n_clips, sizeof *own);
    size_t n = 0;
    for (size_t i = 0; i < bank->n_clips; i++) {
        if (used[i] && bank->clips[i].licence) {
            own[n++] = &bank->clips[i];
        }
    }
    qsort(own, n, sizeof *own, compare_licences);
    *ret_n = n;
    return own;
}

static void add_attribution(struct buf *c, const struct soundbank *bank,
                            const struct sound_clip *clip)
{
    buf_adds(c, "- ");
    add_plain(c, bank->packages[clip->package].name);
    buf_adds(c, ", ");
    add_plain(c, clip->path);
    buf_adds(c, ": ");
    add_plain(c, soundbank_copyright(bank, clip));
    buf_adds(c, "\n");
}

/* How many there are of each licence, and whose they are where it wants that to be said. */
static void add_own_licences(struct buf *c, const struct soundbank *bank, const bool *used)
{
    size_t n;
    const struct sound_clip **own = own_licences(bank, used, &n);
    for (size_t i = 0, end; i < n; i = end) {
        const char *licence = own[i]->licence;
        end = i + 1;
        while (end < n && strcmp(own[end]->licence, licence) == 0) {
            end++;
        }
        buf_adds(c, "\n### ");
        add_plain(c, licence);
        buf_addf(c, ": %zu clip%s%s\n\n", end - i, end - i == 1 ? "" : "s",
                 wants_attribution(licence) ? "" : ", which want no attribution");
        for (size_t k = i; k < end && wants_attribution(licence); k++) {
            add_attribution(c, bank, own[k]);
        }
    }
    free(own);
}

static void add_licences(struct buf *c, const struct bench *b, const bool *used)
{
    buf_adds(c, "## Licences of the sounds\n\n"
                "The mixes are adaptations of recorded clips under these licences (the texts and\n"
                "the synthetic speech are the project's own, Apache-2.0):\n\n");
    add_sources(c, &b->bank, used);
    add_own_licences(c, &b->bank, used);
}

int card_write(const char *dir, const struct bench *b, const struct card_config *configs,
               size_t n_configs, struct err *err)
{
    struct buf c = {0};
    bool *used = used_clips(b);
    add_front_matter(&c, b, used, configs, n_configs);
    add_description(&c, b);
    add_licences(&c, b, used);
    buf_addf(&c, "\nCanary, so that leaks into training data can be found:\n\n    %s\n",
             CARD_CANARY);
    char *path = fs_join(dir, "README.md");
    int ok = fs_write(path, c.data, c.len, err);
    free(path);
    free(used);
    buf_release(&c);
    return ok;
}
