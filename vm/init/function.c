#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "contract/fcf_runtime.h"
#include "vm/init/function.h"
#include "vm/init/output.h"

#define FILES_MAX  65536
#define CAPS_MAX   64

/* what the child reports when it does not get as far as execve(2) */
typedef struct {
    int    sys_errno;
    char   step[32];
} report_t;


/* ours go before what an image says, and that before what it finds here */

static int
set_env(const fcv_config_t *conf, const fcv_program_t *program)
{
    char  **p;

    clearenv();

    if (setenv("PATH", program->own ? FCF_IMAGE_PATH
               : "/usr/local/bin:/usr/bin:/bin", 1) < 0
        || setenv("HOME", !program->own ? "/tmp"
                  : program->uid == 0 ? "/root" : "/", 1) < 0
        || (!program->own && (setenv("USER", FCV_FUNCTION_NAME, 1) < 0
                              || setenv("LANG", "C.UTF-8", 1) < 0)))
    {
        return -1;
    }

    for (p = program->env; p && *p; p++) {
        if (putenv(*p) != 0) {
            return -1;
        }
    }

    for (p = conf->env; *p; p++) {
        if (putenv(*p) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
set_stdio(const int out[2])
{
    int  null;

    null = open("/dev/null", O_RDONLY|O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0
        || dup2(out[FCV_STDOUT], STDOUT_FILENO) < 0
        || dup2(out[FCV_STDERR], STDERR_FILENO) < 0)
    {
        return -1;
    }

    return 0;
}


/* what root of a container image keeps: what container engines leave it, but
 * for device nodes */

static const int  own_caps[] = {
    CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID,
    CAP_SETUID, CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_NET_RAW,
    CAP_SYS_CHROOT, CAP_AUDIT_WRITE, CAP_SETFCAP
};


static int
keeps_cap(const fcv_program_t *program, int cap)
{
    size_t  i;

    for (i = 0; program->own && i < sizeof(own_caps) / sizeof(int); i++) {
        if (own_caps[i] == cap) {
            return 1;
        }
    }

    return 0;
}


/* No capability can come back to a function: not by a set-uid file
 * (no_new_privs, and nosuid on every mount), not from the bounding set. */

static int
drop_privileges(const fcv_program_t *program)
{
    int  cap;

    for (cap = 0; cap < CAPS_MAX; cap++) {
        if (!keeps_cap(program, cap)
            && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
        {
            return -1;
        }
    }

    if (setgroups(0, NULL) < 0
        || setresgid(program->gid, program->gid, program->gid) < 0
        || setresuid(program->uid, program->uid, program->uid) < 0)
    {
        return -1;
    }

    return program->own ? 0 : prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}


static const char *
prepare_child(const fcv_config_t *conf, const fcv_program_t *program,
    const int out[2])
{
    sigset_t       none;
    struct rlimit  files;

    files.rlim_cur = FILES_MAX;
    files.rlim_max = FILES_MAX;
    sigemptyset(&none);

    if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0
        || signal(SIGPIPE, SIG_DFL) == SIG_ERR)
    {
        return "new session";
    }

    if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
        return "limit of open files";
    }

    if (set_stdio(out) < 0) {
        return "output";
    }

    if (drop_privileges(program) < 0) {
        return "drop privileges";
    }

    if (chdir(program->cwd) < 0) {
        return "change to its directory";
    }

    if (set_env(conf, program) < 0) {
        return "environment";
    }

    return NULL;
}


static void
run_child(const fcv_config_t *conf, const fcv_program_t *program,
    const int out[2], int report_fd)
{
    report_t     report;
    const char  *failed;

    failed = prepare_child(conf, program, out);

    if (failed == NULL) {
        execv(program->file, program->argv);
        failed = "execute";
    }

    memset(&report, 0, sizeof(report));
    report.sys_errno = errno;
    snprintf(report.step, sizeof(report.step), "%s", failed);

    if (write(report_fd, &report, sizeof(report)) < 0) {
        _exit(126);
    }

    _exit(127);
}


/* the pipe closes at execve(2), with nothing in it */

static int
await_exec(int report_fd, const char *file, fcf_err_t *err)
{
    ssize_t   n;
    report_t  report;

    do {
        n = read(report_fd, &report, sizeof(report));
    } while (n < 0 && errno == EINTR);

    if (n == 0) {
        return 0;
    }

    if (n != (ssize_t) sizeof(report)) {
        return fcf_err_sys(err, errno, "%s", file);
    }

    return fcf_err_sys(err, report.sys_errno, "%s: %s", file, report.step);
}


static void
close_pair(int pair[2])
{
    if (pair[0] >= 0) {
        close(pair[0]);
    }

    if (pair[1] >= 0) {
        close(pair[1]);
    }

    pair[0] = -1;
    pair[1] = -1;
}


static int
spawn(fcv_function_t *fn, const fcv_config_t *conf,
    const fcv_program_t *program, int out[2][2], int report[2],
    fcf_err_t *err)
{
    pid_t  pid;
    int    writers[2];

    writers[FCV_STDOUT] = out[FCV_STDOUT][1];
    writers[FCV_STDERR] = out[FCV_STDERR][1];

    pid = fork();

    if (pid < 0) {
        return fcf_err_sys(err, errno, "fork");
    }

    if (pid == 0) {
        run_child(conf, program, writers, report[1]);
    }

    close(report[1]);
    report[1] = -1;

    if (await_exec(report[0], program->file, err) < 0) {
        return -1;
    }

    fn->pid = pid;
    fn->leader = pid;

    return 0;
}


int
fcv_function_start(fcv_function_t *fn, const fcv_config_t *conf,
    const fcv_program_t *program, fcf_err_t *err)
{
    int  i, rc, out[2][2] = { { -1, -1 }, { -1, -1 } };
    int  report[2] = { -1, -1 };

    memset(fn, 0, sizeof(*fn));
    fn->pipe[0] = -1;
    fn->pipe[1] = -1;

    if (pipe2(out[0], O_CLOEXEC) < 0 || pipe2(out[1], O_CLOEXEC) < 0
        || pipe2(report, O_CLOEXEC) < 0
        || fcntl(out[0][0], F_SETFL, O_NONBLOCK) < 0
        || fcntl(out[1][0], F_SETFL, O_NONBLOCK) < 0
        || fchown(out[0][1], program->uid, program->gid) < 0
        || fchown(out[1][1], program->uid, program->gid) < 0)
    {
        rc = fcf_err_sys(err, errno, "pipe");

    } else {
        rc = spawn(fn, conf, program, out, report, err);
    }

    for (i = 0; rc == 0 && i < 2; i++) {
        fn->pipe[i] = out[i][0];
        out[i][0] = -1;
    }

    close_pair(report);
    close_pair(out[0]);
    close_pair(out[1]);

    return rc;
}


int
fcv_function_reap(fcv_function_t *fn)
{
    int    status, ended;
    pid_t  pid;

    ended = 0;

    for ( ;; ) {
        pid = waitpid(-1, &status, WNOHANG);

        if (pid <= 0) {
            return ended;
        }

        if (pid == fn->pid) {
            fn->pid = 0;
            fn->status = status;
            ended = 1;
        }
    }
}


void
fcv_function_signal(const fcv_function_t *fn, int signo)
{
    if (fn->pid > 0) {
        kill(-fn->pid, signo);
    }
}


void
fcv_function_status(const fcv_function_t *fn, char *buf, size_t size)
{
    int  signo;

    if (WIFSIGNALED(fn->status)) {
        signo = WTERMSIG(fn->status);
        snprintf(buf, size, "signal %d (%s)%s", signo, strsignal(signo),
                 fn->oom ? ", killed for lack of memory" : "");

    } else {
        snprintf(buf, size, "exit status %d", WEXITSTATUS(fn->status));
    }
}
