/*
 * What a guest can do whose kernel is not ours any more: as /init of its
 * initramfs it starts the real one, and stays beside it with all rights.  Each
 * line that comes to its port is a frame in hex, to be sent as it is.
 */

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#define RAW_PORT   81
#define RAW_FRAME  2048

static size_t
from_hex(const char *line, unsigned char *frame)
{
    size_t  n = 0;

    while (n < RAW_FRAME && sscanf(line + 2 * n, "%2hhx", &frame[n]) == 1) {
        n++;
    }

    return n;
}

/* what became of it, in words */
static void
send_frame(int peer, const char *line)
{
    int                 fd;
    ssize_t             n = -1;
    unsigned char       frame[RAW_FRAME];
    struct sockaddr_ll  to = { .sll_family = AF_PACKET };

    to.sll_ifindex = (int) if_nametoindex("eth0");
    fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

    if (fd != -1) {
        n = sendto(fd, frame, from_hex(line, frame), 0,
                   (struct sockaddr *) &to, sizeof(to));
        close(fd);
    }

    dprintf(peer, "%zd\n", n);
}

static void
serve(void)
{
    int                 fd, peer;
    char                line[2 * RAW_FRAME + 2];
    FILE               *f;
    struct sockaddr_in  any = { .sin_family = AF_INET,
                                .sin_port = htons(RAW_PORT) };

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || bind(fd, (struct sockaddr *) &any, sizeof(any)) != 0
        || listen(fd, 8) != 0)
    {
        return;
    }

    while ((peer = accept(fd, NULL, NULL)) != -1) {
        f = fdopen(peer, "r");

        while (f && fgets(line, sizeof(line), f)) {
            send_frame(peer, line);
        }

        if (f) {
            fclose(f);
        }
    }
}

int
main(int argc, char **argv)
{
    (void) argc;

    if (fork() == 0) {
        serve();
        return 1;
    }

    execv("/init.real", argv);

    return 1;
}
