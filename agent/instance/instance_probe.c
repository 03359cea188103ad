/* Whether the guest's port accepts: connects with a short deadline, over and
 * over; nothing is sent, and the function sees nothing of it.  A lost SYN would
 * cost a second, so that a try ends after a while and the next begins; and in
 * one start of a hundred the first is lost, its TAP having been opened a moment
 * ago, so that the first while is short, and each other one twice as long as
 * that before.  A clone is looked at while it still takes its address: some of
 * its first whiles are short. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/instance/instance_int.h"

#define FCA_PROBE_FIRST_MS  5
#define FCA_PROBE_CLONE     8           /* so many of a clone's are short */
#define FCA_PROBE_MAX_MS    500
#define FCA_PROBE_AGAIN_MS  3           /* after a refusal */
#define FCA_PROBE_SLOW_MS   20          /* after many of them */
#define FCA_PROBE_TELL_MS   1000        /* refused for so long: it is said */

static void fca_probe_try(void *arg);

static void
fca_probe_close(fca_probe_t *probe, fcf_loop_t *loop)
{
    if (probe->io) {
        loop->io_del(probe->io);
        probe->io = NULL;
    }

    if (probe->fd != -1) {
        close(probe->fd);
        probe->fd = -1;
    }
}

static void
fca_probe_refused(fca_instance_t *inst)
{
    fca_probe_t  *probe = &inst->probe;
    fcf_loop_t   *loop = inst->all->loop;


    fca_probe_close(probe, loop);
    loop->timer_set(probe->timer, ++probe->refused < 100 ? FCA_PROBE_AGAIN_MS
                                                         : FCA_PROBE_SLOW_MS);
}

/* by the guest itself, not for want of a socket of ours */
static void
fca_probe_tell(fca_instance_t *inst)
{
    uint64_t      now = fca_now(inst->all->loop);
    fca_probe_t  *probe = &inst->probe;

    if (probe->tell == 0) {
        probe->tell = now + FCA_PROBE_TELL_MS;

    } else if (now >= probe->tell) {
        probe->tell = fca_inst_refused(inst);
    }
}

static void
fca_probe_io(void *arg, unsigned events)
{
    int              e = 0;
    socklen_t        len = sizeof(e);
    fca_instance_t  *inst = arg;

    (void) events;

    if (getsockopt(inst->probe.fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0 || e)
    {
        if (e == ECONNREFUSED) {
            fca_probe_tell(inst);
        }

        fca_probe_refused(inst);
        return;
    }

    fca_probe_stop(inst);
    fca_instance_event(inst, FCA_E_ACCEPTED, NULL);
}

static void
fca_probe_wait_longer(fca_instance_t *inst)
{
    fca_probe_t  *probe = &inst->probe;

    if (inst->state == FCA_S_RESTORED && probe->silent < FCA_PROBE_CLONE) {
        return;
    }

    probe->patience *= 2;

    if (probe->patience > FCA_PROBE_MAX_MS) {
        probe->patience = FCA_PROBE_MAX_MS;
    }
}

/* Once the guest's kernel has answered for the port there is a reset, in place
 * of the handshake's last step, which is put off where acknowledgements are not
 * wanted at once (tcp(7), TCP_QUICKACK).  What would else be accepted is a
 * connection that says nothing: a server that takes one at a time waits for it,
 * and one that forks for each does that, before the first request.  -1: errno
 */
static int
fca_probe_socket(void)
{
    int            fd, off = 0;
    struct linger  reset = { 1, 0 };

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd != -1) {
        (void) setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
        (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }

    return fd;
}

/* also the end of a try that was not answered */
static void
fca_probe_try(void *arg)
{
    fca_instance_t      *inst = arg;
    fca_probe_t         *probe = &inst->probe;
    fcf_loop_t          *loop = inst->all->loop;
    struct sockaddr_in   sin;

    if (probe->fd != -1) {
        fca_probe_close(probe, loop);
        probe->silent++;
        fca_probe_wait_longer(inst);
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = inst->nic.address;
    sin.sin_port = htons((uint16_t) inst->spec.port);

    probe->fd = fca_probe_socket();
    if (probe->fd == -1
        || fca_nic_bind(&inst->nic, probe->fd, NULL) != 0
        || (connect(probe->fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
            && errno != EINPROGRESS))
    {
        fca_probe_refused(inst);
        return;
    }

    probe->io = loop->io_add(loop, probe->fd, fca_probe_io, inst);
    if (probe->io == NULL || loop->io_set(probe->io, FCF_WRITE) != 0) {
        fca_probe_refused(inst);
        return;
    }

    loop->timer_set(probe->timer, probe->patience);
}

/* without memory for its timer the state's timeout ends the wait */
void
fca_probe_start(fca_instance_t *inst)
{
    fca_probe_t  *probe = &inst->probe;
    fcf_loop_t   *loop = inst->all->loop;

    probe->patience = FCA_PROBE_FIRST_MS;
    probe->timer = loop->timer_new(loop, fca_probe_try, inst);

    if (probe->timer) {
        loop->timer_set(probe->timer, 0);
    }
}

void
fca_probe_stop(fca_instance_t *inst)
{
    fca_probe_t  *probe = &inst->probe;
    fcf_loop_t   *loop = inst->all->loop;

    fca_probe_close(probe, loop);

    if (probe->timer) {
        loop->timer_free(probe->timer);
        probe->timer = NULL;
    }
}
