/* By what a process that an earlier agent started is known again. */

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"
#include "t/unit/tap.h"

static char  dir[] = "/tmp/fcfaas-pid-XXXXXX";
static int   dir_fd;


/* it ends when the other end of its input is closed; program NULL: this one */
static pid_t
child(int *end, const char *program)
{
    int    fds[2];
    char   c;
    pid_t  pid;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        perror("pipe");
        exit(1);
    }

    pid = fork();

    if (pid == 0) {
        close(fds[1]);

        if (program) {
            dup2(fds[0], 0);
            execl(program, program, (char *) NULL);
            _exit(9);
        }

        _exit(read(fds[0], &c, 1) != 0);
    }

    close(fds[0]);
    *end = fds[1];

    return pid;
}


/* its process has ended, but nobody has waited for it */
static void
ended(pid_t pid)
{
    siginfo_t  info;

    (void) waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT);
}


static int
is_recorded(fca_proc_t *proc)
{
    return fca_vmm_pid_read(dir, proc) == 0 && fca_proc_is(proc, dir);
}


static void
record(pid_t pid, const char *program)
{
    fcf_err_t  err;

    (void) unlinkat(dir_fd, FCA_VMM_PID, 0);
    is_int(fca_vmm_pid_write(dir_fd, pid, program, &err), 0, "recorded");
}


static void
test_life(void)
{
    int         end;
    pid_t       pid;
    fca_proc_t  proc;

    pid = child(&end, NULL);
    record(pid, "/bin/cat");
    ok(is_recorded(&proc), "one that has not begun its program yet");
    close(end);
    ended(pid);
    ok(is_recorded(&proc), "one that is ending: it has no program any more");
    waitpid(pid, NULL, 0);
    ok(!is_recorded(&proc), "one that is gone");

    pid = child(&end, NULL);
    close(end);
    ended(pid);
    record(pid, "/bin/cat");
    is_int(proc.pid != pid && is_recorded(&proc), 1,
           "one that was ending when it was recorded");
    waitpid(pid, NULL, 0);
    ok(!is_recorded(&proc), "and is gone");
}


/* as /proc/<pid>/exe says, for its exec may take its time */
static void
executed(pid_t pid, const char *program)
{
    char         path[40];
    struct stat  a, b;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int) pid);

    while (stat(path, &a) != 0 || stat(program, &b) != 0
           || a.st_ino != b.st_ino)
    {
        sched_yield();
    }
}


static void
test_others(void)
{
    int         end;
    pid_t       pid;
    fca_proc_t  proc;

    pid = child(&end, "/bin/cat");
    executed(pid, "/bin/cat");
    record(pid, "/bin/cat");
    ok(is_recorded(&proc), "its program runs");
    proc.start++;
    ok(!fca_proc_is(&proc, dir), "one that began at another time");
    proc.start--;
    proc.exe.ino++;
    proc.before = proc.exe;
    ok(!fca_proc_is(&proc, dir), "another program, with the same number");
    close(end);
    waitpid(pid, NULL, 0);
}


int
main(void)
{
    if (mkdtemp(dir) == NULL
        || (dir_fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
    {
        perror(dir);
        return 1;
    }

    test_life();
    test_others();

    (void) unlinkat(dir_fd, FCA_VMM_PID, 0);
    is_int(rmdir(dir), 0, "nothing is left");

    return tap_done();
}
