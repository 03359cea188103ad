/*
 * Pause, and snapshots by QEMU's migration: the memory file holds its stream,
 * with the devices in it, not the memory page by page.  Loading it takes about
 * as long as mapping it would, and needs nothing of the machine before.  To map
 * a file copy-on-write QEMU 7.2 wants to open it for writing (or the guest has
 * no memory that it may write to), and a snapshot's is there to be read only.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vm/vmm/qemu_args.h"
#include "vm/vmm/qemu_int.h"

#define FCV_LOAD_POLL_MS  2

#define QMP_STATUS  "{\"execute\":\"query-status\",\"id\":\"load\"}\n"
#define QMP_STOP    "{\"execute\":\"stop\",\"id\":\"pause\"}\n"
#define QMP_CONT    "{\"execute\":\"cont\",\"id\":\"pause\"}\n"
#define QMP_EVENTS  "{\"execute\":\"migrate-set-capabilities\",\"id\":"       \
                    "\"save\",\"arguments\":{\"capabilities\":["              \
                    "{\"capability\":\"events\",\"state\":true}]}}\n"        \
                    "{\"execute\":\"migrate-set-parameters\",\"id\":"         \
                    "\"save\",\"arguments\":{\"max-bandwidth\":"              \
                    "10000000000}}\n"
#define QMP_MIGRATE "{\"execute\":\"migrate\",\"id\":\"save\",\"arguments\":"  \
                    "{\"uri\":\"fd:memory\"}}\n"
#define QMP_GETFD   "{\"execute\":\"getfd\",\"id\":\"save\",\"arguments\":"    \
                    "{\"fdname\":\"memory\"}}\n"

#define QMP_INCOMING  "{\"execute\":\"migrate-incoming\",\"arguments\":{"     \
                      "\"uri\":\"fd:memory\"}}\n"


/* QEMU's program, as execvp() finds it, and the machine that it is told to be:
 * its stream is for no other. */

const char *
fcv_qemu_identity(void)
{
    int          n, len;
    char         path[4096];
    const char  *dir;
    struct stat  st;

    static char  identity[96];

    len = snprintf(identity, sizeof(identity), "qemu/%d", FCV_QEMU_MACHINE);
    dir = getenv("PATH");

    for (dir = dir ? dir : "/bin:/usr/bin"; ; dir += n + 1) {
        n = (int) strcspn(dir, ":");
        snprintf(path, sizeof(path), "%.*s/" FCV_QEMU_BINARY, n, dir);

        if (stat(path, &st) == 0) {
            snprintf(identity + len, sizeof(identity) - (size_t) len,
                     ", %lld bytes of %lld", (long long) st.st_size,
                     (long long) st.st_mtime);
            break;
        }

        if (dir[n] == '\0') {
            break;
        }
    }

    return identity;
}


static void
op_done(const fcf_err_t *err)
{
    fcv_qemu.op = QEMU_NO_OP;
    fcv_qemu.vm->done(fcv_qemu.vm->arg, err);
}


static void
op_failed(const char *why)
{
    fcf_err_t  err;

    (void) fcf_err_set(&err, FCF_E_REFUSED, "QEMU: %s", why);
    op_done(&err);
}


static const char *
field(const json_t *message, const char *object, const char *name)
{
    return json_string_value(json_object_get(json_object_get(message, object),
                                             name));
}


int
fcv_qemu_pause(int paused, fcf_err_t *err)
{
    if (fcv_qmp_send(&fcv_qemu.qmp, paused ? QMP_STOP : QMP_CONT, err) != 0) {
        return -1;
    }

    fcv_qemu.op = QEMU_PAUSE;

    return 0;
}


/* A machine that was saved is not saved again before it ran: it runs for as
 * long as two commands take. */

int
fcv_qemu_save(int memory_fd, fcf_err_t *err)
{
    if ((fcv_qemu.saved
         && fcv_qmp_send(&fcv_qemu.qmp, "{\"execute\":\"cont\"}\n"
                         "{\"execute\":\"stop\"}\n", err) != 0)
        || fcv_qmp_send(&fcv_qemu.qmp, QMP_EVENTS, err) != 0
        || fcv_qmp_send_fd(&fcv_qemu.qmp, QMP_GETFD, memory_fd, err) != 0
        || fcv_qmp_send(&fcv_qemu.qmp, QMP_MIGRATE, err) != 0)
    {
        return -1;
    }

    fcv_qemu.op = QEMU_SAVE;
    fcv_qemu.saved = 1;

    return 0;
}


int
fcv_qemu_load(int memory_fd, int resume, fcf_err_t *err)
{
    fcv_qemu.loading = 1;
    fcv_qemu.resume = resume;
    fcv_qemu.asked = 1;
    fcv_qemu.memory_fd = memory_fd;

    return fcv_qemu_start(err);
}


int
fcv_qemu_snapshot_tick(void)
{
    fcf_err_t  err;

    /* what cannot be sent is seen when QEMU is reaped */

    if (!fcv_qemu.asked
        && fcv_qmp_send(&fcv_qemu.qmp, QMP_STATUS, &err) == 0)
    {
        fcv_qemu.asked = 1;
    }

    return FCV_LOAD_POLL_MS;
}


/* while the stream comes in the status is "inmigrate" */

static void
load_status(const char *status)
{
    fcf_err_t  err;

    if (strcmp(status, "inmigrate") == 0) {
        fcv_qemu.asked = 0;
        return;
    }

    if (!fcv_qemu.resume) {
        fcv_qemu_started(NULL);
        return;
    }

    (void) fcv_qmp_send(&fcv_qemu.qmp,
                        "{\"execute\":\"cont\",\"id\":\"start\"}\n", &err);
}


/* what cannot be sent is seen when QEMU is reaped */
static void
load_begin(void)
{
    fcf_err_t  err;

    (void) fcv_qmp_send(&fcv_qemu.qmp,
                        "{\"execute\":\"qmp_capabilities\"}\n", &err);

    if (fcv_qemu.deferred) {
        (void) fcv_qmp_send_fd(&fcv_qemu.qmp, QMP_GETFD, fcv_qemu.memory_fd,
                               &err);
        (void) fcv_qmp_send(&fcv_qemu.qmp, QMP_INCOMING, &err);
    }

    (void) fcv_qmp_send(&fcv_qemu.qmp, QMP_STATUS, &err);
}


static int
load_message(const json_t *message)
{
    const char  *id, *status;

    if (json_object_get(message, "QMP")) {
        load_begin();
        return 1;
    }

    id = json_string_value(json_object_get(message, "id"));
    status = field(message, "return", "status");

    if (id && strcmp(id, "load") == 0 && status) {
        load_status(status);
        return 1;
    }

    return 0;
}


static int
save_message(const json_t *message)
{
    const char  *id, *event, *status, *why;

    id = json_string_value(json_object_get(message, "id"));
    event = json_string_value(json_object_get(message, "event"));
    why = field(message, "error", "desc");

    if (id && strcmp(id, "save") == 0) {
        if (why) {
            op_failed(why);
        }

        return 1;
    }

    status = field(message, "data", "status");

    if (event == NULL || status == NULL || strcmp(event, "MIGRATION") != 0) {
        return 0;
    }

    if (strcmp(status, "completed") == 0) {
        op_done(NULL);

    } else if (strcmp(status, "failed") == 0) {
        op_failed("the memory file cannot be written");
    }

    return 1;
}


int
fcv_qemu_snapshot_message(const json_t *message)
{
    const char  *id, *why;

    if (fcv_qemu.loading && fcv_qemu.state == QEMU_LAUNCHED) {
        return load_message(message);
    }

    if (fcv_qemu.op == QEMU_SAVE) {
        return save_message(message);
    }

    id = json_string_value(json_object_get(message, "id"));

    if (fcv_qemu.op != QEMU_PAUSE || id == NULL || strcmp(id, "pause") != 0) {
        return 0;
    }

    why = field(message, "error", "desc");

    if (why) {
        op_failed(why);

    } else {
        op_done(NULL);
    }

    return 1;
}
