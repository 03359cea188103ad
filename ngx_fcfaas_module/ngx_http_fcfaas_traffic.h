/*
 * The shares that versions of a function have, and the versions there are.
 */

#ifndef _NGX_HTTP_FCFAAS_TRAFFIC_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_TRAFFIC_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* the directive "fcfaas_sticky" */
char *ngx_http_fcfaas_traffic_sticky(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* What the spec says; NGX_ERROR: no memory, and it is as it was. */
ngx_int_t ngx_http_fcfaas_traffic_set(ngx_http_fcfaas_function_t *f,
    const fcf_spec_t *spec);
/* the function is not declared any more */
void ngx_http_fcfaas_traffic_clear(ngx_http_fcfaas_function_t *f);

/* The version for a point, where there are shares.  Each version gets its
 * part of all points, and as shares change only as many points as it takes go
 * elsewhere. */
int64_t ngx_http_fcfaas_traffic_choose(ngx_http_fcfaas_function_t *f,
    uint64_t point);
/* One by chance, not 0. */
uint64_t ngx_http_fcfaas_traffic_chance(void);
/* The point of a client: the same for the same text.  0: the text is empty. */
uint64_t ngx_http_fcfaas_traffic_point(ngx_str_t *text);

/* A key /specs/<function>/versions/<version> has come (NGX_ERROR: no memory),
 * has gone. */
ngx_int_t ngx_http_fcfaas_traffic_learn(ngx_http_fcfaas_function_t *f,
    int64_t version);
void ngx_http_fcfaas_traffic_unlearn(ngx_http_fcfaas_function_t *f,
    int64_t version);
/* those that the list that ended did not name go */
void ngx_http_fcfaas_traffic_sweep(ngx_http_fcfaas_function_t *f);
/* 1 if there is such a key */
ngx_uint_t ngx_http_fcfaas_traffic_known(ngx_http_fcfaas_function_t *f,
    int64_t version);

#endif /* _NGX_HTTP_FCFAAS_TRAFFIC_H_INCLUDED_ */
