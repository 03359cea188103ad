#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/store/failures.h"
#include "contract/fcf_text.h"

#define FCA_FAILURE_TTL_S    (2 * FCF_FAILURE_ROTATE_S)
#define FCA_FAILURE_KEEP_MS  (FCF_FAILURE_ROTATE_S * 1000)
#define FCA_FAILURE_RETRY_MS 200

typedef struct fca_failed_s  fca_failed_t;

struct fca_failed_s {
    TAILQ_ENTRY(fca_failed_s)   link;
    fca_failures_t             *failures;
    fcf_etcd_call_t            *call;
    uint64_t                    since;
    char                       *value;
    char                        key[FCF_KEY_MAX];
};

struct fca_failures_s {
    fca_failures_conf_t          conf;
    fcf_loop_t                  *loop;
    TAILQ_HEAD(, fca_failed_s)   queue;     /* not put yet, or being put */
    int64_t                      lease, previous;       /* 0: none */
    uint64_t                     granted;
    fcf_etcd_call_t             *grant, *revoke[2];
    fcf_timer_t                 *timer;
    int                          stopped;
    fca_failure_told_t           told[FCA_FAILURES_KEPT];   /* a ring */
    uint64_t                     ntold;         /* ever */
};

static void fca_failures_run(void *arg);

static void
fca_failures_drop(fca_failed_t *f)
{
    if (f->call) {
        fcf_etcd_cancel(f->call);
    }

    TAILQ_REMOVE(&f->failures->queue, f, link);
    free(f->value);
    free(f);
}

static void
fca_failures_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_failed_t    *f = arg;
    fca_failures_t  *failures = f->failures;

    (void) reply;
    f->call = NULL;

    if (err == NULL) {
        fca_failures_drop(f);
        return;
    }

    /* the lease may be what is wrong */
    failures->granted = 0;
    failures->loop->timer_set(failures->timer, FCA_FAILURE_RETRY_MS);
}

static void
fca_failures_granted(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fca_failures_t  *failures = arg;

    failures->grant = NULL;

    if (err == NULL) {
        failures->previous = failures->lease;
        failures->lease = reply->lease;
        failures->granted = fca_now(failures->loop);
    }

    failures->loop->timer_set(failures->timer,
                                    err ? FCA_FAILURE_RETRY_MS : 0);
}

static int
fca_failures_fresh(const fca_failures_t *failures)
{
    return failures->lease && failures->granted
           && fca_now(failures->loop) - failures->granted
              < FCA_FAILURE_KEEP_MS;
}

/* puts what waits, if there is a fresh lease; else asks for one */
static void
fca_failures_run(void *arg)
{
    uint64_t         now;
    fca_failed_t    *f, *next;
    fca_failures_t  *failures = arg;

    now = fca_now(failures->loop);

    for (f = TAILQ_FIRST(&failures->queue); f; f = next) {
        next = TAILQ_NEXT(f, link);

        if (f->call) {
            continue;
        }

        if (now - f->since > FCA_FAILURE_KEEP_MS) {
            fca_log(FCF_LOG_WARN, NULL, "%s could not be put in time",
                    f->key);
            fca_failures_drop(f);
            continue;
        }

        if (fca_failures_fresh(failures)) {
            f->call = fcf_etcd_put(failures->conf.etcd, f->key, f->value,
                                   strlen(f->value), failures->lease,
                                   fca_failures_done, f);
            if (f->call == NULL) {
                fca_failures_drop(f);
            }
        }
    }

    if (TAILQ_EMPTY(&failures->queue) || fca_failures_fresh(failures)
        || failures->grant || failures->stopped)
    {
        return;
    }

    failures->grant = fcf_etcd_lease_grant(failures->conf.etcd,
                                           FCA_FAILURE_TTL_S,
                                           fca_failures_granted, failures);
    if (failures->grant == NULL) {
        failures->loop->timer_set(failures->timer, FCA_FAILURE_RETRY_MS);
    }
}

/* name: of its key; what the failure is, and where, is to be filled in yet */
static void
fca_failures_add(fca_failures_t *failures, fcf_failure_t *failure,
    const char *function_id, const char *name)
{
    fca_failed_t   *f;
    fca_log_ctx_t   ctx = { .function_id = function_id };

    snprintf(failure->node_id, sizeof(failure->node_id), "%s",
             failures->conf.node_id);

    if (failures->stopped) {
        return;
    }

    f = calloc(1, sizeof(*f));
    if (f == NULL || (f->value = fcf_failure_encode(failure)) == NULL) {
        free(f);
        fca_log(FCF_LOG_ERROR, &ctx, "no memory for a failure");
        return;
    }

    f->failures = failures;
    f->since = fca_now(failures->loop);
    fcf_key_failure(f->key, failures->conf.prefix, function_id, name);

    TAILQ_INSERT_TAIL(&failures->queue, f, link);
    failures->loop->timer_set(failures->timer, 0);
}

static void fcf_printf_like(3, 0)
fca_failures_say(fcf_failure_t *failure, const char *console, const char *fmt,
    va_list args)
{
    int  n;

    n = vsnprintf(failure->message, sizeof(failure->message), fmt, args);

    if (console && *console && n >= 0
        && (size_t) n < sizeof(failure->message))
    {
        snprintf(failure->message + n, sizeof(failure->message) - n,
                 FCF_FAILURE_CONSOLE "%s", console);
    }
}

static void
fca_failures_keep(fca_failures_t *failures, const fcf_failure_t *failure,
    const char *function_id, const char *request_id)
{
    char                 text[FCF_FAILURE_MESSAGE_MAX];
    fca_failure_told_t  *told;

    if (failure->error == FCF_FAILURE_EXPIRED
        || failure->error == FCF_FAILURE_AT_MAX
        || failure->error == FCF_FAILURE_DUPLICATE)
    {
        return;
    }

    fcf_text_clean(text, sizeof(text), failure->message,
                   strlen(failure->message), 0);

    told = &failures->told[failures->ntold++ % FCA_FAILURES_KEPT];
    free(told->message);
    told->message = strdup(text);
    told->ms = fca_unix_ms();
    told->error = failure->error;
    told->version = failure->version;
    snprintf(told->function_id, sizeof(told->function_id), "%s", function_id);
    snprintf(told->request_id, sizeof(told->request_id), "%s", request_id);
}

void
fca_failures_each(const fca_failures_t *failures,
    void (*each)(void *arg, const fca_failure_told_t *told), void *arg)
{
    uint64_t                   i, n = failures->ntold;
    const fca_failure_told_t  *told;

    for (i = 1; i <= n && i <= FCA_FAILURES_KEPT; i++) {
        told = &failures->told[(n - i) % FCA_FAILURES_KEPT];

        if (told->message) {            /* there was memory for it */
            each(arg, told);
        }
    }
}

void
fca_failures_put(fca_failures_t *failures, const char *function_id,
    const char *request_id, int64_t version, fcf_failure_e error,
    const char *console, const char *fmt, ...)
{
    va_list         args;
    fcf_failure_t   failure = { .error = error, .version = version };
    fca_log_ctx_t   ctx = { .function_id = function_id,
                            .request_id = request_id };

    va_start(args, fmt);
    fca_failures_say(&failure, console, fmt, args);
    va_end(args);

    fca_log(FCF_LOG_WARN, &ctx, "failed, %s: %s", fcf_failure_name(error),
            failure.message);

    fca_failures_keep(failures, &failure, function_id, request_id);
    fca_failures_add(failures, &failure, function_id, request_id);
}

void
fca_failures_so_far(fca_failures_t *failures, const char *function_id,
    const char *request_id, int64_t version, fcf_failure_e error,
    const char *console, const char *fmt, ...)
{
    char            name[FCF_REQUEST_ID_MAX + sizeof(FCF_FAILURE_BOOTING)];
    va_list         args;
    fcf_failure_t   failure = { .error = error, .version = version,
                                .booting = 1 };
    fca_log_ctx_t   ctx = { .function_id = function_id,
                            .request_id = request_id };

    va_start(args, fmt);
    fca_failures_say(&failure, console, fmt, args);
    va_end(args);

    fca_log(FCF_LOG_INFO, &ctx, "starting, but %s so far: %s",
            fcf_failure_name(error), failure.message);

    snprintf(name, sizeof(name), "%s" FCF_FAILURE_BOOTING, request_id);

    if (fcf_request_id_valid(name, strlen(name))) {
        /* else a stranger's, who is not told */
        fca_failures_add(failures, &failure, function_id, name);
    }
}

fca_failures_t *
fca_failures_new(const fca_failures_conf_t *conf, fcf_err_t *err)
{
    fca_failures_t  *failures;

    failures = calloc(1, sizeof(*failures));
    if (failures) {
        failures->conf = *conf;
        failures->loop = conf->loop;
        TAILQ_INIT(&failures->queue);
        failures->timer = conf->loop->timer_new(conf->loop, fca_failures_run,
                                                failures);
    }

    if (failures == NULL || failures->timer == NULL) {
        free(failures);
        fcf_err_set(err, FCF_E_NOMEM, "no memory for failures");
        return NULL;
    }

    return failures;
}

static void
fca_failures_revoked(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    fcf_etcd_call_t  **call = arg;

    (void) reply;
    (void) err;             /* they end by themselves */
    *call = NULL;
}

void
fca_failures_stop(fca_failures_t *failures)
{
    size_t         i;
    int64_t        leases[2] = { failures->lease, failures->previous };
    fca_failed_t  *f;

    if (failures->stopped) {
        return;
    }

    failures->stopped = 1;

    while ((f = TAILQ_FIRST(&failures->queue)) != NULL) {
        fca_failures_drop(f);
    }

    for (i = 0; i < 2; i++) {
        if (leases[i]) {
            failures->revoke[i] =
                fcf_etcd_lease_revoke(failures->conf.etcd, leases[i],
                                      fca_failures_revoked,
                                      &failures->revoke[i]);
        }
    }
}

int
fca_failures_stopped(const fca_failures_t *failures)
{
    return failures->stopped && !failures->revoke[0] && !failures->revoke[1];
}

void
fca_failures_free(fca_failures_t *failures)
{
    size_t         i;
    fca_failed_t  *f;

    if (failures == NULL) {
        return;
    }

    while ((f = TAILQ_FIRST(&failures->queue)) != NULL) {
        fca_failures_drop(f);
    }

    if (failures->grant) {
        fcf_etcd_cancel(failures->grant);
    }

    for (i = 0; i < 2; i++) {
        if (failures->revoke[i]) {
            fcf_etcd_cancel(failures->revoke[i]);
        }
    }

    for (i = 0; i < FCA_FAILURES_KEPT; i++) {
        free(failures->told[i].message);
    }

    failures->loop->timer_free(failures->timer);
    free(failures);
}
