/*
 * One key of etcd, applied to the function it belongs to.
 */

#ifndef _NGX_HTTP_FCFAAS_APPLY_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_APPLY_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* 1 if a key of this kind is of use to a gateway */
ngx_uint_t ngx_http_fcfaas_apply_wants(const fcf_key_t *key);

/* The caller holds a reference to f.  put: NGX_ERROR, with the words in err,
 * leaves the function as it was. */
ngx_int_t ngx_http_fcfaas_apply_put(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key, const fcf_kv_t *kv, fcf_err_t *err);
void ngx_http_fcfaas_apply_del(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key);

/* the same for what is decoded already */
ngx_int_t ngx_http_fcfaas_apply_spec_value(ngx_http_fcfaas_function_t *f,
    const fcf_spec_t *spec, fcf_err_t *err);
ngx_int_t ngx_http_fcfaas_apply_instance_value(ngx_http_fcfaas_function_t *f,
    const char *worker_id, const fcf_instance_t *value, fcf_err_t *err);

/* put has failed: it is as if there was no such key, but that a function whose
 * spec was good before stays with that one. */
void ngx_http_fcfaas_apply_bad(ngx_http_fcfaas_function_t *f,
    const fcf_key_t *key);

void ngx_http_fcfaas_apply_undeclare(ngx_http_fcfaas_function_t *f);
/* the instance is out of its function afterwards, and may be freed */
void ngx_http_fcfaas_apply_vanished(ngx_http_fcfaas_instance_t *instance);

#endif /* _NGX_HTTP_FCFAAS_APPLY_H_INCLUDED_ */
