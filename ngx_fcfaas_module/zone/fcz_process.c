#include "ngx_fcfaas_module/zone/fcz_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


/* field 22 of /proc/pid/stat, counted from the third, which is the state */
#define FCZ_PROCESS_STARTED  19


static char *fcz_process_stat(pid_t pid, char *text, size_t size);
static char *fcz_process_field(char *p, int field);


/* /proc/pid/stat from the process' state on; NULL: there is none */
static char *
fcz_process_stat(pid_t pid, char *text, size_t size)
{
    int      fd;
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

    return p && p[1] == ' ' ? p + 2 : NULL;
}


static char *
fcz_process_field(char *p, int field)
{
    while (p && field--) {
        p = strchr(p, ' ');
        p = p ? p + 1 : NULL;
    }

    return p;
}


uint64_t
fcz_started(pid_t pid)
{
    char  *p, text[512];

    p = fcz_process_field(fcz_process_stat(pid, text, sizeof(text)),
                          FCZ_PROCESS_STARTED);

    return p ? strtoull(p, NULL, 10) : 0;
}


unsigned
fcz_stopped(pid_t pid)
{
    char  *p, text[512];

    p = fcz_process_stat(pid, text, sizeof(text));

    return p && (*p == 'T' || *p == 't');
}


unsigned
fcz_dead(pid_t pid, uint64_t started)
{
    char      *p, text[512];
    uint64_t   now;

    if (kill(pid, 0) == -1) {
        return errno == ESRCH;
    }

    if (started == 0) {
        return 0;
    }

    p = fcz_process_stat(pid, text, sizeof(text));

    if (p && (*p == 'Z' || *p == 'X')) {
        /* its parent may stand still itself, and not wait for it */
        return 1;
    }

    p = fcz_process_field(p, FCZ_PROCESS_STARTED);
    now = p ? strtoull(p, NULL, 10) : 0;

    return now && now != started;
}
