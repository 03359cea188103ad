#include "ngx_fcfaas_module/ngx_http_fcfaas_status.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_worker.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


#define NGX_HTTP_FCFAAS_STATUS_HEAD    4096
#define NGX_HTTP_FCFAAS_STATUS_WORKER  1024


static ngx_int_t ngx_http_fcfaas_status_send(ngx_http_request_t *r,
    ngx_buf_t *b);
static u_char *ngx_http_fcfaas_status_counters(u_char *p, uint64_t *totals);
static u_char *ngx_http_fcfaas_status_refused(u_char *p,
    ngx_http_fcfaas_refused_t *refused);
static u_char *ngx_http_fcfaas_status_zone(u_char *p,
    ngx_http_fcfaas_main_conf_t *fmcf);
static u_char *ngx_http_fcfaas_status_cells(u_char *p, const char *name,
    uint32_t used, uint32_t max);
static u_char *ngx_http_fcfaas_status_worker(u_char *p,
    ngx_http_fcfaas_stat_t *stat, ngx_http_fcfaas_worker_t *w);


ngx_int_t
ngx_http_fcfaas_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_uint_t                i;
    ngx_http_fcfaas_stats_t  *all;

    ngx_http_fcfaas_main_conf_t  *fmcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    fmcf = ngx_http_get_module_main_conf(r, ngx_http_fcfaas_module);

    all = ngx_http_fcfaas_worker_stats(fmcf, r->pool);
    if (all == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_FCFAAS_STATUS_HEAD
                                     + all->n * NGX_HTTP_FCFAAS_STATUS_WORKER);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last, "{\"parked\":%ui,\"oldest_parked_ms\":%ui",
                          all->parked, all->oldest_parked);
    b->last = ngx_http_fcfaas_status_counters(b->last, all->totals);
    b->last = ngx_http_fcfaas_status_refused(b->last, &all->refused);
    b->last = ngx_http_fcfaas_status_zone(b->last, fmcf);
    b->last = ngx_sprintf(b->last, ",\"workers\":[");

    for (i = 0; i < all->n; i++) {
        if (i) {
            *b->last++ = ',';
        }

        b->last = ngx_http_fcfaas_status_worker(b->last, &all->stats[i],
                                                fmcf->worker);
    }

    b->last = ngx_sprintf(b->last, "]}\n");

    return ngx_http_fcfaas_status_send(r, b);
}


static ngx_int_t
ngx_http_fcfaas_status_send(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_int_t    rc;
    ngx_chain_t  out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static u_char *
ngx_http_fcfaas_status_counters(u_char *p, uint64_t *totals)
{
    ngx_uint_t   i;
    const char  *group;

    group = "";

    for (i = 0; i < NGX_HTTP_FCFAAS_NCOUNTERS; i++) {

        if (ngx_strcmp(group, ngx_http_fcfaas_counter_names[i].group) != 0) {
            p = ngx_sprintf(p, "%s,\"%s\":{", i ? "}" : "",
                            ngx_http_fcfaas_counter_names[i].group);
            group = ngx_http_fcfaas_counter_names[i].group;

        } else {
            *p++ = ',';
        }

        p = ngx_sprintf(p, "\"%s\":%uL",
                        ngx_http_fcfaas_counter_names[i].name, totals[i]);
    }

    return ngx_sprintf(p, "}");
}


/* Its texts need no escapes: a name that was checked, an address, and OpenSSL's
 * words. */
static u_char *
ngx_http_fcfaas_status_refused(u_char *p, ngx_http_fcfaas_refused_t *refused)
{
    if (refused->at == 0) {
        return p;
    }

    return ngx_sprintf(p, ",\"refused_certificate\":{\"whose\":\"%s\","
                       "\"node\":\"%s\",\"address\":\"%s\",\"why\":\"%s\","
                       "\"age_ms\":%uL}",
                       refused->ours ? "gateway" : "node", refused->node,
                       refused->address, refused->why,
                       fcz_now() - refused->at);
}


/* what the workers have in common; nothing, where this one is not a member */
static u_char *
ngx_http_fcfaas_status_zone(u_char *p, ngx_http_fcfaas_main_conf_t *fmcf)
{
    fcz_stat_t  stat;

    if (fmcf->worker == NULL) {
        return p;
    }

    fcz_stat(&fmcf->worker->shared, &stat);

    p = ngx_sprintf(p, ",\"zone\":{\"size\":%uz,\"epoch\":%uD,\"members\":%uD,"
                    "\"unsettled\":%uD,\"waiting\":%uD", fmcf->zone_size,
                    stat.epoch, stat.members, stat.unsettled, stat.waiting);

    p = ngx_http_fcfaas_status_cells(p, "instances", stat.slots,
                                     stat.slots_max);
    p = ngx_http_fcfaas_status_cells(p, "pools", stat.pools, stat.pools_max);
    p = ngx_http_fcfaas_status_cells(p, "ledgers", stat.ledgers,
                                     stat.ledgers_max);
    p = ngx_http_fcfaas_status_cells(p, "waits", stat.waits, stat.waits_max);

    return ngx_sprintf(p, "}");
}


static u_char *
ngx_http_fcfaas_status_cells(u_char *p, const char *name, uint32_t used,
    uint32_t max)
{
    return ngx_sprintf(p, ",\"%s\":{\"used\":%uD,\"free\":%uD}", name, used,
                       max - used);
}


static u_char *
ngx_http_fcfaas_status_worker(u_char *p, ngx_http_fcfaas_stat_t *stat,
    ngx_http_fcfaas_worker_t *w)
{
    uint64_t  silent;

    silent = w ? fcz_silent(&w->shared, stat->member) : 0;

    p = ngx_sprintf(p, "{\"pid\":%P,\"worker\":%ui,\"parked\":%ui,"
                    "\"parked_bytes\":%ui,\"busy\":%ui,\"alone\":%s,"
                    "\"silent_ms\":%uL,"
                    "\"functions\":%ui,\"specs\":%ui,\"instances\":%ui",
                    stat->pid, stat->worker, stat->parked,
                    stat->parked_bytes, stat->busy,
                    stat->alone ? "true" : "false", silent,
                    stat->functions, stat->specs, stat->instances);

    p = ngx_sprintf(p, ",\"etcd\":{\"state\":\"%s\",\"healthy\":%s,"
                    "\"revision\":%L,\"events\":%uL,\"lists\":%uL,"
                    "\"reconnects\":%uL,\"idle_ms\":%uL}",
                    fcf_sync_state_name(stat->etcd_state),
                    stat->etcd_healthy ? "true" : "false",
                    stat->revision, stat->events, stat->lists,
                    stat->etcd_reconnects, stat->etcd_idle_ms);

    return ngx_sprintf(p, ",\"redis\":{\"connected\":%s,"
                       "\"reconnects\":%uL}}",
                       stat->redis_connected ? "true" : "false",
                       stat->redis_reconnects);
}
