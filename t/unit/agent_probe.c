/* The look at a guest's port: found as soon as it listens, and nothing of it is
 * ever accepted there. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "agent/instance/instance_int.h"
#include "t/unit/tap.h"

static uv_loop_t            uv;
static int                  accepted;
static struct sockaddr_in   guest;

/* the linker has it stand in */
void __wrap_fca_instance_event(fca_instance_t *inst, fca_event_e event,
    const fcf_err_t *err);

void
__wrap_fca_instance_event(fca_instance_t *inst, fca_event_e event,
    const fcf_err_t *err)
{
    (void) inst;
    (void) err;

    accepted += event == FCA_E_ACCEPTED;
}


static int
listener(void)
{
    int        fd, on = 1;
    socklen_t  len = sizeof(guest);

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ok(bind(fd, (struct sockaddr *) &guest, sizeof(guest)) == 0
       && listen(fd, 8) == 0
       && getsockname(fd, (struct sockaddr *) &guest, &len) == 0,
       "a guest listens");

    return fd;
}


static void
too_late(uv_timer_t *timer)
{
    (void) timer;
    ok(0, "within 10 s");
    exit(1);
}


static void
no_connection(int fd)
{
    is_int(accept(fd, NULL, NULL), -1, "nothing");
    is_int(errno, EAGAIN, "is there to be accepted");
}


int
main(void)
{
    int               fd, other;
    uv_timer_t        patience;
    fcf_loop_t        loop;
    fca_instance_t    inst;
    fca_instances_t   all;

    memset(&inst, 0, sizeof(inst));
    memset(&all, 0, sizeof(all));
    memset(&guest, 0, sizeof(guest));
    guest.sin_family = AF_INET;
    guest.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    uv_loop_init(&uv);
    uv_timer_init(&uv, &patience);
    uv_timer_start(&patience, too_late, 10000, 0);
    fca_loop_init(&loop, &uv, NULL);
    all.loop = &loop;
    inst.all = &all;
    inst.probe.fd = -1;
    inst.nic.address = guest.sin_addr;
    strcpy(inst.nic.tap, "lo");
    strcpy(inst.nic.device, "lo");

    fd = listener();
    inst.spec.port = ntohs(guest.sin_port);
    fca_probe_start(&inst);

    while (!accepted) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    no_connection(fd);
    is_int(inst.probe.refused, 0, "at the first try");

    close(fd);
    inst.probe.refused = 0;
    fca_probe_start(&inst);

    while (inst.probe.refused < 2) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    is_int(accepted, 1, "nobody listens any more");
    fd = listener();

    while (accepted < 2) {
        uv_run(&uv, UV_RUN_ONCE);
    }

    no_connection(fd);

    other = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);
    is_int(connect(other, (struct sockaddr *) &guest, sizeof(guest)), 0,
           "another");
    ok((other = accept(fd, NULL, NULL)) >= 0, "is");

    uv_close((uv_handle_t *) &patience, NULL);
    fca_loop_end(&uv);

    return tap_done();
}
