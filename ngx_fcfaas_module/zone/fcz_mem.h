/*
 * What lies in the shared memory, for the files of this room: arrays of cells,
 * named by index.  A cell that is used anew gets another generation, all of
 * them are void in another epoch: so a handle can be told from a stale one
 * without anybody being asked.
 *
 * All of it but what is said otherwise is read and written under the mutex.
 */

#ifndef _FCZ_MEM_H_INCLUDED_
#define _FCZ_MEM_H_INCLUDED_

#include "ngx_fcfaas_module/zone/fcz.h"

#define FCZ_RECENT  8

/* The heads of free, idle and used cells; those from "fresh" on were never
 * used in this epoch. */
typedef struct {
    uint32_t         max;
    uint32_t         fresh;
    uint32_t         free;              /* by next */
    uint32_t         used;
    uint32_t         idle_first;        /* by idle_next: to be taken first */
    uint32_t         idle_last;
    uint32_t         nbuckets;          /* a power of two */
} fcz_array_t;

/* an instance: in its bucket as long as its key is known */
typedef struct {
    fcz_key_t        key;
    uint32_t         gen;
    uint32_t         next;              /* of its bucket */
    uint32_t         idle_prev;
    uint32_t         idle_next;
    uint32_t         room_prev;         /* of its pool; while "room" */
    uint32_t         room_next;
    uint32_t         pool;              /* read without the mutex too, and */
    uint32_t         busy;              /* so is this */
    uint8_t          idle;              /* in the idle list */
    uint8_t          room;              /* in its pool's list: has been full */
    uint8_t          full;
    uint8_t          pad[5];
    uint64_t         lent;              /* members, by index modulo 64, that
                                           may have spare ones; set without */
} fcz_cell_t;

/* what a member holds of an instance */
typedef struct {
    uint32_t         member;
    uint32_t         cell;
    uint32_t         count;
    uint32_t         prev;              /* of the member */
    uint32_t         next;              /* of the member, or free */
    uint32_t         pad[3];
} fcz_ledger_t;

/* a pool; idle while nothing refers to it */
typedef struct {
    fcz_key_t        key;
    uint32_t         gen;
    uint32_t         next;
    uint32_t         idle_prev;
    uint32_t         idle_next;
    uint32_t         cells;             /* instances that point here */
    uint32_t         busy;              /* in all of them */
    uint32_t         waiting;
    uint32_t         wanted;
    uint32_t         waits;             /* first wait cell; read without the
                                           mutex too */
    uint32_t         room;              /* first instance with room */
    uint8_t          idle;
    uint8_t          pad[3];

    fcz_asks_t       asks;
    uint64_t         ask_until;         /* "asker" is believed to be at it */
    uint32_t         asker;

    uint32_t         attempt;
    uint64_t         failed_at;
    uint64_t         failed_until;
    uint64_t         recent[FCZ_RECENT];
    uint32_t         nrecent;
    uint32_t         pad2;
} fcz_poolcell_t;

/* the requests of a member that wait for a pool, or want it */
typedef struct {
    uint64_t         head;              /* FCZ_NO_TICKET: none, or not told */
    uint64_t         rung_at;           /* 0: not, or it has come since */
    uint32_t         member;
    uint32_t         pool;
    uint32_t         count;
    uint32_t         pool_prev;         /* of its pool */
    uint32_t         pool_next;         /* of its pool, or free */
    uint32_t         prev;              /* of its member */
    uint32_t         next;
    uint32_t         rung_prev;         /* of its member, while "rung" */
    uint32_t         rung_next;
    uint32_t         wants;
    uint8_t          rung;
    uint8_t          pad[3];
} fcz_wait_t;

typedef struct {
    pid_t            pid;               /* 0: free */
    int              bell;              /* an eventfd; -1: none */
    uint64_t         started;           /* the process; pids come again */
    uint64_t         beat;              /* written without the mutex */
    uint64_t         bell_at;           /* rung and not heard, since; or 0 */
    uint32_t         epoch;             /* of its counts; read without */
    uint32_t         ledgers;
    uint32_t         waits;
    uint32_t         rung;
} fcz_entry_t;

struct fcz_s {
    uint32_t         layout;
    size_t           size;
    uint64_t         seed[4];
    uint64_t         id[2];

    pthread_mutex_t  lock __attribute__((aligned(64)));
    uint32_t         owner;             /* entry of who holds it, or NONE */
    uint32_t         epoch;             /* read without the mutex too */
    uint32_t         unsettled;         /* members that have not told */
    uint64_t         ticket;            /* the next; added to without the
                                           mutex too */
    uint64_t         settle_until;
    uint32_t         waiting;
    uint32_t         full_told;

    fcz_array_t      cells;
    fcz_array_t      pools;
    fcz_array_t      ledgers;
    fcz_array_t      waits;

    fcz_entry_t      entries[FCZ_MEMBERS_MAX] __attribute__((aligned(64)));
};

/* where the arrays are; in a process' own memory */
struct fcz_cells_s {
    fcz_cell_t      *cells;
    fcz_poolcell_t  *pools;
    fcz_ledger_t    *ledgers;
    fcz_wait_t      *waits;
    uint32_t        *cell_buckets;
    uint32_t        *pool_buckets;
};

/* fcz_mem.c */
void fcz_mem_where(fcz_t *zone, fcz_cells_t *where);
/* a new epoch, without counts; entries are kept */
void fcz_mem_reset(fcz_t *zone);
/* FCZ_NONE: there is none left */
uint32_t fcz_mem_cell(fcz_member_t *m, const fcz_key_t *key, uint32_t pool);
/* it belongs to another pool now */
void fcz_mem_move(fcz_member_t *m, uint32_t cell, uint32_t pool);
void fcz_mem_idle(fcz_member_t *m, uint32_t cell);
void fcz_mem_used(fcz_member_t *m, uint32_t cell);
void fcz_mem_room(fcz_member_t *m, uint32_t cell);
void fcz_mem_no_room(fcz_member_t *m, uint32_t cell);

/* there is no cell for it: told once */
void fcz_mem_full(fcz_member_t *m);

/* fcz_mem_list.c */
uint32_t fcz_mem_ledger(fcz_member_t *m, uint32_t member, uint32_t cell);
void fcz_mem_ledger_free(fcz_member_t *m, uint32_t ledger);
uint32_t fcz_mem_wait(fcz_member_t *m, uint32_t member, uint32_t pool);
void fcz_mem_wait_free(fcz_member_t *m, uint32_t wait);

/* fcz_mem_pool.c */
/* puts it with the idle ones, or takes it out, by what refers to it */
void fcz_mem_pool_idle(fcz_member_t *m, uint32_t pool);
/* the pool's cell, for who only looks: FCZ_NONE if it has none */
uint32_t fcz_mem_pool_find(fcz_member_t *m, fcz_pool_t *pool);
/* the same, made if need be, of one that was idle; FCZ_NONE: none is left */
uint32_t fcz_mem_pool_of(fcz_member_t *m, fcz_pool_t *pool);

/* fcz_lock.c: 1 if the mutex is held, 0 if this member is alone */
int fcz_lock(fcz_member_t *m);
/* and rings the bells that were noted */
void fcz_unlock(fcz_member_t *m);
void fcz_ring(fcz_member_t *m, uint32_t member, uint64_t now);
void fcz_ring_all(fcz_member_t *m, uint64_t now);

/* fcz_wait.c: rings who has waited longest for the pool; 1 if that is
 * another one than this member */
unsigned fcz_offer(fcz_member_t *m, uint32_t pool);
void fcz_offered(fcz_member_t *m, fcz_pool_t *pool);
/* whether somebody before this ticket is to come first, who is then rung */
unsigned fcz_behind(fcz_member_t *m, uint32_t pool, uint64_t ticket,
    unsigned newcomer);
/* this member has come, whatever it found */
void fcz_came(fcz_member_t *m, uint32_t wait);
void fcz_wait_tell(fcz_member_t *m, fcz_pool_t *pool);

/* fcz_slot.c: makes what the zone counts what is true */
void fcz_slot_tell(fcz_member_t *m, fcz_slot_t *slot);
/* the same, and rings who has waited longest for what is free by that */
void fcz_slot_back(fcz_member_t *m, fcz_slot_t *slot);
void fcz_slot_drop(fcz_member_t *m, uint32_t ledger);

/* fcz_spare.c, without the mutex: 1 if a spare one of this member is there for
 * the next request, or the one given back now (held no more) may be one */
unsigned fcz_spare_take(fcz_member_t *m, fcz_slot_t *slot, uint32_t limit);
unsigned fcz_spare_keep(fcz_member_t *m, fcz_slot_t *slot);
void fcz_spare_none(fcz_slot_t *slot);
/* gives all of this member back */
void fcz_spare_back(fcz_member_t *m);
/* with the mutex: those who may have spare ones there are rung for them */
void fcz_spare_recall(fcz_member_t *m, uint32_t cell);

/* fcz_member.c */
void fcz_tell_anew(fcz_member_t *m);
unsigned fcz_settled(fcz_member_t *m);

/* fcz_process.c: it stands still */
unsigned fcz_stopped(pid_t pid);

#define fcz_read(p)      __atomic_load_n(p, __ATOMIC_RELAXED)
#define fcz_write(p, v)  __atomic_store_n(p, v, __ATOMIC_RELAXED)

/* tells what the zone does not know of this member: nothing, as a rule */
static inline void
fcz_tell(fcz_member_t *m)
{
    if (m->untold || m->epoch != fcz_read(&m->zone->epoch)) {
        fcz_tell_anew(m);
    }
}

#endif /* _FCZ_MEM_H_INCLUDED_ */
