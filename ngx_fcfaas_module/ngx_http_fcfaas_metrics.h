/*
 * fcfaas_metrics: Prometheus' text format, made in turns
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */

#ifndef _NGX_HTTP_FCFAAS_METRICS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_METRICS_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* content handler */
ngx_int_t ngx_http_fcfaas_metrics_handler(ngx_http_request_t *r);

/* One answer that is being made.  Lines are added by the two that follow; a
 * failure (no memory) stays in "failed". */
typedef struct {
    ngx_http_request_t          *request;
    ngx_http_fcfaas_main_conf_t *conf;
    ngx_chain_t                 *out;
    ngx_chain_t                **last;
    ngx_buf_t                   *buf;
    ngx_uint_t                   family;        /* the next lines' */
    ngx_uint_t                   at;            /* function of it */
    ngx_uint_t                   n;             /* functions, as of then */
    ngx_event_t                  event;
    unsigned                     failed:1;
    unsigned                     brief:1;       /* without buckets */
} ngx_http_fcfaas_metrics_t;

/* of at most NGX_HTTP_FCFAAS_METRICS_LINE bytes; text: as ngx_sprintf()'s */
#define NGX_HTTP_FCFAAS_METRICS_LINE  512
void ngx_cdecl ngx_http_fcfaas_metrics_add(ngx_http_fcfaas_metrics_t *m,
    const char *fmt, ...);
void ngx_http_fcfaas_metrics_family(ngx_http_fcfaas_metrics_t *m,
    const char *name, const char *type, const char *help);

/* ngx_http_fcfaas_metrics_all.c: what is not of one function */
void ngx_http_fcfaas_metrics_all(ngx_http_fcfaas_metrics_t *m);

#endif /* _NGX_HTTP_FCFAAS_METRICS_H_INCLUDED_ */
