/*
 * A file of its own: the counters are in the kernel's struct tcp_info, not in
 * that of libc's header, which nginx includes.
 */

#include <stddef.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/tcp.h>

#include "ngx_fcfaas_module/ngx_http_fcfaas_tcp.h"


int
ngx_http_fcfaas_tcp_info(int fd, ngx_http_fcfaas_tcp_t *tcp)
{
    socklen_t        len;
    struct tcp_info  info;

    len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1
        || len < offsetof(struct tcp_info, tcpi_bytes_retrans)
                 + sizeof(info.tcpi_bytes_retrans)
        || ioctl(fd, FIONREAD, &tcp->unread) == -1)
    {
        return -1;
    }

    /* the SYN counts as a byte that was acknowledged, not as one sent */

    tcp->sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
    tcp->acked = info.tcpi_bytes_acked - 1;
    tcp->received = info.tcpi_bytes_received;

    return 0;
}
