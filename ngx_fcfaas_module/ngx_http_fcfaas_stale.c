#include "ngx_fcfaas_module/ngx_http_fcfaas_stale.h"


/*
 * What a process has read its host has acknowledged before, or with, the end
 * of the connection.  So a request of which no byte was acknowledged when the
 * end came was not read, and may be sent again whatever its method.
 *
 * The end is a FIN: a reset without one says nothing.  It comes as well from
 * who has read the request and then aborts, whose acknowledgement is lost.
 *
 * Bytes of c->sent that have not left this host yet (more than the congestion
 * window) count as if they had arrived: then nginx's own rules hold.
 */

ngx_uint_t
ngx_http_fcfaas_stale(ngx_http_fcfaas_peer_t *fp, ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c;

    c = pc->connection;

    if (!pc->cached || fp->answered || !c->read->eof) {
        return 0;
    }

#if (NGX_SSL)
    if (c->ssl) {
        /* c->sent is not what the socket was given */
        return 0;
    }
#endif

    return ngx_http_fcfaas_tcp_unacked(c->fd) >= c->sent;
}
