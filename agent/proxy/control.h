/* fcfaas-proxy's end of the talk with the agent (agent/wire/wire.h): routes
 * are opened, drained and closed as it says, told to the next one when it has
 * gone, and carried on in between. */

#ifndef _FCA_CONTROL_H_INCLUDED_
#define _FCA_CONTROL_H_INCLUDED_

#include "agent/proxy/proxy.h"

typedef struct fca_control_s  fca_control_t;

typedef struct {
    fcf_loop_t   *loop;
    fca_proxy_t  *proxy;
    unsigned      threads;              /* of the proxy's, to be told */
    int           listen_fd;            /* the control's from now on */
    uid_t         agent;                /* who may connect, besides root */
    /* The agent's connection has ended; stay: as it wished, and there is
     * something to stay for.  Once more when that is over. */
    void        (*alone)(void *arg, int stay);
    void         *arg;
} fca_control_conf_t;

fca_control_t *fca_control_new(const fca_control_conf_t *conf,
    fcf_err_t *err);
/* after fca_proxy_free() */
void fca_control_free(fca_control_t *control);

#endif /* _FCA_CONTROL_H_INCLUDED_ */
