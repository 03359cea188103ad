#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "contract/fcf_base64.h"
#include "vm/guest.h"
#include "vm/init/ops.h"

#define STOP_MAX_MS  (3600 * 1000)

typedef int (*op_pt)(fcv_ops_t *ops, const json_t *request, fcf_err_t *err);


int
fcv_set_clock(int64_t ms, fcf_err_t *err)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) (ms / 1000);
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    if (clock_settime(CLOCK_REALTIME, &ts) < 0) {
        return fcf_err_sys(err, errno, "clock");
    }

    return 0;
}


static int
op_stop(fcv_ops_t *ops, const json_t *request, fcf_err_t *err)
{
    json_int_t     ms;
    const json_t  *value;

    value = json_object_get(request, "timeout_ms");
    ms = value ? json_integer_value(value) : FCV_STOP_TIMEOUT_MS;

    if (value && (!json_is_integer(value) || ms < 0 || ms > STOP_MAX_MS)) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "timeout_ms is not an integer within 0-%d",
                           STOP_MAX_MS);
    }

    ops->life->stop_ms = ms;
    fcv_life_event(ops->life, FCV_ON_STOP);

    return 0;
}


int
fcv_op_time(const json_t *request, fcf_err_t *err)
{
    const json_t  *value;

    value = json_object_get(request, "ms");

    if (!json_is_integer(value) || json_integer_value(value) <= 0) {
        return fcf_err_set(err, FCF_E_INVALID, "ms is not a time");
    }

    return fcv_set_clock(json_integer_value(value), err);
}


/* the host's bytes count as entropy in full: it could read all of the guest's
 * memory anyway */

static int
add_entropy(const void *data, size_t len, fcf_err_t *err)
{
    int  fd, rc;

    union {
        struct rand_pool_info  info;
        char                   room[sizeof(struct rand_pool_info) + FCV_SEED_MAX];
    } pool;

    pool.info.entropy_count = (int) len * 8;
    pool.info.buf_size = (int) len;
    memcpy(pool.info.buf, data, len);

    fd = open("/dev/urandom", O_RDWR|O_CLOEXEC);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "open /dev/urandom");
    }

    rc = 0;

    if (ioctl(fd, RNDADDENTROPY, &pool) < 0
        || ioctl(fd, RNDRESEEDCRNG, NULL) < 0)
    {
        rc = fcf_err_sys(err, errno, "seed");
    }

    close(fd);
    explicit_bzero(&pool, sizeof(pool));

    return rc;
}


int
fcv_seed(const char *base64, const char *what, fcf_err_t *err)
{
    int     rc;
    char    data[FCV_SEED_MAX + 3];
    size_t  len;

    if (strlen(base64) > fcf_base64_encoded_len(FCV_SEED_MAX)
        || fcf_base64_decode(data, &len, base64, strlen(base64)) < 0
        || len == 0 || len > FCV_SEED_MAX)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s is not base64 of 1-%d bytes", what, FCV_SEED_MAX);
    }

    rc = add_entropy(data, len, err);
    explicit_bzero(data, sizeof(data));

    return rc;
}


int
fcv_op_seed(const json_t *request, fcf_err_t *err)
{
    const char  *text;

    text = json_string_value(json_object_get(request, "data"));

    return fcv_seed(text ? text : "", "data", err);
}


static int
op_time(fcv_ops_t *ops, const json_t *request, fcf_err_t *err)
{
    (void) ops;
    return fcv_op_time(request, err);
}


static int
op_seed(fcv_ops_t *ops, const json_t *request, fcf_err_t *err)
{
    (void) ops;
    return fcv_op_seed(request, err);
}


static int
op_snapshot(fcv_ops_t *ops, const json_t *request, fcf_err_t *err)
{
    (void) request;
    return fcv_clone_snapshot(ops->clone, err);
}


static int
op_wake(fcv_ops_t *ops, const json_t *request, fcf_err_t *err)
{
    return fcv_clone_wake(ops->clone, request, err);
}


static const struct {
    const char  *name;
    op_pt        run;
} ops_known[] = {
    { "stop", op_stop },
    { "time", op_time },
    { "seed", op_seed },
    { "snapshot", op_snapshot },
    { "wake", op_wake },
};


int
fcv_op(void *arg, const char *op, const json_t *request, fcf_err_t *err)
{
    size_t  i;

    for (i = 0; i < sizeof(ops_known) / sizeof(ops_known[0]); i++) {
        if (strcmp(op, ops_known[i].name) == 0) {
            return ops_known[i].run(arg, request, err);
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "unknown op \"%s\"", op);
}
