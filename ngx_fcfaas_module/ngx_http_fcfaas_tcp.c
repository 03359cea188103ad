/*
 * A file of its own: the counters are in the kernel's struct tcp_info, not in
 * that of libc's header, which nginx includes.
 */

#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <linux/tcp.h>


int64_t ngx_http_fcfaas_tcp_unacked(int fd);


int64_t
ngx_http_fcfaas_tcp_unacked(int fd)
{
    socklen_t        len;
    struct tcp_info  info;

    len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1
        || len < offsetof(struct tcp_info, tcpi_bytes_retrans)
                 + sizeof(info.tcpi_bytes_retrans))
    {
        return -1;
    }

    /* the SYN counts as a byte that was acknowledged, not as one sent */

    return (int64_t) (info.tcpi_bytes_sent - info.tcpi_bytes_retrans)
           - (int64_t) info.tcpi_bytes_acked + 1;
}
