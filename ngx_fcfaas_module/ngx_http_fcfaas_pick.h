/*
 * Which cell of a pool takes the next request, in a number of steps that does
 * not depend on how many there are.
 *
 * A cell is in one place at a time:
 *
 *   idle    a stack, the one used last on top: its connection is kept, and
 *           those that are not needed fall idle for good
 *   room    busy, with room for more: an array, of which the better of two
 *           random ones is taken when none is idle
 *   trial   may be tried, by one request at a time, when nothing better is
 *           there: it has refused before, or said that it is busy
 *   full    has no room
 *   aside   not before its time has come
 *   out     not at all
 *
 * Last resorts have an idle and a room place of their own, behind all others.
 * No I/O, no clock, no log; the memory of the array is from the heap.
 */

#ifndef _NGX_HTTP_FCFAAS_PICK_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PICK_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_core.h>

/* what stands for "no limit", and is never reached */
#define NGX_HTTP_FCFAAS_NO_LIMIT  ((ngx_uint_t) 1 << 30)

/* Each has times of one length, or nearly so: so they are lists, the next one
 * first, and a cell is put at the end.  One that would come before the last
 * comes with it. */
typedef enum {
    NGX_HTTP_FCFAAS_ASIDE_SHORT = 0,    /* said to be busy: up to 200 ms */
    NGX_HTTP_FCFAAS_ASIDE_RETRY,        /* the sole one refused: 100 ms */
    NGX_HTTP_FCFAAS_ASIDE_SUSPECT,      /* refused: 1 s */
    NGX_HTTP_FCFAAS_ASIDE_AWAY,         /* said that it drains: 2 s */
    NGX_HTTP_FCFAAS_NASIDE
} ngx_http_fcfaas_aside_e;

typedef enum {
    NGX_HTTP_FCFAAS_OUT = 0,
    NGX_HTTP_FCFAAS_IDLE,
    NGX_HTTP_FCFAAS_ROOM,
    NGX_HTTP_FCFAAS_TRIAL,
    NGX_HTTP_FCFAAS_FULL,
    NGX_HTTP_FCFAAS_ASIDE
} ngx_http_fcfaas_place_e;

typedef struct {
    ngx_queue_t                 queue;      /* of its place, but for room */
    ngx_uint_t                  index;      /* valid while in room */
    ngx_uint_t                  busy;
    ngx_uint_t                  limit;      /* not 0 */
    ngx_msec_t                  until;      /* valid while aside */
    ngx_uint_t                  free;       /* counted for it */
    unsigned                    place:3;    /* ngx_http_fcfaas_place_e */
    unsigned                    placed_last:1;  /* there, as last resort */
    unsigned                    used:1;     /* once */
    unsigned                    trying:1;   /* while trial: by a request */
    unsigned                    gone:1;     /* deleted */

    /* set by the owner, before ngx_http_fcfaas_pick_place() */
    unsigned                    out:1;
    unsigned                    trial:1;
    unsigned                    last:1;     /* a last resort */

    /* by ngx_http_fcfaas_pick_aside() */
    unsigned                    aside:1;
    unsigned                    kind:2;     /* ngx_http_fcfaas_aside_e */
} ngx_http_fcfaas_cell_t;

#define ngx_http_fcfaas_pick_cell(q)                                        \
    (ngx_queue_data(q, ngx_http_fcfaas_cell_t, queue))

typedef struct {
    ngx_queue_t                 idle;
    ngx_http_fcfaas_cell_t    **room;
    ngx_uint_t                  nroom;
    ngx_uint_t                  size;
} ngx_http_fcfaas_rank_t;

typedef struct {
    ngx_http_fcfaas_rank_t      ranks[2];   /* as usual; last resorts */
    uint64_t                    free;       /* slots */
    ngx_uint_t                  naside;     /* cells in all lists of aside */
    ngx_queue_t                 trial;
    ngx_queue_t                 full;
    ngx_queue_t                 out;
    ngx_queue_t                 aside[NGX_HTTP_FCFAAS_NASIDE];
} ngx_http_fcfaas_pick_t;

/* 1: not this one, for the request that asks */
typedef ngx_uint_t (*ngx_http_fcfaas_pick_pt)(void *data,
    ngx_http_fcfaas_cell_t *cell);


void ngx_http_fcfaas_pick_init(ngx_http_fcfaas_pick_t *pick);
/* Frees what it keeps; cells are the caller's. */
void ngx_http_fcfaas_pick_done(ngx_http_fcfaas_pick_t *pick);

/* A cell comes, filled with zeros but for limit and what its owner sets. */
void ngx_http_fcfaas_pick_add(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);
/* It goes; give is still to be called for what was taken. */
void ngx_http_fcfaas_pick_del(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);
/* Where it belongs, after limit, out, trial or last have changed. */
void ngx_http_fcfaas_pick_place(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);

/* Not before "until"; of several times the last one holds. */
void ngx_http_fcfaas_pick_aside(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell, ngx_http_fcfaas_aside_e kind,
    ngx_msec_t until);
/* It is over, whatever was said. */
void ngx_http_fcfaas_pick_back(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);
/* One whose time has come, no longer aside; NULL: none. */
ngx_http_fcfaas_cell_t *ngx_http_fcfaas_pick_due(
    ngx_http_fcfaas_pick_t *pick, ngx_msec_t now);
/* ms until one is due, at least 1; 0: none is aside */
ngx_msec_t ngx_http_fcfaas_pick_wait(ngx_http_fcfaas_pick_t *pick,
    ngx_msec_t now);

/* The one to take now, or NULL.  "skips" (or NULL: none) is asked at most
 * nskips + 1 times in each place: it must not refuse more than nskips. */
ngx_http_fcfaas_cell_t *ngx_http_fcfaas_pick_next(
    ngx_http_fcfaas_pick_t *pick, ngx_http_fcfaas_pick_pt skips, void *data,
    ngx_uint_t nskips);

/* Calls back for all cells but those that are out, or away. */
typedef void (*ngx_http_fcfaas_pick_each_pt)(void *data,
    ngx_http_fcfaas_cell_t *cell);
void ngx_http_fcfaas_pick_each(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_pick_each_pt handler, void *data);

/* Only these change "busy". */
void ngx_http_fcfaas_pick_take(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);
void ngx_http_fcfaas_pick_give(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);

#endif /* _NGX_HTTP_FCFAAS_PICK_H_INCLUDED_ */
