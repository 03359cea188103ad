#include "ngx_fcfaas_module/ngx_http_fcfaas_stale.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_tcp.h"


static ngx_uint_t ngx_http_fcfaas_stale_unseen(ngx_http_fcfaas_peer_t *fp,
    ngx_http_fcfaas_tcp_t *tcp);


/*
 * What a process has read its host has acknowledged before, or with, the end
 * of the connection.  So a request of which no byte was acknowledged when the
 * end came was not read, and may be sent again whatever its method.
 *
 * The end is a FIN: a reset without one says nothing.  It comes as well from
 * who has read the request and then aborts, whose acknowledgement is lost.
 */

ngx_uint_t
ngx_http_fcfaas_stale(ngx_http_fcfaas_peer_t *fp, ngx_peer_connection_t *pc)
{
    ngx_connection_t       *c;
    ngx_http_fcfaas_tcp_t   tcp;

    c = pc->connection;

    if (!pc->cached || fp->answered) {
        return 0;
    }

#if (NGX_SSL)
    if (c->ssl) {
        /* what was sent and read is not what the socket carried */
        return 0;
    }
#endif

    if (ngx_http_fcfaas_tcp_info(c->fd, &tcp) == -1) {
        return 0;
    }

    if (fp->keep) {
        return ngx_http_fcfaas_stale_unseen(fp, &tcp);
    }

    /*
     * A connection that nginx keeps: nobody knows what it had carried.  Bytes
     * of c->sent that have not left this host yet (more than the congestion
     * window) count as if they had arrived: then nginx's own rules hold.
     */

    return c->read->eof && tcp.sent - tcp.acked >= c->sent;
}


/*
 * Asked of the kernel, since nginx need not have seen the end: a request of
 * several writes meets the reset that its first one was answered by in the
 * second (EPIPE), and then a FIN and a reset look alike to recv() and poll().
 */

static ngx_uint_t
ngx_http_fcfaas_stale_unseen(ngx_http_fcfaas_peer_t *fp,
    ngx_http_fcfaas_tcp_t *tcp)
{
    off_t  read;

    read = fp->carried.received + fp->upstream->state->bytes_received;

    return tcp->acked <= fp->carried.sent
           && tcp->received - tcp->unread > read;
}
