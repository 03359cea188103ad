#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vm/vmm/tap.h"


/* prepared for the next; -1 */
static int  prepared = -1;


static int
tun_open(void)
{
    return open("/dev/net/tun", O_RDWR|O_NONBLOCK|O_CLOEXEC);
}


int
fcv_tap_prepare(void)
{
    if (prepared == -1) {
        prepared = tun_open();
    }

    return prepared;
}


void
fcv_tap_unprepare(void)
{
    if (prepared != -1) {
        (void) close(prepared);
        prepared = -1;
    }
}


int
fcv_tap_open(const char *name, int vnet_hdr, fcf_err_t *err)
{
    int           fd;
    struct ifreq  ifr;

    if (name[0] == '\0' || strlen(name) >= IFNAMSIZ) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "host_dev_name \"%.40s\": an interface name has 1 "
                           "to %d characters", name, IFNAMSIZ - 1);
    }

    /* TUNSETIFF would make a missing one, which then vanished with us */

    if (if_nametoindex(name) == 0) {
        return fcf_err_sys(err, errno, "host_dev_name \"%s\"", name);
    }

    fd = prepared != -1 ? prepared : tun_open();
    prepared = -1;

    if (fd == -1) {
        return fcf_err_sys(err, errno, "host_dev_name \"%s\": /dev/net/tun",
                           name);
    }

    memset(&ifr, 0, sizeof(struct ifreq));
    memcpy(ifr.ifr_name, name, strlen(name));
    ifr.ifr_flags = IFF_TAP|IFF_NO_PI;

    if (vnet_hdr) {
        ifr.ifr_flags |= IFF_VNET_HDR;
    }

    if (ioctl(fd, TUNSETIFF, &ifr) == -1) {
        (void) fcf_err_sys(err, errno, "host_dev_name \"%s\": TUNSETIFF",
                           name);
        (void) close(fd);
        return -1;
    }

    /* a TAP keeps the offloads of who had it before */

    if (ioctl(fd, TUNSETOFFLOAD, 0) == -1) {
        (void) fcf_err_sys(err, errno, "host_dev_name \"%s\": TUNSETOFFLOAD",
                           name);
        (void) close(fd);
        return -1;
    }

    return fd;
}
