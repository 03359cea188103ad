/*
 * What the workers of a gateway must agree on, in memory that they share:
 * which instance has how many requests (slots), who waits for which pool and
 * since when (waits), and how starts went (asks).  Plain C: no nginx here.
 *
 * Three kinds of objects:
 *  - fcz_t lies in the shared memory and is made once, by the master;
 *  - fcz_member_t is a process' own end of it, in its own memory;
 *  - fcz_pool_t and fcz_slot_t are handles of the caller's, one for each pool
 *    and instance that it knows.  They keep what is true of this process
 *    (requests held, requests that wait) and where the zone counts it.
 *
 * The truth is with the processes, the zone only adds it up: so whatever
 * happens to the zone, each tells it anew.  Its mutex is robust.  One that
 * dies inside it costs the counts: a new epoch begins with none, and nothing
 * is bound until all that live have told theirs, or for FCZ_SETTLE_MS.  One
 * that stands still inside it is waited for FCZ_LOCK_MS, once (ten times that
 * if it does not stand, but has no processor): then a process counts for
 * itself, until the mutex is free.
 *
 * Under the mutex there is no system call, no allocation and no loop but over
 * workers or of FCZ_TURN steps.  Bells are rung after it.
 *
 * A place that is given back may stay counted, as a spare one of this process,
 * while others of it are in that instance: it is taken again without the
 * mutex.  So more may be counted than there is, never less; nothing is kept
 * where somebody waits, nor of an instance that is more than a quarter full,
 * and who finds no room gets the spare ones of others back.
 *
 * No call fails: what has no room in the zone is counted by this process
 * alone, and told as an event.
 */

#ifndef _FCZ_H_INCLUDED_
#define _FCZ_H_INCLUDED_

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/* of the memory: another one gets another zone */
#define FCZ_LAYOUT       4

#define FCZ_MEMBERS_MAX  128
#define FCZ_NONE         UINT32_MAX
#define FCZ_NO_TICKET    UINT64_MAX

#define FCZ_LOCK_MS      100        /* waited for a mutex, once */
#define FCZ_SETTLE_MS    500
#define FCZ_OFFER_MS       5        /* then the next worker is rung */
#define FCZ_NEWCOMER_MS   20        /* then those who come now may take it */
#define FCZ_RING_MS       10        /* a bell that is not heard rings again */
#define FCZ_LOOK_MS      100        /* each looks for itself, while it waits */
#define FCZ_BEAT_MS      400        /* without a sign of life for longer: its
                                       waiters do not count */
#define FCZ_TURN          64        /* steps under the mutex at once */
#define FCZ_ASK_MS       200        /* one that asks and is not heard of for so
                                       long keeps nobody else from it */
#define FCZ_ASKED_MS    1000        /* what was asked for counts so long */
#define FCZ_ASKED_MAX    100        /* and so many are, meanwhile */

typedef struct fcz_s         fcz_t;
typedef struct fcz_cells_s   fcz_cells_t;

typedef struct {
    uint64_t            part[2];
} fcz_key_t;

typedef enum {
    FCZ_OK = 0,
    FCZ_FULL,                       /* no slot of it is free */
    FCZ_BEHIND,                     /* somebody older has been rung for it */
    FCZ_SETTLING                    /* counts are being told anew */
} fcz_rc_e;

/* "events" of a member: to be logged by the caller, who clears them */
#define FCZ_E_ALONE    0x01u        /* the mutex is held by one that stands
                                       still: "alone_by" */
#define FCZ_E_TOGETHER 0x02u        /* and that is over */
#define FCZ_E_FULL     0x04u        /* the zone is full; once in its life */
#define FCZ_E_EPOCH    0x08u        /* one died inside the mutex */
#define FCZ_E_BROKEN   0x10u        /* a count below zero: a bug */

/* what was asked for a pool, and what came of it */
typedef struct {
    uint64_t                until;      /* that counts; 0: nothing was */
    uint32_t                asked;      /* instances */
    uint32_t                denied;     /* so many, in all, are not needed */
    uint32_t                started;    /* asked for, whatever became of them */
    uint32_t                pad;
} fcz_asks_t;

typedef enum {
    FCZ_ASK_PUSHED = 0,
    FCZ_ASK_DENIED,                 /* so many are not needed */
    FCZ_ASK_FAILED                  /* nobody knows */
} fcz_ask_e;

typedef struct fcz_pool_s {
    fcz_key_t               key;
    LIST_ENTRY(fcz_pool_s)  link;       /* while "listed" */
    uint32_t                cell;       /* valid in "epoch", if "gen" is its */
    uint32_t                gen;
    uint32_t                epoch;
    uint32_t                wait;       /* valid in "epoch" */
    uint32_t                waiting;    /* requests of this process */
    uint32_t                told;       /* of them, to the zone */
    uint32_t                wants;      /* requests of this process that want
                                           it, wherever they wait */
    uint32_t                wants_told;
    uint64_t                head;       /* ticket of the oldest of them */
    LIST_ENTRY(fcz_pool_s)  offer;      /* in member->offers */
    uint64_t                offered_at; /* 0: not in there */
    fcz_asks_t              asks;       /* while they are not the zone's */
    uint8_t                 listed;
} fcz_pool_t;

typedef struct fcz_slot_s {
    fcz_key_t               key;
    fcz_pool_t             *pool;       /* the caller's, where it is now */
    LIST_ENTRY(fcz_slot_s)  link;       /* while "listed" */
    uint32_t                cell;       /* as above */
    uint32_t                gen;
    uint32_t                epoch;
    uint32_t                ledger;     /* valid in "epoch" while told */
    LIST_ENTRY(fcz_slot_s)  spare;      /* while "spared" */
    uint32_t                held;       /* requests of this process inside */
    uint32_t                told;
    uint32_t                limit;
    uint8_t                 listed;
    uint8_t                 spared;     /* more is told than held, maybe */
} fcz_slot_t;

typedef struct {
    fcz_t                   *zone;
    fcz_cells_t             *cells;     /* where the zone's arrays are, here */
    uint32_t                 index;     /* FCZ_NONE: no room for it, alone */
    uint32_t                 epoch;     /* told all of itself in this one */
    LIST_HEAD(, fcz_slot_s)  slots;     /* held or told */
    LIST_HEAD(, fcz_pool_s)  pools;     /* waited for, or told so */
    LIST_HEAD(, fcz_slot_s)  slots_left;    /* the same, to be told anew */
    LIST_HEAD(, fcz_pool_s)  pools_left;
    LIST_HEAD(, fcz_slot_s)  spares;
    LIST_HEAD(, fcz_pool_s)  offers;    /* others were rung for these */
    fcz_pool_t             **by_wait;   /* the handles of our wait cells */
    fcz_slot_t             **by_cell;   /* and of instance cells we know */
    uint64_t                 ringing[FCZ_MEMBERS_MAX / 64];
    uint32_t                 alone_by;  /* pid, 0: unknown */
    uint32_t                 events;
    uint8_t                  alone;
    uint8_t                  untold;    /* something was done alone */
} fcz_member_t;

/* what is known of a pool over all members */
typedef struct {
    uint32_t                 waiting;
    uint32_t                 wanted;        /* who want it, wherever they wait */
    uint32_t                 busy;
    uint32_t                 failed;        /* starts in a row */
    uint64_t                 failed_until;  /* no start before, by fcz_now() */
} fcz_view_t;

typedef struct {
    uint32_t                 epoch;
    uint32_t                 slots, slots_max;      /* cells in use */
    uint32_t                 pools, pools_max;
    uint32_t                 ledgers, ledgers_max;  /* of a member's holdings */
    uint32_t                 waits, waits_max;      /* of a member's waiters */
    uint32_t                 members;
    uint32_t                 unsettled;             /* have not told */
    uint32_t                 waiting;               /* requests */
} fcz_stat_t;

/* milliseconds of the machine's monotonic clock */
uint64_t fcz_now(void);

/* A robust mutex between processes, for others: -1, errno set.  Locked: 0, or
 * EOWNERDEAD (the last one died with it; it is held all the same), or EBUSY
 * (after ms). */
int fcz_mutex_init(pthread_mutex_t *mutex);
int fcz_mutex_lock(pthread_mutex_t *mutex, int ms);

/* When a process was started, in the kernel's ticks, which no other with its
 * pid shares; 0: unknown. */
uint64_t fcz_started(pid_t pid);
/* 1 if it is no more, or, where started is not 0, its pid is another's now or
 * nobody has waited for its end yet; 0 also where nobody can tell, without
 * descriptors say */
unsigned fcz_dead(pid_t pid, uint64_t started);


/* The zone: in "size" bytes of shared memory, aligned to 64.  bells:
 * FCZ_MEMBERS_MAX eventfds that all members inherit, or NULL.  NULL, errno
 * set: too small, or no robust mutex. */
fcz_t *fcz_create(void *mem, size_t size, const int *bells);
/* bytes that would hold so many instances in use */
size_t fcz_size(uint32_t nslots);
/* 32 hexadecimal digits that no other zone has, and NUL */
void fcz_id(fcz_t *zone, char *text);

/* of "function" "name": what this zone calls it, unlike any other zone */
void fcz_key(fcz_t *zone, fcz_key_t *key, const char *function,
    const char *name);


/* A process joins.  What dead members left is given back first.  Always works
 * (member->index FCZ_NONE: no entry was free, it counts alone); -1: out of
 * memory. */
int fcz_join(fcz_member_t *m, fcz_t *zone);
/* Gives back all that it holds; handles must not be used afterwards. */
void fcz_leave(fcz_member_t *m);
/* to read from: others want this process to look, by fcz_heard(); -1 */
int fcz_bell(fcz_member_t *m);
/* Every FCZ_LOOK_MS while anybody waits, else once a second at least: tells
 * that it lives, gives back what the dead left and what is spare, tells what
 * is untold. */
void fcz_beat(fcz_member_t *m);
void fcz_stat(fcz_member_t *m, fcz_stat_t *stat);
/* milliseconds since the member of this index gave a sign of life; 0 if there
 * is none */
uint64_t fcz_silent(fcz_member_t *m, uint32_t index);

void fcz_pool_init(fcz_pool_t *pool, const fcz_key_t *key);
/* before its memory goes: nothing waits there any more */
void fcz_pool_done(fcz_member_t *m, fcz_pool_t *pool);
void fcz_slot_init(fcz_slot_t *slot, fcz_pool_t *pool, const fcz_key_t *key);
/* nothing is held any more */
void fcz_slot_done(fcz_member_t *m, fcz_slot_t *slot);


/* the place of a request in the order of arrival, over all members */
uint64_t fcz_ticket(fcz_t *zone);

/* One slot of limit (0: no limit) for the request with this ticket, unless
 * somebody older waits elsewhere; one that has none (0) gets it here, which
 * costs less: others may have the same, and none of these is the older one.
 * newcomer: it has not waited itself. */
fcz_rc_e fcz_bind(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit,
    uint64_t *ticket, unsigned newcomer);
/* what fcz_bind() would say */
fcz_rc_e fcz_peek(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit,
    uint64_t ticket, unsigned newcomer);
/* Gives it back, and rings who has waited longest. */
void fcz_release(fcz_member_t *m, fcz_slot_t *slot);
/* Instances of the pool that were full and have room again, those that this
 * process knows: the first n of them.  Returns how many. */
uint32_t fcz_room(fcz_member_t *m, fcz_pool_t *pool, fcz_slot_t **slots,
    uint32_t n);


/* One more waits here, if there are less than limit in its pool and total in
 * all (0: no limit): FCZ_OK, FCZ_FULL.  It counts for others once its ticket
 * is told as the head. */
fcz_rc_e fcz_wait_add(fcz_member_t *m, fcz_pool_t *pool, uint32_t limit,
    uint32_t total);
/* the oldest that waits here is this one now */
void fcz_wait_head(fcz_member_t *m, fcz_pool_t *pool, uint64_t ticket);
/* One less, and this is the oldest of the rest, or FCZ_NO_TICKET. */
void fcz_wait_sub(fcz_member_t *m, fcz_pool_t *pool, uint64_t head);
/* So many more, or less, of this process want the pool; told with its next
 * place here, or now. */
void fcz_want(fcz_member_t *m, fcz_pool_t *pool, int n, unsigned now);
/* 1 if somebody waits in any member; a hint, without the mutex */
unsigned fcz_waited(fcz_member_t *m, fcz_pool_t *pool);

/* The bell rang: gives back what is spare.  The pools to look at, at most n of
 * them; call until it returns 0. */
uint32_t fcz_heard(fcz_member_t *m, fcz_pool_t **pools, uint32_t n);
/* Every FCZ_OFFER_MS while member->offers is not empty: rings the next where
 * nobody came. */
void fcz_offers(fcz_member_t *m);


/* What is known of a pool. */
void fcz_view(fcz_member_t *m, fcz_pool_t *pool, fcz_view_t *view);
/* So many instances are wanted in all, with those that live: 1 if this member
 * is to ask for one more, and then says what came of it; 0: that is asked for
 * already, or somebody else is about it, and it is to be looked at again in
 * *ms. */
unsigned fcz_ask(fcz_member_t *m, fcz_pool_t *pool, uint32_t live,
    uint32_t wanted, uint32_t *ms);
void fcz_asked(fcz_member_t *m, fcz_pool_t *pool, fcz_ask_e what,
    uint32_t wanted);
/* what was asked for says nothing any more */
void fcz_ask_forget(fcz_member_t *m, fcz_pool_t *pool);
/* One more failure in a row, told once for each "what" (a name's hash: all
 * members see the same).  From the third on starts are spaced.  Returns how
 * many in a row; until: 0 or when the next start may be, by fcz_now(). */
uint32_t fcz_failed(fcz_member_t *m, fcz_pool_t *pool, uint64_t what,
    uint64_t *until);
/* the row has ended */
void fcz_succeeded(fcz_member_t *m, fcz_pool_t *pool);

#endif /* _FCZ_H_INCLUDED_ */
