/*
 * The instant machine's network: lwIP, single-threaded (tcpip_init() is not
 * called, so there is no thread of its own and no lock), on one TAP.  All
 * callbacks run from the loop.
 */

#ifndef _FCV_INSTANT_NET_H_INCLUDED_
#define _FCV_INSTANT_NET_H_INCLUDED_

#include <netinet/in.h>
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

#endif /* _FCV_INSTANT_NET_H_INCLUDED_ */
