#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vm/vmm/qemu_spawn.h"


/* in the child: nothing but what a fork leaves safe */
static void
run_qemu(const fcv_args_t *args, int words, const int *keep, unsigned nkeep)
{
    sigset_t  none;
    unsigned  i;

    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
    (void) signal(SIGPIPE, SIG_DFL);

    /* without a PID namespace it still does not outlive us */

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);

    (void) dup2(words, STDERR_FILENO);
    (void) dup2(words, STDOUT_FILENO);
    (void) close(STDIN_FILENO);
    (void) open("/dev/null", O_RDONLY);

    for (i = 0; i < nkeep; i++) {
        (void) fcntl(keep[i], F_SETFD, 0);
    }

    (void) execvp(args->argv[0], args->argv);

    dprintf(STDERR_FILENO, "%s: %s", args->argv[0], strerror(errno));
    _exit(FCV_EXEC_FAILED);
}


int
fcv_ends_make(int *ends, fcf_err_t *err)
{
    int  i, pair[2];

    for (i = 0; i < FCV_ENDS; i++) {
        ends[i] = -1;
    }

    for (i = 0; i < 3; i++) {

        if (i == 2 ? pipe2(pair, O_CLOEXEC)
                   : socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, pair))
        {
            return fcf_err_sys(err, errno, "socketpair");
        }

        ends[i] = pair[0];
        ends[i + 3] = pair[1];

        (void) fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }

    return 0;
}


void
fcv_ends_close(int *ends, int from, int to)
{
    int  i;

    for (i = from; i < to; i++) {
        if (ends[i] != -1) {
            (void) close(ends[i]);
        }
    }
}


pid_t
fcv_qemu_spawn(const fcv_args_t *args, const fcv_model_t *model,
    const int *ends, int more, fcf_err_t *err)
{
    int       keep[3 + FCV_NICS_MAX];
    pid_t     pid;
    unsigned  i, n;

    n = 0;
    keep[n++] = ends[3];
    keep[n++] = ends[4];

    if (more != -1) {
        keep[n++] = more;
    }

    for (i = 0; i < model->nnics; i++) {
        keep[n++] = model->nics[i].fd;
    }

    pid = fork();

    if (pid == -1) {
        return fcf_err_sys(err, errno, "fork");
    }

    if (pid == 0) {
        run_qemu(args, ends[5], keep, n);
    }

    return pid;
}


int
fcv_must_split_wx(void)
{
    void  *page;

    page = mmap(NULL, 1, PROT_READ|PROT_WRITE|PROT_EXEC,
                MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return 1;
    }

    (void) munmap(page, 1);

    return 0;
}
