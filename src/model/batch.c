/* The sequences behind local.h: prefixes are copied, questions decoded together. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>
#include <mtmd-helper.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/local_parts.h"

#define HEAD_SEQ 0 /* holds the prompts' head; seat i is sequence i + 1 */

/* Rows of one decoding step: not more than a physical batch, so that a hook sees all in one. */
#define MAX_ROWS 512

/* A second, exact answer to compare with. */
struct expected {
    llama_token *ids; /* [n], owned */
    float *leads;     /* [n], of each token's logit over the next; owned */
    size_t n;
};

struct seat {
    bool is_taken;   /* the sequence holds something */
    bool is_running; /* a question's */
    int steering;    /* of its rows; 0: none, or llama.cpp does it */
    int64_t id;
    llama_token token; /* chosen last: the next to be evaluated */
    llama_pos n_past;
    int n_answer_tokens, max_tokens;
    int n_prompt_tokens;
    struct llama_sampler *sampler; /* NULL: greedy */
    struct buf text;
    double prefill_s, started;
    float margin;
    struct expected expected;
    bool is_checked, differs;
    float check_margin;
};

struct group {
    struct media media;
    struct asked *asked; /* [n], owned */
    size_t n, next;
    double encode_s;
    int base; /* seat that holds head and media for asked[next]; -1: none yet */
    llama_pos n_base;
    double prefill_s; /* of the base, until a question takes it over */
};

struct batch {
    const struct local_model *model;
    struct llama_context *context;
    llama_memory_t memory;
    struct llama_batch rows;
    struct local_row *row_facts; /* [MAX_ROWS] */
    llama_pos media_start;       /* of the chunk that libmtmd decodes, */
    size_t n_rows_before;        /* and the rows of it that are done */
    struct tokens head;          /* what HEAD_SEQ holds */
    struct seat *seats;
    int n_seats, n_parallel, n_running;
    struct group group; /* .asked NULL: none waits */
    bool is_plain, is_fast;
    int control_vector; /* the steering that llama.cpp does; 0: none; -1: one that is no more */
    int steering;       /* of the rows of the prompt that is evaluated */
    const struct steering *condition; /* whose is looked at meanwhile; NULL: none */
    double projection; /* of the prompt evaluated last, by the condition's vector; NAN: none */
    bool has_layers;   /* the graph names its layers' outputs as the hook knows them */
    bool is_lost;      /* an output that was to be steered is not as the hook knows them */
    bool is_checking;  /* the checker is at work */
    struct llama_context *checker; /* fast mode: one sequence, for second answers */
    size_t n_admitted;
    int64_t evaluated;         /* the question whose tail is; -1: what several share */
    llama_pos instruction_end; /* of it; -1: not in what is evaluated */
    local_residual_fn on_residual;
    void *residual_user;
    float *residual; /* [MAX_ROWS * n_embd] */
    struct local_row *residual_rows;
};

static llama_seq_id seq_of(int seat)
{
    return seat + 1;
}

/* The greatest logit, and its lead over the next. */
static llama_token most_likely(const float *logits, int n, float *ret_lead)
{
    int best = 0;
    float second = -INFINITY;
    for (int i = 1; i < n; i++) {
        if (logits[i] > logits[best]) {
            second = logits[best];
            best = i;
        } else if (logits[i] > second) {
            second = logits[i];
        }
    }
    *ret_lead = logits[best] - second;
    return best;
}

static void add_row(struct batch *b, llama_token token, llama_pos pos, llama_seq_id seq,
                    bool wants_logits, struct local_row facts)
{
    int i = b->rows.n_tokens++;
    b->rows.token[i] = token;
    b->rows.pos[i] = pos;
    b->rows.n_seq_id[i] = 1;
    b->rows.seq_id[i][0] = seq;
    b->rows.logits[i] = wants_logits;
    b->row_facts[i] = facts;
}

static struct local_row of_answer(int64_t id, llama_pos pos, int steering)
{
    return (struct local_row){
        .id = id, .position = pos, .is_generated = true, .is_choosing = true, .steering = steering};
}

/* Was all steered that was to be? Otherwise an answer would be called steered that is not. */
static int check_hook(const struct batch *b, struct err *err)
{
    return b->is_lost ? err_set(err, ERR_MODEL,
                                "a layer's output cannot be steered in a model of this kind")
                      : 0;
}

static int decode_rows(struct batch *b, struct llama_context *context, struct err *err)
{
    local_clear_error();
    b->n_rows_before = 0;
    if (llama_decode(context, b->rows) != 0) {
        return local_fail(err, "libllama", "cannot decode");
    }
    return check_hook(b, err);
}

/* Evaluate tokens in one sequence, from *n_past on. */
static int decode_tokens(struct batch *b, struct llama_context *context, llama_seq_id seq,
                         const struct tokens *t, bool wants_logits, llama_pos *n_past,
                         struct err *err)
{
    for (size_t i = 0; i < t->n;) {
        b->rows.n_tokens = 0;
        for (; i < t->n && b->rows.n_tokens < MAX_ROWS; i++) {
            add_row(b, t->ids[i], *n_past, seq, wants_logits && i + 1 == t->n,
                    (struct local_row){.id = b->evaluated,
                                       .position = *n_past,
                                       .is_choosing = wants_logits && i + 1 == t->n,
                                       .ends_instruction = *n_past == b->instruction_end,
                                       .steering = b->steering});
            (*n_past)++;
        }
        if (decode_rows(b, context, err) != 0) {
            return -1;
        }
    }
    return 0;
}

static int32_t after_audio_rows(struct llama_batch rows, void *user)
{
    struct batch *b = user;
    b->n_rows_before += (size_t)rows.n_tokens;
    return 0;
}

static int decode_media(struct batch *b, struct llama_context *context, llama_seq_id seq,
                        const struct media *media, llama_pos *n_past, struct err *err)
{
    for (size_t i = media->first; i < media->end; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(media->chunks, i);
        float *embd = media->embd[i - media->first];
        if (!embd) {
            struct tokens t = {0};
            t.ids = (llama_token *)mtmd_input_chunk_get_tokens_text(chunk, &t.n);
            if (decode_tokens(b, context, seq, &t, false, n_past, err) != 0) {
                return -1;
            }
            continue;
        }
        b->rows.n_tokens = 0; /* they are libmtmd's */
        b->n_rows_before = 0;
        b->media_start = *n_past;
        local_clear_error();
        llama_pos after = *n_past;
        if (mtmd_helper_decode_image_chunk(b->model->audio, context, chunk, embd, *n_past, seq,
                                           MAX_ROWS, &after, after_audio_rows, b) != 0) {
            return local_fail(err, "libmtmd", "cannot evaluate the audio");
        }
        *n_past = after;
    }
    return check_hook(b, err);
}

static void clear_seq(struct batch *b, llama_seq_id seq)
{
    llama_memory_seq_rm(b->memory, seq, -1, -1);
}

static void copy_seq(struct batch *b, llama_seq_id from, llama_seq_id to)
{
    llama_memory_seq_cp(b->memory, from, to, -1, -1);
}

/* HEAD_SEQ gets the head's tokens, unless it has them. */
static int load_head(struct batch *b, const struct tokens *head, struct err *err)
{
    if (b->head.n == head->n && tokens_begin(&b->head, head)) {
        return 0;
    }
    b->head.n = 0;
    clear_seq(b, HEAD_SEQ);
    llama_pos n_past = 0;
    if (decode_tokens(b, b->context, HEAD_SEQ, head, false, &n_past, err) != 0) {
        return -1;
    }
    b->head.ids = xrealloc(b->head.ids, head->n * sizeof *head->ids);
    memcpy(b->head.ids, head->ids, head->n * sizeof *head->ids);
    b->head.n = head->n;
    return 0;
}

static int free_seat(const struct batch *b)
{
    int i = 0;
    while (b->seats[i].is_taken) {
        i++; /* there is one more than questions that run */
    }
    return i;
}

static void leave_seat(struct batch *b, int seat)
{
    struct seat *s = &b->seats[seat];
    if (s->is_running) {
        b->n_running--;
    }
    clear_seq(b, seq_of(seat));
    llama_sampler_free(s->sampler);
    buf_release(&s->text);
    free(s->expected.ids);
    free(s->expected.leads);
    *s = (struct seat){0};
}

/* What is done by rows for questions of this steering; NULL: nothing, or llama.cpp does it. */
static const struct steering *steering_of(const struct batch *b, int steering)
{
    return steering > 0 && steering != b->control_vector ? &b->model->steerings[steering - 1]
                                                         : NULL;
}

/* Of the rows of their head and media. */
static int prompt_steering(const struct batch *b, int steering)
{
    const struct steering *s = steering_of(b, steering);
    return s && steering_changes_prompts(s) ? steering : 0;
}

/* Have two questions of a group the same before their tails? */
static bool same_base(const struct batch *batch, const struct asked *a, const struct asked *b)
{
    return prompt_steering(batch, a->steering) == prompt_steering(batch, b->steering) &&
           a->head.n == b->head.n && tokens_begin(&a->head, &b->head);
}

/* A seat with the head and the media of the group's next question. */
static int make_base(struct batch *b, struct group *g, struct err *err)
{
    const struct asked *a = &g->asked[g->next];
    double started = clock_s();
    int seat = free_seat(b);
    llama_pos n_past = 0;
    b->seats[seat].is_taken = true;
    b->steering = prompt_steering(b, a->steering);
    if (b->is_plain || a->head.n == 0 || b->steering > 0) {
        if (decode_tokens(b, b->context, seq_of(seat), &a->head, false, &n_past, err) != 0) {
            return -1;
        }
    } else {
        if (load_head(b, &a->head, err) != 0) {
            return -1;
        }
        copy_seq(b, HEAD_SEQ, seq_of(seat));
        n_past = (llama_pos)a->head.n;
    }
    if (decode_media(b, b->context, seq_of(seat), &g->media, &n_past, err) != 0) {
        return -1;
    }
    b->steering = 0;
    g->base = seat;
    g->n_base = n_past;
    g->prefill_s += clock_s() - started;
    return 0;
}

/*
 * The question's tail, in a sequence that has head and media in its first *n_past places. With a
 * condition that holds, the whole prompt once more, steered. ret_steering: of the answer's rows.
 */
static int decode_tail(struct batch *b, struct llama_context *c, llama_seq_id seq,
                       const struct media *media, const struct asked *a, llama_pos *n_past,
                       int *ret_steering, struct err *err)
{
    const struct steering *s = steering_of(b, a->steering);
    bool is_conditional = s && s->condition.vector;
    b->condition = is_conditional ? s : NULL;
    b->projection = NAN;
    b->has_layers = false;
    b->steering = s && !is_conditional ? a->steering : 0;
    b->evaluated = a->id;
    b->instruction_end = a->n_instruction > 0 ? *n_past + (llama_pos)a->n_instruction - 1 : -1;
    int ok = decode_tokens(b, c, seq, &a->tail, true, n_past, err);
    b->condition = NULL;
    if (ok == 0 && s && (!b->has_layers || (is_conditional && isnan(b->projection)))) {
        ok = err_set(err, ERR_MODEL, "a layer's output cannot be steered in a model of this kind");
    } else if (ok == 0 && is_conditional && b->projection >= s->condition.threshold) {
        llama_memory_seq_rm(llama_get_memory(c), seq, -1, -1);
        *n_past = 0;
        b->steering = a->steering;
        ok = decode_tokens(b, c, seq, &a->head, false, n_past, err) == 0 &&
                     decode_media(b, c, seq, media, n_past, err) == 0
                 ? decode_tokens(b, c, seq, &a->tail, true, n_past, err)
                 : -1;
    }
    *ret_steering = b->steering;
    b->steering = 0;
    b->evaluated = -1;
    b->instruction_end = -1;
    return ok;
}

/* Answer greedily, alone and in plain steps, in the checker. */
static int answer_alone(struct batch *b, const struct group *g, const struct asked *a,
                        struct expected *ret, struct err *err)
{
    struct llama_context *c = b->checker;
    struct expected e = {0};
    llama_pos n_past = 0;
    int n_vocab = llama_vocab_n_tokens(b->model->vocab);
    int steering = 0;
    b->is_checking = true;
    b->steering = prompt_steering(b, a->steering);
    llama_memory_clear(llama_get_memory(c), true);
    int ok = decode_tokens(b, c, 0, &a->head, false, &n_past, err);
    ok = ok == 0 ? decode_media(b, c, 0, &g->media, &n_past, err) : ok;
    ok = ok == 0 ? decode_tail(b, c, 0, &g->media, a, &n_past, &steering, err) : ok;
    while (ok == 0) {
        float lead;
        llama_token token = most_likely(llama_get_logits_ith(c, -1), n_vocab, &lead);
        e.ids = xrealloc(e.ids, (e.n + 1) * sizeof *e.ids);
        e.leads = xrealloc(e.leads, (e.n + 1) * sizeof *e.leads);
        e.ids[e.n] = token;
        e.leads[e.n++] = lead;
        if (llama_vocab_is_eog(b->model->vocab, token) || e.n == (size_t)a->max_tokens ||
            n_past >= b->model->n_ctx) {
            break;
        }
        b->rows.n_tokens = 0;
        add_row(b, token, n_past, 0, true, of_answer(a->id, n_past, steering));
        n_past++;
        ok = decode_rows(b, c, err);
    }
    b->is_checking = false;
    b->steering = 0;
    if (ok != 0) {
        free(e.ids);
        free(e.leads);
        return -1;
    }
    *ret = e;
    return 0;
}

/* What the second answer says of the token chosen now, the n-th. */
static void compare(struct seat *s, size_t n, llama_token token)
{
    if (s->is_checked && !s->differs && (n >= s->expected.n || s->expected.ids[n] != token)) {
        s->differs = true;
        s->check_margin = n < s->expected.n ? s->expected.leads[n] : 0;
    }
}

static void finish(struct batch *b, int seat, enum model_finish how, model_done_fn done, void *user)
{
    struct seat *s = &b->seats[seat];
    char *text = text_to_utf8(s->text.data ? s->text.data : "", s->text.len);
    struct model_answer a = {
        .text = text,
        .finish = how,
        .n_prompt_tokens = s->n_prompt_tokens,
        .n_answer_tokens = s->n_answer_tokens,
        .prefill_s = s->prefill_s,
        .decode_s = clock_s() - s->started,
        .margin = s->sampler            ? -1
                  : isfinite(s->margin) ? (double)s->margin
                                        : 0,
        .check = !s->is_checked ? MODEL_UNCHECKED
                 : s->differs   ? MODEL_DIFFERS
                                : MODEL_SAME,
        .check_margin = (double)s->check_margin,
        .n_tries = 1,
        .cost = -1,
    };
    int64_t id = s->id;
    leave_seat(b, seat);
    done(id, &a, user);
    free(text);
}

/* Choose a token from the logits of a row of the last step, and go on with it or finish. */
static int choose(struct batch *b, int seat, int row, model_done_fn done, void *user,
                  struct err *err)
{
    struct seat *s = &b->seats[seat];
    const float *logits = llama_get_logits_ith(b->context, row);
    float lead;
    llama_token token = most_likely(logits, llama_vocab_n_tokens(b->model->vocab), &lead);
    if (!isfinite(logits[token])) {
        return err_set(err, ERR_MODEL, "the model's logits are not finite");
    }
    if (s->sampler) {
        token = llama_sampler_sample(s->sampler, b->context, row);
    } else if (lead < s->margin) {
        s->margin = lead;
    }
    compare(s, (size_t)s->n_answer_tokens, token);
    if (llama_vocab_is_eog(b->model->vocab, token)) {
        finish(b, seat, MODEL_FINISH_STOP, done, user);
        return 0;
    }
    local_add_piece(b->model, token, &s->text);
    s->n_answer_tokens++;
    if (s->n_past >= b->model->n_ctx) {
        finish(b, seat, MODEL_FINISH_CONTEXT, done, user);
    } else if (s->n_answer_tokens == s->max_tokens) {
        finish(b, seat, MODEL_FINISH_LENGTH, done, user);
    } else {
        s->token = token;
    }
    return 0;
}

/*
 * The group's next question gets a seat, the base itself where nobody needs it after, and its first
 * token. Its tail is evaluated alone, as llama.cpp's programs do.
 */
static int seat_next(struct batch *b, struct group *g, model_done_fn done, void *user,
                     struct err *err)
{
    struct asked *a = &g->asked[g->next];
    struct expected expected = {0};
    bool is_checked = b->checker && a->temperature <= 0 && b->n_admitted++ % LOCAL_CHECK_EVERY == 0;
    if ((g->base < 0 && make_base(b, g, err) != 0) ||
        (is_checked && answer_alone(b, g, a, &expected, err) != 0)) {
        return -1;
    }
    bool is_last = g->next + 1 == g->n || b->is_plain || !same_base(b, a, &g->asked[g->next + 1]);
    int seat = g->base;
    if (!is_last) {
        seat = free_seat(b);
        copy_seq(b, seq_of(g->base), seq_of(seat));
    }
    struct seat *s = &b->seats[seat];
    *s = (struct seat){
        .is_taken = true,
        .is_running = true,
        .id = a->id,
        .n_past = g->n_base,
        .max_tokens = a->max_tokens,
        .n_prompt_tokens = g->n_base + (llama_pos)a->tail.n,
        .prefill_s = g->encode_s / (double)g->n + g->prefill_s,
        .started = clock_s(),
        .margin = INFINITY,
        .expected = expected,
        .is_checked = is_checked,
    };
    if (a->temperature > 0) {
        s->sampler = llama_sampler_chain_init(llama_sampler_chain_default_params());
        llama_sampler_chain_add(s->sampler, llama_sampler_init_temp(a->temperature));
        llama_sampler_chain_add(s->sampler, llama_sampler_init_dist(a->seed));
    }
    g->prefill_s = 0;
    g->base = is_last ? -1 : g->base;
    g->next++;
    b->n_running++;
    return decode_tail(b, b->context, seq_of(seat), &g->media, a, &s->n_past, &s->steering, err) ==
                   0
               ? choose(b, seat, -1, done, user, err)
               : -1;
}

static void end_group(struct batch *b)
{
    struct group *g = &b->group;
    for (size_t i = 0; i < g->n; i++) {
        asked_release(&g->asked[i]);
    }
    free(g->asked);
    media_release(&g->media);
    *g = (struct group){0};
}

static void report_error(const struct asked *a, const char *message, model_done_fn done, void *user)
{
    done(a->id, &(struct model_answer){.outcome = MODEL_FAILED, .text = message}, user);
}

/* Seat the waiting group's questions while there is room. */
static int admit(struct batch *b, model_done_fn done, void *user, struct err *err)
{
    struct group *g = &b->group;
    while (g->asked && b->n_running < b->n_parallel) {
        struct asked *a = &g->asked[g->next];
        size_t n = a->head.n + g->media.n_tokens + a->tail.n;
        if (n + 1 > (size_t)b->model->n_ctx) {
            char message[120];
            snprintf(message, sizeof message,
                     "context: the prompt has %zu tokens, the context %d (--ctx)", n,
                     b->model->n_ctx);
            report_error(a, message, done, user);
            g->next++;
            if (g->base >= 0 && (g->next == g->n || !same_base(b, a, &g->asked[g->next]))) {
                leave_seat(b, g->base);
                g->base = -1;
            }
        } else if (seat_next(b, g, done, user, err) != 0) {
            return -1;
        }
        if (g->next == g->n) {
            end_group(b);
        }
    }
    return 0;
}

static void add_seat(struct batch *b, int seat)
{
    struct seat *s = &b->seats[seat];
    add_row(b, s->token, s->n_past, seq_of(seat), true, of_answer(s->id, s->n_past, s->steering));
    s->n_past++;
}

/* One token of each question, each in a step of its own. */
static int step_alone(struct batch *b, model_done_fn done, void *user, struct err *err)
{
    for (int i = 0; i < b->n_seats; i++) {
        if (b->seats[i].is_running) {
            b->rows.n_tokens = 0;
            add_seat(b, i);
            if (decode_rows(b, b->context, err) != 0 || choose(b, i, 0, done, user, err) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* One token of each question, all in one step. */
static int step_together(struct batch *b, model_done_fn done, void *user, struct err *err)
{
    int seats[LOCAL_MAX_PARALLEL] = {0};
    b->rows.n_tokens = 0;
    for (int i = 0; i < b->n_seats; i++) {
        if (b->seats[i].is_running) {
            seats[b->rows.n_tokens] = i;
            add_seat(b, i);
        }
    }
    if (decode_rows(b, b->context, err) != 0) {
        return -1;
    }
    for (int row = 0; row < b->rows.n_tokens; row++) {
        if (choose(b, seats[row], row, done, user, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int batch_step(struct local_model *m, model_done_fn done, void *user, struct err *err)
{
    struct batch *b = m->batch;
    if (admit(b, done, user, err) != 0) {
        return -1;
    }
    if (b->n_running == 0) {
        return 0;
    }
    return b->is_fast ? step_together(b, done, user, err) : step_alone(b, done, user, err);
}

bool batch_has_room(const struct local_model *m)
{
    return !m->batch->group.asked && m->batch->n_running < m->batch->n_parallel;
}

size_t batch_n_pending(const struct local_model *m)
{
    const struct group *g = &m->batch->group;
    return (size_t)m->batch->n_running + (g->n - g->next);
}

/* What it holds was evaluated otherwise. */
static void forget_head(struct batch *b)
{
    b->head.n = 0;
    clear_seq(b, HEAD_SEQ);
}

/* llama.cpp does this steering from now on; 0: none. */
static int set_control_vector(struct local_model *m, int steering, struct err *err)
{
    struct batch *b = m->batch;
    struct llama_context *contexts[] = {b->context, b->checker};
    int n_embd = llama_model_n_embd(m->text);
    int n_layers = llama_model_n_layer(m->text);
    for (int i = 0; i < 2 && contexts[i]; i++) {
        if (llama_set_adapter_cvec(
                contexts[i], steering > 0 ? m->steerings[steering - 1].vectors : NULL,
                (size_t)n_embd * (size_t)(n_layers - 1), n_embd, 1, n_layers) != 0) {
            return err_set(err, ERR_MODEL, "libllama does not take the direction");
        }
    }
    b->control_vector = steering;
    forget_head(b);
    return 0;
}

/* The steering that llama.cpp can do for these questions, as all are under it; 0: none. */
static int shared_control_vector(const struct local_model *m, const struct model_question *q,
                                 size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (q[i].steering == 0 || q[i].steering != q[0].steering ||
            !steering_is_control_vector(&m->steerings[q[i].steering - 1])) {
            return 0;
        }
    }
    return q[0].steering;
}

static int tokenise_group(struct local_model *m, const struct audio *audio,
                          const struct model_question *questions, size_t n, struct group *g,
                          struct err *err)
{
    /* First those whose head and media are as they would be without steering: all share them. */
    for (int is_changed = 0; is_changed < 2; is_changed++) {
        for (size_t i = 0; i < n; i++) {
            if ((prompt_steering(m->batch, questions[i].steering) > 0) != is_changed) {
                continue;
            }
            if (local_tokenise(m, &questions[i], audio, &g->media, &g->asked[g->n], err) != 0) {
                return -1;
            }
            g->n++;
        }
    }
    return 0;
}

int batch_submit(struct local_model *m, const struct audio *audio,
                 const struct model_question *questions, size_t n, struct err *err)
{
    struct batch *b = m->batch;
    if (b->group.asked || n == 0) {
        return err_set(err, ERR_USAGE, "no room for a group of %zu questions", n);
    }
    if (audio && !m->audio) {
        return err_set(err, ERR_USAGE, "this model hears nothing: it needs an mmproj file");
    }
    for (size_t i = 0; i < n; i++) {
        if (questions[i].steering < 0 || (size_t)questions[i].steering > m->n_steerings ||
            (!audio && !questions[i].text)) {
            return err_set(err, ERR_USAGE, "a question without a direction, or without a text");
        }
    }
    int control_vector = shared_control_vector(m, questions, n);
    if (control_vector != b->control_vector) {
        if (batch_n_pending(m) > 0) {
            return err_set(err, ERR_USAGE, "steered and plain questions at one time");
        }
        if (set_control_vector(m, control_vector, err) != 0) {
            return -1;
        }
    }
    double started = clock_s();
    b->group = (struct group){.asked = xcalloc(n, sizeof *b->group.asked), .base = -1};
    if (tokenise_group(m, audio, questions, n, &b->group, err) != 0) {
        end_group(b);
        return -1;
    }
    b->group.encode_s = clock_s() - started;
    return 0;
}

/* Rows of layer's tensor: all of the step's, or only those whose logits are wanted. */
static size_t collect_rows(struct batch *b, size_t n_rows)
{
    if (b->rows.n_tokens == 0) { /* libmtmd's */
        for (size_t i = 0; i < n_rows; i++) {
            b->residual_rows[i] =
                (struct local_row){.id = -1,
                                   .position = b->media_start + (int32_t)(b->n_rows_before + i),
                                   .is_audio = true,
                                   .steering = b->steering};
        }
        return n_rows;
    }
    bool is_whole = n_rows == (size_t)b->rows.n_tokens;
    size_t n = 0;
    for (int i = 0; i < b->rows.n_tokens; i++) {
        if (is_whole || b->rows.logits[i]) {
            b->residual_rows[n++] = b->row_facts[i];
        }
    }
    return n;
}

static bool has_layer(const struct batch *b, int steering, int layer)
{
    size_t n_layers = (size_t)llama_model_n_layer(b->model->text);
    return steering > 0 && (size_t)layer < n_layers &&
           b->model->has_layer[(size_t)(steering - 1) * n_layers + (size_t)layer];
}

/* Is a layer's output changed, or looked at for a condition? */
static bool is_steered(const struct batch *b, int layer)
{
    bool is_wanted = (b->condition && b->condition->condition.layer == layer) ||
                     has_layer(b, b->steering, layer);
    for (int i = 0; !is_wanted && i < b->rows.n_tokens; i++) {
        is_wanted = has_layer(b, b->row_facts[i].steering, layer);
    }
    return is_wanted;
}

/* True: data was changed. */
static bool steer_rows(struct batch *b, const struct local_residual *r)
{
    bool is_changed = false;
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct local_row *row = &r->rows[i];
        float *x = r->data + i * r->n_embd;
        if (b->condition && r->layer == b->condition->condition.layer && row->is_choosing) {
            b->projection = steering_project(b->condition, x);
        }
        if (has_layer(b, row->steering, r->layer)) {
            is_changed =
                steering_apply(&b->model->steerings[row->steering - 1], r->layer, row, x) ||
                is_changed;
        }
    }
    return is_changed;
}

/* ggml's hook: first asks whether a tensor is wanted, then shows it. */
static bool on_tensor(struct ggml_tensor *t, bool is_question, void *user)
{
    struct batch *b = user;
    static const char prefix[] = "l_out-";
    if (strncmp(t->name, prefix, sizeof prefix - 1) != 0) {
        return !is_question;
    }
    b->has_layers = true;
    int layer = (int)strtol(t->name + sizeof prefix - 1, NULL, 10);
    bool is_read = b->on_residual && !b->is_checking;
    if (is_question) {
        return is_read || is_steered(b, layer);
    }
    size_t n_rows = (size_t)t->ne[1];
    size_t n_embd = (size_t)t->ne[0];
    if (n_rows == 0) {
        return true;
    }
    if (n_rows > MAX_ROWS || t->ne[2] != 1 || t->ne[3] != 1 ||
        n_embd != (size_t)llama_model_n_embd(b->model->text) || collect_rows(b, n_rows) != n_rows) {
        b->is_lost = b->is_lost || is_steered(b, layer);
        return true;
    }
    ggml_backend_tensor_get(t, b->residual, 0, n_rows * n_embd * sizeof *b->residual);
    struct local_residual r = {.layer = layer,
                               .n_rows = n_rows,
                               .n_embd = n_embd,
                               .data = b->residual,
                               .rows = b->residual_rows};
    bool is_changed = is_read && b->on_residual(&r, b->residual_user);
    if (steer_rows(b, &r) || is_changed) {
        ggml_backend_tensor_set(t, b->residual, 0, n_rows * n_embd * sizeof *b->residual);
    }
    return true;
}

void local_on_residual(struct model *model, local_residual_fn fn, void *user)
{
    struct local_model *m = (struct local_model *)model;
    struct batch *b = m->batch;
    forget_head(b);
    b->on_residual = fn;
    b->residual_user = user;
}

static struct llama_context *open_context(const struct local_model *m, struct batch *b, int n_seqs,
                                          bool is_unified)
{
    struct llama_context_params cp = llama_context_default_params();
    cp.n_seq_max = (uint32_t)n_seqs;
    cp.n_ctx = (uint32_t)m->n_ctx * (uint32_t)n_seqs;
    cp.kv_unified = is_unified;
    cp.n_ubatch = MAX_ROWS;
    cp.n_outputs_max = (uint32_t)n_seqs + 1; /* a step wants one row of logits a sequence; two in
                                                test_copies */
    if (!m->on_gpu) { /* ggml's on processors is some three times slower at these lengths */
        cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    }
    cp.n_threads = m->n_threads;
    cp.n_threads_batch = m->n_threads;
    cp.cb_eval = on_tensor;
    cp.cb_eval_user_data = b;
    local_clear_error();
    return llama_init_from_model(m->text, cp);
}

/*
 * Does a copied sequence go on as the first does? Recurrent and other memories may not copy: then
 * every prompt is evaluated as a whole.
 */
static int test_copies(struct batch *b, bool *ret_copies, struct err *err)
{
    const struct local_model *m = b->model;
    llama_token ids[4];
    int n_vocab = llama_vocab_n_tokens(m->vocab);
    for (int i = 0; i < 4; i++) {
        ids[i] = (llama_token)((i + 1) * (n_vocab / 5));
    }
    llama_pos n_past = 0;
    if (decode_tokens(b, b->context, 1, &(struct tokens){ids, 3}, false, &n_past, err) != 0) {
        return -1;
    }
    copy_seq(b, 1, 2);
    b->rows.n_tokens = 0;
    for (llama_seq_id seq = 1; seq <= 2; seq++) {
        add_row(b, ids[3], n_past, seq, true, (struct local_row){.id = -1});
    }
    bool copies = decode_rows(b, b->context, err) == 0;
    if (copies) {
        const float *first = llama_get_logits_ith(b->context, 0);
        const float *second = llama_get_logits_ith(b->context, 1);
        float scale = 0, difference = 0;
        for (int i = 0; i < n_vocab; i++) {
            scale = fmaxf(scale, fabsf(first[i]));
            difference = fmaxf(difference, fabsf(first[i] - second[i]));
        }
        copies = difference <= 0.01f * scale;
    }
    llama_memory_clear(b->memory, true);
    *ret_copies = copies;
    return 0;
}

int batch_open(struct local_model *m, const struct local_params *p, struct batch **ret,
               struct err *err)
{
    struct batch *b = xcalloc(1, sizeof *b);
    b->model = m;
    b->evaluated = -1;
    b->instruction_end = -1;
    b->n_parallel = m->n_parallel;
    b->n_seats = m->n_parallel + 1; /* one more for a group's base */
    b->is_fast = p->is_fast;
    b->seats = xcalloc((size_t)b->n_seats, sizeof *b->seats);
    b->rows = llama_batch_init(MAX_ROWS, 0, 1);
    b->row_facts = xcalloc(MAX_ROWS, sizeof *b->row_facts);
    b->residual = xcalloc(MAX_ROWS * (size_t)llama_model_n_embd(m->text), sizeof *b->residual);
    b->residual_rows = xcalloc(MAX_ROWS, sizeof *b->residual_rows);
    b->context = open_context(m, b, b->n_seats + 1, p->is_fast);
    b->checker = b->context && p->is_fast ? open_context(m, b, 1, true) : NULL;
    if (!b->context || (p->is_fast && !b->checker)) {
        local_fail(err, p->text_path, "gives no context");
        batch_free(b);
        return -1;
    }
    b->memory = llama_get_memory(b->context);
    bool copies = false;
    if (!b->memory || (!p->is_plain && test_copies(b, &copies, err) != 0)) {
        if (!b->memory) {
            err_set(err, ERR_MODEL, "%s: is no model that generates text", p->text_path);
        }
        batch_free(b);
        return -1;
    }
    b->is_plain = !copies;
    *ret = b;
    return 0;
}

void batch_free(struct batch *b)
{
    if (!b) {
        return;
    }
    end_group(b);
    for (int i = 0; b->memory && i < b->n_seats; i++) {
        leave_seat(b, i);
    }
    free(b->seats);
    free(b->head.ids);
    free(b->row_facts);
    free(b->residual);
    free(b->residual_rows);
    llama_batch_free(b->rows);
    llama_free(b->context);
    llama_free(b->checker);
    free(b);
}

void batch_forget_steerings(struct batch *b)
{
    b->control_vector = b->control_vector > 0 ? -1 : 0;
}

bool batch_is_plain(const struct batch *b)
{
    return b->is_plain;
}
