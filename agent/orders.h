/*
 * Orders from this host's administrator: the socket "control" in state_dir,
 * for root alone (the directory and the peer's credentials see to it).  One
 * line each way, and of "drain wait" more until no VM is left:
 *
 *     drain         ok draining: 3 VMs
 *     drain wait    ok draining: 3 VMs  /  2 VMs  /  ...  /  ok empty
 *     resume        ok
 *     status        ok ready, 3 VMs
 *     else          error unknown order "..."
 */

#ifndef _FCA_ORDERS_H_INCLUDED_
#define _FCA_ORDERS_H_INCLUDED_

#include "client/fcf_loop.h"
#include "contract/fcf_err.h"

#define FCA_ORDERS_SOCKET  "control"

typedef struct fca_orders_s  fca_orders_t;

typedef struct {
    void         (*drain)(void *arg, int draining);     /* 0: resume */
    const char  *(*state)(void *arg);                   /* one word */
    unsigned     (*vms)(void *arg);
    void          *arg;
} fca_orders_handler_t;

/* dir is locked by this agent: a socket that is there is nobody's */
fca_orders_t *fca_orders_new(fcf_loop_t *loop, const char *dir,
    const fca_orders_handler_t *handler, fcf_err_t *err);
/* also of NULL; the socket is removed */
void fca_orders_free(fca_orders_t *orders);
/* the number of VMs is another: who waits is told */
void fca_orders_changed(fca_orders_t *orders);

/* The other side: sends one order to the agent that runs on dir and prints
 * what it answers, up to the last line.  Blocks.  -1: no agent runs, or it
 * said no. */
int fca_order(const char *dir, const char *order, fcf_err_t *err)
    fcf_must_check;

#endif /* _FCA_ORDERS_H_INCLUDED_ */
