#ifndef _NGX_HTTP_FCFAAS_WAIT_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_WAIT_H_INCLUDED_

#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"

/* For peer.get to return: NGX_AGAIN, and peer.get is called again when there
 * may be room, or an answer has been sent; NGX_ERROR. */
ngx_int_t ngx_http_fcfaas_wait(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);

/* The same: ctx->waiter.answer ends the request, from the loop. */
ngx_int_t ngx_http_fcfaas_wait_answer(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc);
/* The same: nginx gives up, with what it has (a stale answer, say). */
ngx_int_t ngx_http_fcfaas_wait_busy(ngx_peer_connection_t *pc);
/* 1 if nginx has a stale answer for such a failure */
ngx_uint_t ngx_http_fcfaas_wait_stale(ngx_http_fcfaas_peer_t *fp,
    ngx_uint_t ft_type);

/* A request that has failed so is not tried again: ctx->waiter.answer ends it
 * when nginx asks for the next peer, which it does whatever the method. */
void ngx_http_fcfaas_wait_last(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc, ngx_uint_t ft_type);

/* peer.get runs again: puts back what waiting has changed. */
void ngx_http_fcfaas_wait_over(ngx_http_fcfaas_peer_t *fp);

/* The conf of the upstream is replaced by a copy that lets nginx go on to
 * peer.get again whatever proxy_next_upstream says, until wait_over. */
ngx_int_t ngx_http_fcfaas_wait_conf(ngx_http_fcfaas_peer_t *fp);

/* Ends the upstream's part of the request, wherever it stands before an
 * answer, and sends ctx->waiter.answer.  The request may be gone afterwards. */
void ngx_http_fcfaas_wait_end(ngx_http_fcfaas_peer_t *fp);

/* The request ends. */
void ngx_http_fcfaas_wait_cleanup(ngx_http_fcfaas_peer_t *fp);

#endif /* _NGX_HTTP_FCFAAS_WAIT_H_INCLUDED_ */
