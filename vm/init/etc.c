#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "vm/guest.h"
#include "vm/init/etc.h"
#include "vm/init/mounts.h"

/* The end of /etc/hosts, with room for each name.  A clone's is written into
 * the mapped file: of all that it does until it answers, to open, cut, write
 * and close two files would be the thirtieth part. */
#define FCV_NAME_LINE  "127.0.1.1 %-64s\n"
#define FCV_NAME_LEN   (sizeof("127.0.1.1 ") - 1 + FCV_HOSTNAME_MAX + 1)

_Static_assert(FCV_HOSTNAME_MAX == 64, "FCV_NAME_LINE has room for it");

static char  *hosts;                    /* mapped; its last line */


/* a runtime's own may be a link to a file that is made elsewhere */

static int
write_new(const char *path, const char *text, fcf_err_t *err)
{
    if (unlink(path) < 0 && errno != ENOENT) {
        return fcf_err_sys(err, errno, "unlink %s", path);
    }

    return fcv_write_file(path, text, err);
}


static int
write_resolv(const fcv_config_t *conf, fcf_err_t *err)
{
    char    text[256], address[INET_ADDRSTRLEN];
    size_t  i, len;

    text[0] = '\0';
    len = 0;

    for (i = 0; i < conf->ndns; i++) {
        inet_ntop(AF_INET, &conf->dns[i], address, sizeof(address));
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "nameserver %s\n", address);
    }

    snprintf(text + len, sizeof(text) - len, "%s\n", conf->ndns > 0
             ? "options timeout:2 attempts:2"
             : "# none: the agent's setting \"dns\" names them");

    return write_new("/etc/resolv.conf", text, err);
}


/* the mapping stays, the descriptor need not */
static int
map_hosts(size_t len, fcf_err_t *err)
{
    int    fd;
    void  *map;

    fd = open("/etc/hosts", O_RDWR|O_CLOEXEC);
    map = fd < 0 ? MAP_FAILED
                 : mmap(NULL, len, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED) {
        (void) fcf_err_sys(err, errno, "map /etc/hosts");

    } else {
        hosts = (char *) map + len - FCV_NAME_LEN;
    }

    if (fd >= 0) {
        close(fd);
    }

    return map == MAP_FAILED ? -1 : 0;
}


static int
write_hosts(const fcv_config_t *conf, fcf_err_t *err)
{
    int   n;
    char  text[128];

    n = snprintf(text, sizeof(text), "127.0.0.1 localhost\n" FCV_NAME_LINE,
                 conf->hostname);

    return write_new("/etc/hosts", text, err) < 0
           || map_hosts((size_t) n, err) < 0 ? -1 : 0;
}


/* the kernel has the name: there is nothing to write for another one */
static int
link_hostname(fcf_err_t *err)
{
    if ((unlink("/etc/hostname") < 0 && errno != ENOENT)
        || symlink("/proc/sys/kernel/hostname", "/etc/hostname") < 0)
    {
        return fcf_err_sys(err, errno, "link /etc/hostname");
    }

    return 0;
}


int
fcv_etc_write(const fcv_config_t *conf, fcf_err_t *err)
{
    /* a container image may have none */

    if (mkdir("/etc", 0755) < 0 && errno != EEXIST) {
        return fcf_err_sys(err, errno, "mkdir /etc");
    }

    if (write_hosts(conf, err) < 0 || link_hostname(err) < 0) {
        return -1;
    }

    return write_resolv(conf, err);
}


void
fcv_etc_rename(const fcv_config_t *conf)
{
    char  line[FCV_NAME_LEN + 1];

    snprintf(line, sizeof(line), FCV_NAME_LINE, conf->hostname);
    memcpy(hosts, line, FCV_NAME_LEN);
}
