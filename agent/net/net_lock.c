/*
 * Which agent has the bridge: who listens on an abstract socket of its name.
 * It belongs to the network namespace, as the bridge does, and is gone with
 * the process, however that ends.  Anybody may take such a name, so one that
 * is not root's is no agent's and no hindrance.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/net/net_int.h"

#define LOCK_MS     20
#define LOCK_TRIES  50


static socklen_t
lock_name(const fca_net_t *net, struct sockaddr_un *sun)
{
    memset(sun, 0, sizeof(*sun));
    sun->sun_family = AF_UNIX;
    snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1,
             "fcfaas/bridge/%s", net->bridge);

    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1
                        + strlen(sun->sun_path + 1));
}


static int
lock_socket(fcf_err_t *err)
{
    int  fd;

    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? fcf_err_sys(err, errno, "the bridge's lock") : fd;
}


/* 0: nobody has it, or nobody who counts; *pid: who has it, 0: not known */
static int
lock_look(const fca_net_t *net, pid_t *pid, fcf_err_t *err)
{
    int                 fd, rc;
    char                who[32];
    socklen_t           len;
    struct ucred        cred = { .uid = (uid_t) -1 };
    struct sockaddr_un  sun;

    fd = lock_socket(err);
    if (fd < 0) {
        return -1;
    }

    rc = 0;
    len = lock_name(net, &sun);

    /* its backlog may be full of others that ask: there is somebody then */
    if (connect(fd, (struct sockaddr *) &sun, len) == 0 || errno == EAGAIN) {
        len = sizeof(cred);
        rc = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);

        if (rc != 0 || cred.uid == 0 || cred.uid == (uid_t) -1) {
            snprintf(who, sizeof(who), ", process %ld", (long) cred.pid);
            rc = fcf_err_set(err, FCF_E_EXISTS,
                             "bridge %s is in use by another agent%s",
                             net->bridge, cred.pid > 0 ? who : "");
        }
    }

    close(fd);
    *pid = cred.pid;

    return rc;
}


int
fca_net_lock_check(const fca_net_t *net, fcf_err_t *err)
{
    int    rc, tries;
    pid_t  pid = 0;

    /* an agent that was killed may have been starting a process, which shares
     * its descriptors for a moment more */
    for (tries = 0; (rc = lock_look(net, &pid, err)) != 0 && pid > 0
                    && kill(pid, 0) != 0 && errno == ESRCH
                    && tries < LOCK_TRIES;
         tries++)
    {
        (void) poll(NULL, 0, LOCK_MS);
    }

    return rc;
}


int
fca_net_lock(fca_net_t *net, fcf_err_t *err)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_un  sun;

    if (fca_net_lock_check(net, err) != 0) {
        return -1;
    }

    fd = lock_socket(err);
    if (fd < 0) {
        return -1;
    }

    len = lock_name(net, &sun);

    if (bind(fd, (struct sockaddr *) &sun, len) == 0 && listen(fd, 8) == 0) {
        net->lock = fd;
        return 0;
    }

    fcf_err_sys(err, errno, "the lock of bridge %s", net->bridge);
    close(fd);

    /* between the look and this, or by somebody who is no agent */
    if (fca_net_lock_check(net, err) != 0) {
        return -1;
    }

    fca_log(FCF_LOG_WARN, NULL, "guest network: somebody who is not root "
            "holds the name by which agents of bridge %s know each other",
            net->bridge);

    return 0;
}
