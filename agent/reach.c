#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/reach.h"
#include "vm/guest.h"

void
fca_reach_init(fca_reach_t *reach)
{
    reach->up = 0;
    reach->fd = -1;
}

void
fca_reach_end(fca_reach_t *reach)
{
    if (reach->fd != -1) {
        close(reach->fd);
    }

    fca_reach_init(reach);
}

/* over the bridge, or not at all */
static int
fca_reach_connect(fca_reach_t *reach, const fca_nic_t *nic, fcf_err_t *err)
{
    struct sockaddr_in  addr = { .sin_family = AF_INET,
                                 .sin_port = htons(FCV_CONTROL_PORT),
                                 .sin_addr = nic->address };

    reach->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       0);

    if (reach->fd == -1 || fca_nic_bind(nic, reach->fd, NULL) != 0
        || (connect(reach->fd, (struct sockaddr *) &addr, sizeof(addr)) != 0
            && errno != EINPROGRESS))
    {
        return fcf_err_sys(err, errno, "connecting to the guest");
    }

    return 0;
}

/* Nothing listens there: that the guest refuses is an answer too. */
static int
fca_reach_answered(fca_reach_t *reach)
{
    int            e = 0;
    socklen_t      len = sizeof(e);
    struct pollfd  pfd = { reach->fd, POLLOUT, 0 };

    if (poll(&pfd, 1, 0) <= 0) {
        return 0;
    }

    getsockopt(reach->fd, SOL_SOCKET, SO_ERROR, &e, &len);
    close(reach->fd);
    reach->fd = -1;

    return e == 0 || e == ECONNREFUSED;
}

int
fca_reach(fca_reach_t *reach, const fca_vmm_t *vmm, const fca_nic_t *nic,
    fcf_err_t *err)
{
    char  console[FCA_CONSOLE_KEEP];

    if (!reach->up) {
        fca_vmm_console(vmm, console, sizeof(console));
        reach->up = strstr(console, FCV_TRIAL_WORD) != NULL;
    }

    if (!reach->up) {
        return 0;
    }

    if (nic == NULL) {
        return 1;
    }

    return reach->fd == -1 ? fca_reach_connect(reach, nic, err)
                           : fca_reach_answered(reach);
}

const char *
fca_reach_late(const fca_reach_t *reach)
{
    return reach->up ? "the guest came up, but is not reached over the bridge"
                     : "the guest did not come up in time";
}
