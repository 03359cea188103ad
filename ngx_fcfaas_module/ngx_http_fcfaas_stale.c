#include "ngx_fcfaas_module/ngx_http_fcfaas_stale.h"


/*
 * What a process has read its host has acknowledged before, or with, the end
 * of the connection.  A host that finds the socket closed answers with a reset
 * and acknowledges nothing.  So a request of which no byte was acknowledged
 * was not read, and may be sent again whatever its method.
 *
 * Bytes of c->sent that have not left this host yet (more than the congestion
 * window) count as if they had arrived: then nginx's own rules hold.
 */

ngx_uint_t
ngx_http_fcfaas_stale(ngx_http_fcfaas_peer_t *fp, ngx_peer_connection_t *pc)
{
    ngx_connection_t  *c;

    c = pc->connection;

    if (!pc->cached || fp->answered || c->read->timedout || c->write->timedout)
    {
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
