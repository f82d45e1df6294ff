#include "run/runner.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/text.h"
#include "run/record.h"
#include "run/worker.h"

/*
 * Trials handed over ahead of those that a model decodes, so that it never waits for the disk; one
 * where answers are slow, as at a signal all that is in flight is waited for.
 */
#define N_AHEAD 16
_Static_assert(N_AHEAD + WORKER_MAX_GROUP <= WORKER_MAX_AHEAD, "what a lane has fits its room");

/* One of the model's processes and what it has. */
struct lane {
    struct worker worker;
    struct worker_task *in_flight; /* [room for what it is given at most], as suspects; owned */
    size_t n_in_flight;
    struct worker_task *suspects; /* were in flight when it died: asked alone */
    size_t n_suspects;
    bool is_alone;    /* what is in flight is a suspect */
    bool is_stopping; /* its model dropped a trial, and will say why */
};

struct runner {
    const struct run_params *params;
    const struct plan *plan;
    const struct dataset *dataset;
    struct store *store;
    struct worker_params worker_params;
    struct remote_params remote; /* with what is left of the budgets */
    struct store_spending spent; /* by this call and those before it */
    struct worker_model model;
    struct lane *lanes; /* [n_lanes] */
    int n_lanes;
    struct store_trial next; /* pending, and of the plan; id -1: none is left */
    struct worker_task next_task;
    bool is_prepared; /* the file holds the plan */
    bool is_draining; /* a signal came */
    int64_t call_id;
    int64_t n_trials, n_answers, n_blocks, n_errors; /* of the plan; blocks are no answers */
    int64_t n_new, n_refusals;
    int n_deaths; /* in a row; -1 where the model has answered, in this call or an earlier one */
    int64_t dead[RUN_MAX_DEATHS]; /* the trials of these */
    int n_failed_loads;           /* in a row */
    char first_error[512];
    size_t last_sample; /* found */
    struct progress progress;
};

static const char *const finish_names[] = {
    [MODEL_FINISH_STOP] = "stop",
    [MODEL_FINISH_LENGTH] = "length",
    [MODEL_FINISH_CONTEXT] = "context",
};

/* The stored trial as a task; false: it is of another plan. */
static bool find_task(struct runner *r, const struct store_trial *t, struct worker_task *ret)
{
    struct plan_trial found;
    if (!plan_find(r->plan, t->sample_id, t->condition, t->strategy, t->repeat, &r->last_sample,
                   &found)) {
        return false;
    }
    *ret = (struct worker_task){t->id, (uint32_t)found.sample, (uint16_t)found.condition,
                                (uint16_t)found.prompt, found.repeat};
    return true;
}

struct counting {
    struct runner *runner;
    int64_t *failed; /* [n_failed] trials with an error row, owned */
    size_t n_failed, n_room;
};

static int count_trial(const struct store_trial *t, void *user, struct err *err)
{
    (void)err;
    struct counting *c = user;
    struct worker_task task;
    if (!find_task(c->runner, t, &task)) {
        return 0;
    }
    c->runner->n_trials++;
    c->runner->n_answers += t->state == STORE_ANSWERED;
    c->runner->n_blocks += t->state == STORE_BLOCKED;
    if (t->state == STORE_FAILED) {
        c->runner->n_errors++;
        if (c->n_failed == c->n_room) {
            c->n_room = c->n_room ? 2 * c->n_room : 64;
            c->failed = xrealloc(c->failed, c->n_room * sizeof *c->failed);
        }
        c->failed[c->n_failed++] = t->id;
    }
    return 0;
}

/* Count the plan's trials; those that failed are pending again where that is asked for. */
static int count_trials(struct runner *r, struct err *err)
{
    struct counting c = {.runner = r};
    int ok = store_each_trial(r->store, count_trial, &c, err);
    for (size_t i = 0; ok == 0 && r->params->retry_errors && i < c.n_failed; i++) {
        ok = store_delete_error(r->store, c.failed[i], err);
        r->n_errors--;
    }
    free(c.failed);
    return ok;
}

/* Find the next pending trial of the plan after r->next. */
static int advance(struct runner *r, struct err *err)
{
    do {
        if (store_next_pending(r->store, r->next.id, &r->next, err) != 0) {
            return -1;
        }
    } while (r->next.id >= 0 && !find_task(r, &r->next, &r->next_task));
    return 0;
}

static int64_t n_stored(const struct runner *r)
{
    return r->n_answers + r->n_blocks + r->n_errors;
}

/* What was spent is taken from the budgets; where none is left they are negative. */
static void reduce_budgets(struct runner *r)
{
    struct remote_params *p = &r->remote;
    *p = *r->params->remote;
    if (p->max_requests > 0) {
        p->max_requests -= r->spent.n_requests;
        p->max_requests -= p->max_requests == 0;
    }
    if (p->max_cost > 0) {
        p->max_cost -= r->spent.cost;
        p->max_cost = p->max_cost > 0 ? p->max_cost : -1;
    }
}

static int start_lane(struct runner *r, struct lane *l, struct err *err)
{
    worker_stop(&l->worker);
    if (r->params->remote) {
        reduce_budgets(r);
    }
    return worker_start(&l->worker, &r->worker_params, &r->model, err);
}

/* A small model runs once a processor; its own threads would wait for each other. */
static int choose_lanes(const struct runner *r)
{
    int n = r->params->n_workers;
    if (n == 0) {
        bool is_small = r->model.facts.n_params < LOCAL_SMALL_MODEL;
        n = is_small && r->model.facts.n_threads == 1 ? pool_default_workers() : 1;
    }
    int64_t n_pending = r->n_trials - n_stored(r);
    return n > RUN_MAX_WORKERS ? RUN_MAX_WORKERS : (int64_t)n > n_pending ? (int)n_pending : n;
}

static int put_local_facts(struct runner *r, struct err *err)
{
    char *n_params = xasprintf("%llu", (unsigned long long)r->model.facts.n_params);
    int ok = store_put_info(r->store, "model.n_params", n_params, err) == 0 &&
                     store_put_info(r->store, "model.prefixes",
                                    r->model.facts.is_plain ? "evaluated anew" : "shared", err) == 0
                 ? 0
                 : -1;
    free(n_params);
    return ok;
}

static int put_facts(struct runner *r, struct err *err)
{
    struct utsname host;
    uname(&host);
    char *machine =
        r->params->remote
            ? xasprintf("%s %s, at most %d requests in flight; %s", host.sysname, host.machine,
                        r->params->remote->n_parallel, remote_library_version())
            : xasprintf("%s %s, %d processes of %d threads, %d trials at once; %s", host.sysname,
                        host.machine, r->n_lanes, r->model.facts.n_threads,
                        r->model.facts.n_parallel, local_cpu_features());
    int ok = store_put_info(r->store, "model.description", r->model.description, err) == 0 &&
                     (r->params->remote || put_local_facts(r, err) == 0) &&
                     store_begin_call(r->store, machine, &r->call_id, err) == 0
                 ? 0
                 : -1;
    free(machine);
    return ok;
}

/*
 * Identity, samples and trials in one transaction, which holds only once the model has loaded: a
 * model that does not load leaves no trace in the run file.
 */
static int prepare(struct runner *r, struct err *err)
{
    if (store_begin(r->store, err) != 0 || record_run(r->store, r->params, err) != 0 ||
        store_sum_spending(r->store, &r->spent, err) != 0 || count_trials(r, err) != 0) {
        return -1;
    }
    r->n_deaths = r->n_answers + r->n_blocks > 0 ? -1 : 0;
    if (n_stored(r) < r->n_trials) {
        r->lanes = xcalloc(RUN_MAX_WORKERS, sizeof *r->lanes);
        if (start_lane(r, &r->lanes[0], err) != 0) {
            return -1;
        }
        r->n_lanes = choose_lanes(r);
        for (int i = 0; i < r->n_lanes; i++) {
            size_t n_room = (size_t)r->model.facts.n_parallel + WORKER_MAX_AHEAD;
            r->lanes[i].in_flight = xcalloc(n_room, sizeof *r->lanes[i].in_flight);
            r->lanes[i].suspects = xcalloc(n_room, sizeof *r->lanes[i].suspects);
        }
        if (put_facts(r, err) != 0) {
            return -1;
        }
    }
    return store_commit(r->store, err);
}

static void show_progress(struct runner *r)
{
    char note[80] = "";
    int n = 0;
    if (r->params->is_refusal) {
        n = snprintf(note, sizeof note, "%lld refusals", (long long)r->n_refusals);
    }
    n += snprintf(note + n, sizeof note - (size_t)n, "%s%lld errors", n > 0 ? ", " : "",
                  (long long)r->n_errors);
    if (r->n_blocks > 0) {
        snprintf(note + n, sizeof note - (size_t)n, ", %lld blocked", (long long)r->n_blocks);
    }
    progress_update(&r->progress, (long)n_stored(r), note);
}

/* The task's prompt wants an answer: is it a refusal? */
static bool is_refusal(const struct runner *r, const struct worker_task *t, const char *answer)
{
    const struct run_params *p = r->params;
    return p->is_refusal && r->plan->prompts[t->prompt].probe == PROMPT_ANSWER &&
           p->is_refusal(r->dataset->bench.samples[t->sample].item->text, answer, p->user);
}

static int store_answer(struct runner *r, const struct worker_task *t, const struct model_answer *a,
                        struct err *err)
{
    size_t answer_at =
        prompt_answer_start(&r->plan->prompts[t->prompt], a->text, a->finish != MODEL_FINISH_STOP);
    int differs = a->check == MODEL_DIFFERS;
    bool is_block = a->outcome == MODEL_BLOCKED;
    struct store_response row = {
        .state = is_block ? STORE_BLOCKED : STORE_ANSWERED,
        .text = a->text,
        .finish = is_block ? NULL : finish_names[a->finish],
        .n_prompt_tokens = a->n_prompt_tokens,
        .n_answer_tokens = a->n_answer_tokens,
        .prefill_s = a->prefill_s,
        .decode_s = a->decode_s,
        .answer_at = answer_at,
        .margin = a->margin < 0 ? NULL : &a->margin,
        .checked = a->check == MODEL_UNCHECKED ? NULL : &differs,
        .check_margin = differs ? &a->check_margin : NULL,
        .reason = a->reason,
        .server = a->server,
        .n_tries = a->n_tries,
        .cost = a->cost < 0 ? NULL : &a->cost,
    };
    r->n_deaths = -1;
    r->n_new++;
    if (is_block) {
        r->n_blocks++;
    } else {
        r->n_answers++;
        r->n_refusals += is_refusal(r, t, a->text + answer_at);
    }
    return store_put_response(r->store, t->trial_id, &row, err);
}

/* a: what came of the request, where it is not the process that died; may be NULL. */
static int store_error(struct runner *r, const struct worker_task *t, const struct model_answer *a,
                       const char *message, struct err *err)
{
    if (r->first_error[0] == '\0') {
        snprintf(r->first_error, sizeof r->first_error, "%s", message);
        text_make_printable(r->first_error);
    }
    r->n_errors++;
    r->n_new++;
    struct store_response row = {.state = STORE_FAILED, .text = message};
    if (a) {
        row.server = a->server;
        row.n_tries = a->n_tries;
        row.cost = a->cost < 0 ? NULL : &a->cost;
    }
    return store_put_response(r->store, t->trial_id, &row, err);
}

/* It is the model and not its trials: these are pending again. */
static int give_up(struct runner *r, const struct err *death, struct err *err)
{
    for (int i = 0; i < RUN_MAX_DEATHS - 1; i++) {
        if (store_delete_error(r->store, r->dead[i], err) != 0) {
            return -1;
        }
        r->n_errors--;
        r->n_new--;
    }
    r->first_error[0] = '\0';
    return err_set(err, ERR_MODEL, "%d trials in a row, and no answer: %s", RUN_MAX_DEATHS,
                   death->msg);
}

/*
 * The trial has no answer, and none has come yet: too many such in a row, and it is the model.
 */
static int take_failure(struct runner *r, const struct worker_task *t, const struct model_answer *a,
                        const struct err *why, struct err *err)
{
    if (r->n_deaths >= 0) {
        r->dead[r->n_deaths++] = t->trial_id;
        if (r->n_deaths == RUN_MAX_DEATHS) {
            return give_up(r, why, err);
        }
    }
    return store_error(r, t, a, why->msg, err);
}

/* Store a reply of the lane's; what was in flight may come back in any order. */
static int take_reply(struct runner *r, struct lane *l, const struct worker_reply *reply,
                      struct err *err)
{
    size_t i = 0;
    while (i < l->n_in_flight && l->in_flight[i].trial_id != reply->trial_id) {
        i++;
    }
    if (i == l->n_in_flight) {
        return err_set(err, ERR_MODEL, "the model's process answers what was not asked");
    }
    struct worker_task task = l->in_flight[i];
    l->in_flight[i] = l->in_flight[--l->n_in_flight];
    const struct model_answer *a = &reply->answer;
    if (a->outcome == MODEL_DROPPED) {
        l->is_stopping = !r->is_draining;
        return 0;
    }
    r->spent.n_requests += a->n_tries;
    r->spent.cost += fmax(0, a->cost);
    if (a->outcome != MODEL_FAILED) {
        return store_answer(r, &task, a, err);
    }
    if (!r->params->remote) {
        return store_error(r, &task, a, a->text, err);
    }
    struct err why = {0};
    err_set(&why, ERR_MODEL, "%s", a->text);
    return take_failure(r, &task, a, &why, err);
}

/*
 * The lane's process died. What it had is asked again, alone; what kills it alone gets an error
 * row. One that was stopping does not come back: what it dropped is with nobody any more.
 */
static int take_death(struct runner *r, struct lane *l, const struct err *death, struct err *err)
{
    worker_stop(&l->worker);
    if (l->is_stopping) {
        *err = *death;
        return -1;
    }
    if (!l->is_alone) {
        memcpy(l->suspects, l->in_flight, l->n_in_flight * sizeof *l->suspects);
        l->n_suspects = l->n_in_flight;
        l->n_in_flight = 0;
        return 0;
    }
    l->n_in_flight = 0;
    return take_failure(r, &l->in_flight[0], NULL, death, err);
}

/* The next group of trials that share an audio. */
static int take_group(struct runner *r, struct worker_task *ret_tasks, size_t *ret_n,
                      struct err *err)
{
    size_t n = 0;
    struct worker_task first = r->next_task;
    while (r->next.id >= 0 && n < WORKER_MAX_GROUP && r->next_task.sample == first.sample &&
           r->next_task.condition == first.condition &&
           r->plan->prompts[r->next_task.prompt].is_steered ==
               r->plan->prompts[first.prompt].is_steered) {
        ret_tasks[n++] = r->next_task;
        if (advance(r, err) != 0) {
            return -1;
        }
    }
    *ret_n = n;
    return 0;
}

/* Give the lane one group, if it has room and there is one; *ret_given says so. */
static int feed(struct runner *r, struct lane *l, bool *ret_given, struct err *err)
{
    struct worker_task tasks[WORKER_MAX_GROUP];
    size_t n = 0;
    const struct model_facts *facts = &r->model.facts;
    size_t wanted = (size_t)facts->n_parallel + (facts->n_params < LOCAL_SMALL_MODEL ? N_AHEAD : 1);
    *ret_given = false;
    if (l->is_stopping) {
        return 0;
    }
    if (l->n_suspects > 0) {
        if (l->n_in_flight > 0) {
            return 0;
        }
        if (l->worker.params && !worker_is_alive(&l->worker)) {
            worker_stop(&l->worker); /* it died with nothing to do: no fault of this trial */
        }
        tasks[0] = l->suspects[--l->n_suspects];
        n = 1;
        l->is_alone = true;
    } else if (r->next.id < 0 || l->n_in_flight >= wanted || (l->is_alone && l->n_in_flight > 0)) {
        return 0;
    } else {
        l->is_alone = false;
        if (take_group(r, tasks, &n, err) != 0) {
            return -1;
        }
    }
    if (!l->worker.params && start_lane(r, l, err) != 0) {
        memcpy(l->suspects + l->n_suspects, tasks, n * sizeof *tasks);
        l->n_suspects += n;
        return err->code != ERR_CANCELLED && ++r->n_failed_loads < RUN_MAX_DEATHS ? 0 : -1;
    }
    r->n_failed_loads = 0;
    worker_send(&l->worker, tasks, n);
    memcpy(l->in_flight + l->n_in_flight, tasks, n * sizeof *tasks);
    l->n_in_flight += n;
    *ret_given = true;
    return 0;
}

static int feed_all(struct runner *r, struct err *err)
{
    bool any;
    do { /* one group each in turn, so that the last ones are shared out evenly */
        any = false;
        for (int i = 0; i < r->n_lanes; i++) {
            bool given;
            if (feed(r, &r->lanes[i], &given, err) != 0) {
                return -1;
            }
            any = any || given;
        }
    } while (any);
    return 0;
}

/* Store all replies that are there, as one transaction. */
static int receive_all(struct runner *r, struct pollfd *polls, struct err *err)
{
    bool is_open = false;
    int ok = 0;
    for (int i = 0; i < r->n_lanes && ok == 0; i++) {
        struct lane *l = &r->lanes[i];
        struct pollfd *ready = &polls[i];
        while (ok == 0 && (l->n_in_flight > 0 || l->is_stopping) &&
               (ready->revents != 0 || worker_is_late(&l->worker))) {
            struct worker_reply reply;
            struct err death = {0};
            if (!is_open && store_begin(r->store, err) != 0) {
                return -1;
            }
            is_open = true;
            if (worker_receive(&l->worker, &reply, &death) != 0) {
                ok = take_death(r, l, &death, err);
                break;
            }
            if (reply.kind == WORKER_STOPPED) {
                ok = err_set(err, ERR_MODEL, "%s", reply.answer.text);
            } else if (reply.kind == WORKER_ANSWERED) {
                ok = take_reply(r, l, &reply, err);
            }
            free(reply.strings);
            ready->revents = 0;
            poll(ready, 1, 0);
        }
    }
    if (ok != 0) { /* what came before the failure is good */
        struct err ignored = {0};
        store_commit(r->store, &ignored);
        return -1;
    }
    return is_open ? store_commit(r->store, err) : 0;
}

static size_t count_in_flight(const struct runner *r)
{
    size_t n = 0;
    for (int i = 0; i < r->n_lanes; i++) {
        n += r->lanes[i].n_in_flight;
    }
    return n;
}

static bool is_stopping(const struct runner *r)
{
    bool is = false;
    for (int i = 0; i < r->n_lanes; i++) {
        is = is || r->lanes[i].is_stopping;
    }
    return is;
}

static bool has_work(const struct runner *r)
{
    bool has = r->next.id >= 0;
    for (int i = 0; i < r->n_lanes; i++) {
        has = has || r->lanes[i].n_suspects > 0;
    }
    return has;
}

static int answer_all(struct runner *r, struct err *err)
{
    struct pollfd polls[RUN_MAX_WORKERS];
    for (;;) {
        if (cancel_requested() && !r->is_draining) {
            r->is_draining = true;
            for (int i = 0; i < r->n_lanes; i++) {
                worker_drain(&r->lanes[i].worker);
            }
            log_info(
                "stopping: trials in flight are finished and stored; SIGINT then stops at once");
        }
        if (!r->is_draining && feed_all(r, err) != 0) {
            if (err->code != ERR_CANCELLED) {
                return -1;
            }
            continue; /* one lane's model was loading: what the others have is waited for */
        }
        if (count_in_flight(r) == 0 && !is_stopping(r) && (r->is_draining || !has_work(r))) {
            return r->is_draining
                       ? err_set(err, ERR_CANCELLED,
                                 "stopped by a signal; the same command goes on from here")
                       : 0;
        }
        for (int i = 0; i < r->n_lanes; i++) {
            const struct lane *l = &r->lanes[i];
            bool is_awaited = l->n_in_flight > 0 || l->is_stopping;
            polls[i] =
                (struct pollfd){.fd = is_awaited ? l->worker.from_child : -1, .events = POLLIN};
        }
        if (poll(polls, (nfds_t)r->n_lanes, 500) < 0) {
            memset(polls, 0, sizeof polls); /* a signal: see above */
            continue;
        }
        if (receive_all(r, polls, err) != 0) {
            return -1;
        }
        show_progress(r);
    }
}

static int run_pending(struct runner *r, struct err *err)
{
    r->next.id = -1;
    if (n_stored(r) == r->n_trials) {
        return 0;
    }
    progress_start(&r->progress, "run", (long)r->n_trials, (long)n_stored(r));
    int ok = advance(r, err) == 0 ? answer_all(r, err) : -1;
    progress_end(&r->progress, NULL);
    if (ok != 0 && err->code != ERR_CANCELLED && err->code != ERR_MODEL) {
        return -1; /* the file does not take what it is given */
    }
    struct err late = {0};
    if (store_end_call(r->store, r->call_id, r->n_new, &late) != 0 && ok == 0) {
        *err = late;
        return -1;
    }
    return ok;
}

static void fill_summary(const struct runner *r, double seconds, struct run_summary *ret)
{
    *ret = (struct run_summary){
        .n_trials = r->n_trials,
        .n_answers = r->n_answers,
        .n_blocks = r->n_blocks,
        .n_errors = r->n_errors,
        .n_new = r->n_new,
        .seconds = seconds,
    };
    memcpy(ret->first_error, r->first_error, sizeof ret->first_error);
    struct err ignored = {0};
    store_count_checks(r->store, &ret->checks, &ignored);
}

int run_model(const struct run_params *p, struct run_summary *ret, struct err *err)
{
    double started = clock_s();
    struct runner r = {.params = p, .plan = p->plan, .dataset = p->dataset};
    int ok = -1;
    if (store_open(p->db_path, STORE_CREATE, &r.store, err) == 0) {
        r.worker_params = (struct worker_params){.dataset = p->dataset,
                                                 .plan = p->plan,
                                                 .local = p->local,
                                                 .remote = p->remote ? &r.remote : NULL,
                                                 .temperature = p->temperature,
                                                 .seed = p->seed,
                                                 .timeout_s = p->timeout_s};
        r.is_prepared = prepare(&r, err) == 0;
        if (r.is_prepared) {
            ok = run_pending(&r, err);
            fill_summary(&r, clock_s() - started, ret);
        }
    }
    for (int i = 0; r.lanes && i < RUN_MAX_WORKERS; i++) {
        worker_stop(&r.lanes[i].worker);
        free(r.lanes[i].in_flight);
        free(r.lanes[i].suspects);
    }
    free(r.lanes);
    bool is_useless = !r.is_prepared || (ok != 0 && err->code == ERR_MODEL && n_stored(&r) == 0);
    if (r.store && is_useless && store_is_new(r.store)) {
        unlink(p->db_path); /* there is no word of a model in it, and the lock is ours */
    }
    if (store_close(r.store, ok == 0 ? err : NULL) != 0) {
        ok = -1;
    }
    return ok;
}
