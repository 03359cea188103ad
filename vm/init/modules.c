#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "vm/init/modules.h"

#define NAME_MAX_LEN  64


/* EEXIST, ENOSYS: the kernel has it inside, or has no modules at all */

static int
load_one(const char *dir, const char *name, fcf_err_t *err)
{
    int   fd, rc;
    char  path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "open %s", path);
    }

    rc = 0;

    if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST
        && errno != ENOSYS)
    {
        rc = fcf_err_sys(err, errno, "load %s", path);
    }

    close(fd);

    return rc;
}


int
fcv_modules_load(const char *dir, fcf_err_t *err)
{
    int    rc;
    FILE  *list;
    char   path[256], name[NAME_MAX_LEN];

    snprintf(path, sizeof(path), "%s/list", dir);

    list = fopen(path, "re");

    if (list == NULL) {
        return errno == ENOENT ? 0 : fcf_err_sys(err, errno, "open %s", path);
    }

    rc = 0;

    while (rc == 0 && fgets(name, sizeof(name), list)) {
        name[strcspn(name, "\n")] = '\0';

        if (name[0] != '\0') {
            rc = load_one(dir, name, err);
        }
    }

    fclose(list);

    return rc;
}
