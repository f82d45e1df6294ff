#include "steer/activations.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_HEADER (1u << 20)
#define MAX_ROWS (1u << 24)
#define MAX_LAYERS 10000
#define MAX_WIDTH 1000000

const char *const activation_position_names[] = {"instruction", "template", "audio",
                                                 "prompt",      "answer",   NULL};

struct activation_reader activation_reader_new(int n_layers, int n_embd)
{
    size_t n = (size_t)N_ACTIVATION_POSITIONS * (size_t)n_layers;
    return (struct activation_reader){.n_layers = n_layers,
                                      .n_embd = n_embd,
                                      .sums = xcalloc(n * (size_t)n_embd, sizeof(double)),
                                      .counts = xcalloc(n, sizeof(size_t))};
}

void activation_reader_free(struct activation_reader *r)
{
    free(r->sums);
    free(r->counts);
    *r = (struct activation_reader){0};
}

void activation_reader_begin(struct activation_reader *r)
{
    size_t n = (size_t)N_ACTIVATION_POSITIONS * (size_t)r->n_layers;
    memset(r->sums, 0, n * (size_t)r->n_embd * sizeof *r->sums);
    memset(r->counts, 0, n * sizeof *r->counts);
}

static size_t index_of(const struct activation_reader *r, enum activation_position position,
                       int layer)
{
    return (size_t)position * (size_t)r->n_layers + (size_t)layer;
}

/* Add a row to a mean, or let it stand instead of what is there. */
static void take(struct activation_reader *r, enum activation_position position, int layer,
                 const float *x, bool is_mean)
{
    size_t at = index_of(r, position, layer);
    double *sum = r->sums + at * (size_t)r->n_embd;
    for (int i = 0; i < r->n_embd; i++) {
        sum[i] = (is_mean ? sum[i] : 0) + (double)x[i];
    }
    r->counts[at] = is_mean ? r->counts[at] + 1 : 1;
}

bool activation_read(const struct local_residual *residual, void *user)
{
    struct activation_reader *r = user;
    int layer = residual->layer;
    if (layer < 0 || layer >= r->n_layers || residual->n_embd != (size_t)r->n_embd) {
        return false;
    }
    for (size_t i = 0; i < residual->n_rows; i++) {
        const struct local_row *row = &residual->rows[i];
        const float *x = residual->data + i * residual->n_embd;
        if (row->is_generated) {
            if (r->counts[index_of(r, ACTIVATION_ANSWER, layer)] < ACTIVATION_ANSWER_TOKENS) {
                take(r, ACTIVATION_ANSWER, layer, x, true);
            }
            continue;
        }
        take(r, ACTIVATION_PROMPT, layer, x, true);
        if (row->is_audio) {
            take(r, ACTIVATION_AUDIO, layer, x, true);
        }
        if (row->is_audio || row->ends_instruction) {
            take(r, ACTIVATION_INSTRUCTION, layer, x, false);
        }
        if (row->is_choosing) {
            take(r, ACTIVATION_TEMPLATE, layer, x, false);
        }
    }
    return false;
}

/* The last layer is not computed for tokens whose logits nobody wants: of a mean over the prompt it
 * has one row only, which is none. */
static bool is_whole(const struct activation_reader *r, enum activation_position position,
                     int layer)
{
    size_t n = r->counts[index_of(r, position, layer)];
    return n > 0 &&
           (position != ACTIVATION_PROMPT || n == r->counts[index_of(r, ACTIVATION_PROMPT, 0)]);
}

void activation_reader_get(const struct activation_reader *r, enum activation_position position,
                           float *ret)
{
    for (int layer = 0; layer < r->n_layers; layer++) {
        size_t at = index_of(r, position, layer);
        bool is_there = is_whole(r, position, layer);
        for (int i = 0; i < r->n_embd; i++) {
            ret[layer * r->n_embd + i] =
                is_there
                    ? (float)(r->sums[at * (size_t)r->n_embd + (size_t)i] / (double)r->counts[at])
                    : NAN;
        }
    }
}

struct activations {
    char *path;
    int fd;
    size_t n;
    int n_layers, n_embd;
    char *model;
    off_t trials, positions[N_ACTIVATION_POSITIONS]; /* where each tensor begins */
};

static size_t row_size(const struct activations *a)
{
    return (size_t)a->n_layers * (size_t)a->n_embd * sizeof(float);
}

static json_t *tensor_json(const char *type, const json_int_t *shape, size_t n_shape, size_t begin,
                           size_t end)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n_shape; i++) {
        json_array_append_new(list, json_integer(shape[i]));
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type, "shape", list, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

/* The header's text, padded with blanks to a multiple of 8; places relative to the data. */
static char *header_of(struct activations *a)
{
    const json_int_t shape[] = {(json_int_t)a->n, a->n_layers, a->n_embd};
    size_t at = a->n * sizeof(int64_t);
    json_t *header = json_pack("{s:{s:s, s:s}}", "__metadata__", "format", "aor-activations-1",
                               "model.sha256", a->model);
    json_object_set_new(header, "trial", tensor_json("I64", shape, 1, 0, at));
    for (int p = 0; p < N_ACTIVATION_POSITIONS; p++) {
        size_t end = at + a->n * row_size(a);
        json_object_set_new(header, activation_position_names[p],
                            tensor_json("F32", shape, 3, at, end));
        a->positions[p] = (off_t)at;
        at = end;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    char *padded = xasprintf("%s%*s", text, (int)((8 - strlen(text) % 8) % 8), "");
    free(text);
    return padded;
}

static int write_at(const struct activations *a, off_t at, const void *data, size_t n,
                    struct err *err)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = pwrite(a->fd, p, n, at);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return err_errno(err, "%s", a->path);
        }
        p += k;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static int read_at(const struct activations *a, off_t at, void *data, size_t n, struct err *err)
{
    char *p = data;
    while (n > 0) {
        ssize_t k = pread(a->fd, p, n, at);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            return k < 0 ? err_errno(err, "%s", a->path)
                         : err_set(err, ERR_FORMAT, "%s: ends too early", a->path);
        }
        p += k;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

/* Safetensors: the header's length in 8 bytes, little end first, the header, the data. */
static int begin_file(struct activations *a, struct err *err)
{
    char *header = header_of(a);
    size_t n = strlen(header);
    off_t data = (off_t)(8 + n);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)((uint64_t)n >> (8 * i));
    }
    a->trials = data;
    off_t size = data;
    for (int p = 0; p < N_ACTIVATION_POSITIONS; p++) {
        a->positions[p] += data;
        size = a->positions[p] + (off_t)(a->n * row_size(a));
    }
    int ok = write_at(a, 0, length, sizeof length, err) == 0 && write_at(a, 8, header, n, err) == 0
                 ? 0
                 : -1;
    int64_t none = -1;
    for (size_t i = 0; ok == 0 && i < a->n; i++) {
        ok = write_at(a, a->trials + (off_t)(i * sizeof none), &none, sizeof none, err);
    }
    if (ok == 0 && ftruncate(a->fd, size) != 0) {
        ok = err_errno(err, "%s", a->path);
    }
    free(header);
    return ok;
}

static struct activations *new_activations(const char *path)
{
    struct activations *a = xcalloc(1, sizeof *a);
    a->path = xstrdup(path);
    a->fd = -1;
    return a;
}

/* Is a file's tensor where header_of() puts it? Then it is one of ours, and nothing overlaps. */
static int check_header(struct activations *a, const json_t *header, size_t n_header,
                        off_t file_size, struct err *err)
{
    char *wanted_text = header_of(a);
    json_t *wanted = json_loads(wanted_text, 0, NULL);
    free(wanted_text);
    bool is_same = json_equal(wanted, header) == 1;
    json_decref(wanted);
    off_t data = (off_t)(8 + n_header);
    a->trials = data;
    for (int p = 0; p < N_ACTIVATION_POSITIONS; p++) {
        a->positions[p] += data;
    }
    off_t end = a->positions[N_ACTIVATION_POSITIONS - 1] + (off_t)(a->n * row_size(a));
    return is_same && end == file_size
               ? 0
               : err_set(err, ERR_FORMAT, "%s: is no whole file of activations", a->path);
}

static int read_header(struct activations *a, struct err *err)
{
    unsigned char length[8];
    uint64_t n = 0;
    struct stat st;
    json_t *header = NULL;
    const json_t *shape;
    const char *model;
    if (fstat(a->fd, &st) != 0) {
        return err_errno(err, "%s", a->path);
    }
    if (read_at(a, 0, length, sizeof length, err) != 0) {
        return -1;
    }
    for (int i = 0; i < 8; i++) {
        n |= (uint64_t)length[i] << (8 * i);
    }
    if (n > MAX_HEADER) {
        return err_set(err, ERR_FORMAT, "%s: is no safetensors file", a->path);
    }
    char *text = xmalloc(n + 1);
    int ok = read_at(a, 8, text, n, err) == 0 ? json_parse(text, n, a->path, &header, err) : -1;
    free(text);
    if (ok != 0) {
        return -1;
    }
    shape = json_object_get(json_object_get(header, activation_position_names[0]), "shape");
    model =
        json_string_value(json_object_get(json_object_get(header, "__metadata__"), "model.sha256"));
    json_int_t size[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        size[i] = json_integer_value(json_array_get(shape, i));
    }
    if (!model || size[0] < 0 || size[0] > MAX_ROWS || size[1] < 1 || size[1] > MAX_LAYERS ||
        size[2] < 1 || size[2] > MAX_WIDTH) {
        ok = err_set(err, ERR_FORMAT, "%s: is no file of activations", a->path);
    } else {
        a->n = (size_t)size[0];
        a->n_layers = (int)size[1];
        a->n_embd = (int)size[2];
        a->model = xstrdup(model);
        ok = check_header(a, header, n, st.st_size, err);
    }
    json_decref(header);
    return ok;
}

int activations_create(const char *path, size_t n, int n_layers, int n_embd,
                       const char *model_sha256, struct activations **ret, struct err *err)
{
    struct activations *a = NULL;
    if (fs_exists(path)) {
        if (activations_open(path, &a, err) != 0) {
            return -1;
        }
        bool is_same = a->n == n && a->n_layers == n_layers && a->n_embd == n_embd &&
                       strcmp(a->model, model_sha256) == 0;
        close(a->fd);
        a->fd = is_same ? open(path, O_RDWR | O_CLOEXEC) : -1;
        if (a->fd < 0) {
            if (is_same) {
                err_errno(err, "%s", path);
            } else {
                err_set(err, ERR_USAGE, "%s: holds activations of other trials or another model",
                        path);
            }
            activations_close(a, NULL);
            return -1;
        }
        *ret = a;
        return 0;
    }
    a = new_activations(path);
    a->n = n;
    a->n_layers = n_layers;
    a->n_embd = n_embd;
    a->model = xstrdup(model_sha256);
    a->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int ok = a->fd < 0 ? err_errno(err, "%s", path) : begin_file(a, err);
    if (ok == 0) {
        *ret = a;
    } else {
        activations_close(a, NULL);
    }
    return ok;
}

int activations_open(const char *path, struct activations **ret, struct err *err)
{
    struct activations *a = new_activations(path);
    a->fd = open(path, O_RDONLY | O_CLOEXEC);
    int ok = a->fd < 0 ? err_errno(err, "%s", path) : read_header(a, err);
    if (ok == 0) {
        *ret = a;
    } else {
        activations_close(a, NULL);
    }
    return ok;
}

int activations_close(struct activations *a, struct err *err)
{
    int ok = 0;
    if (!a) {
        return 0;
    }
    if (a->fd >= 0) {
        ok = fsync(a->fd) == 0 || errno == EINVAL || errno == EROFS ? 0
                                                                    : err_errno(err, "%s", a->path);
        close(a->fd);
    }
    free(a->path);
    free(a->model);
    free(a);
    return ok;
}

size_t activations_count(const struct activations *a)
{
    return a->n;
}

int activations_n_layers(const struct activations *a)
{
    return a->n_layers;
}

int activations_n_embd(const struct activations *a)
{
    return a->n_embd;
}

const char *activations_model(const struct activations *a)
{
    return a->model;
}

int activations_trial(const struct activations *a, size_t i, int64_t *ret, struct err *err)
{
    return read_at(a, a->trials + (off_t)(i * sizeof *ret), ret, sizeof *ret, err);
}

int activations_put(struct activations *a, size_t i, int64_t trial,
                    const struct activation_reader *r, struct err *err)
{
    float *row = xmalloc(row_size(a));
    int ok = 0;
    for (int p = 0; ok == 0 && p < N_ACTIVATION_POSITIONS; p++) {
        activation_reader_get(r, (enum activation_position)p, row);
        ok = write_at(a, a->positions[p] + (off_t)(i * row_size(a)), row, row_size(a), err);
    }
    free(row);
    return ok == 0 ? write_at(a, a->trials + (off_t)(i * sizeof trial), &trial, sizeof trial, err)
                   : -1;
}

int activations_get(const struct activations *a, size_t i, enum activation_position position,
                    int layer, float *ret, struct err *err)
{
    size_t width = (size_t)a->n_embd * sizeof *ret;
    return read_at(a, a->positions[position] + (off_t)(i * row_size(a) + (size_t)layer * width),
                   ret, width, err);
}
