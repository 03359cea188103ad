#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static char *fcz_process_stat(pid_t pid, char *text, size_t size, int field);


/* from that field of /proc/pid/stat on; NULL: there is no such process */
static char *
fcz_process_stat(pid_t pid, char *text, size_t size, int field)
{
    int      fd, i;
    char    *p, path[32];
    ssize_t  n;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return NULL;
    }

    n = read(fd, text, size - 1);
    (void) close(fd);

    text[n > 0 ? n : 0] = '\0';

    /* the second field is a name, which may have anything in it */

    p = strrchr(text, ')');

    for (i = 2; p && i < field; i++) {
        p = strchr(p + 1, ' ');
    }

    return p ? p + 1 : NULL;
}


uint64_t
fcz_started(pid_t pid)
{
    char  *p, text[512];

    p = fcz_process_stat(pid, text, sizeof(text), 22);

    return p ? strtoull(p, NULL, 10) : 0;
}


unsigned
fcz_stopped(pid_t pid)
{
    char  *p, text[512];

    p = fcz_process_stat(pid, text, sizeof(text), 3);

    return p && (*p == 'T' || *p == 't');
}


unsigned
fcz_dead(pid_t pid, uint64_t started)
{
    uint64_t  now;

    if (kill(pid, 0) == -1) {
        return errno == ESRCH;
    }

    if (started == 0) {
        return 0;
    }

    now = fcz_started(pid);

    return now && now != started;
}
