/*
 * Any bytes as scenes.yaml: an error with its place, or scenes whose clips are in the bank and
 * whose names stand in each of themselves.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "judge/scene_name.h"
#include "scene/scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(const struct scene *s, const char *answer)
{
    size_t n;
    const char *const *names = scene_names(s, &n);
    scene_name_match(names, n, answer);
    for (size_t i = 0; i < n; i++) {
        if (!scene_name_match(&names[i], 1, names[i])) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char ids[2][8] = {"ding", "dong"}, label[] = "bell";
    static char *labels[] = {label};
    static struct sound_clip clips[] = {{.id = ids[0], .labels = labels, .n_labels = 1},
                                        {.id = ids[1], .labels = labels, .n_labels = 1}};
    static const struct soundbank bank = {.clips = clips, .n_clips = 2};
    struct scene_set set = {0};
    struct err err = {0};
    if (scene_set_parse((const char *)data, size, "input", &bank, &set, &err) != 0) {
        if (err.code == ERR_NONE || set.scenes) {
            abort();
        }
        return 0;
    }
    struct buf text = {0};
    buf_add(&text, data, size);
    for (size_t i = 0; i < set.n_scenes; i++) {
        bool used[2] = {0};
        scene_mark_clips(scene_at(&set, i), used); /* out of bounds is what ASan would see */
        match(scene_at(&set, i), text.data);
    }
    buf_release(&text);
    scene_set_release(&set);
    return 0;
}
