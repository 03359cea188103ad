#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/base/log.h"
#include "agent/health.h"
#include "agent/selfcheck.h"
#include "client/fcf_backoff.h"

/* failed starts in a row before the host is checked */
#define FCA_HEALTH_PATIENCE  2
#define FCA_HEALTH_AGAIN_MS  30000

typedef enum { FCA_WELL = 0, FCA_DOUBT, FCA_ILL } fca_health_e;

struct fca_health_s {
    fca_instances_t  *all;
    void            (*changed)(void *arg);
    void             *arg;
    fca_health_e      state;
    unsigned          failures;         /* in a row */
    unsigned          functions;        /* in a row whose guests did not come
                                           up, each another than before */
    char              function_id[FCF_ID_MAX + 1];      /* the last of them */
    int               proven;           /* a guest has come up since */
    unsigned          checks;           /* failed in a row */
    int               checking, stopping;
    fca_selfcheck_t  *check;
    fcf_timer_t      *timer;
    char              reason[FCF_REASON_MAX];
};

static void
fca_health_check(void *arg)
{
    fca_health_t  *health = arg;

    if (!health->checking && !health->stopping) {
        health->checking = 1;
        fca_selfcheck_start(health->check);
    }
}

static void
fca_health_set(fca_health_t *health, fca_health_e state)
{
    health->state = state;
    health->changed(health->arg);
}

/* A VM that comes up now was on its way before: no more than that. */
void
fca_health_well(fca_health_t *health)
{
    health->failures = 0;
    health->functions = 0;
    health->proven = 1;
}

static void
fca_health_recovered(fca_health_t *health)
{
    fca_log(FCF_LOG_INFO, NULL, health->state == FCA_ILL
            ? "this node is well again: a VM could be started"
            : "this node is well: it was not the host's fault");
    health->checks = 0;
    fca_health_well(health);
    fca_health_set(health, FCA_WELL);
}

/* the same words, whatever the numbers in them */
static int
fca_health_same(const char *a, const char *b)
{
    for ( ;; ) {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");

        if (*a != *b || *a == '\0') {
            return *a == *b;
        }

        a++;
        b++;
    }
}

static void
fca_health_checked(void *arg, const fcf_err_t *err)
{
    fca_health_t  *health = arg;

    health->checking = 0;

    if (health->stopping) {
        return;
    }

    if (err == NULL) {
        fca_health_recovered(health);
        return;
    }

    if (health->state != FCA_ILL || !fca_health_same(health->reason, err->msg))
    {
        snprintf(health->reason, sizeof(health->reason), "%s", err->msg);
        fca_log(FCF_LOG_ERROR, NULL, "this node is ill and takes no jobs: %s",
                health->reason);
    }

    health->all->loop->timer_set(health->timer,
                                 fcf_backoff(++health->checks,
                                             FCA_HEALTH_AGAIN_MS));
    fca_health_set(health, FCA_ILL);
}

static void
fca_health_doubt(fca_health_t *health, unsigned failures, const char *why)
{
    if (failures < FCA_HEALTH_PATIENCE || health->state != FCA_WELL) {
        return;
    }

    fca_log(FCF_LOG_WARN, NULL, "%u starts in a row failed, the last one: "
            "%s; checking this host", failures, why);
    health->all->loop->timer_set(health->timer, 0);
    fca_health_set(health, FCA_DOUBT);
}

void
fca_health_failed(fca_health_t *health, const char *why)
{
    fca_health_doubt(health, ++health->failures, why);
}

int
fca_health_guest(fca_health_t *health, const char *function_id,
    const char *why)
{
    int  proven;

    proven = health->proven;
    health->proven = 0;

    if (health->functions == 0
        || strcmp(health->function_id, function_id) != 0)
    {
        health->functions++;
        snprintf(health->function_id, sizeof(health->function_id), "%s",
                 function_id);
    }

    fca_health_doubt(health, health->functions, why);

    return !proven;
}

int
fca_health_good(const fca_health_t *health)
{
    return health->state == FCA_WELL;
}

const char *
fca_health_reason(const fca_health_t *health)
{
    return health->state == FCA_ILL ? health->reason : NULL;
}

fca_health_t *
fca_health_new(fca_instances_t *all, void (*changed)(void *arg), void *arg,
    fcf_err_t *err)
{
    fca_health_t  *health;

    health = calloc(1, sizeof(*health));
    if (health == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for the host's check");
        return NULL;
    }

    health->all = all;
    health->changed = changed;
    health->arg = arg;
    health->timer = all->loop->timer_new(all->loop, fca_health_check, health);
    health->check = fca_selfcheck_new(all, fca_health_checked, health, err);

    if (health->timer == NULL || health->check == NULL) {
        fca_health_free(health);
        fcf_err_set(err, FCF_E_NOMEM, "no memory for the host's check");
        return NULL;
    }

    return health;
}

void
fca_health_free(fca_health_t *health)
{
    if (health == NULL) {
        return;
    }

    fca_selfcheck_free(health->check);

    if (health->timer) {
        health->all->loop->timer_free(health->timer);
    }

    free(health);
}

void
fca_health_stop(fca_health_t *health)
{
    if (health->stopping) {
        return;
    }

    health->stopping = 1;
    health->all->loop->timer_stop(health->timer);

    if (health->checking) {
        fca_selfcheck_stop(health->check);
    }
}

int
fca_health_stopped(const fca_health_t *health)
{
    return !health->checking;
}
