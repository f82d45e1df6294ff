/*
 * scene_name.h - does an answer to "where is the speaker?" name a scene?
 */
#ifndef AOR_JUDGE_SCENE_NAME_H
#define AOR_JUDGE_SCENE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define SCENE_NAME_MAX_ANSWER 4096 /* bytes of an answer that are looked at */

/*
 * True when the answer has one of the n names: lower-case words or phrases, the last word of which
 * may end in '*' for any continuation (the names of data/scenes.yaml).
 *
 * Whole words are compared, in either case and without Markdown emphasis; "'s" after a word is no
 * part of it. The words of a phrase stand with nothing but blanks, line ends, hyphens or
 * underscores between them. A name does not count within three words after no, not, nor, neither,
 * cannot, without or a word in n't, when no other punctuation stands between: "not in a kitchen"
 * names none, "No, a kitchen" does. "Not only", "not just" and "no doubt" deny nothing.
 *
 * An answer that lists many places names each of them. To see that, count for how many scenes this
 * is true; an answer that names all of them has heard nothing. Nor has one that repeats a request
 * which itself names the scene: ask this of the request.
 *
 * Linear time in the answer; any bytes will do.
 */
bool scene_name_match(const char *const *names, size_t n, const char *answer);

#endif
