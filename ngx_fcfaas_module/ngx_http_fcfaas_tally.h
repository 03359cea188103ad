/*
 * What is counted of each function, over all workers: in shared memory of its
 * own, which outlives reloads, by atomic additions.  The first
 * NGX_HTTP_FCFAAS_TALLY_NAMES functions that are called have counts of their
 * own, the rest share one ("other").
 */

#ifndef _NGX_HTTP_FCFAAS_TALLY_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_TALLY_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

#define NGX_HTTP_FCFAAS_TALLY_NAMES   1000
#define NGX_HTTP_FCFAAS_TALLY_BOUNDS    16
#define NGX_HTTP_FCFAAS_TALLY_CLASSES    5      /* 1xx to 5xx */

/* in microseconds, ascending */
extern const uint32_t  ngx_http_fcfaas_tally_bounds[];

typedef struct {
    uint64_t    n[NGX_HTTP_FCFAAS_TALLY_BOUNDS + 1];    /* the last: above */
    uint64_t    sum;                                    /* ms */
} ngx_http_fcfaas_tally_hist_t;

struct ngx_http_fcfaas_tally_s {
    /* warm ones that took no millisecond of either, as most do: one addition
     * for three.  In a copy they are among the rest too. */
    uint64_t    swift[NGX_HTTP_FCFAAS_TALLY_CLASSES];
    uint64_t    requests[NGX_HTTP_FCFAAS_TALLY_CLASSES][2];
                                        /* by class of status; warm, cold */
    ngx_http_fcfaas_tally_hist_t  wait;         /* for an instance */
    ngx_http_fcfaas_tally_hist_t  overhead;     /* all but the time inside
                                                   instances */
    u_char      name[FCF_ID_MAX + 1];
};

/* the shared memory, at configuration */
ngx_int_t ngx_http_fcfaas_tally_zone(ngx_conf_t *cf,
    ngx_http_fcfaas_main_conf_t *fmcf);

/* of NGX_HTTP_LOG_PHASE */
ngx_int_t ngx_http_fcfaas_tally_handler(ngx_http_request_t *r);

/* how many there are, "other" included, which is the first */
ngx_uint_t ngx_http_fcfaas_tally_count(ngx_shm_zone_t *zone);
/* a copy of one of them */
void ngx_http_fcfaas_tally_read(ngx_shm_zone_t *zone, ngx_uint_t i,
    ngx_http_fcfaas_tally_t *out);

#endif /* _NGX_HTTP_FCFAAS_TALLY_H_INCLUDED_ */
