#include "ngx_fcfaas_module/ngx_http_fcfaas_pick.h"


#define NGX_HTTP_FCFAAS_ROOM_MIN  8


static void ngx_http_fcfaas_pick_insert(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell, ngx_http_fcfaas_place_e place);
static void ngx_http_fcfaas_pick_remove(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell);
static void ngx_http_fcfaas_pick_idle(ngx_http_fcfaas_rank_t *rank,
    ngx_http_fcfaas_cell_t *cell);
static ngx_int_t ngx_http_fcfaas_pick_room(ngx_http_fcfaas_rank_t *rank,
    ngx_http_fcfaas_cell_t *cell);
static ngx_http_fcfaas_place_e ngx_http_fcfaas_pick_where(
    ngx_http_fcfaas_cell_t *cell);
static ngx_uint_t ngx_http_fcfaas_pick_slots(ngx_http_fcfaas_cell_t *cell,
    ngx_http_fcfaas_place_e place);


void
ngx_http_fcfaas_pick_init(ngx_http_fcfaas_pick_t *pick)
{
    ngx_uint_t  i;

    ngx_memzero(pick, sizeof(ngx_http_fcfaas_pick_t));

    ngx_queue_init(&pick->ranks[0].idle);
    ngx_queue_init(&pick->ranks[1].idle);
    ngx_queue_init(&pick->trial);
    ngx_queue_init(&pick->full);
    ngx_queue_init(&pick->out);

    for (i = 0; i < NGX_HTTP_FCFAAS_NASIDE; i++) {
        ngx_queue_init(&pick->aside[i]);
    }
}


void
ngx_http_fcfaas_pick_done(ngx_http_fcfaas_pick_t *pick)
{
    free(pick->ranks[0].room);
    free(pick->ranks[1].room);

    ngx_memzero(pick->ranks, sizeof(pick->ranks));
}


void
ngx_http_fcfaas_pick_add(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_pick_insert(pick, cell,
                                ngx_http_fcfaas_pick_where(cell));
}


void
ngx_http_fcfaas_pick_del(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_pick_remove(pick, cell);
    cell->gone = 1;
}


void
ngx_http_fcfaas_pick_place(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_place_e  place;

    place = ngx_http_fcfaas_pick_where(cell);

    if (place == cell->place && cell->last == cell->placed_last) {

        pick->free -= cell->free;
        cell->free = ngx_http_fcfaas_pick_slots(cell, place);
        pick->free += cell->free;

        return;
    }

    ngx_http_fcfaas_pick_remove(pick, cell);
    ngx_http_fcfaas_pick_insert(pick, cell, place);
}


static ngx_http_fcfaas_place_e
ngx_http_fcfaas_pick_where(ngx_http_fcfaas_cell_t *cell)
{
    if (cell->out) {
        return NGX_HTTP_FCFAAS_OUT;
    }

    if (cell->aside) {
        return NGX_HTTP_FCFAAS_ASIDE;
    }

    if (cell->busy >= cell->limit) {
        return NGX_HTTP_FCFAAS_FULL;
    }

    if (cell->trial) {
        return cell->trying ? NGX_HTTP_FCFAAS_FULL : NGX_HTTP_FCFAAS_TRIAL;
    }

    return cell->busy ? NGX_HTTP_FCFAAS_ROOM : NGX_HTTP_FCFAAS_IDLE;
}


static ngx_uint_t
ngx_http_fcfaas_pick_slots(ngx_http_fcfaas_cell_t *cell,
    ngx_http_fcfaas_place_e place)
{
    switch (place) {

    case NGX_HTTP_FCFAAS_IDLE:
    case NGX_HTTP_FCFAAS_ROOM:
        return cell->limit - cell->busy;

    case NGX_HTTP_FCFAAS_TRIAL:
        return 1;

    default:
        return 0;
    }
}


static void
ngx_http_fcfaas_pick_insert(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell, ngx_http_fcfaas_place_e place)
{
    ngx_http_fcfaas_rank_t  *rank;

    rank = &pick->ranks[cell->last];

    switch (place) {

    case NGX_HTTP_FCFAAS_OUT:
        ngx_queue_insert_tail(&pick->out, &cell->queue);
        break;

    case NGX_HTTP_FCFAAS_ROOM:
        if (ngx_http_fcfaas_pick_room(rank, cell) == NGX_OK) {
            break;
        }

        /* no memory: found there as well */
        place = NGX_HTTP_FCFAAS_IDLE;
        ngx_queue_insert_tail(&rank->idle, &cell->queue);
        break;

    case NGX_HTTP_FCFAAS_IDLE:
        ngx_http_fcfaas_pick_idle(rank, cell);
        break;

    case NGX_HTTP_FCFAAS_TRIAL:
        ngx_queue_insert_tail(&pick->trial, &cell->queue);
        break;

    case NGX_HTTP_FCFAAS_FULL:
        ngx_queue_insert_tail(&pick->full, &cell->queue);
        break;

    case NGX_HTTP_FCFAAS_ASIDE:
        ngx_queue_insert_tail(&pick->aside[cell->kind], &cell->queue);
        pick->naside++;
        break;
    }

    cell->place = place;
    cell->placed_last = cell->last;
    cell->free = ngx_http_fcfaas_pick_slots(cell, place);
    pick->free += cell->free;
}


static void
ngx_http_fcfaas_pick_remove(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_rank_t  *rank;

    pick->free -= cell->free;
    cell->free = 0;

    if (cell->place == NGX_HTTP_FCFAAS_ASIDE) {
        pick->naside--;
    }

    if (cell->place != NGX_HTTP_FCFAAS_ROOM) {
        ngx_queue_remove(&cell->queue);
        return;
    }

    /* the last one takes its place */

    rank = &pick->ranks[cell->placed_last];
    rank->nroom--;

    rank->room[cell->index] = rank->room[rank->nroom];
    rank->room[cell->index]->index = cell->index;
}


/* One that has just come goes below those that have been used.  Where none
 * has, the order is left to chance: all workers hear of the same ones, and are
 * not to begin with the same one. */

static void
ngx_http_fcfaas_pick_idle(ngx_http_fcfaas_rank_t *rank,
    ngx_http_fcfaas_cell_t *cell)
{
    ngx_http_fcfaas_cell_t  *first;

    if (!cell->used) {

        first = ngx_queue_empty(&rank->idle)
                ? NULL
                : ngx_http_fcfaas_pick_cell(ngx_queue_head(&rank->idle));

        if ((first && first->used) || (ngx_random() & 1)) {
            ngx_queue_insert_tail(&rank->idle, &cell->queue);
            return;
        }
    }

    ngx_queue_insert_head(&rank->idle, &cell->queue);
}


static ngx_int_t
ngx_http_fcfaas_pick_room(ngx_http_fcfaas_rank_t *rank,
    ngx_http_fcfaas_cell_t *cell)
{
    ngx_uint_t                size;
    ngx_http_fcfaas_cell_t  **room;

    if (rank->nroom == rank->size) {

        size = rank->size ? rank->size * 2 : NGX_HTTP_FCFAAS_ROOM_MIN;

        room = realloc(rank->room, size * sizeof(void *));
        if (room == NULL) {
            return NGX_ERROR;
        }

        rank->room = room;
        rank->size = size;
    }

    cell->index = rank->nroom;
    rank->room[rank->nroom++] = cell;

    return NGX_OK;
}


void
ngx_http_fcfaas_pick_aside(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell, ngx_http_fcfaas_aside_e kind,
    ngx_msec_t until)
{
    ngx_queue_t             *queue;
    ngx_http_fcfaas_cell_t  *before;

    if (cell->aside) {

        if ((ngx_msec_int_t) (until - cell->until) <= 0) {
            return;
        }

        cell->aside = 0;
    }

    /* whatever it was in */
    ngx_http_fcfaas_pick_remove(pick, cell);

    queue = &pick->aside[kind];

    if (!ngx_queue_empty(queue)) {
        before = ngx_http_fcfaas_pick_cell(ngx_queue_last(queue));

        if ((ngx_msec_int_t) (before->until - until) > 0) {
            until = before->until;
        }
    }

    cell->aside = 1;
    cell->kind = kind;
    cell->until = until;

    ngx_http_fcfaas_pick_insert(pick, cell,
                                ngx_http_fcfaas_pick_where(cell));
}


void
ngx_http_fcfaas_pick_back(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    cell->aside = 0;
    ngx_http_fcfaas_pick_place(pick, cell);
}


ngx_http_fcfaas_cell_t *
ngx_http_fcfaas_pick_due(ngx_http_fcfaas_pick_t *pick, ngx_msec_t now)
{
    ngx_uint_t               i;
    ngx_http_fcfaas_cell_t  *cell;

    if (pick->naside == 0) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_FCFAAS_NASIDE; i++) {

        if (ngx_queue_empty(&pick->aside[i])) {
            continue;
        }

        cell = ngx_http_fcfaas_pick_cell(ngx_queue_head(&pick->aside[i]));

        if ((ngx_msec_int_t) (now - cell->until) >= 0) {
            ngx_http_fcfaas_pick_back(pick, cell);
            return cell;
        }
    }

    return NULL;
}


ngx_msec_t
ngx_http_fcfaas_pick_wait(ngx_http_fcfaas_pick_t *pick, ngx_msec_t now)
{
    ngx_uint_t               i;
    ngx_msec_t               least;
    ngx_msec_int_t           ms;
    ngx_http_fcfaas_cell_t  *cell;

    least = 0;

    for (i = 0; i < NGX_HTTP_FCFAAS_NASIDE; i++) {

        if (ngx_queue_empty(&pick->aside[i])) {
            continue;
        }

        cell = ngx_http_fcfaas_pick_cell(ngx_queue_head(&pick->aside[i]));

        ms = (ngx_msec_int_t) (cell->until - now);
        ms = ngx_max(ms, 1);

        if (least == 0 || (ngx_msec_t) ms < least) {
            least = (ngx_msec_t) ms;
        }
    }

    return least;
}


void
ngx_http_fcfaas_pick_take(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    cell->busy++;
    cell->used = 1;
    cell->trying = cell->trial;

    ngx_http_fcfaas_pick_place(pick, cell);
}


void
ngx_http_fcfaas_pick_give(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_cell_t *cell)
{
    cell->busy--;
    cell->trying = 0;

    if (!cell->gone) {
        ngx_http_fcfaas_pick_place(pick, cell);
    }
}
