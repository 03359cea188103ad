/*
 * What the new process does before it becomes the VMM: a copy of one with
 * threads, so that only async-signal-safe calls are allowed.
 *
 * It was cloned with CLONE_FILES.  A copy of the agent's descriptors would
 * keep open what the agent closes meanwhile (a TAP was busy for its VMM, a
 * port for its next listener); so it shares the table, touches none of it,
 * and leaves it with a table of its own that holds the three standard ones.
 * What it needs it opens by name, below the VM's directory.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "agent/vmm/vmm_child.h"
#include "agent/vmm/vmm_int.h"

/* its table of descriptors costs it half a MiB at 65 536 */
#define CHILD_NOFILE  2048
/* the host's memory runs out in a VM before it does in the agent */
#define OOM_ADJUST    "500"


static void
child_signals(void)
{
    int               sig;
    struct sigaction  dfl;

    memset(&dfl, 0, sizeof(dfl));
    dfl.sa_handler = SIG_DFL;

    for (sig = 1; sig < NSIG; sig++) {
        (void) sigaction(sig, &dfl, NULL);
    }
}


/* Reading and writing, not blocking: a full pipe loses the VMM's words rather
 * than stop it, and one that nobody reads any more does not end it. */
static int
child_streams(void)
{
    int  null, output;

    null = open("/dev/null", O_RDWR);
    output = open(FCA_VMM_OUTPUT, O_RDWR | O_NONBLOCK | O_NOFOLLOW);

    if (null < 0 || output < 0
        || dup2(null, STDIN_FILENO) < 0
        || dup2(output, STDOUT_FILENO) < 0
        || dup2(output, STDERR_FILENO) < 0)
    {
        return -1;
    }

    if (null > STDERR_FILENO) {
        close(null);
    }

    if (output > STDERR_FILENO) {
        close(output);
    }

    return 0;
}


static int
child_limits(const fca_vmm_child_t *child)
{
    struct rlimit  nofile = { CHILD_NOFILE, CHILD_NOFILE };
    struct rlimit  fsize = { child->file_max, child->file_max };
    struct rlimit  core = { 0, 0 };     /* it would hold a guest's secrets */
    struct rlimit  hard;

    if (getrlimit(RLIMIT_NOFILE, &hard) == 0 && hard.rlim_max < CHILD_NOFILE) {
        nofile.rlim_cur = nofile.rlim_max = hard.rlim_max;
    }

    return setrlimit(RLIMIT_NOFILE, &nofile) != 0
           || setrlimit(RLIMIT_FSIZE, &fsize) != 0
           || setrlimit(RLIMIT_CORE, &core) != 0
           ? -1 : 0;
}


static void
child_oom(void)
{
    int  fd;

    fd = open("/proc/self/oom_score_adj", O_WRONLY);

    if (fd < 0) {
        return;
    }

    /* without it the VMM is as good, if not to the kernel */
    if (write(fd, OOM_ADJUST, sizeof(OOM_ADJUST) - 1) < 0) {
        errno = 0;
    }

    close(fd);
}


/* It goes on only once the parent has written down its pid; if the parent
 * dies before that, it ends too, and so no VMM is ever unknown to a later
 * start.  Not blocking: a FIFO without a writer reads as end of file then,
 * also if there was none from the beginning. */
static int
child_wait(void)
{
    int            fd;
    char           go;
    ssize_t        n;
    struct pollfd  p;

    fd = open(FCA_VMM_GO, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }

    p.fd = fd;
    p.events = POLLIN;

    while ((n = read(fd, &go, 1)) < 0 && (errno == EAGAIN || errno == EINTR))
    {
        (void) poll(&p, 1, -1);
    }

    if (n == 0) {
        _exit(127);
    }

    return n == 1 ? 0 : -1;
}


__attribute__((noreturn))
static void
child_failed(int error)
{
    int  fd;

    fd = open(FCA_VMM_GO, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0 || write(fd, &error, sizeof(error)) < 0) {
        _exit(126);
    }

    _exit(127);
}


void
fca_vmm_child_run(const fca_vmm_child_t *child)
{
    sigset_t     none;

    static char  *const empty[] = { NULL };

    child_signals();
    setsid();
    umask(077);

    if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_UNSHARE)
        != 0
        || chdir(child->dir) != 0)
    {
        _exit(126);
    }

    if (child_wait() != 0 || child_streams() != 0 || child_limits(child) != 0
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    {
        child_failed(errno);
    }

    child_oom();

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    execve(child->program, (char *const *) (uintptr_t) child->argv, empty);

    child_failed(errno);
}
