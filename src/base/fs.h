/*
 * fs.h - files: whole reads with a cap, writes that appear at once or not at all, folders, hashes.
 */
#ifndef AOR_BASE_FS_H
#define AOR_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/mem.h"

#define SHA256_HEX_SIZE 65 /* 64 digits and NUL */

/* Read the whole file, at most max_size bytes (more is an error). *ret is NUL-terminated. */
int fs_read(const char *path, size_t max_size, struct buf *ret, struct err *err);

/*
 * Read or write exactly n bytes of a descriptor, through signals. 0, or -1 with errno set at an
 * error; fs_read_all also at the end of the file and when a cancel signal came.
 */
int fs_read_all(int fd, void *data, size_t n);
int fs_write_all(int fd, const void *data, size_t n);

/* Write to a temporary file beside path, fsync, and rename over path. */
int fs_write(const char *path, const void *data, size_t n, struct err *err);

/* The same for what is written bit by bit, to file; close with is_kept = false drops it. */
struct fs_out {
    FILE *file;
    char *path, *temp;
};
int fs_out_open(const char *path, struct fs_out *ret, struct err *err);
int fs_out_close(struct fs_out *out, bool is_kept, struct err *err);

/* Remove the temporary files in dir that writers of name (NULL: of any) left which were killed. */
int fs_remove_temp(const char *dir, const char *name, struct err *err);

/*
 * The same without fsync: whole after any death of the process, not after a power cut. For many
 * files that can be made again; then fs_sync() before another file says that they are there.
 */
int fs_write_unsynced(const char *path, const void *data, size_t n, struct err *err);
int fs_sync(const char *dir, struct err *err);

/* Make the folder and its parents. */
int fs_mkdirs(const char *path, struct err *err);

/* Make the folder that the file at path is in, and its parents. */
int fs_mkdirs_for(const char *path, struct err *err);

bool fs_exists(const char *path);
bool fs_has_data(const char *path); /* is there and not empty */
bool fs_is_dir(const char *path);
bool fs_is_empty_dir(const char *path);
bool fs_is_writable_dir(const char *path); /* by this process, on this mount */

/* dir + "/" + name; the caller's. */
char *fs_join(const char *dir, const char *name);

/* True for a path that stays below its folder whatever it says: not empty, not absolute, without
 * "..". */
bool fs_is_inside(const char *path);

/* The part after the last slash; borrowed from path. */
const char *fs_basename(const char *path);

/*
 * The files in dir whose names begin with prefix and end in suffix,
 * sorted by bytes, as full paths. With the prefix "" hidden ones are left out.
 * *ret_paths and each path are the caller's: fs_free_paths().
 */
int fs_list(const char *dir, const char *prefix, const char *suffix, char ***ret_paths,
            size_t *ret_n, struct err *err);
void fs_free_paths(char **paths, size_t n);

/*
 * A lock by a file of its own, made at path: exclusive, and removed by fs_unlock; or shared by any
 * number of holders, and left there. It is the process's (fcntl): its death ends the lock at once,
 * children do not hold it. A lock that another process holds is an error with code ERR_IO and busy
 * as its message; or, where busy is NULL, waited for.
 */
struct fs_lock {
    char *path; /* NULL: not held */
    int fd;
    bool is_shared;
};
int fs_lock(const char *path, bool is_shared, const char *busy, struct fs_lock *ret,
            struct err *err);
void fs_unlock(struct fs_lock *lock);

/* Another process holds the lock at path, exclusive or shared. Not for a lock of one's own. */
bool fs_is_locked(const char *path);

/* Both are there and are one file. */
bool fs_is_same(const char *path, const char *other);

/* Base64 (RFC 4648, with padding), without line ends. The caller's; NUL-terminated. */
char *base64_encode(const void *data, size_t n);

/* SHA-256 (FIPS 180-4), lower-case hexadecimal. */
void sha256_hex(const void *data, size_t n, char ret[SHA256_HEX_SIZE]);
int fs_sha256(const char *path, char ret[SHA256_HEX_SIZE], struct err *err);

#endif
