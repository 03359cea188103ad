#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lwip/init.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "vm/vmm/instant_net.h"

#define FCV_MTU         1500
#define FCV_FRAME_SIZE  (FCV_MTU + 14 + 4)
#define FCV_FRAMES      64              /* read in one turn */
#define FCV_IN_MAX      (1024 * 1024)
#define FCV_IDLE_TICK_MS  1000

/* lwIP is one per process, and so is this */
static struct {
    int                    open;
    int                    paused;
    fcv_loop_t            *loop;
    fcv_source_t           source;
    const fcv_net_conf_t  *conf;        /* during fcv_net_open() only */
    struct netif           netif;
    u32_t                  due;         /* no timer of ours is later */
} net;


/* A frame that the TAP does not take is lost, as on a wire. */
static err_t
link_output(struct netif *netif, struct pbuf *p)
{
    char     frame[FCV_FRAME_SIZE];
    ssize_t  n;

    (void) netif;

    if (p->tot_len > sizeof(frame)) {
        return ERR_BUF;
    }

    if (p->next) {
        (void) pbuf_copy_partial(p, frame, p->tot_len, 0);
        n = write(net.source.fd, frame, p->tot_len);

    } else {
        n = write(net.source.fd, p->payload, p->len);
    }

    return n == -1 ? ERR_IF : ERR_OK;
}


static void
tap_handler(void *arg, uint32_t events)
{
    int           i;
    char          frame[FCV_FRAME_SIZE];
    ssize_t       n;
    struct pbuf  *p;

    (void) events;

    for (i = 0; i < FCV_FRAMES; i++) {
        n = read(net.source.fd, frame, sizeof(frame));

        if (n <= 0) {

            /* EIO: down, which ends.  EBADFD: the TAP was deleted, and would
             * be ready for ever. */

            if (n == -1 && errno != EAGAIN && errno != EIO) {
                fcv_loop_del(arg, &net.source);
            }

            return;
        }

        p = pbuf_alloc(PBUF_RAW, (u16_t) n, PBUF_RAM);

        if (p == NULL) {
            continue;
        }

        (void) pbuf_take(p, frame, (u16_t) n);

        if (net.netif.input(p, &net.netif) != ERR_OK) {
            pbuf_free(p);
        }
    }
}


static err_t
init_netif(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 't';
    netif->mtu = FCV_MTU;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, net.conf->mac, 6);
    netif->output = etharp_output;
    netif->linkoutput = link_output;
    netif->flags = NETIF_FLAG_BROADCAST|NETIF_FLAG_ETHARP|NETIF_FLAG_ETHERNET;

    return ERR_OK;
}


int
fcv_net_open(fcv_loop_t *loop, const fcv_net_conf_t *conf, fcf_err_t *err)
{
    ip4_addr_t  address, netmask, gateway;

    if (net.open) {
        return fcf_err_set(err, FCF_E_EXISTS, "the network is open");
    }

    address.addr = conf->address.s_addr;
    netmask.addr = conf->netmask.s_addr;
    gateway.addr = conf->gateway.s_addr;

    net.source.fd = conf->tap_fd;
    net.source.handler = tap_handler;
    net.source.arg = loop;
    net.loop = loop;
    net.conf = conf;

    lwip_init();
    net.due = sys_now();

    if (netif_add(&net.netif, &address, &netmask, &gateway, NULL, init_netif,
                  ethernet_input)
        == NULL)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "lwIP: netif_add");
    }

    net.conf = NULL;

    if (fcv_loop_add(loop, &net.source, EPOLLIN, err) != 0) {
        netif_remove(&net.netif);
        return -1;
    }

    /* announces itself by ARP: the bridge learns its port at once */

    netif_set_default(&net.netif);
    netif_set_up(&net.netif);
    netif_set_link_up(&net.netif);

    net.open = 1;

    return 0;
}


void
fcv_net_move(const unsigned char *mac, struct in_addr address)
{
    ip4_addr_t  to;

    to.addr = address.s_addr;
    memcpy(net.netif.hwaddr, mac, sizeof(net.netif.hwaddr));
    netif_set_ipaddr(&net.netif, &to);
}


void
fcv_net_pause(int paused)
{
    net.paused = paused;

    if (net.open) {
        fcv_loop_mod(net.loop, &net.source, paused ? 0 : EPOLLIN);
    }
}


/* nothing is to be sent, sent again, acknowledged or taken; the agent keeps a
 * connection to the control port */
static int
tcp_at_rest(void)
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


int
fcv_net_tick(void)
{
    u32_t  ms;

    if (!net.open || net.paused) {
        return -1;
    }

    sys_check_timeouts();
    ms = sys_timeouts_sleeptime();

    /* lwIP's timers for protocols that are not spoken here come ten times a
     * second: a thousand machines at rest would keep a CPU busy */
    if (ms < FCV_IDLE_TICK_MS && tcp_at_rest()
        && (s32_t) (sys_now() - net.due) > 0)
    {
        ms = FCV_IDLE_TICK_MS;
    }

    return ms > 60000 ? 60000 : (int) ms;
}


void
fcv_timer_add(unsigned ms, void (*handler)(void *arg), void *arg)
{
    u32_t  due;

    due = sys_now() + ms;
    sys_timeout(ms, handler, arg);

    if ((s32_t) (due - net.due) > 0) {
        net.due = due;
    }
}


void
fcv_timer_del(void (*handler)(void *arg), void *arg)
{
    sys_untimeout(handler, arg);
}


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
