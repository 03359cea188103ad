#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm/guest.h"
#include "vm/vmm/instant.h"
#include "vm/vmm/serial.h"


fcv_instant_t  fcv_instant;


void
fcv_instant_say(const char *fmt, ...)
{
    int      n, head;
    char     line[512];
    va_list  args;

    head = snprintf(line, sizeof(line), "[    0.000000] ");

    va_start(args, fmt);
    n = vsnprintf(line + head, sizeof(line) - (size_t) head - 2, fmt, args);
    va_end(args);

    if (n < 0) {
        return;
    }

    n = (int) strlen(line);
    memcpy(line + n, "\r\n", 3);

    fcv_serial_write(fcv_instant.vm->model, line, (size_t) n + 2);
}


void
fcv_instant_end(void *unused)
{
    (void) unused;

    fcv_loop_quit(fcv_instant.vm->loop, 0);
}


/* the last is the config drive, and the function's that before it: its own
 * root file system has no runtime's before it */
static const fcv_drive_t *
drive_from_end(unsigned n)
{
    const fcv_model_t  *model = fcv_instant.vm->model;

    return &model->drives[model->ndrives - n];
}


static int
read_function(const fcv_drive_t *drive, fcf_err_t *err)
{
    char     head[FCV_INSTANT_MAX];
    ssize_t  n;

    n = pread(drive->fd, head, sizeof(head), 0);

    if (n == -1) {
        return fcf_err_sys(err, errno, "function image");
    }

    return fcv_instant_conf_parse(&fcv_instant.conf, head, (size_t) n, err);
}


/* of the config drive, through the descriptor of its PUT, or of a memory file,
 * which begins with the same */
static int
read_config(int fd, fcf_err_t *err)
{
    int       rc;
    char     *data;
    ssize_t   n;

    data = malloc(FCV_CONFIG_HEAD + FCV_CONFIG_MAX);

    if (data == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    fcv_config_free(&fcv_instant.config);

    n = pread(fd, data, FCV_CONFIG_HEAD + FCV_CONFIG_MAX, 0);

    if (n == -1) {
        rc = fcf_err_sys(err, errno, "read");

    } else {
        rc = fcv_config_decode(&fcv_instant.config, data, (size_t) n, err);
    }

    if (n > 0) {
        explicit_bzero(data, (size_t) n);
    }

    free(data);

    return rc == 0 ? 0 : fcf_err_wrap(err, "config drive");
}


static int
open_network(fcf_err_t *err)
{
    fcv_net_conf_t    conf;
    const fcv_nic_t  *nic;

    nic = &fcv_instant.vm->model->nics[0];

    if (fcv_instant.vm->model->nnics == 0) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "the instant backend needs a network interface");
    }

    if (!nic->has_mac && !fcv_instant.config.has_mac) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "neither guest_mac nor the config drive's mac is "
                           "given");
    }

    conf.tap_fd = nic->fd;
    conf.address = fcv_instant.config.address;
    conf.netmask = fcv_instant.config.netmask;
    conf.gateway = fcv_instant.config.gateway;
    memcpy(conf.mac, nic->has_mac ? nic->mac : fcv_instant.config.mac, 6);

    return fcv_net_open(fcv_instant.vm->loop, &conf, err);
}


/* as a guest that uses the memory it was given; never given back */
static void
take_memory(void)
{
    size_t   size;
    void    *memory;

    size = (size_t) fcv_instant.conf.take_mb << 20;
    memory = size ? mmap(NULL, size, PROT_READ|PROT_WRITE,
                         MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

    if (memory != MAP_FAILED) {
        memset(memory, 1, size);
    }
}


static void
end_badly(void *unused)
{
    (void) unused;

    fcv_loop_quit(fcv_instant.vm->loop, 1);
}


/* The guest is up: what it does from now on hangs on its behaviour. */
static void
booted(void *unused)
{
    fcf_err_t  err;

    (void) unused;

    if (fcv_instant.conf.exit == FCV_STEP_BOOT) {
        fcv_timer_add(0, end_badly, NULL);
        return;
    }

    take_memory();
    fcv_instant.listens = 1;

    if (fcv_instant.conf.guest == FCV_GUEST_PANIC) {
        fcv_instant_say("Kernel panic - not syncing: Attempted to kill init! "
                        "exitcode=0x00000100");
        fcv_instant_say("---[ end Kernel panic - not syncing: Attempted to "
                        "kill init! exitcode=0x00000100 ]---");

        /* not before the start has been answered */

        fcv_timer_add(0, fcv_instant_end, NULL);
        return;
    }

    if (fcv_instant_control_listen(&err) != 0
        || (fcv_instant.conf.guest != FCV_GUEST_SILENT
            && fcv_instant_http_listen((unsigned) fcv_instant.config.port,
                                       &err) != 0))
    {
        fcv_instant_say("%s", err.msg);
        fcv_loop_quit(fcv_instant.vm->loop, 1);
        return;
    }

    fcv_instant_say("function %s listens on port %d",
                    fcv_instant.config.function_id, fcv_instant.config.port);

    if (strstr(fcv_model_boot_args(fcv_instant.vm->model), FCV_TRIAL_WHOLE)) {
        fcv_instant_say(FCV_TRIAL_WORD);
    }
}


static int
instant_init(fcv_vm_t *vm, fcf_err_t *err)
{
    (void) err;

    fcv_instant.vm = vm;

    return 0;
}


/* The call at hand is answered, unless the function image wants otherwise. */
static int
finish(fcv_step_e step, fcf_err_t *err)
{
    if (fcv_instant.conf.fail == step) {
        return fcf_err_set(err, FCF_E_REFUSED,
                           "the function image says fail=%s",
                           fcv_instant_step_name(step));
    }

    if (fcv_instant.conf.exit == step) {
        fcv_loop_quit(fcv_instant.vm->loop, 1);

    } else if (fcv_instant.conf.hang != step) {
        fcv_instant.announce = 1;
    }

    return 0;
}


/* Up to where the guest would begin: config_fd holds who it is. */
static int
set_up(fcv_step_e step, int config_fd, fcf_err_t *err)
{
    const fcv_model_t  *model;

    model = fcv_instant.vm->model;

    if (model->ndrives < 2) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%u drives: the instant backend needs the "
                           "function's and the config drive", model->ndrives);
    }

    if (config_fd == -1) {
        config_fd = drive_from_end(1)->fd;
    }

    if (read_function(drive_from_end(2), err) != 0
        || read_config(config_fd, err) != 0)
    {
        return -1;
    }

    if (finish(step, err) != 0 || open_network(err) != 0) {
        fcv_instant.announce = 0;
        return -1;
    }

    fcv_instant_say("fcfaas instant machine, %s: %s",
                    step == FCV_STEP_LOAD ? "of a snapshot" : "no guest",
                    fcv_instant.vm->id);

    return 0;
}


static int
instant_start(fcf_err_t *err)
{
    if (set_up(FCV_STEP_START, -1, err) != 0) {
        return -1;
    }

    if (fcv_instant.conf.say[0]) {
        fcv_instant_say("%s", fcv_instant.conf.say);
    }

    if (fcv_instant.conf.boot_ms) {
        fcv_timer_add(fcv_instant.conf.boot_ms, booted, NULL);

    } else {
        booted(NULL);
    }

    return 0;
}


static int
instant_pause(int paused, fcf_err_t *err)
{
    /* only what stops it fails, so that it may go on */

    if (paused && finish(FCV_STEP_PAUSE, err) != 0) {
        return -1;
    }

    fcv_net_pause(paused);
    fcv_instant.announce |= !paused;

    return 0;
}


/* All that there is in such a guest's memory: who it is. */
static int
instant_save(int memory_fd, fcf_err_t *err)
{
    char     *data;
    int       rc, fd;
    ssize_t   n;

    if (!fcv_instant.listens) {
        return fcf_err_set(err, FCF_E_INVALID, "the instant machine has not "
                           "come up yet");
    }

    data = malloc(FCV_CONFIG_HEAD + FCV_CONFIG_MAX);

    if (data == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "out of memory");
    }

    fd = drive_from_end(1)->fd;
    n = pread(fd, data, FCV_CONFIG_HEAD + FCV_CONFIG_MAX, 0);
    rc = 0;

    if (n <= 0 || pwrite(memory_fd, data, (size_t) n, 0) != n) {
        rc = fcf_err_sys(err, n > 0 ? errno : EIO, "mem_file_path");
    }

    if (n > 0) {
        explicit_bzero(data, (size_t) n);
    }

    free(data);

    return rc == 0 ? finish(FCV_STEP_SAVE, err) : rc;
}


static int
instant_load(int memory_fd, int resume, fcf_err_t *err)
{
    if (set_up(FCV_STEP_LOAD, memory_fd, err) != 0) {
        return -1;
    }

    fcv_instant.clone = 1;
    booted(NULL);

    if (!resume) {
        fcv_net_pause(1);
    }

    return 0;
}


static int
instant_ctrl_alt_del(fcf_err_t *err)
{
    (void) err;

    if (!fcv_instant.conf.ignore_stop) {
        fcv_timer_add(0, fcv_instant_end, NULL);
    }

    return 0;
}


static void
instant_reaped(int pid, int status)
{
    (void) pid;
    (void) status;
}


static int
instant_tick(void)
{
    if (fcv_instant.announce) {
        fcv_instant.announce = 0;
        fcv_instant.vm->done(fcv_instant.vm->arg, NULL);
    }

    return fcv_net_tick();
}


static void
instant_kill(void)
{
    fcv_config_free(&fcv_instant.config);
}


const fcv_backend_t  fcv_backend_instant = {
    .name = "instant",
    .vnet_hdr = 0,
    .init = instant_init,
    .start = instant_start,
    .pause = instant_pause,
    .save = instant_save,
    .load = instant_load,
    .ctrl_alt_del = instant_ctrl_alt_del,
    .reaped = instant_reaped,
    .tick = instant_tick,
    .kill = instant_kill
};
