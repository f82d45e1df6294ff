/* For readers that want a path: bytes as a file in memory. */
#ifndef AOR_TESTS_FUZZ_MEMORY_FILE_H
#define AOR_TESTS_FUZZ_MEMORY_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct memory_file {
    int fd;
    char path[32];
};

static inline struct memory_file memory_file_open(const void *data, size_t n)
{
    struct memory_file f = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};
    if (f.fd < 0 || write(f.fd, data, n) != (ssize_t)n) {
        abort();
    }
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

#endif
