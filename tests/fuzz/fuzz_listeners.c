/* Foreign bytes: a file of listeners' labels. */
#include "memory_file.h"
#include "report/listeners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct listeners *l = NULL;
    struct listeners_summary s;
    struct err err = {0};
    struct store_sample sample = {.id = "s1",
                                  .kind = "scenario",
                                  .scenario = "s1",
                                  .text = "a b",
                                  .alone = "benign",
                                  .scene = "x"};
    struct memory_file f = memory_file_open(data, size);
    int ok = listeners_load(f.path, &l, &err);
    close(f.fd);
    if (ok != 0) {
        return 0;
    }
    listeners_add_sample(l, &sample);
    listeners_add_trial(l, &sample, true, true);
    if (listeners_summarise(l, &s, &err) != 0 || s.n_samples > 1 || s.n_places_right > s.n_places) {
        abort();
    }
    listeners_free(l);
    return 0;
}
