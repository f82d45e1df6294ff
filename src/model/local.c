#include "model/local.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <mtmd-helper.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/chat.h"
#include "model/direction.h"
#include "model/local_parts.h"

/* The first error line since it was cleared: the library's own reason for a failure. */
static char first_error[300];

static void on_log(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR && first_error[0] == '\0') {
        snprintf(first_error, sizeof first_error, "%s", text);
        first_error[strcspn(first_error, "\n")] = '\0';
    }
}

void local_clear_error(void)
{
    first_error[0] = '\0';
}

int local_fail(struct err *err, const char *where, const char *what)
{
    return err_set(err, ERR_MODEL, "%s: %s%s%s", where, what, first_error[0] ? ": " : "",
                   first_error);
}

struct local_params local_default_params(void)
{
    return (struct local_params){.n_ctx = 2048, .n_gpu_layers = -1, .strength = NAN};
}

const char *local_library_version(void)
{
    return llama_version();
}

const char *local_cpu_features(void)
{
    return llama_print_system_info();
}

void local_on_abort(void (*callback)(const char *message))
{
    ggml_set_abort_callback(callback);
    chat_on_exception(callback);
}

int local_check_file(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return err_errno(err, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_FORMAT, "%s: is no regular file", path);
    }
    FILE *f = fopen(path, "rb");
    if (!f) {
        return err_errno(err, "%s", path);
    }
    char magic[4] = {0};
    size_t n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    if (n != sizeof magic || memcmp(magic, "GGUF", sizeof magic) != 0) {
        return err_set(err, ERR_FORMAT, "%s: is no GGUF file", path);
    }
    return 0;
}

/* As many sequences as LOCAL_CACHE_BYTES of keys and values hold, by the model's own sizes. */
static int fitting_parallel(const struct local_model *m)
{
    double width = (double)llama_model_n_embd(m->text) / llama_model_n_head(m->text) *
                   llama_model_n_head_kv(m->text);
    double bytes = 2.0 * sizeof(uint16_t) * width * llama_model_n_layer(m->text) * m->n_ctx;
    double n = bytes > 0 ? LOCAL_CACHE_BYTES / bytes - 2 : 16; /* head and base are two more */
    return n < 1 ? 1 : n > 16 ? 16 : (int)n;
}

static int open_audio(struct local_model *m, const struct local_params *p, struct err *err)
{
    struct mtmd_context_params mp = mtmd_context_params_default();
    mp.use_gpu = p->n_gpu_layers != 0;
    mp.print_timings = false;
    mp.n_threads = m->n_threads;
    mp.warmup = false;
    if (!m->on_gpu) { /* as the language model: see batch.c */
        mp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    }
    local_clear_error();
    m->audio = mtmd_init_from_file(p->mmproj_path, m->text, mp);
    if (!m->audio) {
        return local_fail(err, p->mmproj_path, "is no projector for this model");
    }
    if (!mtmd_support_audio(m->audio)) {
        return err_set(err, ERR_MODEL, "%s: has no audio encoder", p->mmproj_path);
    }
    return 0;
}

static void release(struct local_model *m);
static const struct model_class local_class;

/* llama.cpp's words, with a size where it knows none ("llama ?B F16"), then the file's own. */
static void describe(struct local_model *m)
{
    char words[128], own[MODEL_MAX_DESCRIPTION];
    llama_model_desc(m->text, words, sizeof words);
    const char *unknown = strstr(words, "?B");
    if (unknown) {
        snprintf(m->description, sizeof m->description, "%.*s%.1fM%s", (int)(unknown - words),
                 words, (double)llama_model_n_params(m->text) / 1e6, unknown + 2);
    } else {
        snprintf(m->description, sizeof m->description, "%s", words);
    }
    size_t n = strlen(m->description);
    if (llama_model_meta_val_str(m->text, "general.description", own, sizeof own) > 0) {
        snprintf(m->description + n, sizeof m->description - n, ". %s", own);
    }
    for (char *at = m->description; *at != '\0'; at++) {
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
    }
}

static int load_direction(struct local_model *m, const struct local_params *p, struct err *err)
{
    struct steering s;
    if (direction_load(p->direction_path, llama_model_n_embd(m->text), llama_model_n_layer(m->text),
                       p->strength, &s, err) != 0) {
        return -1;
    }
    int ok = local_set_steerings(&m->base, &s, 1, err);
    steering_release(&s);
    return ok;
}

int local_open(const struct local_params *p, struct model **ret, struct err *err)
{
    if (local_check_file(p->text_path, err) != 0 ||
        (p->mmproj_path && local_check_file(p->mmproj_path, err) != 0)) {
        return -1;
    }
    llama_log_set(on_log, NULL);
    mtmd_helper_log_set(on_log, NULL);
    llama_backend_init();

    struct local_model *m = xcalloc(1, sizeof *m);
    m->base.class = &local_class;
    int ok = -1;
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = p->n_gpu_layers;
    local_clear_error();
    m->text = llama_model_load_from_file(p->text_path, mp);
    if (!m->text) {
        local_fail(err, p->text_path, "does not load");
        goto out;
    }
    if (!llama_model_has_decoder(m->text) || llama_model_has_encoder(m->text)) {
        err_set(err, ERR_MODEL, "%s: is no decoder-only model that generates text", p->text_path);
        goto out;
    }
    m->vocab = llama_model_get_vocab(m->text);
    int n_ctx_train = llama_model_n_ctx_train(m->text);
    m->n_ctx = p->n_ctx < n_ctx_train ? p->n_ctx : n_ctx_train;
    bool is_small = llama_model_n_params(m->text) < LOCAL_SMALL_MODEL;
    m->n_threads = p->n_threads > 0 ? p->n_threads : is_small ? 1 : pool_default_workers();
    m->n_parallel = p->n_parallel > 0 ? p->n_parallel
                    : !p->is_fast     ? 1
                    : is_small        ? 4
                                      : fitting_parallel(m);
    m->on_gpu = p->n_gpu_layers != 0 && llama_supports_gpu_offload();
    describe(m);
    if (p->direction_path && load_direction(m, p, err) != 0) {
        goto out;
    }
    if (chat_template_open(m->text, p->chat_template, &m->chat, err) != 0) {
        err_wrap(err, "%s", p->text_path);
        goto out;
    }
    if (batch_open(m, p, &m->batch, err) != 0 || (p->mmproj_path && open_audio(m, p, err) != 0)) {
        goto out;
    }
    *ret = &m->base;
    m = NULL;
    ok = 0;
out:
    release(m);
    return ok;
}

static void rendered_release(struct rendered *r)
{
    free(r->system);
    free(r->instruction);
    free(r->text);
    free(r->head.ids);
    free(r->tail.ids);
    *r = (struct rendered){0};
}

static void free_steerings(struct local_model *m)
{
    for (size_t i = 0; i < m->n_steerings; i++) {
        steering_release(&m->steerings[i]);
    }
    free(m->steerings);
    free(m->has_layer);
    m->steerings = NULL;
    m->has_layer = NULL;
    m->n_steerings = 0;
}

static void release(struct local_model *m)
{
    if (!m) {
        return;
    }
    batch_free(m->batch);
    for (size_t i = 0; i < MAX_RENDERED; i++) {
        rendered_release(&m->rendered[i]);
    }
    m->held_media.is_held = false;
    media_release(&m->held_media);
    chat_template_free(m->chat);
    mtmd_free(m->audio);
    llama_model_free(m->text);
    free_steerings(m);
    free(m);
}

bool tokens_begin(const struct tokens *t, const struct tokens *start)
{
    return start->n <= t->n &&
           (start->n == 0 || memcmp(t->ids, start->ids, start->n * sizeof *t->ids) == 0);
}

void media_release(struct media *m)
{
    if (m->is_held) {
        *m = (struct media){0};
        return;
    }
    for (size_t i = m->first; m->embd && i < m->end; i++) {
        free(m->embd[i - m->first]);
    }
    free(m->embd);
    mtmd_input_chunks_free(m->chunks);
    *m = (struct media){0};
}

void asked_release(struct asked *a)
{
    free(a->head.ids);
    free(a->tail.ids);
    *a = (struct asked){0};
}

static int render(const struct local_model *m, const char *system, const char *instruction,
                  bool audio_last, struct rendered *ret, struct err *err)
{
    const char *marker = mtmd_default_marker();
    if (strstr(instruction, marker) || (system && strstr(system, marker))) {
        return err_set(err, ERR_USAGE, "a prompt holds libmtmd's marker %s", marker);
    }
    char *user = audio_last ? xasprintf("%s%s", instruction, marker)
                            : xasprintf("%s%s", marker, instruction);
    char *text = NULL;
    int ok = chat_template_apply(m->chat, system, user, &text, err);
    free(user);
    if (ok != 0) {
        return -1;
    }
    char *place = strstr(text, marker);
    if (!place || strstr(place + 1, marker)) {
        free(text);
        return err_set(err, ERR_FORMAT, "chat template: does not keep the audio's place");
    }
    *ret = (struct rendered){.system = system ? xstrdup(system) : NULL,
                             .instruction = xstrdup(instruction),
                             .audio_last = audio_last,
                             .text = text,
                             .marker = (size_t)(place - text)};
    return 0;
}

/* The question's prompt as text; borrowed until the next call. */
static struct rendered *find_rendered(struct local_model *m, const struct model_question *q,
                                      struct err *err)
{
    const char *system = q->system && q->system[0] ? q->system : NULL;
    const char *instruction = q->instruction ? q->instruction : "";
    for (size_t i = 0; i < m->n_rendered && i < MAX_RENDERED; i++) {
        struct rendered *r = &m->rendered[i];
        if (r->audio_last == q->audio_last && strcmp(r->instruction, instruction) == 0 &&
            (system ? r->system && strcmp(r->system, system) == 0 : !r->system)) {
            return r;
        }
    }
    struct rendered made;
    if (render(m, system, instruction, q->audio_last, &made, err) != 0) {
        return NULL;
    }
    struct rendered *place = &m->rendered[m->n_rendered++ % MAX_RENDERED];
    rendered_release(place);
    *place = made;
    return place;
}

static const char *text_after(const struct rendered *r)
{
    return r->text + r->marker + strlen(mtmd_default_marker());
}

static int check_question(struct model *model, const struct model_question *q, struct err *err)
{
    struct local_model *m = (struct local_model *)model;
    const struct rendered *r = find_rendered(m, q, err);
    if (r && text_after(r)[0] == '\0') {
        return err_set(err, ERR_FORMAT, "chat template: ends with the audio");
    }
    return r ? 0 : -1;
}

/*
 * How many tokens hold the first n_bytes of what t says; 0 bytes: 0. Pieces are taken as they are
 * written, so that a tokenizer that adds blanks may be off by them.
 */
static size_t count_tokens(const struct local_model *m, const struct tokens *t, size_t n_bytes)
{
    char piece[256];
    size_t n_seen = 0;
    size_t i = 0;
    for (; i < t->n && n_seen < n_bytes; i++) {
        int n = llama_token_to_piece(m->vocab, t->ids[i], piece, sizeof piece, 0, true);
        n_seen += (size_t)(n < 0 ? -n : n);
    }
    return i;
}

static void add_tokens(struct tokens *t, const llama_token *ids, size_t n)
{
    if (n > 0) {
        t->ids = xrealloc(t->ids, (t->n + n) * sizeof *t->ids);
        memcpy(t->ids + t->n, ids, n * sizeof *ids);
        t->n += n;
    }
}

static struct tokens tokenise_text(const struct local_model *m, const char *text, size_t len)
{
    int32_t n = llama_tokenize(m->vocab, text, (int32_t)len, NULL, 0, true, true);
    struct tokens t = {0};
    if (n < 0) {
        t.ids = xmalloc((size_t)-n * sizeof *t.ids);
        n = llama_tokenize(m->vocab, text, (int32_t)len, t.ids, -n, true, true);
        t.n = n > 0 ? (size_t)n : 0;
    }
    return t;
}

/* What is before the marker is shared by all texts, where it is a beginning of the whole's tokens.
 */
static int tokenise_question(const struct local_model *m, const char *question,
                             const struct rendered *r, struct asked *ret, struct err *err)
{
    char *whole = xasprintf("%.*s%s%s", (int)r->marker, r->text, question, text_after(r));
    struct tokens head = tokenise_text(m, r->text, r->marker);
    struct tokens all = tokenise_text(m, whole, strlen(whole));
    free(whole);
    if (head.n == all.n || !tokens_begin(&all, &head)) {
        head.n = 0;
    }
    size_t n_before = head.n > 0 ? 0 : r->marker;
    ret->head = head;
    add_tokens(&ret->tail, all.ids + head.n, all.n - head.n);
    ret->n_instruction = count_tokens(
        m, &ret->tail, n_before + strlen(question) + (r->audio_last ? 0 : strlen(r->instruction)));
    free(all.ids);
    return ret->tail.n > 0 ? 0 : err_set(err, ERR_MODEL, "the prompt has no token");
}

/* Chunks of the prompt around an audio, whose mel spectrogram is made; NULL where libmtmd fails. */
static mtmd_input_chunks *make_chunks(const struct local_model *m, const struct rendered *r,
                                      const struct audio *audio)
{
    const char *after = text_after(r);
    mtmd_bitmap *sound = mtmd_bitmap_init_from_audio(audio->n_frames, audio->pcm);
    mtmd_input_chunks *chunks = mtmd_input_chunks_init();
    struct mtmd_input_text before_text = {r->text, r->marker, false, true};
    struct mtmd_input_text after_text = {after, strlen(after), false, true};
    struct mtmd_input_part parts[] = {{&before_text, NULL}, {NULL, sound}, {&after_text, NULL}};
    const struct mtmd_input_part *list[] = {&parts[0], &parts[1], &parts[2]};
    local_clear_error();
    if (mtmd_tokenize_from_parts(m->audio, chunks, list, 3, true) != 0) {
        mtmd_input_chunks_free(chunks);
        chunks = NULL;
    }
    mtmd_bitmap_free(sound);
    return chunks;
}

static bool is_text(const mtmd_input_chunk *chunk)
{
    return mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT;
}

/* The first and the one after the last chunk that is no text; false: there is none. */
static bool find_middle(const mtmd_input_chunks *chunks, size_t *ret_first, size_t *ret_end)
{
    size_t n = mtmd_input_chunks_size(chunks);
    size_t first = 0, end = n;
    while (first < n && is_text(mtmd_input_chunks_get(chunks, first))) {
        first++;
    }
    while (end > first && is_text(mtmd_input_chunks_get(chunks, end - 1))) {
        end--;
    }
    *ret_first = first;
    *ret_end = end;
    return first < end;
}

static void add_text_chunks(struct tokens *t, const mtmd_input_chunks *chunks, size_t from,
                            size_t to)
{
    for (size_t i = from; i < to; i++) {
        size_t n;
        const llama_token *ids =
            mtmd_input_chunk_get_tokens_text(mtmd_input_chunks_get(chunks, i), &n);
        add_tokens(t, ids, n);
    }
}

/* Encode the middle of chunks, which it takes over. */
static int encode(const struct local_model *m, mtmd_input_chunks *chunks, struct media *ret,
                  struct err *err)
{
    struct media media = {.chunks = chunks};
    find_middle(chunks, &media.first, &media.end);
    size_t width = (size_t)llama_model_n_embd_inp(m->text);
    media.embd = xcalloc(media.end - media.first, sizeof *media.embd);
    for (size_t i = media.first; i < media.end; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(chunks, i);
        size_t n = mtmd_input_chunk_get_n_tokens(chunk);
        media.n_tokens += n;
        if (is_text(chunk)) {
            continue;
        }
        local_clear_error();
        if (mtmd_encode_chunk(m->audio, chunk) != 0) {
            media_release(&media);
            return local_fail(err, "libmtmd", "cannot encode this audio");
        }
        size_t size = n * width * sizeof(float);
        media.embd[i - media.first] = xmalloc(size);
        memcpy(media.embd[i - media.first], mtmd_get_output_embd(m->audio), size);
    }
    *ret = media;
    return 0;
}

/*
 * What stands before and after an audio does not depend on it: it is tokenised with the first audio
 * that is asked about so, and later groups make a spectrogram for their first question only.
 */
static int tokenise_around(const struct local_model *m, struct rendered *r,
                           const struct audio *audio, struct media *media, struct asked *ret,
                           struct err *err)
{
    if (!media->chunks && audio == m->held) {
        *media = m->held_media;
        media->is_held = true;
    }
    if (!media->chunks || !r->has_tokens) {
        size_t first, end;
        mtmd_input_chunks *chunks = make_chunks(m, r, audio);
        if (!chunks || !find_middle(chunks, &first, &end)) {
            mtmd_input_chunks_free(chunks);
            return local_fail(err, "libmtmd", "takes no such audio");
        }
        if (!r->has_tokens) {
            add_text_chunks(&r->head, chunks, 0, first);
            add_text_chunks(&r->tail, chunks, end, mtmd_input_chunks_size(chunks));
            r->n_instruction =
                r->audio_last ? 0 : count_tokens(m, &r->tail, strlen(r->instruction));
            r->has_tokens = true;
        }
        if (media->chunks) {
            mtmd_input_chunks_free(chunks);
        } else if (encode(m, chunks, media, err) != 0) {
            return -1;
        }
    }
    add_tokens(&ret->head, r->head.ids, r->head.n);
    add_tokens(&ret->tail, r->tail.ids, r->tail.n);
    ret->n_instruction = r->n_instruction;
    return ret->tail.n > 0 ? 0 : err_set(err, ERR_MODEL, "nothing stands after the audio");
}

int local_tokenise(struct local_model *m, const struct model_question *q, const struct audio *audio,
                   struct media *media, struct asked *ret, struct err *err)
{
    struct asked a = {.id = q->id,
                      .steering = q->steering,
                      .max_tokens = q->max_tokens,
                      .temperature = (float)q->temperature,
                      .seed = q->seed};
    struct rendered *r = find_rendered(m, q, err);
    if (!r) {
        return -1;
    }
    if ((audio ? tokenise_around(m, r, audio, media, &a, err)
               : tokenise_question(m, q->text, r, &a, err)) != 0) {
        asked_release(&a);
        return -1;
    }
    *ret = a;
    return 0;
}

void local_shape(const struct model *model, int *ret_n_layers, int *ret_n_embd)
{
    const struct local_model *m = (const struct local_model *)model;
    *ret_n_layers = llama_model_n_layer(m->text);
    *ret_n_embd = llama_model_n_embd(m->text);
}

int local_set_steerings(struct model *model, const struct steering *list, size_t n, struct err *err)
{
    struct local_model *m = (struct local_model *)model;
    int n_layers = llama_model_n_layer(m->text);
    if (m->batch && batch_n_pending(m) > 0) {
        return err_set(err, ERR_USAGE, "another steering while a question is pending");
    }
    for (size_t i = 0; i < n; i++) {
        if (list[i].n_layers != n_layers || list[i].n_embd != llama_model_n_embd(m->text)) {
            return err_set(err, ERR_USAGE, "a steering of another model's shape");
        }
    }
    free_steerings(m);
    m->steerings = xcalloc(n + 1, sizeof *m->steerings);
    m->has_layer = xcalloc((n + 1) * (size_t)n_layers, sizeof *m->has_layer);
    for (; m->n_steerings < n; m->n_steerings++) {
        size_t k = m->n_steerings;
        m->steerings[k] = steering_copy(&list[k]);
        for (int layer = 0; layer < n_layers; layer++) {
            m->has_layer[k * (size_t)n_layers + (size_t)layer] =
                steering_has_layer(&list[k], layer);
        }
    }
    if (m->batch) {
        batch_forget_steerings(m->batch);
    }
    return 0;
}

int local_hold_audio(struct model *model, const struct audio *audio, struct err *err)
{
    struct local_model *m = (struct local_model *)model;
    struct model_question any = {.system = NULL, .instruction = ""};
    struct asked asked = {0};
    struct media media = {0};
    if (batch_n_pending(m) > 0) {
        return err_set(err, ERR_USAGE, "another sound while a question is pending");
    }
    m->held = NULL;
    m->held_media.is_held = false;
    media_release(&m->held_media);
    if (!audio) {
        return 0;
    }
    if (!m->audio) {
        return err_set(err, ERR_USAGE, "this model hears nothing: it needs an mmproj file");
    }
    if (local_tokenise(m, &any, audio, &media, &asked, err) != 0) {
        return -1;
    }
    asked_release(&asked);
    m->held_media = media;
    m->held = audio;
    return 0;
}

void local_add_piece(const struct local_model *m, llama_token token, struct buf *text)
{
    char piece[256];
    int n = llama_token_to_piece(m->vocab, token, piece, sizeof piece, 0, false);
    if (n >= 0) {
        buf_add(text, piece, (size_t)n);
        return;
    }
    char *longer = xmalloc((size_t)-n);
    n = llama_token_to_piece(m->vocab, token, longer, -n, 0, false);
    buf_add(text, longer, n > 0 ? (size_t)n : 0);
    free(longer);
}

static const struct local_model *local_of(const struct model *m)
{
    return (const struct local_model *)m;
}

static const char *description(const struct model *m)
{
    return local_of(m)->description;
}

static struct model_facts facts(const struct model *model)
{
    const struct local_model *m = local_of(model);
    return (struct model_facts){
        .n_params = llama_model_n_params(m->text),
        .n_threads = m->n_threads,
        .n_parallel = m->n_parallel,
        .is_plain = batch_is_plain(m->batch),
        .sample_rate = m->audio ? mtmd_get_audio_sample_rate(m->audio) : 0,
    };
}

static bool has_room(const struct model *m)
{
    return batch_has_room(local_of(m));
}

static size_t n_pending(const struct model *m)
{
    return batch_n_pending(local_of(m));
}

static int submit(struct model *m, const struct audio *audio, const struct model_question *q,
                  size_t n, struct err *err)
{
    return batch_submit((struct local_model *)m, audio, q, n, err);
}

static int step(struct model *m, int wake_fd, model_done_fn done, void *user, struct err *err)
{
    (void)wake_fd; /* it never waits */
    return batch_step((struct local_model *)m, done, user, err);
}

static void free_model(struct model *m)
{
    release((struct local_model *)m);
}

static const struct model_class local_class = {
    .description = description,
    .facts = facts,
    .check = check_question,
    .has_room = has_room,
    .n_pending = n_pending,
    .submit = submit,
    .step = step,
    .free = free_model,
};
