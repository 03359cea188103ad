/* The record of a VM's process, by which a later agent knows it again. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/bounds.h"
#include "agent/vmm/vmm_int.h"


#define STAT_FLAGS   9
#define STAT_START   22
#define PF_EXITING   0x4                /* of the kernel's task flags */


/* the number in that field of /proc/<pid>/stat; 0: there is no such process */
static unsigned long long
stat_field(pid_t pid, int wanted)
{
    int      fd, field;
    char     path[40], buf[1024], *p;
    ssize_t  n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';

    /* field 2, the name, may hold anything, blanks and brackets included */
    p = strrchr(buf, ')');

    for (field = 2; p != NULL && field < wanted; field++) {
        p = strchr(p + 1, ' ');
    }

    return p != NULL ? strtoull(p + 1, NULL, 10) : 0;
}


unsigned long long
fca_proc_start_time(pid_t pid)
{
    return stat_field(pid, STAT_START);
}


/* a file as one that was replaced since is told from its successor */
static fca_exe_t
exe_of(const char *path)
{
    fca_exe_t    exe = { 0, 0 };
    struct stat  st;

    if (stat(path, &st) == 0) {
        exe.dev = st.st_dev;
        exe.ino = st.st_ino;
    }

    return exe;
}


static fca_exe_t
exe_running(pid_t pid)
{
    char  path[40];

    snprintf(path, sizeof(path), "/proc/%d/exe", (int) pid);

    return exe_of(path);
}


static int
exe_same(fca_exe_t a, fca_exe_t b)
{
    return a.ino != 0 && a.ino == b.ino && a.dev == b.dev;
}


int
fca_vmm_pid_write(int dirfd, pid_t pid, const char *program, fcf_err_t *err)
{
    char       text[160];
    fca_exe_t  before, exe;

    before = exe_running(pid);
    exe = exe_of(program);

    snprintf(text, sizeof(text), "%d %llu %llx:%llx %llx:%llx\n", (int) pid,
             fca_proc_start_time(pid), exe.dev, exe.ino, before.dev,
             before.ino);

    return fca_vmm_file_write(dirfd, FCA_VMM_PID, text, strlen(text), err);
}


int
fca_vmm_pid_read(const char *dir, fca_proc_t *proc)
{
    int      fd, pid;
    char     path[FCA_VMM_PATH + 8], buf[160];
    ssize_t  len;

    snprintf(path, sizeof(path), "%s/" FCA_VMM_PID, dir);

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return -1;
    }

    len = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    buf[len > 0 ? len : 0] = '\0';
    memset(proc, 0, sizeof(*proc));

    if (sscanf(buf, "%d %llu %llx:%llx %llx:%llx", &pid, &proc->start,
               &proc->exe.dev, &proc->exe.ino, &proc->before.dev,
               &proc->before.ino) != 6
        || pid <= 1 || proc->start == 0)
    {
        return 1;
    }

    proc->pid = (pid_t) pid;

    return 0;
}


/* <base>/<program>/<id> is what the directory's link to a jail says: its copy
 * of the program is <jail>/root/<program>. */
static fca_exe_t
exe_jailed(const char *dir)
{
    char       path[2 * PATH_MAX], *jail, *id, *program;
    fca_exe_t  exe = { 0, 0 };

    jail = fca_vmm_jail_of(dir);
    id = jail != NULL ? strrchr(jail, '/') : NULL;

    if (id != NULL) {
        *id = '\0';
        program = strrchr(jail, '/');

        if (program != NULL) {
            snprintf(path, sizeof(path), "%s/%s/root/%s", jail, id + 1,
                     program + 1);
            exe = exe_of(path);
        }
    }

    free(jail);

    return exe;
}


int
fca_proc_of_jail(pid_t pid, const char *jail)
{
    char         path[PATH_MAX], status[1024];
    const char  *line;
    struct stat  st;

    if ((size_t) snprintf(path, sizeof(path), "%s/root", jail) >= sizeof(path)
        || stat(path, &st) != 0 || st.st_uid == 0)
    {
        return 0;
    }

    snprintf(path, sizeof(path), "/proc/%d", (int) pid);
    (void) fca_bounds_read(status, sizeof(status), path, "status");

    line = strstr(status, "\nUid:");

    return line != NULL
           && strtoul(line + sizeof("\nUid:") - 1, NULL, 10) == st.st_uid;
}


/* What another user's process runs is hidden from one without CAP_SYS_PTRACE,
 * which the agent's unit leaves out. */
static int
is_jailed(pid_t pid, const char *dir)
{
    int    is;
    char  *jail;

    jail = fca_vmm_jail_of(dir);
    is = jail != NULL && fca_proc_of_jail(pid, jail);
    free(jail);

    return is;
}


/* The VMM's program, or the jailer's; the agent's, just before; or, behind a
 * jailer, the copy of the VMM's that lies in the jail.  One that is ending has
 * none any more, but what it holds until it has: it is waited for. */
int
fca_proc_is(const fca_proc_t *proc, const char *dir)
{
    fca_exe_t  now;

    if (fca_proc_start_time(proc->pid) != proc->start) {
        return 0;
    }

    now = exe_running(proc->pid);

    if (now.ino == 0 && errno == EACCES) {
        return is_jailed(proc->pid, dir);
    }

    if (now.ino == 0) {
        return (stat_field(proc->pid, STAT_FLAGS) & PF_EXITING) != 0;
    }

    return exe_same(now, proc->exe) || exe_same(now, proc->before)
           || exe_same(now, exe_jailed(dir));
}
