/* Signals that a process is told things by, as the loop's events.  They are
 * blocked and read from a descriptor: libuv 1.44 was seen to lose one that came
 * while another (a child's, say) was on its way. */

#ifndef _FCA_SIGNALS_H_INCLUDED_
#define _FCA_SIGNALS_H_INCLUDED_

#include <uv.h>
#include "contract/fcf_err.h"

typedef struct fca_signals_s  fca_signals_t;

/* SIGTERM, SIGINT and SIGHUP, each by its number, from the loop.  Before there
 * are threads, which would get them; children have to unblock them.  They keep
 * the loop running. */
fca_signals_t *fca_signals_new(uv_loop_t *uv,
    void (*got)(void *arg, int signo), void *arg, fcf_err_t *err);
/* Also of NULL; they stay blocked.  The loop has to run once more. */
void fca_signals_free(fca_signals_t *signals);

#endif /* _FCA_SIGNALS_H_INCLUDED_ */
