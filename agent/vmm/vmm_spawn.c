#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

#include "agent/vmm/vmm_int.h"

#define ARGS_MAX    32
#define SYNC_FD     3
/* the host's memory runs out in a VM before it does in the agent */
#define OOM_ADJUST  "500"

typedef struct {
    int           dirfd, null, output, sync;
    char         *path;
    const char   *argv[ARGS_MAX];
} vmm_child_t;


/* A program without a slash is looked for in PATH, here and not in the child,
 * where nothing may allocate. */
static char *
find_program(const char *name, fcf_err_t *err)
{
    char        *full;
    size_t       n;
    const char  *dir;

    full = NULL;

    if (strchr(name, '/') != NULL) {
        full = realpath(name, NULL);
        if (full == NULL) {
            fcf_err_sys(err, errno, "VMM %s", name);
        }

        return full;
    }

    dir = getenv("PATH");
    if (dir == NULL) {
        dir = "/usr/local/bin:/usr/bin:/bin";
    }

    for ( ;; ) {
        n = strcspn(dir, ":");

        if (n > 0 && asprintf(&full, "%.*s/%s", (int) n, dir, name) < 0) {
            fcf_err_set(err, FCF_E_NOMEM, "VMM %s: out of memory", name);
            return NULL;
        }

        if (n > 0 && access(full, X_OK) == 0) {
            return full;
        }

        free(full);
        full = NULL;

        if (dir[n] == '\0') {
            fcf_err_set(err, FCF_E_NOT_FOUND, "VMM %s: not found in PATH",
                        name);
            return NULL;
        }

        dir += n + 1;
    }
}


/* Firecracker wants letters, digits and "-" only, at most 64; ids that differ
 * in what is replaced are told apart by their end, a number never reused. */
static void
vmm_id(const char *worker_id, char *id)
{
    size_t  i, n;

    n = strlen(worker_id);

    if (n > FCA_VMM_ID_MAX) {
        worker_id += n - FCA_VMM_ID_MAX;
    }

    for (i = 0; worker_id[i] != '\0'; i++) {
        id[i] = worker_id[i] == '.' || worker_id[i] == '_' ? '-'
                                                           : worker_id[i];
    }

    id[i] = '\0';
}


static int
child_args(vmm_child_t *child, const fca_vmm_t *vmm, const char *id,
    fcf_err_t *err)
{
    size_t              n;
    const char *const  *extra;

    n = 0;
    child->argv[n++] = child->path;
    child->argv[n++] = "--api-sock";
    child->argv[n++] = FCA_VMM_SOCKET;
    child->argv[n++] = "--id";
    child->argv[n++] = id;

    for (extra = vmm->conf->extra_args; extra != NULL && *extra != NULL;
         extra++)
    {
        if (n == ARGS_MAX - 1) {
            return fcf_err_set(err, FCF_E_LIMIT,
                               "VMM %s: more than %d arguments", child->path,
                               ARGS_MAX - 1);
        }

        child->argv[n++] = *extra;
    }

    child->argv[n] = NULL;

    return 0;
}


/*
 * In the child, a copy of a process with threads: only async-signal-safe
 * calls.  It is PID 1 of its namespace, so all below it dies with it.  It goes
 * on only once the parent has written down its pid; if the parent dies before
 * that, it ends too, and so no VMM is ever unknown to a later start.
 */
__attribute__((noreturn))
static void
child_run(const vmm_child_t *child)
{
    int               fd, sig;
    char              go;
    sigset_t          none;
    struct sigaction  dfl;

    memset(&dfl, 0, sizeof(dfl));
    dfl.sa_handler = SIG_DFL;

    for (sig = 1; sig < NSIG; sig++) {
        (void) sigaction(sig, &dfl, NULL);
    }

    setsid();

    if (fchdir(child->dirfd) != 0
        || dup2(child->null, STDIN_FILENO) < 0
        || dup2(child->output, STDOUT_FILENO) < 0
        || dup2(child->output, STDERR_FILENO) < 0
        || (child->sync != SYNC_FD && dup2(child->sync, SYNC_FD) < 0)
        || fcntl(SYNC_FD, F_SETFD, FD_CLOEXEC) != 0
        || syscall(SYS_close_range, SYNC_FD + 1, ~0u, 0) != 0
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    {
        goto failed;
    }

    fd = open("/proc/self/oom_score_adj", O_WRONLY);

    if (fd >= 0) {
        /* without it the VMM is as good, if not to the kernel */
        if (write(fd, OOM_ADJUST, sizeof(OOM_ADJUST) - 1) < 0) {
            errno = 0;
        }

        close(fd);
    }

    if (read(SYNC_FD, &go, 1) != 1) {
        _exit(127);
    }

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    execve(child->path, (char *const *) (uintptr_t) child->argv, environ);

failed:

    sig = errno;
    fd = fcntl(SYNC_FD, F_GETFD) >= 0 ? SYNC_FD : child->sync;

    if (write(fd, &sig, sizeof(sig)) < 0) {
        _exit(126);
    }

    _exit(127);
}


static pid_t
child_clone(const vmm_child_t *child, int *pidfd)
{
    long               pid;
    sigset_t           all, old;
    struct clone_args  args;

    memset(&args, 0, sizeof(args));
    args.flags = CLONE_NEWPID | CLONE_PIDFD;
    args.pidfd = (uint64_t) (uintptr_t) pidfd;
    args.exit_signal = SIGCHLD;

    /* no handler of ours may run in the child */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);

    pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid == 0) {
        child_run(child);
    }

    pthread_sigmask(SIG_SETMASK, &old, NULL);

    return (pid_t) pid;
}


static int
child_start(fca_vmm_t *vmm, vmm_child_t *child, int sync, fcf_err_t *err)
{
    vmm->pid = child_clone(child, &vmm->pidfd);

    if (vmm->pid < 0) {
        vmm->pid = 0;
        vmm->pidfd = -1;
        return fcf_err_sys(err, errno, "clone3 for VMM %s", child->path);
    }

    /* a child whose pid could not be written ends by itself, on end of file */
    if (fca_vmm_pid_write(vmm->dir, vmm->pid, err) != 0) {
        return -1;
    }

    if (send(sync, "g", 1, MSG_NOSIGNAL) != 1) {
        return fcf_err_sys(err, errno, "starting VMM %s", child->path);
    }

    return 0;
}


int
fca_vmm_process_start(fca_vmm_t *vmm, fcf_err_t *err)
{
    int          rc, pair[2] = { -1, -1 };
    char         id[FCA_VMM_ID_MAX + 1];
    vmm_child_t  child = { .dirfd = -1, .null = -1, .output = -1 };

    rc = -1;
    vmm_id(vmm->worker_id, id);

    child.path = find_program(vmm->conf->binary, err);

    if (child.path == NULL || child_args(&child, vmm, id, err) != 0) {
        goto done;
    }

    child.dirfd = open(vmm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    child.null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (child.dirfd >= 0) {
        child.output = openat(child.dirfd, FCA_VMM_OUTPUT,
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }

    if (child.null < 0 || child.output < 0
        || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    {
        fcf_err_sys(err, errno, "starting VMM %s", child.path);
        goto done;
    }

    child.sync = pair[1];
    rc = child_start(vmm, &child, pair[0], err);

    /* the child's end must live in the child alone, or a dead parent's would
     * not read as end of file */
    close(pair[1]);

    if (rc == 0) {
        vmm->sync = pair[0];

    } else {
        close(pair[0]);
    }

done:

    if (child.output >= 0) {
        close(child.output);
    }

    if (child.null >= 0) {
        close(child.null);
    }

    if (child.dirfd >= 0) {
        close(child.dirfd);
    }

    free(child.path);

    return rc;
}


/* why the program could not be run, as the child wrote it; 0: it could */
static int
vmm_exec_errno(const fca_vmm_t *vmm)
{
    int  code;

    if (vmm->sync >= 0
        && recv(vmm->sync, &code, sizeof(code), MSG_DONTWAIT)
           == (ssize_t) sizeof(code))
    {
        return code;
    }

    return 0;
}


void
fca_vmm_exit_words(const fca_vmm_t *vmm, const siginfo_t *info, int last_words,
    fcf_err_t *err)
{
    int   code;
    char  words[FCF_ERR_MSG_MAX / 2];

    code = vmm_exec_errno(vmm);

    if (code != 0) {
        fcf_err_sys(err, code, "cannot run VMM %s", vmm->conf->binary);
        return;
    }

    if (info->si_code == CLD_EXITED) {
        fcf_err_set(err, FCF_E_UNAVAILABLE, "VMM exited with code %d",
                    info->si_status);

    } else {
        fcf_err_set(err, FCF_E_UNAVAILABLE, "VMM was killed by signal %d",
                    info->si_status);
    }

    fca_vmm_last_words(vmm, words, sizeof(words));

    if (words[0] != '\0' && last_words) {
        code = (int) strlen(err->msg);
        snprintf(err->msg + code, sizeof(err->msg) - (size_t) code, ": %s",
                 words);
    }
}
