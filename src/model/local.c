#include "model/local.h"

#include <llama.h>
#include <math.h>
#include <mtmd-helper.h>
#include <mtmd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/text.h"
#include "model/chat.h"

struct local_model {
    struct llama_model *text;
    struct llama_context *context;
    mtmd_context *audio; /* NULL: text only */
    struct chat_template *chat;
    char description[128];
};

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

static int fail_with_log(struct err *err, const char *path, const char *what)
{
    return err_set(err, ERR_MODEL, "%s: %s%s%s", path, what, first_error[0] ? ": " : "",
                   first_error);
}

struct local_params local_default_params(void)
{
    return (struct local_params){.n_ctx = 4096, .n_gpu_layers = -1};
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

static int choose_threads(const struct llama_model *model, int wanted)
{
    if (wanted > 0) {
        return wanted;
    }
    return llama_model_n_params(model) < LOCAL_SMALL_MODEL ? 1 : pool_default_workers();
}

static int open_audio(struct local_model *m, const struct local_params *p, int n_threads,
                      struct err *err)
{
    struct mtmd_context_params mp = mtmd_context_params_default();
    mp.use_gpu = p->n_gpu_layers != 0;
    mp.print_timings = false;
    mp.n_threads = n_threads;
    mp.warmup = false;
    first_error[0] = '\0';
    m->audio = mtmd_init_from_file(p->mmproj_path, m->text, mp);
    if (!m->audio) {
        return fail_with_log(err, p->mmproj_path, "is no projector for this model");
    }
    if (!mtmd_support_audio(m->audio)) {
        return err_set(err, ERR_MODEL, "%s: has no audio encoder", p->mmproj_path);
    }
    return 0;
}

int local_open(const struct local_params *p, struct local_model **ret, struct err *err)
{
    if (local_check_file(p->text_path, err) != 0 ||
        (p->mmproj_path && local_check_file(p->mmproj_path, err) != 0)) {
        return -1;
    }
    llama_log_set(on_log, NULL);
    mtmd_helper_log_set(on_log, NULL);
    llama_backend_init();

    struct local_model *m = xcalloc(1, sizeof *m);
    int ok = -1;
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = p->n_gpu_layers;
    first_error[0] = '\0';
    m->text = llama_model_load_from_file(p->text_path, mp);
    if (!m->text) {
        fail_with_log(err, p->text_path, "does not load");
        goto out;
    }
    if (!llama_model_has_decoder(m->text)) {
        err_set(err, ERR_MODEL, "%s: is no model that generates text", p->text_path);
        goto out;
    }
    int n_ctx_train = llama_model_n_ctx_train(m->text);
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = (uint32_t)(p->n_ctx < n_ctx_train ? p->n_ctx : n_ctx_train);
    int n_threads = choose_threads(m->text, p->n_threads);
    cp.n_threads = n_threads;
    cp.n_threads_batch = n_threads;
    first_error[0] = '\0';
    m->context = llama_init_from_model(m->text, cp);
    if (!m->context) {
        fail_with_log(err, p->text_path, "gives no context");
        goto out;
    }
    if (p->mmproj_path && open_audio(m, p, n_threads, err) != 0) {
        goto out;
    }
    if (chat_template_open(m->text, p->chat_template, &m->chat, err) != 0) {
        err_wrap(err, "%s", p->text_path);
        goto out;
    }
    llama_model_desc(m->text, m->description, sizeof m->description);
    *ret = m;
    m = NULL;
    ok = 0;
out:
    local_free(m);
    return ok;
}

void local_free(struct local_model *m)
{
    if (!m) {
        return;
    }
    chat_template_free(m->chat);
    mtmd_free(m->audio);
    llama_free(m->context);
    llama_model_free(m->text);
    free(m);
}

const char *local_description(const struct local_model *m)
{
    return m->description;
}

int local_sample_rate(const struct local_model *m)
{
    return m->audio ? mtmd_get_audio_sample_rate(m->audio) : 0;
}

/*
 * The prompt as text, and where in it libmtmd's marker stands for the audio. *ret_text is the
 * caller's.
 */
static int make_text(const struct local_model *m, const struct local_prompt *p, char **ret_text,
                     char **ret_marker, struct err *err)
{
    const char *marker = mtmd_default_marker();
    const char *instruction = p->instruction ? p->instruction : "";
    if (strstr(instruction, marker) || (p->system && strstr(p->system, marker))) {
        return err_set(err, ERR_USAGE, "a prompt holds libmtmd's marker %s", marker);
    }
    char *user = p->audio_last ? xasprintf("%s%s", instruction, marker)
                               : xasprintf("%s%s", marker, instruction);
    char *text = NULL;
    int ok = chat_template_apply(m->chat, p->system, user, &text, err);
    free(user);
    if (ok != 0) {
        return -1;
    }
    char *place = strstr(text, marker);
    if (!place || strstr(place + 1, marker)) {
        free(text);
        return err_set(err, ERR_FORMAT, "chat template: does not keep the audio's place");
    }
    *ret_text = text;
    *ret_marker = place;
    return 0;
}

int local_check_prompt(const struct local_model *m, const struct local_prompt *p, struct err *err)
{
    char *text = NULL;
    char *marker = NULL;
    if (make_text(m, p, &text, &marker, err) != 0) {
        return -1;
    }
    free(text);
    return 0;
}

static int make_chunks(struct local_model *m, const struct local_prompt *p, mtmd_input_chunks **ret,
                       struct err *err)
{
    char *text = NULL;
    char *marker = NULL;
    if (make_text(m, p, &text, &marker, err) != 0) {
        return -1;
    }
    const char *after = marker + strlen(mtmd_default_marker());
    mtmd_bitmap *sound = mtmd_bitmap_init_from_audio(p->audio->n_frames, p->audio->pcm);
    mtmd_input_chunks *chunks = mtmd_input_chunks_init();
    struct mtmd_input_text before_text = {text, (size_t)(marker - text), false, true};
    struct mtmd_input_text after_text = {after, strlen(after), false, true};
    struct mtmd_input_part parts[] = {{&before_text, NULL}, {NULL, sound}, {&after_text, NULL}};
    const struct mtmd_input_part *list[] = {&parts[0], &parts[1], &parts[2]};
    int ok = 0;
    first_error[0] = '\0';
    if (mtmd_tokenize_from_parts(m->audio, chunks, list, 3, true) == 0) {
        *ret = chunks;
        chunks = NULL;
    } else {
        ok = fail_with_log(err, "libmtmd", "takes no such audio");
    }
    mtmd_input_chunks_free(chunks);
    mtmd_bitmap_free(sound);
    free(text);
    return ok;
}

static int prefill_chunks(struct local_model *m, const mtmd_input_chunks *chunks,
                          llama_pos *ret_n_past, struct err *err)
{
    uint32_t n_ctx = llama_n_ctx(m->context);
    size_t n_tokens = mtmd_helper_get_n_tokens(chunks);
    if (n_tokens + 1 > n_ctx) {
        return err_set(err, ERR_MODEL, "context: the prompt has %zu tokens, the context %u",
                       n_tokens, n_ctx);
    }
    llama_memory_clear(llama_get_memory(m->context), true);
    first_error[0] = '\0';
    if (mtmd_helper_eval_chunks(m->audio, m->context, chunks, 0, 0,
                                (int32_t)llama_n_batch(m->context), true, ret_n_past) != 0) {
        return fail_with_log(err, "libmtmd", "cannot evaluate the prompt");
    }
    return 0;
}

static llama_token most_likely(const float *logits, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++) {
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    return best;
}

static void add_piece(struct buf *text, const struct llama_vocab *vocab, llama_token token)
{
    char piece[256];
    int n = llama_token_to_piece(vocab, token, piece, sizeof piece, 0, false);
    if (n >= 0) {
        buf_add(text, piece, (size_t)n);
        return;
    }
    char *longer = xmalloc((size_t)-n);
    n = llama_token_to_piece(vocab, token, longer, -n, 0, false);
    buf_add(text, longer, n > 0 ? (size_t)n : 0);
    free(longer);
}

int local_answer(struct local_model *m, const struct local_prompt *p, int max_tokens,
                 struct local_answer *ret, struct err *err)
{
    if (!p->audio || !m->audio) {
        return err_set(err, ERR_USAGE, "this model hears nothing: it needs an mmproj file");
    }
    int ok = -1;
    struct buf text = {0};
    struct local_answer a = {.finish = LOCAL_FINISH_LENGTH};
    mtmd_input_chunks *chunks = NULL;
    llama_pos n_past = 0;
    double started = clock_s();
    if (make_chunks(m, p, &chunks, err) != 0 || prefill_chunks(m, chunks, &n_past, err) != 0) {
        goto out;
    }
    double prefilled = clock_s();
    a.n_prompt_tokens = n_past;
    const struct llama_vocab *vocab = llama_model_get_vocab(m->text);
    int n_vocab = llama_vocab_n_tokens(vocab);
    for (; a.n_answer_tokens < max_tokens; n_past++) {
        const float *logits = llama_get_logits_ith(m->context, -1);
        llama_token token = most_likely(logits, n_vocab);
        if (!isfinite(logits[token])) {
            err_set(err, ERR_MODEL, "the model's logits are not finite");
            goto out;
        }
        if (llama_vocab_is_eog(vocab, token)) {
            a.finish = LOCAL_FINISH_STOP;
            break;
        }
        add_piece(&text, vocab, token);
        a.n_answer_tokens++;
        if ((uint32_t)n_past + 1 > llama_n_ctx(m->context)) {
            a.finish = LOCAL_FINISH_CONTEXT;
            break;
        }
        if (a.n_answer_tokens == max_tokens) {
            break;
        }
        first_error[0] = '\0';
        if (llama_decode(m->context, llama_batch_get_one(&token, 1)) != 0) {
            fail_with_log(err, "libllama", "cannot decode a token");
            goto out;
        }
    }
    a.prefill_s = prefilled - started;
    a.decode_s = clock_s() - prefilled;
    a.text = text_to_utf8(text.data ? text.data : "", text.len);
    *ret = a;
    ok = 0;
out:
    mtmd_input_chunks_free(chunks);
    buf_release(&text);
    return ok;
}

void local_answer_release(struct local_answer *a)
{
    free(a->text);
    *a = (struct local_answer){0};
}
