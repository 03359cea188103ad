/*
 * Instances whose key has vanished from etcd without a word.  That is no proof
 * of death: leases of healthy nodes end when etcd stands still.  So the
 * instance's port is asked first: if it does not take a connection within a
 * second, requests inside that have no byte of an answer fail, and it goes;
 * else they go on, and it is a last resort for others ("orphan") as long as
 * its port answers and etcd does not know better.  Behind TLS, that is as long
 * as requests are answered.
 */

#ifndef _NGX_HTTP_FCFAAS_PROBE_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_PROBE_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"

/* The key is gone.  The instance may be gone afterwards. */
void ngx_http_fcfaas_probe_orphan(ngx_http_fcfaas_instance_t *instance);
/* The key is back. */
void ngx_http_fcfaas_probe_adopt(ngx_http_fcfaas_instance_t *instance);
/* An orphan has said itself that it is not there for this function: it goes,
 * from the loop. */
void ngx_http_fcfaas_probe_denied(ngx_http_fcfaas_instance_t *instance);

/* it, orphan or not, has answered a request */
void ngx_http_fcfaas_probe_heard(ngx_http_fcfaas_instance_t *instance);

/* for the table: the instance is taken out */
void ngx_http_fcfaas_probe_stop(ngx_http_fcfaas_instance_t *instance);
/* the worker ends */
void ngx_http_fcfaas_probe_done(ngx_http_fcfaas_worker_t *w);

/* 1 if an orphan still counts as there: its agent may just put it again */
ngx_uint_t ngx_http_fcfaas_probe_counts(ngx_http_fcfaas_instance_t *instance);

#endif /* _NGX_HTTP_FCFAAS_PROBE_H_INCLUDED_ */
