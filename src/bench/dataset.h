/*
 * dataset.h - a benchmark directory on disk.
 *
 *     README.md        dataset card
 *     benchmark.yaml   seed, counts, versions, hashes
 *     metadata.jsonl   one line a sample (Hugging Face audiofolder reads it)
 *     matched/<id>.flac 16 kHz mono 16-bit
 *     .build*.jsonl    while a build is unfinished: what it made, metadata.jsonl's lines
 *     .spec/           the data files it was built from (bench.h)
 *     .stems/          speech, takes and clips by content hash (render.h)
 *     .build*.lock     while a build is at work (a shard leaves the folder's)
 *     .asr-*.db        transcripts of aor check --asr
 */
#ifndef AOR_BENCH_DATASET_H
#define AOR_BENCH_DATASET_H

#include <stdbool.h>

#include "bench/bench.h"
#include "bench/render.h"

#define DATASET_JOURNAL ".build.jsonl" /* of a whole build; a shard's: .build-<k>-of-<n>.jsonl */

/* What was measured when a sample was made. */
struct sample_facts {
    bool is_built;
    char recipe[RECIPE_HEX_SIZE];
    char sha256[SHA256_HEX_SIZE]; /* of the 16-bit PCM */
    double duration_s;
    double lufs;
    double true_peak_db;
    double active_level_db; /* of the speech in the mix, dBFS */
    double achieved_snr_db;
};

struct dataset {
    char *dir;
    char *stems_dir;
    struct bench bench;
    struct sample_facts *facts; /* [bench.n_samples], from metadata.jsonl */
};

/* Open a finished benchmark. Every planned sample must be in metadata.jsonl. */
int dataset_open(const char *dir, struct dataset *ret, struct err *err);
void dataset_release(struct dataset *d);

/*
 * Fill facts[] of the bench's samples from the n bytes of a metadata or journal file; lines of
 * samples that are not planned are handed to other (may be NULL). A last line without its end (a
 * write that was cut off) is left out. name stands in errors.
 */
typedef void (*dataset_other_fn)(const char *sample_id, void *user);
int dataset_parse_facts(const char *text, size_t n, const char *name, const struct bench *b,
                        struct sample_facts *facts, dataset_other_fn other, void *user,
                        struct err *err);
int dataset_read_facts(const char *path, const struct bench *b, struct sample_facts *facts,
                       dataset_other_fn other, void *user, struct err *err);

/* The journals of unfinished builds in dir, sorted; the caller's: fs_free_paths(). */
int dataset_list_journals(const char *dir, char ***ret_paths, size_t *ret_n, struct err *err);

/* One metadata line, with its newline; the caller's. */
char *dataset_line(const struct sample *s, const struct sample_facts *f);

/*
 * Does metadata.jsonl say of every sample what the plan and facts say, and does benchmark.yaml name
 * the hashes of the data and of all sound? problem is called for each that does not, with the
 * sample's index or -1 for benchmark.yaml.
 */
typedef void (*dataset_problem_fn)(long sample, const char *problem, void *user);
int dataset_check_texts(const struct dataset *d, dataset_problem_fn problem, void *user,
                        struct err *err);

/* Write metadata.jsonl, benchmark.yaml and README.md, each at once. */
int dataset_write(const char *dir, const struct bench *b, const struct sample_facts *facts,
                  struct err *err);

/* <dir>/matched/<id>.flac; the caller's. */
char *dataset_sample_path(const char *dir, const struct sample *s);

/* Fails where this machine would render sample i otherwise than it was built. */
int dataset_check_recipe(const struct dataset *d, size_t i, struct err *err);

/*
 * The audio of a sample under a condition: the file of matched, checked against its hash; anything
 * else rendered, which fails where this machine's engines are not those it was built with. A
 * condition without audio is an error of the code ERR_USAGE.
 */
int dataset_audio(const struct dataset *d, struct renderer *r, size_t i, enum condition condition,
                  struct audio *ret, struct err *err);

#endif
