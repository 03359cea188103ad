/*
 * The machine as a QEMU process of ours, steered over QMP:
 *
 *     idle       no process
 *     measuring  the clock ratio has not been watched long enough yet
 *     launched   the process runs, QMP has not agreed yet
 *     running    the guest runs
 *
 * Its console comes through a socket of ours, so that a FIFO nobody reads
 * does not stop the guest.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/vmm/qemu_ahead.h"
#include "vm/vmm/qemu_args.h"
#include "vm/vmm/qemu_int.h"
#include "vm/vmm/qemu_spawn.h"
#include "vm/vmm/schema.h"
#include "vm/vmm/serial.h"

#define FCV_MEASURE_NS       10000000   /* 10 ms: 10 ppm or better */
#define FCV_START_MS         30000
#define FCV_DRAIN_READS      64

fcv_qemu_t  fcv_qemu;


static void
set_state(qemu_state_e state)
{
    fcv_qemu.state = state;
    fcv_qemu.deadline_ms = state == QEMU_LAUNCHED ? fcv_now_ms() + FCV_START_MS
                                              : 0;
}


static void
serial_handler(void *arg, uint32_t events)
{
    char     buf[8192];
    ssize_t  n;

    (void) arg;
    (void) events;

    n = recv(fcv_qemu.serial.fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n > 0) {
        fcv_serial_write(fcv_qemu.vm->model, buf, (size_t) n);

    } else if (n == 0 || errno != EAGAIN) {
        fcv_qemu_close_source(&fcv_qemu.serial);
    }
}


static void
close_all(void)
{
    fcv_qmp_close(&fcv_qemu.qmp);
    fcv_qemu_close_source(&fcv_qemu.serial);
    fcv_qemu_close_source(&fcv_qemu.words);
}


void
fcv_qemu_started(const fcf_err_t *err)
{
    set_state(err ? QEMU_IDLE : QEMU_RUNNING);
    fcv_qemu.vm->done(fcv_qemu.vm->arg, err);
}


static void
start_failed(const char *why)
{
    size_t     n;
    fcf_err_t  err;

    n = fcv_qemu.last_words.len;

    while (n && (fcv_qemu.last_words.data[n - 1] == '\n'
                 || fcv_qemu.last_words.data[n - 1] == ' '))
    {
        n--;
    }

    (void) fcf_err_set(&err, FCF_E_REFUSED, "%s%s%.*s", why, n ? ": " : "",
                       (int) n, n ? fcv_qemu.last_words.data : "");
    fcv_qemu_started(&err);
}


static void
qmp_message(const json_t *message)
{
    fcf_err_t     err;
    const char   *event, *id, *text;
    const json_t *error;

    event = json_string_value(json_object_get(message, "event"));
    id = json_string_value(json_object_get(message, "id"));
    error = json_object_get(message, "error");

    /* the command that fails to be sent fails with QEMU's end, soon */

    if (fcv_qemu_snapshot_message(message)) {
        return;
    }

    if (json_object_get(message, "QMP")) {
        (void) fcv_qmp_send(&fcv_qemu.qmp,
                            "{\"execute\":\"qmp_capabilities\"}\n"
                            "{\"execute\":\"cont\",\"id\":\"start\"}\n", &err);

    } else if (id && strcmp(id, "start") == 0 && error == NULL) {

        if (fcv_qemu.state == QEMU_LAUNCHED) {
            fcv_qemu_started(NULL);
        }

    } else if (event && strcmp(event, "SHUTDOWN") == 0) {
        fcv_qemu.shutdown = json_is_true(json_object_get(
                              json_object_get(message, "data"), "guest"));

    } else if (error) {
        text = json_string_value(json_object_get(error, "desc"));
        text = text ? text : "an error";

        if (fcv_qemu.state == QEMU_LAUNCHED) {

            /* it does not start: the refusal comes when it is reaped */

            if (fcf_buf_add(&fcv_qemu.last_words, text, strlen(text)) != 0) {
                fcf_buf_reset(&fcv_qemu.last_words);
            }

            (void) kill(fcv_qemu.pid, SIGKILL);

        } else {
            fprintf(stderr, "fcfaas-vmm: QEMU: %s\n", text);
        }
    }
}


static int
watch(fcv_source_t *source, int fd, void (*handler)(void *, uint32_t),
    fcf_err_t *err)
{
    source->fd = fd;
    source->handler = handler;

    if (fcv_loop_add(fcv_qemu.vm->loop, source, EPOLLIN, err) != 0) {
        (void) close(fd);
        source->fd = -1;
        return -1;
    }

    return 0;
}


static int
spawn(int *ends, fcf_err_t *err)
{
    int              rc;
    fcv_args_t       args;
    fcv_qemu_conf_t  conf;

    if (fcv_ends_make(ends, err) != 0) {
        fcv_ends_close(ends, 0, FCV_ENDS);
        return -1;
    }

    conf.id = fcv_qemu.vm->id;
    conf.tsc_khz = fcv_clocks_khz(&fcv_qemu.start);
    conf.qmp_fd = ends[3];
    conf.serial_fd = ends[4];
    conf.incoming_fd = fcv_qemu.loading ? fcv_qemu.memory_fd : -1;
    conf.split_wx = fcv_must_split_wx();

    rc = fcv_qemu_args(&args, fcv_qemu.vm->model, &conf, err);

    if (rc == 0) {
        fcv_qemu.pid = fcv_qemu_spawn(&args, fcv_qemu.vm->model, ends,
                                      conf.incoming_fd, err);
        rc = fcv_qemu.pid == -1 ? -1 : 0;
        fcv_qemu.pid = rc == 0 ? fcv_qemu.pid : 0;
        fcv_args_free(&args);
    }

    fcv_ends_close(ends, 3, FCV_ENDS);

    if (rc != 0) {
        fcv_ends_close(ends, 0, 3);
    }

    return rc;
}


static int
launch(fcf_err_t *err)
{
    int  rc, ends[FCV_ENDS];

    fcv_qemu.pid = fcv_qemu.loading ? fcv_ahead_take(fcv_qemu.vm->model, ends)
                                    : 0;
    fcv_qemu.deferred = fcv_qemu.pid != 0;

    if (fcv_qemu.pid == 0 && spawn(ends, err) != 0) {
        return -1;
    }

    fcv_qemu.shutdown = 0;
    fcv_qemu.reset = 0;
    fcf_buf_reset(&fcv_qemu.line);
    fcf_buf_reset(&fcv_qemu.last_words);

    /* each takes its descriptor over, also when it fails */

    rc = fcv_qmp_open(&fcv_qemu.qmp, fcv_qemu.vm->loop, ends[0], qmp_message,
                      err);
    rc = watch(&fcv_qemu.serial, ends[1], serial_handler, err) || rc;
    rc = watch(&fcv_qemu.words, ends[2], fcv_qemu_words, err) || rc;

    if (rc != 0) {
        (void) kill(fcv_qemu.pid, SIGKILL);
        close_all();
        return -1;
    }

    set_state(QEMU_LAUNCHED);

    return 0;
}


static int
qemu_init(fcv_vm_t *vm, fcf_err_t *err)
{
    (void) err;

    fcv_qemu.vm = vm;
    fcv_qemu.qmp.source.fd = -1;
    fcv_qemu.serial.fd = -1;
    fcv_qemu.words.fd = -1;
    fcf_buf_init(&fcv_qemu.line, FCV_WORDS_MAX + 1024);
    fcf_buf_init(&fcv_qemu.last_words, FCV_WORDS_MAX + 1);

    fcv_qemu.start = fcv_clocks_read();

    return 0;
}


int
fcv_qemu_start(fcf_err_t *err)
{
    if (fcv_qemu_check_kernel(fcv_qemu.vm->model, err) != 0) {
        return -1;
    }

    if (fcv_qemu.pid) {
        return fcf_err_set(err, FCF_E_EXISTS,
                           "the QEMU of the start before is still ending");
    }

    set_state(QEMU_MEASURING);

    return 0;
}


static int
qemu_start(fcf_err_t *err)
{
    fcv_qemu.loading = 0;
    fcv_ahead_drop();

    return fcv_qemu_start(err);
}


static int
qemu_ctrl_alt_del(fcf_err_t *err)
{
    return fcv_qmp_send(&fcv_qemu.qmp,
                        "{\"execute\":\"send-key\",\"arguments\":{\"keys\":["
                        "{\"type\":\"qcode\",\"data\":\"ctrl\"},"
                        "{\"type\":\"qcode\",\"data\":\"alt\"},"
                        "{\"type\":\"qcode\",\"data\":\"delete\"}]}}\n", err);
}


/* What QEMU wrote before it ended is read out: bounded, since somebody else
 * may hold the other end. */
static void
drain(fcv_source_t *source)
{
    int  i;

    for (i = 0; i < FCV_DRAIN_READS && source->fd != -1; i++) {
        source->handler(source->arg, EPOLLIN);
    }
}


static void
qemu_reaped(int pid, int status)
{
    int   clean;
    char  why[80];

    if (fcv_ahead_reaped(pid) || pid != fcv_qemu.pid) {
        return;
    }

    fcv_qemu.pid = 0;

    drain(&fcv_qemu.serial);
    drain(&fcv_qemu.words);
    drain(&fcv_qemu.qmp.source);

    if (fcv_qemu.state == QEMU_LAUNCHED) {

        if (WIFSIGNALED(status)) {
            snprintf(why, sizeof(why), "QEMU was ended by signal %d",
                     WTERMSIG(status));

        } else if (WEXITSTATUS(status) == FCV_EXEC_FAILED) {
            snprintf(why, sizeof(why), "QEMU cannot be run");

        } else {
            snprintf(why, sizeof(why), "QEMU ended with status %d",
                     WEXITSTATUS(status));
        }

        close_all();
        start_failed(why);
        return;
    }

    close_all();

    clean = WIFEXITED(status) && WEXITSTATUS(status) == 0 && fcv_qemu.shutdown
            && fcv_qemu.reset;

    /* a triple fault ends QEMU as the i8042 does; Firecracker tells them
     * apart */

    if (!clean) {
        fprintf(stderr, "fcfaas-vmm: %s (QEMU's status %d)\n",
                fcv_qemu.shutdown ? "the guest crashed" : "QEMU was ended",
                status);
    }

    fcv_loop_quit(fcv_qemu.vm->loop, clean ? 0 : 1);
}


static int
qemu_tick(void)
{
    int64_t    left;
    uint64_t   now;
    fcf_err_t  err;

    if (fcv_qemu.state == QEMU_MEASURING) {
        left = FCV_MEASURE_NS - (fcv_clocks_read().ns - fcv_qemu.start.ns);

        if (left > 0) {
            return (int) (left / 1000000) + 1;
        }

        if (launch(&err) != 0) {
            fcv_qemu_started(&err);
            return -1;
        }
    }

    if (fcv_qemu.state == QEMU_IDLE) {
        return fcv_ahead_tick(fcv_qemu.vm);
    }

    if (fcv_qemu.state != QEMU_LAUNCHED) {
        return -1;
    }

    now = fcv_now_ms();

    if (fcv_qemu.loading && now < fcv_qemu.deadline_ms) {
        return fcv_qemu_snapshot_tick();
    }

    if (now >= fcv_qemu.deadline_ms) {
        (void) kill(fcv_qemu.pid, SIGKILL);
        fcv_qemu.deadline_ms = now + FCV_START_MS;
    }

    return (int) (fcv_qemu.deadline_ms - now);
}


/* The process is not waited for: its death is certain. */
static void
qemu_kill(void)
{
    fcv_ahead_drop();

    if (fcv_qemu.pid) {
        (void) kill(fcv_qemu.pid, SIGKILL);
        (void) waitpid(fcv_qemu.pid, NULL, 0);
        fcv_qemu.pid = 0;
    }

    close_all();
    fcf_buf_free(&fcv_qemu.line);
    fcf_buf_free(&fcv_qemu.last_words);
}


const fcv_backend_t  fcv_backend_qemu = {
    .name = "qemu",
    .vnet_hdr = 1,
    .init = qemu_init,
    .start = qemu_start,
    .pause = fcv_qemu_pause,
    .save = fcv_qemu_save,
    .identity = fcv_qemu_identity,
    .load = fcv_qemu_load,
    .ctrl_alt_del = qemu_ctrl_alt_del,
    .reaped = qemu_reaped,
    .tick = qemu_tick,
    .kill = qemu_kill
};
