/*
 * A process of zone_kill.c: binds, releases and waits at random, and keeps
 * beside the zone what is so.
 */

#ifndef _FCT_ZONE_WORKER_H_INCLUDED_
#define _FCT_ZONE_WORKER_H_INCLUDED_

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ngx_fcfaas_module/zone/fcz_mem.h"


#define MEMBERS_MAX  16
#define POOLS         4
#define SLOTS        16         /* instances, in turns of the pools */
#define HELD_MAX     16         /* by one process at once */


typedef enum {
    RUN = 0,                    /* bind, release, wait */
    QUIET,                      /* keep what there is, and beat */
    EMPTY                       /* give all back, and beat */
} mode_e;

typedef struct {
    fcz_pool_t    pools[POOLS];
    fcz_slot_t    slots[SLOTS];
    fcz_member_t  m;
    int           held[HELD_MAX];
    int           nheld;
    int           waits;        /* for this pool; or -1 */
    uint64_t      ticket;
} worker_t;

/* in memory of its own: what is so, for the parent to compare */
typedef struct {
    pid_t     pid;
    int       stopped;
    uint64_t  steps;
    uint32_t  quiet;            /* of this round */
    uint32_t  held[SLOTS];
    uint32_t  waiting[POOLS];
    uint32_t  alone;            /* times */
    uint32_t  broken;
} truth_t;

typedef struct {
    mode_e    mode;
    uint32_t  round;
    uint32_t  over[SLOTS];      /* in the instance, told by all */
    uint32_t  overbooked;
    uint32_t  bound;
    uint32_t  pulled;           /* of them, by one that waited */
    truth_t   truth[MEMBERS_MAX];
} shared_t;

static fcz_t     *zone;
static shared_t  *shared;


/* some keep spare places, some never may */
static uint32_t
limit(int slot)
{
    static const uint32_t  limits[] = { 1, 3, 8, 20 };

    return limits[slot / POOLS % 4];
}


static void
worker_init(worker_t *w, truth_t *t)
{
    int        i;
    char       name[16];
    fcz_key_t  key;

    memset(w, 0, sizeof(worker_t));
    memset(t, 0, sizeof(truth_t));

    t->pid = getpid();
    w->waits = -1;
    srandom((unsigned) getpid());

    if (fcz_join(&w->m, zone) == -1) {
        _exit(1);
    }

    for (i = 0; i < POOLS; i++) {
        (void) snprintf(name, sizeof(name), "f%d", i);
        fcz_key(zone, &key, name, "");
        fcz_pool_init(&w->pools[i], &key);
    }

    for (i = 0; i < SLOTS; i++) {
        (void) snprintf(name, sizeof(name), "n1-%d", i);
        fcz_key(zone, &key, name, name);
        fcz_slot_init(&w->slots[i], &w->pools[i % POOLS], &key);
    }
}


static int
worker_bind(worker_t *w, truth_t *t, int i, unsigned newcomer)
{
    uint32_t  n;

    if (w->nheld == HELD_MAX
        || fcz_bind(&w->m, &w->slots[i], limit(i), &w->ticket, newcomer)
           != FCZ_OK)
    {
        return 0;
    }

    w->held[w->nheld++] = i;
    t->held[i]++;

    n = __atomic_add_fetch(&shared->over[i], 1, __ATOMIC_SEQ_CST);

    if (n > limit(i)) {
        __atomic_add_fetch(&shared->overbooked, 1, __ATOMIC_SEQ_CST);
    }

    __atomic_add_fetch(newcomer ? &shared->bound : &shared->pulled, 1,
                       __ATOMIC_SEQ_CST);
    return 1;
}


static void
worker_release(worker_t *w, truth_t *t, int k)
{
    int  i;

    i = w->held[k];
    w->held[k] = w->held[--w->nheld];

    __atomic_sub_fetch(&shared->over[i], 1, __ATOMIC_SEQ_CST);
    t->held[i]--;
    fcz_release(&w->m, &w->slots[i]);
}


static void
worker_wait(worker_t *w, truth_t *t, int pool)
{
    if (fcz_wait_add(&w->m, &w->pools[pool], 0, 0) == FCZ_OK) {
        w->waits = pool;
        t->waiting[pool]++;
        fcz_wait_head(&w->m, &w->pools[pool], w->ticket);
    }
}


/* one that waits: rung or not, it tries its pool's instances */
static void
worker_pull(worker_t *w, truth_t *t)
{
    int            i, done;
    uint64_t       n;
    fcz_pool_t    *pools[4];
    struct pollfd  p = { .fd = fcz_bell(&w->m), .events = POLLIN };

    if (poll(&p, 1, 5) == 1 && read(p.fd, &n, sizeof(n)) == sizeof(n)) {
        while (fcz_heard(&w->m, pools, 4)) { /* void */ }
    }

    done = random() % 20 == 0;

    for (i = w->waits; i < SLOTS && !done; i += POOLS) {
        done = worker_bind(w, t, i, 0);
    }

    if (done) {
        t->waiting[w->waits]--;
        fcz_wait_sub(&w->m, &w->pools[w->waits], FCZ_NO_TICKET);
        w->waits = -1;
    }
}


static void
worker_run(worker_t *w, truth_t *t)
{
    int  i;

    if (w->waits != -1) {
        worker_pull(w, t);
        return;
    }

    i = (int) (random() % SLOTS);
    w->ticket = fcz_ticket(zone);

    if (w->nheld && random() % 2) {
        worker_release(w, t, (int) (random() % w->nheld));

    } else if (!worker_bind(w, t, i, 1) && random() % 256 == 0) {
        worker_wait(w, t, i % POOLS);
    }
}


static void
worker(truth_t *t)
{
    mode_e    mode;
    uint32_t  round;
    worker_t  w;

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    worker_init(&w, t);

    for ( ;; ) {
        round = fcz_read(&shared->round);
        mode = fcz_read(&shared->mode);

        if (mode == RUN) {
            worker_run(&w, t);

            if (t->steps % 64 == 0) {
                fcz_offers(&w.m);
                fcz_beat(&w.m);
            }

        } else {

            while (mode == EMPTY && w.nheld) {
                worker_release(&w, t, 0);
            }

            fcz_beat(&w.m);
            fcz_write(&t->quiet, w.m.untold ? 0 : round);
            (void) poll(NULL, 0, 1);
        }

        t->alone += (w.m.events & FCZ_E_ALONE) != 0;
        t->broken += (w.m.events & FCZ_E_BROKEN) != 0;
        w.m.events = 0;
        fcz_write(&t->steps, t->steps + 1);
    }
}


#endif /* _FCT_ZONE_WORKER_H_INCLUDED_ */
