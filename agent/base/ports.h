/* The host ports of VMs' routes: oldest first, and none within
 * FCA_PORT_REST_MS of its last use, so that a gateway that still believes in
 * a VM that is gone finds nobody rather than somebody else. */

#ifndef _FCA_PORTS_H_INCLUDED_
#define _FCA_PORTS_H_INCLUDED_

#include <stdint.h>
#include "contract/fcf_err.h"

#define FCA_PORT_REST_MS  60000

typedef struct {
    uint16_t   port;
    uint64_t   since;                   /* ms; 0: never used */
} fca_port_t;

typedef struct {
    fca_port_t  *ring;                  /* free ones, oldest first */
    unsigned     size, head, n;
} fca_ports_t;

/* life: one more at each start of the agent.  Each begins a third of the range
 * further, behind what the last one, if it was killed, may just have used. */
int fca_ports_init(fca_ports_t *ports, unsigned first, unsigned last,
    uint64_t life, fcf_err_t *err) fcf_must_check;
void fca_ports_free(fca_ports_t *ports);
/* 0: none is free and rested.  now: any monotonic ms, above 0. */
unsigned fca_ports_take(fca_ports_t *ports, uint64_t now);
/* now 0: it was never listened on, and is the next to be taken */
void fca_ports_give(fca_ports_t *ports, unsigned port, uint64_t now);
int fca_ports_any(const fca_ports_t *ports, uint64_t now);

#endif /* _FCA_PORTS_H_INCLUDED_ */
