#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/vmm/qemu_ahead.h"
#include "vm/vmm/qemu_config.h"
#include "vm/vmm/qemu_spawn.h"
#include "vm/vmm/tap.h"

#define FCV_AHEAD_MS  200               /* that it was told nothing */

static struct {
    int              tried;
    uint64_t         since;
    pid_t            pid;               /* 0: none */
    int              ends[FCV_ENDS];
    int              tun;               /* to be attached to its TAP; -1 */
    fcv_args_t       args;
    fcv_qemu_conf_t  conf;
    char             fifo[PATH_MAX];
} ahead;


static void
forget(void)
{
    ahead.pid = 0;
    fcv_ends_close(ahead.ends, 0, 3);
    fcv_args_free(&ahead.args);
    fcv_tap_unprepare();
    (void) unlink(ahead.fifo);
}


static int
make_fifo(const char *socket)
{
    int  n;

    n = snprintf(ahead.fifo, sizeof(ahead.fifo), "%s.qemu", socket);

    if (n >= (int) sizeof(ahead.fifo)) {
        return -1;
    }

    (void) unlink(ahead.fifo);

    return mkfifo(ahead.fifo, 0600);
}


/* Why not is nobody's affair: it is only faster with it. */
static void
start(fcv_vm_t *vm)
{
    pid_t      pid;
    fcf_err_t  err;

    if (make_fifo(vm->socket) != 0) {
        return;
    }

    if (fcv_ends_make(ahead.ends, &err) != 0) {
        fcv_ends_close(ahead.ends, 3, FCV_ENDS);
        forget();
        return;
    }

    ahead.tun = fcv_tap_prepare();
    ahead.conf.id = vm->id;
    ahead.conf.qmp_fd = ahead.ends[3];
    ahead.conf.serial_fd = ahead.ends[4];
    ahead.conf.incoming_fd = FCV_INCOMING_LATER;
    ahead.conf.split_wx = fcv_must_split_wx();
    pid = -1;

    if (fcv_qemu_args_ahead(&ahead.args, &ahead.conf, ahead.fifo, &err) == 0) {
        pid = fcv_qemu_spawn(&ahead.args, vm->model, ahead.ends, ahead.tun,
                             &err);
    }

    fcv_ends_close(ahead.ends, 3, FCV_ENDS);

    if (pid == -1) {
        forget();
        return;
    }

    ahead.pid = pid;
}


int
fcv_ahead_tick(fcv_vm_t *vm)
{
    uint64_t            now;
    const fcv_model_t  *model = vm->model;

    if (ahead.tried || model->boot || model->ndrives || model->nnics) {
        return -1;
    }

    now = fcv_now_ms();

    if (ahead.since == 0) {
        ahead.since = now;
    }

    if (now - ahead.since < FCV_AHEAD_MS) {
        return (int) (ahead.since + FCV_AHEAD_MS - now);
    }

    ahead.tried = 1;
    start(vm);

    return -1;
}


static int
fits(const fcv_model_t *model)
{
    return model->nnics == 0
           || (model->nnics == 1 && model->nics[0].fd == ahead.tun);
}


/* It is opened without waiting: there is no reader if QEMU has not come that
 * far yet. */
static int
tell(const char *text)
{
    int      fd, rc;
    ssize_t  n;

    fd = open(ahead.fifo, O_WRONLY|O_NONBLOCK|O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }

    /* it has room for so much */
    n = write(fd, text, strlen(text));
    rc = n == (ssize_t) strlen(text) ? 0 : -1;

    (void) close(fd);

    return rc;
}


static int
configure(const fcv_model_t *model)
{
    int         rc;
    char       *text;
    fcf_err_t   err;
    fcv_args_t  args;

    if (fcv_qemu_args(&args, model, &ahead.conf, &err) != 0) {
        return -1;
    }

    text = fcv_qemu_config(&args, &ahead.args);
    fcv_args_free(&args);

    rc = text ? tell(text) : -1;
    free(text);

    return rc;
}


pid_t
fcv_ahead_take(const fcv_model_t *model, int *ends)
{
    int    i;
    pid_t  pid;

    if (ahead.pid == 0 || !fits(model) || configure(model) != 0) {
        fcv_ahead_drop();
        return 0;
    }

    pid = ahead.pid;

    for (i = 0; i < 3; i++) {
        ends[i] = ahead.ends[i];
        ahead.ends[i] = -1;
    }

    forget();

    return pid;
}


/* its death is certain, and soon */
void
fcv_ahead_drop(void)
{
    if (ahead.pid) {
        (void) kill(ahead.pid, SIGKILL);
        (void) waitpid(ahead.pid, NULL, 0);
        forget();
    }
}


int
fcv_ahead_reaped(pid_t pid)
{
    if (pid != ahead.pid) {
        return 0;
    }

    forget();

    return 1;
}
