#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "vm/init/etc.h"
#include "vm/init/mounts.h"

typedef int (*write_pt)(const char *path, const char *text, fcf_err_t *err);


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


static int
write_name(const fcv_config_t *conf, write_pt write_text, fcf_err_t *err)
{
    char  text[256];

    snprintf(text, sizeof(text), "127.0.0.1 localhost\n127.0.1.1 %s\n",
             conf->hostname);

    if (write_text("/etc/hosts", text, err) < 0) {
        return -1;
    }

    snprintf(text, sizeof(text), "%s\n", conf->hostname);

    return write_text("/etc/hostname", text, err);
}


int
fcv_etc_write(const fcv_config_t *conf, fcf_err_t *err)
{
    /* a container image may have none */

    if (mkdir("/etc", 0755) < 0 && errno != EEXIST) {
        return fcf_err_sys(err, errno, "mkdir /etc");
    }

    if (write_name(conf, write_new, err) < 0) {
        return -1;
    }

    return write_resolv(conf, err);
}


int
fcv_etc_rename(const fcv_config_t *conf, fcf_err_t *err)
{
    return write_name(conf, fcv_write_file, err);
}
