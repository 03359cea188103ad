#include <string.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include "vm/vmm/instant_tcp.h"

#define FCV_IN_MAX  (1024 * 1024)


/* Callbacks may close: the owner goes only when the outermost has ended. */

static void
enter(fcv_tcp_t *tcp)
{
    tcp->depth++;
}


static void
leave(fcv_tcp_t *tcp)
{
    tcp->depth--;

    if (tcp->depth == 0 && tcp->pcb == NULL) {
        fcf_buf_free(&tcp->in);
        fcf_buf_free(&tcp->out);
        tcp->handler->gone(tcp);
    }
}


static void
detach(fcv_tcp_t *tcp)
{
    struct tcp_pcb  *pcb;

    pcb = tcp->pcb;
    tcp->pcb = NULL;

    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);

    /* closed with bytes unread lwIP would send a reset, and what is still to
     * be sent were lost */

    tcp_recved(pcb, (u16_t) tcp->in.len);

    /* without memory for a FIN the peer learns it from its own timers */

    (void) tcp_close(pcb);
}


static void
hand_over(fcv_tcp_t *tcp)
{
    u8_t    flags;
    size_t  n, room;

    /* what the owner added did not fit, and out has emptied itself */

    if (tcp->out_pos > tcp->out.len) {
        fcf_buf_free(&tcp->out);
        tcp->out_pos = 0;
        tcp->closing = 1;
    }

    while (tcp->pcb && tcp->out_pos < tcp->out.len) {
        n = tcp->out.len - tcp->out_pos;
        room = tcp_sndbuf(tcp->pcb);

        flags = TCP_WRITE_FLAG_COPY;

        if (n > room) {
            n = room;
            flags |= TCP_WRITE_FLAG_MORE;
        }

        if (n == 0
            || tcp_write(tcp->pcb, tcp->out.data + tcp->out_pos, (u16_t) n,
                         flags)
               != ERR_OK)
        {
            break;
        }

        tcp->out_pos += n;
        tcp->unacked += n;
    }

    if (tcp->pcb) {
        (void) tcp_output(tcp->pcb);
    }

    if (tcp->out_pos == tcp->out.len) {
        fcf_buf_free(&tcp->out);
        tcp->out_pos = 0;

        if (tcp->closing && tcp->pcb) {
            detach(tcp);
        }
    }
}


void
fcv_tcp_push(fcv_tcp_t *tcp)
{
    enter(tcp);
    hand_over(tcp);
    leave(tcp);
}


void
fcv_tcp_close(fcv_tcp_t *tcp)
{
    tcp->closing = 1;
    fcv_tcp_push(tcp);
}


void
fcv_tcp_consume(fcv_tcp_t *tcp, size_t n)
{
    fcf_buf_consume(&tcp->in, n);

    if (tcp->pcb) {
        tcp_recved(tcp->pcb, (u16_t) n);
    }
}


/* 0, or -1: no memory */
static int
take_input(fcv_tcp_t *tcp, struct pbuf *p)
{
    struct pbuf  *q;

    for (q = p; q; q = q->next) {
        if (fcf_buf_add(&tcp->in, q->payload, q->len) != 0) {
            return -1;
        }
    }

    return 0;
}


static err_t
on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t rc)
{
    fcv_tcp_t  *tcp;

    (void) rc;

    tcp = arg;

    if (p == NULL) {
        tcp->eof = 1;

    } else {

        if (take_input(tcp, p) != 0) {
            tcp->closing = 1;
        }

        if (tcp->closing) {
            tcp_recved(pcb, p->tot_len);
        }

        pbuf_free(p);
    }

    enter(tcp);

    if (!tcp->closing) {
        tcp->handler->input(tcp);
    }

    hand_over(tcp);
    leave(tcp);

    return ERR_OK;
}


static err_t
on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    fcv_tcp_t  *tcp;

    (void) pcb;

    tcp = arg;
    tcp->unacked -= len;

    enter(tcp);
    hand_over(tcp);

    if (tcp->unacked == 0 && tcp->out.len == 0 && tcp->pcb
        && tcp->handler->drained)
    {
        tcp->handler->drained(tcp);
    }

    leave(tcp);

    return ERR_OK;
}


/* the pcb is freed already */
static void
on_error(void *arg, err_t rc)
{
    fcv_tcp_t  *tcp;

    (void) rc;

    tcp = arg;

    enter(tcp);
    tcp->pcb = NULL;
    leave(tcp);
}


/* lwIP retries nothing for us when tcp_write() had no memory */
static err_t
on_poll(void *arg, struct tcp_pcb *pcb)
{
    (void) pcb;

    if (arg) {
        fcv_tcp_push(arg);
    }

    return ERR_OK;
}


static err_t
on_accept(void *arg, struct tcp_pcb *pcb, err_t rc)
{
    fcv_tcp_t       *tcp;
    fcv_accept_pt    accept;
    struct in_addr   peer;

    if (rc != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }

    /* a function pointer does not fit into void * by the letter of C */
    memcpy(&accept, arg, sizeof(accept));

    peer.s_addr = ip_2_ip4(&pcb->remote_ip)->addr;
    tcp = accept(peer);

    if (tcp == NULL) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }

    tcp->pcb = pcb;

    tcp_nagle_disable(pcb);
    tcp_arg(pcb, tcp);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    tcp_poll(pcb, on_poll, 2);

    return ERR_OK;
}


void
fcv_tcp_init(fcv_tcp_t *tcp, const fcv_tcp_handler_t *handler, size_t out_max)
{
    memset(tcp, 0, sizeof(fcv_tcp_t));

    tcp->handler = handler;
    fcf_buf_init(&tcp->in, FCV_IN_MAX);
    fcf_buf_init(&tcp->out, out_max);
}


int
fcv_tcp_listen(unsigned port, fcv_accept_pt accept, fcf_err_t *err)
{
    struct tcp_pcb        *pcb, *listener;
    static unsigned        n;
    static fcv_accept_pt   accepts[2];      /* function and control port */

    if (n == sizeof(accepts) / sizeof(accepts[0])) {
        return fcf_err_set(err, FCF_E_LIMIT, "port %u: too many ports", port);
    }

    pcb = tcp_new();

    if (pcb == NULL || tcp_bind(pcb, IP4_ADDR_ANY, (u16_t) port) != ERR_OK) {
        return fcf_err_set(err, FCF_E_EXISTS, "port %u: cannot bind", port);
    }

    listener = tcp_listen_with_backlog(pcb, 255);

    if (listener == NULL) {
        tcp_abort(pcb);
        return fcf_err_set(err, FCF_E_NOMEM, "port %u: cannot listen", port);
    }

    accepts[n] = accept;
    tcp_arg(listener, &accepts[n]);
    tcp_accept(listener, on_accept);
    n++;

    return 0;
}


int
fcv_tcp_at_rest(void)
{
    const fcv_tcp_t       *tcp;
    const struct tcp_pcb  *pcb;

    for (pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        tcp = pcb->callback_arg;

        if (pcb->state != ESTABLISHED || pcb->unacked != NULL
            || pcb->unsent != NULL || pcb->refused_data != NULL
            || (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW))
            || (tcp != NULL && tcp->out.len > 0))
        {
            return 0;
        }
    }

    return tcp_tw_pcbs == NULL;
}
