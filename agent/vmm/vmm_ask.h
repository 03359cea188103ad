/*
 * One question to a guest's control port (vm/guest.h), and its answer: tried
 * over and over until it is answered, or its time is up.
 */

#ifndef _FCA_VMM_ASK_H_INCLUDED_
#define _FCA_VMM_ASK_H_INCLUDED_

#include <uv.h>
#include "agent/net/net.h"

typedef struct fca_ask_s  fca_ask_t;

/* what a guest said besides yes or no (vm/guest.h) */
#define FCA_SAID_RESEEDS  1
#define FCA_SAID_AGAIN    2
#define FCA_SAID_YOUNG    4

/* err NULL: yes.  FCF_E_REFUSED: the guest's own words. */
typedef void (*fca_ask_pt)(void *arg, int said, const fcf_err_t *err);

typedef struct {
    const char       *device;           /* by which the guest is reached */
    struct in_addr    from;             /* ours: the guests' gateway */
    struct in_addr    to;
    /* what is asked, malloc'd: when somebody listens, since it may tell the
     * time; not after done, or fca_ask_cancel().  NULL: out of memory */
    char           *(*json)(void *arg);
    unsigned          timeout_ms;
} fca_ask_conf_t;

/* done runs once, from the loop, unless it is cancelled before */
fca_ask_t *fca_ask_start(uv_loop_t *uv, const fca_ask_conf_t *conf,
    fca_ask_pt done, void *arg, fcf_err_t *err);
/* of one whose done has not run */
void fca_ask_cancel(fca_ask_t *ask);

#endif /* _FCA_VMM_ASK_H_INCLUDED_ */
