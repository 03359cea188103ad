#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "agent/net/net_int.h"

#define TUN_DEV    "/dev/net/tun"

/* what VMMs open with decides at each attach; a persistent TAP keeps none of
 * these but IFF_MULTI_QUEUE, which we never set */
#define TAP_FLAGS  (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)


static int
tun_open(fcf_err_t *err)
{
    int  fd;

    fd = open(TUN_DEV, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    return fd < 0 ? fcf_err_sys(err, errno, "cannot open " TUN_DEV) : fd;
}


int
fca_tap_check(fcf_err_t *err)
{
    int       fd, rc;
    unsigned  features;

    fd = tun_open(err);
    if (fd < 0) {
        return -1;
    }

    rc = 0;

    if (ioctl(fd, TUNGETFEATURES, &features) != 0) {
        rc = fcf_err_sys(err, errno, TUN_DEV " is no TUN device");

    } else if ((features & TAP_FLAGS) != TAP_FLAGS) {
        rc = fcf_err_set(err, FCF_E_INVALID,
                         TUN_DEV ": features 0x%x lack some of 0x%x",
                         features, (unsigned) TAP_FLAGS);
    }

    close(fd);

    return rc;
}


int
fca_tap_make(struct nl_sock *sk, const char *prefix, const char *alias,
    fca_link_t *out, fcf_err_t *err)
{
    int           fd, rc;
    struct ifreq  ifr = { .ifr_flags = TAP_FLAGS };

    fd = tun_open(err);
    if (fd < 0) {
        return -1;
    }

    /* the kernel fills in the first number that is free */
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.10s%%d", prefix);

    if (ioctl(fd, TUNSETIFF, &ifr) != 0) {
        rc = fcf_err_sys(err, errno, "making a TAP %s", ifr.ifr_name);
        goto done;
    }

    rc = fca_link_get(sk, ifr.ifr_name, 0, out, err);

    if (rc == 0) {
        rc = fca_link_set_alias(sk, out->ifindex, alias, err);
    }

    if (rc == 0
        && (ioctl(fd, TUNSETOWNER, 0UL) != 0
            || ioctl(fd, TUNSETPERSIST, 1UL) != 0))
    {
        rc = fcf_err_sys(err, errno, "making TAP %s persistent",
                         ifr.ifr_name);
    }

done:

    close(fd);

    return rc;
}


int
fca_tap_own(const char *name, uid_t uid, gid_t gid, fcf_err_t *err)
{
    int           fd, rc;
    struct ifreq  ifr = { .ifr_flags = TAP_FLAGS };

    fd = tun_open(err);
    if (fd < 0) {
        return -1;
    }

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);

    rc = 0;

    if (ioctl(fd, TUNSETIFF, &ifr) != 0
        || ioctl(fd, TUNSETOWNER, (unsigned long) uid) != 0
        || ioctl(fd, TUNSETGROUP, (unsigned long) gid) != 0)
    {
        rc = fcf_err_sys(err, errno, "giving TAP %s to uid %lu, gid %lu",
                         name, (unsigned long) uid, (unsigned long) gid);
    }

    close(fd);

    return rc;
}


int
fca_tap_busy(const char *name, fcf_err_t *err)
{
    int           fd, rc;
    struct ifreq  ifr = { .ifr_flags = TAP_FLAGS };

    fd = tun_open(err);
    if (fd < 0) {
        return -1;
    }

    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);

    rc = 0;

    if (ioctl(fd, TUNSETIFF, &ifr) != 0) {
        rc = errno == EBUSY ? 1
                            : fcf_err_sys(err, errno, "opening TAP %s", name);
    }

    close(fd);

    return rc;
}


int
fca_sysctl_set(const char *path, const char *value, fcf_err_t *err)
{
    int      fd, saved;
    ssize_t  n;

    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : fcf_err_sys(err, errno, "%s", path);
    }

    n = write(fd, value, strlen(value));
    saved = errno;

    close(fd);

    return n < 0 ? fcf_err_sys(err, saved, "writing %s to %s", value, path)
                 : 0;
}


int
fca_sysctl_get(const char *path)
{
    int   fd;
    char  c;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }

    if (read(fd, &c, 1) != 1) {
        c = '\0';
    }

    close(fd);

    return c != '\0' ? c : -1;
}


int
fca_link_no_ipv6(const char *name, fcf_err_t *err)
{
    char  path[80];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
             name);

    return fca_sysctl_set(path, "1", err);
}
