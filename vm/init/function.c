#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "vm/init/function.h"
#include "vm/init/output.h"

#define FILES_MAX  65536
#define CAPS_MAX   64

/* what the child reports when it does not get as far as execve(2) */
typedef struct {
    int    sys_errno;
    char   step[32];
} report_t;


/* bootstrap, or else what the runtime has for functions without one */

static const char *
find_file(fcf_err_t *err)
{
    struct stat  st;
    const char  *file;

    file = FCV_FUNCTION_FILE;

    if (access(file, F_OK) < 0 && access(FCV_RUNTIME_FILE, F_OK) == 0) {
        file = FCV_RUNTIME_FILE;
    }

    if (stat(file, &st) < 0) {
        fcf_err_sys(err, errno, "%s", file);
        return NULL;
    }

    if (!S_ISREG(st.st_mode) || !(st.st_mode & S_IXOTH)) {
        fcf_err_set(err, FCF_E_INVALID, "%s is not an executable file", file);
        return NULL;
    }

    return file;
}


static int
set_env(const fcv_config_t *conf)
{
    char  **p;

    clearenv();

    if (setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1) < 0
        || setenv("HOME", "/tmp", 1) < 0
        || setenv("USER", FCV_FUNCTION_NAME, 1) < 0
        || setenv("LANG", "C.UTF-8", 1) < 0)
    {
        return -1;
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


/* no capability can come back: not by a set-uid file (no_new_privs, and
 * nosuid on every mount), not from the bounding set */

static int
drop_privileges(void)
{
    int  cap;

    for (cap = 0; cap < CAPS_MAX; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL) {
            return -1;
        }
    }

    if (setgroups(0, NULL) < 0
        || setresgid(FCV_FUNCTION_UID, FCV_FUNCTION_UID,
                     FCV_FUNCTION_UID) < 0
        || setresuid(FCV_FUNCTION_UID, FCV_FUNCTION_UID,
                     FCV_FUNCTION_UID) < 0)
    {
        return -1;
    }

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}


static const char *
prepare_child(const fcv_config_t *conf, const int out[2])
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

    if (drop_privileges() < 0) {
        return "drop privileges";
    }

    if (chdir(FCV_FUNCTION_DIR) < 0) {
        return "chdir " FCV_FUNCTION_DIR;
    }

    if (set_env(conf) < 0) {
        return "environment";
    }

    return NULL;
}


static void
run_child(const fcv_config_t *conf, const char *file, const int out[2],
    int report_fd)
{
    report_t     report;
    const char  *failed;
    char *const  argv[] = { (char *) file, NULL };

    failed = prepare_child(conf, out);

    if (failed == NULL) {
        execv(file, argv);
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
spawn(fcv_function_t *fn, const fcv_config_t *conf, const char *file,
    int out[2][2], int report[2], fcf_err_t *err)
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
        run_child(conf, file, writers, report[1]);
    }

    close(report[1]);
    report[1] = -1;

    if (await_exec(report[0], file, err) < 0) {
        return -1;
    }

    fn->pid = pid;
    fn->leader = pid;

    return 0;
}


int
fcv_function_start(fcv_function_t *fn, const fcv_config_t *conf,
    fcf_err_t *err)
{
    int  i, rc, out[2][2] = { { -1, -1 }, { -1, -1 } };
    int  report[2] = { -1, -1 };

    const char  *file;

    memset(fn, 0, sizeof(*fn));
    fn->pipe[0] = -1;
    fn->pipe[1] = -1;

    file = find_file(err);

    if (file == NULL) {
        return -1;
    }

    if (pipe2(out[0], O_CLOEXEC) < 0 || pipe2(out[1], O_CLOEXEC) < 0
        || pipe2(report, O_CLOEXEC) < 0
        || fcntl(out[0][0], F_SETFL, O_NONBLOCK) < 0
        || fcntl(out[1][0], F_SETFL, O_NONBLOCK) < 0
        || fchown(out[0][1], FCV_FUNCTION_UID, FCV_FUNCTION_UID) < 0
        || fchown(out[1][1], FCV_FUNCTION_UID, FCV_FUNCTION_UID) < 0)
    {
        rc = fcf_err_sys(err, errno, "pipe");

    } else {
        rc = spawn(fn, conf, file, out, report, err);
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
