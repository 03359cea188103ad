/*
 * What the kernel counts of a TCP connection (tcp(7), TCP_INFO).
 */

#ifndef _NGX_HTTP_FCFAAS_TCP_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_TCP_H_INCLUDED_

#include <stdint.h>

/* bytes of the connection's life, without a SYN of ours; also of one that is
 * closed */
typedef struct {
    int64_t  sent;          /* for the first time */
    int64_t  acked;
    int64_t  received;      /* in order; a FIN counts as one */
    int      unread;        /* of them, without a FIN */
} ngx_http_fcfaas_tcp_t;

/* -1: not a socket of that kind, or a kernel before 4.19 */
int ngx_http_fcfaas_tcp_info(int fd, ngx_http_fcfaas_tcp_t *tcp);

#endif /* _NGX_HTTP_FCFAAS_TCP_H_INCLUDED_ */
