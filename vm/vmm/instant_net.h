/*
 * The instant machine's network: lwIP, single-threaded (tcpip_init() is not
 * called, so there is no thread of its own and no lock), on one TAP, and TCP
 * connections on it.  All callbacks run from the loop.
 */

#ifndef _FCV_INSTANT_NET_H_INCLUDED_
#define _FCV_INSTANT_NET_H_INCLUDED_

#include <netinet/in.h>
#include "contract/fcf_buf.h"
#include "vm/vmm/loop.h"

typedef struct {
    int              tap_fd;            /* stays the caller's */
    unsigned char    mac[6];
    struct in_addr   address, netmask, gateway;
} fcv_net_conf_t;

/* once a process */
int fcv_net_open(fcv_loop_t *loop, const fcv_net_conf_t *conf,
    fcf_err_t *err) fcf_must_check;
/* as fcv_loop_t's tick; before fcv_net_open(): -1 */
int fcv_net_tick(void);
/* another MAC and address from now on; connections to the old one are cut.
 * Not from a connection's callback. */
void fcv_net_move(const unsigned char *mac, struct in_addr address);
/* nothing is received, no timer runs; before fcv_net_open(): nothing */
void fcv_net_pause(int paused);

/* handler and arg together name a timer; it runs once */
void fcv_timer_add(unsigned ms, void (*handler)(void *arg), void *arg);
void fcv_timer_del(void (*handler)(void *arg), void *arg);

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

#endif /* _FCV_INSTANT_NET_H_INCLUDED_ */
