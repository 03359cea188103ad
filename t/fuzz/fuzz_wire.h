/*
 * Messages of agent and proxy out of an input's bytes: most of them such as
 * the peer may send, some of them mad.  Three steps of one byte each choose
 * type, port and descriptor; then come its number, and what is changed in it.
 */

#ifndef _FCT_FUZZ_WIRE_H_INCLUDED_
#define _FCT_FUZZ_WIRE_H_INCLUDED_

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/wire/wire.h"
#include "t/fuzz/fuzz.h"

#define FCT_PORTS   4

typedef struct {
    const uint8_t  *data;
    size_t          size;
} fct_in_t;

/* what may come along; made once */
static int       fct_listening[FCT_PORTS], fct_page_fd, fct_other_fd;
static unsigned  fct_ports[FCT_PORTS];


static unsigned
fct_byte(fct_in_t *in)
{
    if (in->size == 0) {
        return 0;
    }

    in->size--;

    return *in->data++;
}


static int
fct_listen(unsigned *port)
{
    int                  fd;
    socklen_t            len;
    struct sockaddr_in   sin;

    len = sizeof(sin);
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    FCT_HOLDS(bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == 0);
    FCT_HOLDS(listen(fd, 1) == 0);
    FCT_HOLDS(getsockname(fd, (struct sockaddr *) &sin, &len) == 0);
    *port = ntohs(sin.sin_port);

    return fd;
}


static void
fct_wire_prepare(void)
{
    int        i;
    fcf_err_t  err;

    static fca_route_stat_t  *page;

    if (page) {
        return;
    }

    fct_other_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    fca_log_init(fct_other_fd, FCF_LOG_ERROR, "fuzz");
    page = fca_wire_page_new(&fct_page_fd, &err);
    FCT_HOLDS(page);

    for (i = 0; i < FCT_PORTS; i++) {
        fct_listening[i] = fct_listen(&fct_ports[i]);
    }
}


/* the lowest number that is free: it is the same after a run that leaks none */
static int
fct_lowest_fd(void)
{
    int  fd = dup(fct_other_fd);

    close(fd);

    return fd;
}


/* which of the ports, or one that nobody has, or none at all */
static unsigned
fct_port(unsigned byte)
{
    return byte % 8 < FCT_PORTS ? fct_ports[byte % 8]
           : byte % 8 == 4 ? 0 : byte % 8 == 5 ? FCA_WIRE_PORTS - 1
           : fct_ports[0];
}


static void
fct_route_fill(fca_wire_route_t *route, unsigned port)
{
    route->port = port;
    route->guest_addr = htonl(INADDR_LOOPBACK);
    route->guest_port = 80;
    strcpy(route->function_id, "f");
    strcpy(route->worker_id, "n-1");
}


static void
fct_fill(fca_wire_msg_t *msg, unsigned port, unsigned flags)
{
    switch (msg->head.type) {

    case FCA_WIRE_OPEN:
    case FCA_WIRE_ROUTE:
        fct_route_fill(&msg->route, port);
        msg->route.draining = flags & 1;
        msg->route.closing = msg->head.type == FCA_WIRE_ROUTE
                             && (flags & 2) != 0;
        break;

    case FCA_WIRE_DRAIN:
        msg->drain.port = port;
        msg->drain.on = flags & 1;
        break;

    case FCA_WIRE_CLOSE:
        msg->close.port = port;
        msg->close.guest_dead = flags & 1;
        break;

    case FCA_WIRE_WELCOME:
        msg->welcome.threads = 1;
        break;

    case FCA_WIRE_LISTED:
        msg->listed.count = flags % 8;
        break;

    case FCA_WIRE_DONE:
        msg->done.port = flags & 2 ? 0 : port;
        msg->done.failed = flags & 1;
        break;

    case FCA_WIRE_CLOSED:
        msg->closed.port = port;
        break;

    default:
        break;
    }
}


/* of what a message carries: -1 for none */
static int
fct_fd(unsigned byte, unsigned port)
{
    int  i;

    switch (byte % 4) {
    case 0:
        return -1;
    case 1:
        return fct_page_fd;
    case 2:
        return fct_other_fd;
    }

    for (i = 0; i < FCT_PORTS - 1 && fct_ports[i] != port; i++) {
        continue;
    }

    return fct_listening[i];
}


/* The next message onto a socket: seq is the number it has, unless it is mad.
 * 0: the input is over. */
static int
fct_wire_next(fct_in_t *in, int sock, uint32_t seq)
{
    int              fd;
    unsigned         type, port, how, i;
    fca_wire_msg_t   msg;

    if (in->size == 0) {
        return 0;
    }

    type = fct_byte(in);
    port = fct_port(fct_byte(in));
    how = fct_byte(in);
    fd = fct_fd(how, port);

    fca_wire_init(&msg, 1 + type % (FCA_WIRE_NTYPES - 1), seq);
    fct_fill(&msg, port, how >> 2);

    /* any bytes of it; the number of the message is among them */
    for (i = how >> 6; i > 0; i--) {
        ((uint8_t *) &msg)[(fct_byte(in) * 3) % sizeof(msg)] =
            (uint8_t) fct_byte(in);
    }

    msg.head.len = msg.head.len <= sizeof(msg) ? msg.head.len : sizeof(msg);

    return fca_wire_send(sock, &msg, fd, NULL) == 1;
}

#endif /* _FCT_FUZZ_WIRE_H_INCLUDED_ */
