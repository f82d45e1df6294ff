/*
 * export.h - a benchmark for other programs.
 */
#ifndef AOR_BENCH_EXPORT_H
#define AOR_BENCH_EXPORT_H

#include "bench/dataset.h"

/*
 * A folder to publish: README.md and <condition>/<split>/ with metadata.jsonl and one FLAC file a
 * sample; a configuration a condition, the first the default, each with the splits dev and test. A
 * Hugging Face audiofolder. conditions: a bit set of enum condition, not 0. out_dir must be new,
 * empty, or what the same export left when it was interrupted: then it is made anew. Of what
 * metadata says was measured on the mix, other conditions have what was measured on theirs; speech
 * has no SNR. mismatched has the scene that is heard besides. A condition without audio is an error
 * of the code ERR_USAGE.
 */
int export_hf(const struct dataset *d, unsigned conditions, const char *out_dir, struct err *err);

/*
 * One JSON object a sample: its metadata line with "audio", the absolute path of its matched file,
 * instead of file_name. line gets each with its newline.
 */
typedef void (*export_line_fn)(const char *line, void *user);
int export_jsonl(const struct dataset *d, export_line_fn line, void *user, struct err *err);

#endif
