/* TCP connections of the instant machine, once fcv_net_open() has opened its
 * network. */

#ifndef _FCV_INSTANT_TCP_H_INCLUDED_
#define _FCV_INSTANT_TCP_H_INCLUDED_

#include <netinet/in.h>
#include "contract/fcf_buf.h"
#include "contract/fcf_err.h"

typedef struct fcv_tcp_s  fcv_tcp_t;

typedef struct {
    /* in has grown, or the peer will send no more (eof) */
    void  (*input)(fcv_tcp_t *tcp);
    /* all of out was acknowledged: an owner that answers what it reads goes
     * on here, having left in alone while out was long; may be NULL */
    void  (*drained)(fcv_tcp_t *tcp);
    /* last: the owner frees what holds *tcp */
    void  (*gone)(fcv_tcp_t *tcp);
} fcv_tcp_handler_t;

/* embedded in its owner */
struct fcv_tcp_s {
    struct tcp_pcb           *pcb;      /* NULL: closed */
    const fcv_tcp_handler_t  *handler;
    fcf_buf_t                 in;       /* bounded by the TCP window */
    fcf_buf_t                 out;
    size_t                    out_pos;  /* handed to lwIP so far */
    size_t                    unacked;
    unsigned                  eof:1;
    unsigned                  closing:1;    /* when out is handed over */
    unsigned                  depth:2;      /* inside callbacks */
};

/* Returns the owner's fcv_tcp_t, zeroed but for what the owner set, or NULL to
 * refuse. */
typedef fcv_tcp_t *(*fcv_accept_pt)(struct in_addr peer);

int fcv_tcp_listen(unsigned port, fcv_accept_pt accept, fcf_err_t *err);

/* out_max bounds what waits to be sent */
void fcv_tcp_init(fcv_tcp_t *tcp, const fcv_tcp_handler_t *handler,
    size_t out_max);
/* n bytes of in are done with */
void fcv_tcp_consume(fcv_tcp_t *tcp, size_t n);
/* Sends what the owner has put into out, as the window allows. */
void fcv_tcp_push(fcv_tcp_t *tcp);
/* after what is in out; gone follows, not before the present callback ends */
void fcv_tcp_close(fcv_tcp_t *tcp);

/* nothing is to be sent, sent again, acknowledged or taken, though there may
 * be connections: the agent keeps one to the control port */
int fcv_tcp_at_rest(void);

#endif /* _FCV_INSTANT_TCP_H_INCLUDED_ */
