#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lwip/init.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include "vm/vmm/instant_net.h"
#include "vm/vmm/instant_tcp.h"

#define FCV_MTU         1500
#define FCV_FRAME_SIZE  (FCV_MTU + 14 + 4)
#define FCV_FRAMES      64              /* read in one turn */
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
    if (ms < FCV_IDLE_TICK_MS && fcv_tcp_at_rest()
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
