#include <assert.h>
#include <stdlib.h>
#include "agent/base/ports.h"

int
fca_ports_init(fca_ports_t *ports, unsigned first, unsigned last,
    uint64_t life, fcf_err_t *err)
{
    uint64_t  start;
    unsigned  i;

    ports->size = last - first + 1;
    ports->head = 0;
    ports->n = ports->size;

    ports->ring = calloc(ports->size, sizeof(fca_port_t));
    if (ports->ring == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for %u ports",
                           ports->size);
    }

    start = life % ports->size * (ports->size / 3 + 1);

    for (i = 0; i < ports->size; i++) {
        ports->ring[i].port = (uint16_t) (first + (start + i) % ports->size);
    }

    return 0;
}

void
fca_ports_free(fca_ports_t *ports)
{
    free(ports->ring);
    ports->ring = NULL;
    ports->n = 0;
}

int
fca_ports_any(const fca_ports_t *ports, uint64_t now)
{
    const fca_port_t  *p;

    if (ports->n == 0) {
        return 0;
    }

    p = &ports->ring[ports->head];

    return p->since == 0 || now - p->since >= FCA_PORT_REST_MS;
}

unsigned
fca_ports_take(fca_ports_t *ports, uint64_t now)
{
    unsigned  port;

    if (!fca_ports_any(ports, now)) {
        return 0;
    }

    port = ports->ring[ports->head].port;
    ports->head = (ports->head + 1) % ports->size;
    ports->n--;

    return port;
}

void
fca_ports_give(fca_ports_t *ports, unsigned port, uint64_t now)
{
    fca_port_t  *p;

    assert(ports->n < ports->size);

    if (now == 0) {
        ports->head = (ports->head + ports->size - 1) % ports->size;
        p = &ports->ring[ports->head];

    } else {
        p = &ports->ring[(ports->head + ports->n) % ports->size];
    }

    p->port = (uint16_t) port;
    p->since = now;
    ports->n++;
}
