#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


/* tries before the kernel is asked: longer than the mutex is ever held by
 * one that runs */
#define FCZ_SPIN  200
/* of FCZ_LOCK_MS, at most, while the holder does not stand still */
#define FCZ_LOCK_TIMES  10

#if defined(__x86_64__)
#define fcz_pause()  __builtin_ia32_pause()
#else
#define fcz_pause()
#endif


static int fcz_lock_take(fcz_member_t *m);
static unsigned fcz_lock_stands(fcz_member_t *m);
static void fcz_lock_taken(fcz_member_t *m);
static void fcz_lock_alone(fcz_member_t *m);


int
fcz_mutex_init(pthread_mutex_t *mutex)
{
    int                  rc;
    pthread_mutexattr_t  attr;

    rc = pthread_mutexattr_init(&attr);

    if (rc == 0) {
        rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    }

    if (rc == 0) {
        rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    }

    if (rc == 0) {
        rc = pthread_mutex_init(mutex, &attr);
        (void) pthread_mutexattr_destroy(&attr);
    }

    if (rc != 0) {
        errno = rc;
        return -1;
    }

    return 0;
}


/* 0, EOWNERDEAD (consistent again), or EBUSY after ms */
int
fcz_mutex_lock(pthread_mutex_t *mutex, int ms)
{
    int              rc;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    ts.tv_nsec += (long) ms * 1000000;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;

    rc = pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &ts);

    if (rc == EOWNERDEAD) {
        (void) pthread_mutex_consistent(mutex);
        return rc;
    }

    return rc == 0 ? 0 : EBUSY;
}


int
fcz_lock(fcz_member_t *m)
{
    int  rc;

    if (m->index == FCZ_NONE) {
        return 0;
    }

    rc = fcz_lock_take(m);

    if (rc == EOWNERDEAD) {
        /* counts may be half written: they begin anew */

        fcz_mem_reset(m->zone);

        m->events |= FCZ_E_EPOCH;
        fcz_ring_all(m, fcz_now());

    } else if (rc != 0) {
        fcz_lock_alone(m);
        return 0;
    }

    fcz_lock_taken(m);

    return 1;
}


static int
fcz_lock_take(fcz_member_t *m)
{
    int  i, rc;

    rc = pthread_mutex_trylock(&m->zone->lock);

    for (i = 0; rc == EBUSY && i < FCZ_SPIN && !m->alone; i++) {
        fcz_pause();

        if (i % 8 == 7) {
            rc = pthread_mutex_trylock(&m->zone->lock);
        }
    }

    /* one that only has no processor is waited for longer */

    for (i = 0; rc == EBUSY && !m->alone && i < FCZ_LOCK_TIMES; i++) {

        rc = fcz_mutex_lock(&m->zone->lock, FCZ_LOCK_MS);

        if (rc != EBUSY || fcz_lock_stands(m)) {
            return rc;
        }
    }

    if (rc == EOWNERDEAD) {
        (void) pthread_mutex_consistent(&m->zone->lock);
    }

    return rc;
}


/* whoever holds it stands still */
static unsigned
fcz_lock_stands(fcz_member_t *m)
{
    uint32_t  owner;

    owner = fcz_read(&m->zone->owner);

    return owner < FCZ_MEMBERS_MAX
           && fcz_stopped(fcz_read(&m->zone->entries[owner].pid));
}


static void
fcz_lock_taken(fcz_member_t *m)
{
    fcz_write(&m->zone->owner, m->index);

    if (m->alone) {
        m->alone = 0;
        m->events |= FCZ_E_TOGETHER;
    }
}


static void
fcz_lock_alone(fcz_member_t *m)
{
    uint32_t  owner;

    m->untold = 1;

    if (m->alone) {
        return;
    }

    owner = fcz_read(&m->zone->owner);

    m->alone = 1;
    m->events |= FCZ_E_ALONE;
    m->alone_by = owner < FCZ_MEMBERS_MAX
                  ? (uint32_t) m->zone->entries[owner].pid : 0;
}


void
fcz_unlock(fcz_member_t *m)
{
    uint32_t  i;
    uint64_t  bits, one;

    fcz_write(&m->zone->owner, FCZ_NONE);
    (void) pthread_mutex_unlock(&m->zone->lock);

    one = 1;

    for (i = 0; i < FCZ_MEMBERS_MAX / 64; i++) {

        bits = m->ringing[i];
        m->ringing[i] = 0;

        while (bits) {
            /* full: it has been rung often enough */
            if (write(m->zone->entries[64 * i + __builtin_ctzll(bits)].bell,
                      &one, sizeof(one)) == -1)
            {
                /* void: it looks for itself before long */
            }

            bits &= bits - 1;
        }
    }
}


void
fcz_ring(fcz_member_t *m, uint32_t member, uint64_t now)
{
    fcz_entry_t  *e;

    e = &m->zone->entries[member];

    if (e->pid == 0 || e->bell == -1
        || (e->bell_at && now - e->bell_at < FCZ_RING_MS))
    {
        return;
    }

    e->bell_at = now;
    m->ringing[member / 64] |= (uint64_t) 1 << (member % 64);
}


void
fcz_ring_all(fcz_member_t *m, uint64_t now)
{
    uint32_t  i;

    for (i = 0; i < FCZ_MEMBERS_MAX; i++) {
        if (i != m->index) {
            fcz_ring(m, i, now);
        }
    }
}


uint64_t
fcz_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}
