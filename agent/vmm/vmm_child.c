/*
 * What the new process does before it becomes the VMM.
 *
 * It shares the agent's memory until then (as after vfork(2), on a stack of
 * its own), since to copy the agent's mappings cost more than all else that
 * is done for a start.  So it may call anything, as a thread might; but errno
 * is that of the thread that waits for it.
 *
 * It was cloned with CLONE_FILES.  A copy of the agent's descriptors would
 * keep open what the agent closes meanwhile (a TAP was busy for its VMM, a
 * port for its next listener); so it shares the table, and leaves it, with one
 * of its own that holds the three standard ones, when its pid is written down.
 * Until then it shares the agent's lock, too: if the agent is killed, the next
 * one waits for it, and so no VMM is ever unknown to a later start.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <linux/sched.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "agent/vmm/vmm_child.h"
#include "agent/vmm/vmm_int.h"

/* its table of descriptors costs it half a MiB at 65 536 */
#define CHILD_NOFILE  2048
#define CHILD_STACK   65536
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


/* what says "no" here is a fault of the host's; the last is the program */
static int
child_become(fca_vmm_child_t *child)
{
    sigset_t  ends;

    static char  *const empty[] = { NULL };

    setsid();
    umask(077);

    if (fca_vmm_pid_write(child->dirfd, child->pid, child->program,
                          &child->err) != 0
        || fca_cgroup_enter(&child->group, &child->err) != 0)
    {
        return -1;
    }

    if (fchdir(child->dirfd) != 0
        || syscall(SYS_close_range, STDERR_FILENO + 1, ~0u,
                   CLOSE_RANGE_UNSHARE) != 0
        || child_streams() != 0 || child_limits(child) != 0
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    {
        return fcf_err_sys(&child->err, errno, "preparing VMM %s",
                           child->program);
    }

    child_oom();

    /* process 1 of a namespace loses what it has no handler for yet; so this
     * one waits until the VMM asks for it */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_SETMASK, &ends, NULL);

    execve(child->program, (char *const *) (uintptr_t) child->argv, empty);

    return fcf_err_sys(&child->err, errno, "cannot run VMM %s",
                       child->program);
}


static void
child_main(void *arg)
{
    child_signals();
    (void) child_become(arg);
    _exit(127);
}


#if !defined(__x86_64__)
#error "clone3() on a stack of one's own is written for x86_64"
#endif

/* clone3(2), and main(arg) on the new stack in the child, never to return: in
 * C the child would run on into the caller's frame, on a stack without it. */
static long
child_clone3(const struct clone_args *args, void (*main)(void *arg), void *arg)
{
    long                              rc;
    register void  (*entry)(void *) __asm__("r12") = main;
    register void                    *data __asm__("r13") = arg;

    __asm__ volatile (
        "syscall\n\t"
        "testq  %%rax, %%rax\n\t"
        "jnz    1f\n\t"
        "xorl   %%ebp, %%ebp\n\t"
        "movq   %[data], %%rdi\n\t"
        "callq  *%[entry]\n\t"
        "hlt\n"
        "1:"
        : "=a" (rc)
        : "0" ((long) SYS_clone3), "D" (args), "S" (sizeof(*args)),
          [entry] "r" (entry), [data] "r" (data)
        : "rcx", "r11", "memory", "cc");

    return rc;
}


pid_t
fca_vmm_child_start(fca_vmm_child_t *child, int *pidfd)
{
    long               pid;
    char               stack[CHILD_STACK] __attribute__((aligned(16)));
    sigset_t           all, old;
    struct clone_args  args;

    memset(&args, 0, sizeof(args));
    args.flags = CLONE_NEWPID | CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_FILES
                 | CLONE_VM | CLONE_VFORK;
    args.pidfd = (uint64_t) (uintptr_t) pidfd;
    args.parent_tid = (uint64_t) (uintptr_t) &child->pid;
    args.exit_signal = SIGCHLD;
    args.stack = (uint64_t) (uintptr_t) stack;
    args.stack_size = sizeof(stack);
    fca_cgroup_clone(&child->group, (uint64_t *) &args.flags,
                     (uint64_t *) &args.cgroup);

    /* no handler of ours may run in the child */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);

    pid = child_clone3(&args, child_main, child);

    pthread_sigmask(SIG_SETMASK, &old, NULL);

#if defined(__SANITIZE_ADDRESS__)
    /* the child's frames never ended */
    ASAN_UNPOISON_MEMORY_REGION(stack, sizeof(stack));
#endif

    if (pid < 0) {
        errno = (int) -pid;
        return -1;
    }

    return (pid_t) pid;
}
