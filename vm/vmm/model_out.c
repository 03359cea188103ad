/* Where the machine's words go: serial console, logger, metrics; and the
 * entropy device and balloon, which have no file. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "vm/vmm/model.h"
#include "vm/vmm/schema.h"


static void
replace_fd(int *slot, int fd)
{
    if (*slot != -1) {
        (void) close(*slot);
    }

    *slot = fd;
}


int
fcv_model_put_serial(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    (void) err;

    json_decref(model->serial);
    model->serial = obj;

    return 0;
}


int
fcv_model_open_serial(fcv_model_t *model, fcf_err_t *err)
{
    int          fd;
    const char  *path;

    path = fcv_str(model->serial, "serial_out_path");

    if (path == NULL) {
        replace_fd(&model->serial_fd, -1);
        return 0;
    }

    /* for reading too: a FIFO then needs no reader */

    fd = open(path, O_RDWR|O_NONBLOCK|O_CREAT|O_CLOEXEC|O_NOCTTY, 0600);

    if (fd == -1) {
        return fcf_err_sys(err, errno, "Serial error: serial_out_path %s",
                           path);
    }

    replace_fd(&model->serial_fd, fd);

    return 0;
}


int
fcv_model_put_entropy(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    (void) err;

    json_decref(model->entropy);
    model->entropy = obj;

    return 0;
}


/* One that takes nothing and tells nothing is as good as the real one's; what
 * it would take of a guest, or tell of it, the stand-in does not know. */

static int
check_balloon(const json_t *obj, fcf_err_t *err)
{
    size_t  i;

    static const char *const  off[] = { "amount_mib",
                                        "stats_polling_interval_s",
                                        "free_page_hinting",
                                        "free_page_reporting" };

    for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        if (fcv_int(obj, off[i]) != 0 || fcv_bool(obj, off[i])) {
            return fcf_err_set(err, FCF_E_INVALID, "Balloon error: %s: not "
                               "supported by the stand-in.", off[i]);
        }
    }

    return 0;
}


int
fcv_model_put_balloon(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    if (check_balloon(obj, err) != 0) {
        json_decref(obj);
        return -1;
    }

    if (json_is_null(json_object_get(obj, "stats_polling_interval_s"))) {
        (void) json_object_set_new(obj, "stats_polling_interval_s",
                                   json_integer(0));
    }

    json_decref(model->balloon);
    model->balloon = obj;

    return 0;
}


int
fcv_model_no_balloon(fcf_err_t *err)
{
    return fcf_err_set(err, FCF_E_INVALID, "Balloon error: there is no "
                       "balloon.");
}


int
fcv_model_patch_balloon(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    int  rc;

    rc = model->balloon == NULL ? fcv_model_no_balloon(err)
                                : check_balloon(obj, err);
    json_decref(obj);

    return rc;
}


/* as a log's or the metrics' file is opened: a FIFO must have its reader */
static int
open_out(const char *path, fcf_err_t *err)
{
    int  fd;

    fd = open(path, O_WRONLY|O_NONBLOCK|O_CREAT|O_APPEND|O_CLOEXEC|O_NOCTTY,
              0600);

    return fd == -1 ? fcf_err_sys(err, errno, "%s", path) : fd;
}


int
fcv_model_put_logger(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    int          fd;
    size_t       i;
    const char  *level, *path;

    static const char *const  levels[] = { "Off", "Trace", "Debug", "Info",
                                           "Warn", "Warning", "Error", NULL };

    level = fcv_str(obj, "level");

    for (i = 0; level && levels[i] && strcasecmp(level, levels[i]) != 0; i++) {
        /* next */
    }

    if (level && levels[i] == NULL) {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           "An error occurred when deserializing the json "
                           "body of a request: field `level`: unknown "
                           "variant `%.80s`.", level);
        json_decref(obj);
        return -1;
    }

    path = fcv_str(obj, "log_path");

    if (path) {
        fd = open_out(path, err);

        if (fd == -1) {
            (void) fcf_err_wrap(err, "Logger error");
            json_decref(obj);
            return -1;
        }

        replace_fd(&model->log_fd, fd);
    }

    json_decref(model->logger);
    model->logger = obj;

    return 0;
}


int
fcv_model_put_metrics(fcv_model_t *model, json_t *obj, fcf_err_t *err)
{
    int  fd;

    fd = -1;

    if (model->metrics) {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           "Metrics error: Reinitialization of metrics not "
                           "allowed.");

    } else {
        fd = open_out(fcv_str(obj, "metrics_path"), err);

        if (fd == -1) {
            (void) fcf_err_wrap(err, "Metrics error");
        }
    }

    if (fd == -1) {
        json_decref(obj);
        return -1;
    }

    model->metrics_fd = fd;
    model->metrics = obj;

    return 0;
}


int
fcv_model_flush_metrics(fcv_model_t *model, fcf_err_t *err)
{
    struct timespec  now;

    if (model->metrics_fd == -1) {
        return 0;
    }

    (void) clock_gettime(CLOCK_REALTIME, &now);

    if (dprintf(model->metrics_fd, "{\"utc_timestamp_ms\":%lld}\n",
                (long long) now.tv_sec * 1000 + now.tv_nsec / 1000000) < 0)
    {
        return fcf_err_sys(err, errno, "Metrics error");
    }

    return 0;
}
