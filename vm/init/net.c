#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "vm/init/mounts.h"
#include "vm/init/net.h"

#define DEVICE  "eth0"

typedef int (*set_pt)(int fd, const fcv_config_t *conf, fcf_err_t *err);


static void
set_name(struct ifreq *ifr, const char *name)
{
    memset(ifr, 0, sizeof(*ifr));
    memcpy(ifr->ifr_name, name, strlen(name) + 1);
}


static void
set_address(struct sockaddr *sa, struct in_addr addr)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr = addr;
    memcpy(sa, &sin, sizeof(sin));
}


static int
bring_up(int fd, const char *name, fcf_err_t *err)
{
    struct ifreq  ifr;

    set_name(&ifr, name);

    if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0) {
        return fcf_err_sys(err, errno, "%s", name);
    }

    if ((ifr.ifr_flags & IFF_UP) && (ifr.ifr_flags & IFF_RUNNING)) {
        return 0;
    }

    ifr.ifr_flags |= IFF_UP;

    if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0) {
        return fcf_err_sys(err, errno, "%s: up", name);
    }

    return 0;
}


static int
set_mac(int fd, const fcv_config_t *conf, fcf_err_t *err)
{
    struct ifreq  ifr;

    set_name(&ifr, DEVICE);

    if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0) {
        return fcf_err_sys(err, errno, DEVICE);
    }

    if (!conf->has_mac
        || memcmp(ifr.ifr_hwaddr.sa_data, conf->mac, ETH_ALEN) == 0)
    {
        return 0;
    }

    ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr.ifr_hwaddr.sa_data, conf->mac, ETH_ALEN);

    if (ioctl(fd, SIOCSIFHWADDR, &ifr) < 0) {
        return fcf_err_sys(err, errno, DEVICE ": MAC address");
    }

    return 0;
}


static int
has_address(int fd, struct in_addr addr)
{
    struct ifreq        ifr;
    struct sockaddr_in  sin;

    set_name(&ifr, DEVICE);

    if (ioctl(fd, SIOCGIFADDR, &ifr) < 0) {
        return 0;
    }

    memcpy(&sin, &ifr.ifr_addr, sizeof(sin));

    return sin.sin_addr.s_addr == addr.s_addr;
}


static int
set_route(int fd, const fcv_config_t *conf, fcf_err_t *err)
{
    struct rtentry  route;
    struct in_addr  any;

    any.s_addr = INADDR_ANY;

    memset(&route, 0, sizeof(route));
    set_address(&route.rt_dst, any);
    set_address(&route.rt_genmask, any);
    set_address(&route.rt_gateway, conf->gateway);
    route.rt_flags = RTF_UP|RTF_GATEWAY;

    if (ioctl(fd, SIOCADDRT, &route) < 0 && errno != EEXIST) {
        return fcf_err_sys(err, errno, DEVICE ": default route");
    }

    return 0;
}


static int
set_up_device(int fd, const fcv_config_t *conf, fcf_err_t *err)
{
    struct ifreq  ifr;

    if (has_address(fd, conf->address)) {
        return 0;
    }

    if (set_mac(fd, conf, err) < 0) {
        return -1;
    }

    set_name(&ifr, DEVICE);
    set_address(&ifr.ifr_addr, conf->address);

    if (ioctl(fd, SIOCSIFADDR, &ifr) < 0) {
        return fcf_err_sys(err, errno, DEVICE ": address");
    }

    set_address(&ifr.ifr_netmask, conf->netmask);

    if (ioctl(fd, SIOCSIFNETMASK, &ifr) < 0) {
        return fcf_err_sys(err, errno, DEVICE ": netmask");
    }

    if (bring_up(fd, DEVICE, err) < 0) {
        return -1;
    }

    return set_route(fd, conf, err);
}


/* more than the device takes, it does not get */
static int
set_mtu(int fd, const fcv_config_t *conf, fcf_err_t *err)
{
    struct ifreq  ifr;

    set_name(&ifr, DEVICE);

    if (conf->mtu == 0) {
        return 0;
    }

    if (ioctl(fd, SIOCGIFMTU, &ifr) < 0) {
        return fcf_err_sys(err, errno, DEVICE);
    }

    if (ifr.ifr_mtu <= conf->mtu) {
        return 0;
    }

    ifr.ifr_mtu = conf->mtu;

    if (ioctl(fd, SIOCSIFMTU, &ifr) < 0) {
        return fcf_err_sys(err, errno, DEVICE ": MTU %d", conf->mtu);
    }

    return 0;
}


static int
bring_all_up(int fd, const fcv_config_t *conf, fcf_err_t *err)
{
    if (bring_up(fd, "lo", err) < 0 || set_up_device(fd, conf, err) < 0) {
        return -1;
    }

    return set_mtu(fd, conf, err);
}


static int
with_name_and_socket(const fcv_config_t *conf, set_pt set, fcf_err_t *err)
{
    int  fd, rc;

    if (sethostname(conf->hostname, strlen(conf->hostname)) < 0) {
        return fcf_err_sys(err, errno, "hostname");
    }

    fd = socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "socket");
    }

    rc = set(fd, conf, err);
    close(fd);

    return rc;
}


int
fcv_net_up(const fcv_config_t *conf, fcf_err_t *err)
{
    if (fcv_write_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0",
                       err) < 0)
    {
        return -1;
    }

    return with_name_and_socket(conf, bring_all_up, err);
}


int
fcv_net_move(const fcv_config_t *conf, fcf_err_t *err)
{
    return with_name_and_socket(conf, set_up_device, err);
}
