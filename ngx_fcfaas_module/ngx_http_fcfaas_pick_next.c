#include "ngx_fcfaas_module/ngx_http_fcfaas_pick.h"


static ngx_http_fcfaas_cell_t *ngx_http_fcfaas_pick_first(ngx_queue_t *queue,
    ngx_http_fcfaas_pick_pt skips, void *data, ngx_uint_t nskips);
static ngx_http_fcfaas_cell_t *ngx_http_fcfaas_pick_random(
    ngx_http_fcfaas_rank_t *rank, ngx_http_fcfaas_pick_pt skips, void *data,
    ngx_uint_t nskips);


ngx_http_fcfaas_cell_t *
ngx_http_fcfaas_pick_next(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_pick_pt skips, void *data, ngx_uint_t nskips)
{
    ngx_uint_t               i;
    ngx_http_fcfaas_cell_t  *cell;

    for (i = 0; i < 2; i++) {

        cell = ngx_http_fcfaas_pick_first(&pick->ranks[i].idle, skips, data,
                                          nskips);
        if (cell) {
            return cell;
        }

        cell = ngx_http_fcfaas_pick_random(&pick->ranks[i], skips, data,
                                           nskips);
        if (cell) {
            return cell;
        }

        if (i == 0) {
            cell = ngx_http_fcfaas_pick_first(&pick->trial, skips, data,
                                              nskips);
            if (cell) {
                return cell;
            }
        }
    }

    return NULL;
}


static ngx_http_fcfaas_cell_t *
ngx_http_fcfaas_pick_first(ngx_queue_t *queue, ngx_http_fcfaas_pick_pt skips,
    void *data, ngx_uint_t nskips)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_fcfaas_cell_t  *cell;

    q = ngx_queue_head(queue);

    for (n = 0; n <= nskips && q != ngx_queue_sentinel(queue); n++) {

        cell = ngx_http_fcfaas_pick_cell(q);

        if (skips == NULL || !skips(data, cell)) {
            return cell;
        }

        q = ngx_queue_next(q);
    }

    return NULL;
}


/* the better of two, from two places that are left to chance; the next ones
 * where those are not for this request */
static ngx_http_fcfaas_cell_t *
ngx_http_fcfaas_pick_random(ngx_http_fcfaas_rank_t *rank,
    ngx_http_fcfaas_pick_pt skips, void *data, ngx_uint_t nskips)
{
    ngx_uint_t               i, k, n;
    ngx_http_fcfaas_cell_t  *cell, *best;

    if (rank->nroom == 1 && skips == NULL) {
        return rank->room[0];
    }

    best = NULL;

    for (k = 0; k < 2 && rank->nroom > k; k++) {

        i = rank->nroom > 1 ? (ngx_uint_t) ngx_random() % rank->nroom : 0;

        for (n = 0; n <= nskips + 1 && n < rank->nroom; n++) {

            cell = rank->room[i];

            if (cell != best && (skips == NULL || !skips(data, cell))) {

                if (best == NULL || cell->busy < best->busy) {
                    best = cell;
                }

                break;
            }

            i = (i + 1) % rank->nroom;
        }
    }

    return best;
}


void
ngx_http_fcfaas_pick_each(ngx_http_fcfaas_pick_t *pick,
    ngx_http_fcfaas_pick_each_pt handler, void *data)
{
    ngx_uint_t    i, n;
    ngx_queue_t  *q;

    ngx_queue_t *const  queues[] = {
        &pick->ranks[0].idle, &pick->ranks[1].idle, &pick->trial, &pick->full,
        &pick->aside[NGX_HTTP_FCFAAS_ASIDE_SHORT],
        &pick->aside[NGX_HTTP_FCFAAS_ASIDE_RETRY],
        &pick->aside[NGX_HTTP_FCFAAS_ASIDE_SUSPECT]
    };

    for (i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {

        for (q = ngx_queue_head(queues[i]);
             q != ngx_queue_sentinel(queues[i]);
             q = ngx_queue_next(q))
        {
            handler(data, ngx_http_fcfaas_pick_cell(q));
        }
    }

    for (i = 0; i < 2; i++) {
        for (n = 0; n < pick->ranks[i].nroom; n++) {
            handler(data, pick->ranks[i].room[n]);
        }
    }
}
