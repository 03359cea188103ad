#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "vm/init/oom.h"

#define KMSG    "/dev/kmsg"
#define RECORD  8192                    /* the kernel's longest */


/* "6,339,5140900,-;Out of memory: Killed process 12 (python3) total-vm:..."
 * and "Memory cgroup out of memory: Killed process ..." */

pid_t
fcv_oom_line(const char *line, char *name)
{
    int          pid;
    const char  *text;

    text = strchr(line, ';');
    text = text ? text + 1 : line;

    if (strncmp(text, "Memory cgroup ", 14) == 0) {
        text += 14;
    }

    /* only the kernel's own words may begin so: the function cannot write
     * into this log */

    if ((*text != 'O' && *text != 'o')
        || sscanf(text + 1, "ut of memory: Killed process %d (%63[^)])", &pid,
                  name) != 2)
    {
        return 0;
    }

    return pid > 0 ? pid : 0;
}


int
fcv_oom_open(void)
{
    int  fd;

    fd = open(KMSG, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd >= 0) {
        lseek(fd, 0, SEEK_END);
    }

    return fd;
}


pid_t
fcv_oom_read(int fd, char *name)
{
    char     record[RECORD + 1];
    ssize_t  n;

    n = read(fd, record, RECORD);

    if (n < 0) {
        /* EPIPE: records were overwritten, the next read goes on behind */
        return errno == EPIPE || errno == EINTR ? 0 : -1;
    }

    record[n] = '\0';

    return n == 0 ? -1 : fcv_oom_line(record, name);
}
