#include "bench/card.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

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

/* Which packages of the bank the planned scenes may use; the caller's. */
static bool *used_packages(const struct bench *b)
{
    bool *used = xcalloc(b->bank.n_packages, sizeof *used);
    for (size_t i = 0; i < b->n_samples; i++) {
        if (i > 0 && b->samples[i].scene == b->samples[i - 1].scene) {
            continue;
        }
        size_t *clips;
        size_t n;
        scene_clips(b->samples[i].scene, &clips, &n);
        for (size_t j = 0; j < n; j++) {
            used[b->bank.clips[clips[j]].package] = true;
        }
        free(clips);
    }
    return used;
}

static void add_front_matter(struct buf *c, const struct bench *b, const bool *used,
                             const struct card_config *configs, size_t n_configs)
{
    bool is_combined = true;
    for (size_t i = 0; i < b->bank.n_packages; i++) {
        is_combined = is_combined && (!used[i] || is_combinable(b->bank.packages[i].licence));
    }
    buf_addf(c,
             "---\npretty_name: %s\nlanguage: [en]\nlicense: %s\n"
             "task_categories: [audio-text-to-text]\n"
             "tags: [safety, over-refusal, audio-language-models, synthetic-speech]\n"
             "annotations_creators: [expert-generated]\nsource_datasets: [original]\n"
             "size_categories: [%s]\nconfigs:\n",
             b->spec.name, is_combined ? "cc-by-sa-3.0" : "other",
             b->n_samples < 1000 ? "n<1K" : "1K<n<10K");
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
        "recordings named below and from synthetic layers. Every (gender, emotion, rate) cell\n"
        "holds the same number of scenario samples; the two genders are paired. `aor check`\n"
        "prints the counts and measures that show it.\n\n"
        "## Limits\n\nEnglish only; synthetic voices (four a gender); scenes a listener may not\n"
        "recognise in a few seconds; everyday scenarios of a Western, urban kind. Variants of one\n"
        "scenario are not independent: cluster by `scenario`.\n\n");
}

static void add_licences(struct buf *c, const struct bench *b, const bool *used)
{
    buf_adds(c, "## Licences of the sounds\n\n"
                "The mixes are adaptations of recorded clips under these licences (the texts and\n"
                "the synthetic speech are the project's own, Apache-2.0):\n\n"
                "| source | licence | copyright |\n|---|---|---|\n");
    for (size_t i = 0; i < b->bank.n_packages; i++) {
        const struct sound_package *p = &b->bank.packages[i];
        if (used[i]) {
            buf_addf(c, "| %s | %s | %s |\n", p->name, p->licence, p->copyright);
        }
    }
}

int card_write(const char *dir, const struct bench *b, const struct card_config *configs,
               size_t n_configs, struct err *err)
{
    struct buf c = {0};
    bool *used = used_packages(b);
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
