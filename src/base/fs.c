#include "base/fs.h"

#include "base/cancel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fs_read(const char *path, size_t max_size, struct buf *ret, struct err *err)
{
    struct buf b = {0};
    int ok = -1;
    FILE *f = fopen(path, "rb");
    if (!f) {
        return err_errno(err, "%s", path);
    }
    char chunk[65536];
    size_t n;
    errno = 0;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        if (n > max_size - b.len) {
            err_set(err, ERR_FORMAT, "%s: larger than %zu bytes", path, max_size);
            goto out;
        }
        buf_add(&b, chunk, n);
    }
    if (ferror(f)) {
        err_errno(err, "%s", path);
        goto out;
    }
    buf_add(&b, "", 0);
    *ret = b;
    b = (struct buf){0};
    ok = 0;
out:
    buf_release(&b);
    fclose(f);
    return ok;
}

int fs_read_all(int fd, void *data, size_t n)
{
    for (char *p = data; n > 0;) {
        ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR && !cancel_requested()) {
            continue;
        }
        if (got <= 0) {
            return -1;
        }
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

int fs_write_all(int fd, const void *data, size_t n)
{
    for (const char *p = data; n > 0;) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -1;
        }
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

/* Processes on several machines may write beside each other: names are drawn, not counted. */
#define TEMP_DIGITS 16

static int open_temp(const char *path, char **ret_temp, struct err *err)
{
    uint64_t number;
    *ret_temp = NULL;
    if (getentropy(&number, sizeof number) != 0) {
        return err_errno(err, "%s", path);
    }
    *ret_temp = xasprintf("%s.%016" PRIx64 ".tmp", path, number);
    int fd = open(*ret_temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd >= 0 ? fd : err_errno(err, "%s", path);
}

/* "<of>.<16 hexadecimal digits>.tmp"; of: NULL for anything */
static bool is_temp_name(const char *name, const char *of)
{
    size_t n = strlen(name);
    size_t tail = TEMP_DIGITS + strlen("..tmp");
    return n > tail && name[n - tail] == '.' && strcmp(name + n - 4, ".tmp") == 0 &&
           strspn(name + n - tail + 1, "0123456789abcdef") == TEMP_DIGITS &&
           (!of || (strlen(of) == n - tail && strncmp(name, of, n - tail) == 0));
}

int fs_remove_temp(const char *dir, const char *name, struct err *err)
{
    DIR *d = opendir(dir);
    if (!d) {
        return err_errno(err, "%s", dir);
    }
    int ok = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (is_temp_name(entry->d_name, name) && unlinkat(dirfd(d), entry->d_name, 0) != 0) {
            ok = err_errno(err, "%s/%s", dir, entry->d_name);
        }
    }
    closedir(d);
    return ok;
}

int fs_out_open(const char *path, struct fs_out *ret, struct err *err)
{
    struct fs_out out = {.path = xstrdup(path)};
    int fd = open_temp(path, &out.temp, err);
    if (fd < 0) {
        free(out.temp);
        free(out.path);
        return -1;
    }
    out.file = fdopen(fd, "w");
    *ret = out;
    return 0;
}

int fs_out_close(struct fs_out *out, bool is_kept, struct err *err)
{
    int ok = 0;
    bool wrote = fflush(out->file) == 0 && !ferror(out->file) && fsync(fileno(out->file)) == 0;
    wrote = fclose(out->file) == 0 && wrote;
    if (!is_kept || !wrote || rename(out->temp, out->path) != 0) {
        ok = is_kept ? err_errno(err, "%s", out->path) : 0;
        unlink(out->temp);
    }
    free(out->temp);
    free(out->path);
    *out = (struct fs_out){0};
    return ok;
}

bool fs_has_data(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0;
}

static int write_file(const char *path, const void *data, size_t n, bool is_synced, struct err *err)
{
    char *temp;
    int ok = -1;
    int fd = open_temp(path, &temp, err);
    if (fd < 0) {
        goto out;
    }
    bool wrote = fs_write_all(fd, data, n) == 0 && (!is_synced || fsync(fd) == 0);
    if (!wrote) {
        err_errno(err, "%s", path);
    }
    if (close(fd) != 0 && wrote) {
        wrote = false;
        err_errno(err, "%s", path);
    }
    if (!wrote) {
        unlink(temp);
        goto out;
    }
    if (rename(temp, path) != 0) {
        err_errno(err, "%s", path);
        unlink(temp);
        goto out;
    }
    ok = 0;
out:
    free(temp);
    return ok;
}

int fs_write(const char *path, const void *data, size_t n, struct err *err)
{
    return write_file(path, data, n, true, err);
}

int fs_write_unsynced(const char *path, const void *data, size_t n, struct err *err)
{
    return write_file(path, data, n, false, err);
}

int fs_sync(const char *dir, struct err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, "%s", dir);
    }
    int ok = syncfs(fd) == 0 ? 0 : err_errno(err, "%s", dir);
    close(fd);
    return ok;
}

int fs_mkdirs(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    int ok = -1;
    for (char *p = copy + (*copy == '/');; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            err_errno(err, "%s", copy);
            goto out;
        }
        *p = kept;
        if (kept == '\0') {
            break;
        }
    }
    if (!fs_is_dir(path)) {
        err_set(err, ERR_IO, "%s: exists and is not a folder", path);
        goto out;
    }
    ok = 0;
out:
    free(copy);
    return ok;
}

int fs_mkdirs_for(const char *path, struct err *err)
{
    const char *name = fs_basename(path);
    if (name == path || name == path + 1) {
        return 0; /* here, or in the root folder */
    }
    char *dir = xasprintf("%.*s", (int)(name - path - 1), path);
    int ok = fs_mkdirs(dir, err);
    free(dir);
    return ok;
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool fs_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool fs_is_empty_dir(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        return false;
    }
    int n = 0;
    while (n <= 2 && readdir(d)) {
        n++; /* "." and ".." are always there */
    }
    closedir(d);
    return n <= 2;
}

bool fs_is_writable_dir(const char *path)
{
    return fs_is_dir(path) && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
}

char *fs_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return xasprintf("%s%s%s", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name);
}

bool fs_is_inside(const char *path)
{
    if (*path == '\0' || *path == '/') {
        return false;
    }
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return false;
        }
    }
    return true;
}

const char *fs_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int fs_list(const char *dir, const char *prefix, const char *suffix, char ***ret_paths,
            size_t *ret_n, struct err *err)
{
    DIR *d = opendir(dir);
    if (!d) {
        return err_errno(err, "%s", dir);
    }
    char **paths = NULL;
    size_t n = 0;
    size_t n_prefix = strlen(prefix);
    size_t n_suffix = strlen(suffix);
    for (struct dirent *entry; (entry = readdir(d));) {
        size_t len = strlen(entry->d_name);
        if (len < n_prefix + n_suffix || strncmp(entry->d_name, prefix, n_prefix) != 0 ||
            (n_prefix == 0 && entry->d_name[0] == '.') ||
            strcmp(entry->d_name + len - n_suffix, suffix) != 0) {
            continue;
        }
        paths = xrealloc(paths, (n + 1) * sizeof *paths);
        paths[n++] = fs_join(dir, entry->d_name);
    }
    closedir(d);
    if (n > 0) {
        qsort(paths, n, sizeof *paths, compare_paths);
    }
    *ret_paths = paths;
    *ret_n = n;
    return 0;
}

void fs_free_paths(char **paths, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(paths[i]);
    }
    free(paths);
}

int fs_lock(const char *path, bool is_shared, const char *busy, struct fs_lock *ret,
            struct err *err)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            return err_errno(err, "%s", path);
        }
        struct flock whole = {.l_type = is_shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, busy ? F_SETLK : F_SETLKW, &whole) != 0) {
            int ok = errno == EAGAIN || errno == EACCES ? err_set(err, ERR_IO, "%s", busy)
                                                        : err_errno(err, "%s", path);
            close(fd);
            return ok;
        }
        /* The last holder may have removed the file between open and lock: then try again. */
        struct stat held, named;
        if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino) {
            *ret = (struct fs_lock){xstrdup(path), fd, is_shared};
            return 0;
        }
        close(fd);
    }
}

void fs_unlock(struct fs_lock *lock)
{
    if (lock->path) {
        if (!lock->is_shared) {
            unlink(lock->path);
        }
        close(lock->fd);
        free(lock->path);
    }
    *lock = (struct fs_lock){0};
}

bool fs_is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool is_locked = fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(fd);
    return is_locked;
}

bool fs_is_same(const char *path, const char *other)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static void finish_hex(struct sha256_ctx *ctx, char ret[SHA256_HEX_SIZE])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(ret + 2 * i, 3, "%02x", digest[i]);
    }
}

char *base64_encode(const void *data, size_t n)
{
    size_t len = BASE64_ENCODE_RAW_LENGTH(n);
    char *text = xmalloc(len + 1);
    base64_encode_raw(text, n, data);
    text[len] = '\0';
    return text;
}

void sha256_hex(const void *data, size_t n, char ret[SHA256_HEX_SIZE])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, n, data);
    finish_hex(&ctx, ret);
}

int fs_sha256(const char *path, char ret[SHA256_HEX_SIZE], struct err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        return err_errno(err, "%s", path);
    }
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    static const size_t chunk_size = 1 << 18;
    uint8_t *chunk = xmalloc(chunk_size);
    size_t n;
    while (!cancel_requested() && (n = fread(chunk, 1, chunk_size, f)) > 0) {
        sha256_update(&ctx, n, chunk);
    }
    int ok = 0;
    if (cancel_requested()) {
        ok = err_set(err, ERR_CANCELLED, "stopped by a signal");
    } else if (ferror(f)) {
        ok = err_errno(err, "%s", path);
    } else {
        finish_hex(&ctx, ret);
    }
    free(chunk);
    fclose(f);
    return ok;
}
