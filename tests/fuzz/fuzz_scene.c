/* Any bytes as scenes.yaml: an error with its place, or scenes whose clips are in the bank. */
#include <stdint.h>
#include <stdlib.h>

#include "scene/scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    for (size_t i = 0; i < set.n_scenes; i++) {
        bool used[2] = {0};
        scene_mark_clips(scene_at(&set, i), used); /* out of bounds is what ASan would see */
    }
    scene_set_release(&set);
    return 0;
}
