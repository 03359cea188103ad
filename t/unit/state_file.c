/* ngx_fcfaas_module/state: a file that is whole is taken, any other refused. */

#include <stdlib.h>
#include "ngx_fcfaas_module/state/fcs_state.h"
#include "t/unit/tap.h"

static char         file[4096];
static size_t       file_len;
static fcf_spec_t   spec, got_spec;
static unsigned     nspecs, ninstances;
static int64_t      version;
static char         got[4][128];
static fcf_instance_t  instance, got_instance;


static void
on_spec(void *arg, const char *function_id, const fcf_spec_t *s)
{
    (void) arg;
    nspecs++;
    snprintf(got[0], sizeof(got[0]), "%s", function_id);
    got_spec = *s;
}


static void
on_instance(void *arg, const char *function_id, const char *worker_id,
    const fcf_instance_t *i)
{
    (void) arg;
    ninstances++;
    snprintf(got[1], sizeof(got[1]), "%s", function_id);
    snprintf(got[2], sizeof(got[2]), "%s", worker_id);
    got_instance = *i;
}


static void
on_version(void *arg, const char *function_id, int64_t v)
{
    (void) arg;
    snprintf(got[3], sizeof(got[3]), "%s", function_id);
    version = v;
}


static void
head(const char *prefix)
{
    fcs_info_t  info = { .written = 17, .nspecs = 1, .ninstances = 2 };

    info.length = file_len - FCS_HEAD;
    info.hash = fcs_hash(FCS_HASH, file + FCS_HEAD, info.length);
    snprintf(info.prefix, sizeof(info.prefix), "%s", prefix);
    fcs_put_head(file, &info);
}


static void
make(void)
{
    fcf_spec_default(&spec);
    spec.version = 7;
    spec.cpu = 2;
    spec.memory_mb = 512;
    spec.concurrency = 0;
    spec.min_instances = 1;
    spec.max_instances = 3;
    spec.timeout_s = 9;
    spec.ntraffic = 2;
    spec.traffic[0] = (fcf_traffic_t) { 7, 90 };
    spec.traffic[1] = (fcf_traffic_t) { 8, 10 };
    memset(&instance, 0, sizeof(instance));
    snprintf(instance.worker_ip, sizeof(instance.worker_ip), "fd00::1");
    instance.proxy_port = 30005;
    instance.version = 7;
    instance.concurrency = -1;
    instance.state = FCF_INSTANCE_DRAINING;
    instance.started_ms = 5;

    file_len = FCS_HEAD;
    file_len += fcs_put_instance(file + file_len, "a", "n1-1", &instance);
    file_len += fcs_put_spec(file + file_len, "resize-image", &spec);
    file_len += fcs_put_version(file + file_len, "c", 12);
    file_len += fcs_put_instance(file + file_len, "b", "n2-2", &instance);
    head("one:");
}


static int
check(const char *data, size_t len, fcf_err_t *err)
{
    fcs_info_t  info;

    return fcs_check(&info, data, len, "one:", err);
}


static void
whole(void)
{
    fcf_err_t             err;
    fcs_info_t            info;
    const fcs_handler_t   handler = { on_spec, on_instance,
                                      on_version };

    make();
    is_int(fcs_check(&info, file, file_len, "one:", &err), 0, "taken");
    is_int(info.written, 17, "when it was written");
    is_int(info.nspecs, 1, "specs");
    is_int(info.ninstances, 2, "instances");

    fcs_each(file, file_len, &handler, NULL);
    is_int(nspecs, 1, "one spec is told");
    is_int(ninstances, 2, "two instances");
    is_str(got[0], "resize-image", "its name");
    ok(memcmp(&got_spec, &spec, sizeof(spec)) == 0, "all of the spec");
    is_str(got[3], "c", "a version's function");
    is_int(version, 12, "and the version");
    is_str(got[1], "b", "the last instance's function");
    is_str(got[2], "n2-2", "and its name");
    ok(memcmp(&got_instance, &instance, sizeof(instance)) == 0,
       "all of the instance");

    file_len = FCS_HEAD;
    fcs_put_head(file, &(fcs_info_t) { .hash = FCS_HASH, .prefix = "one:" });
    is_int(check(file, file_len, &err), 0, "one of nothing at all");
}


static void
torn(void)
{
    char       *copy;
    size_t      i, bad;
    fcf_err_t   err;

    make();

    /* of just that size: a byte read too far is seen */

    for (i = bad = 0; i < file_len; i++) {
        copy = malloc(i + 1);
        memcpy(copy, file, i);
        bad += (check(copy, i, &err) == 0);
        free(copy);
    }

    is_int(bad, 0, "cut anywhere: refused");

    for (i = bad = 0; i < file_len * 8; i++) {
        file[i / 8] ^= (char) (1 << i % 8);
        bad += (check(file, file_len, &err) == 0);
        file[i / 8] ^= (char) (1 << i % 8);
    }

    is_int(bad, 0, "any bit turned: refused");
    is_int(check(file, file_len, &err), 0, "as it was: taken");
}


static void
refused(const char *what, const char *why)
{
    fcf_err_t  err;

    ok(check(file, file_len, &err) != 0 && strstr(err.msg, why),
       "%s: \"%s\"", what, err.msg);
}


static void
others(void)
{
    fcf_err_t  err;

    make();
    head("two:");
    refused("another prefix", "\"two:\", and this is \"one:\"");

    make();
    file[8]++;
    refused("another layout", "layout 2, and this is 1");

    memset(file, 0, sizeof(file));
    refused("zeros", "none of this program's");
    file_len = 0;
    refused("nothing", "none of this program's");

    make();
    file[FCS_HEAD + 40] = '/';
    head("one:");
    refused("a name that is none", "at byte 144");

    make();
    spec.cpu = 0;
    file_len += fcs_put_spec(file + file_len, "c", &spec);
    head("one:");
    refused("a value out of range", "that is none");

    make();
    spec.traffic[1].percent = 11;
    file_len += fcs_put_spec(file + file_len, "c", &spec);
    head("one:");
    refused("shares of more than all", "that is none");

    make();
    file_len += fcs_put_spec(file + file_len, "c", &spec);
    head("one:");
    refused("one more than it says", "2 specs and 2 instances");

    make();
    file[FCS_HEAD + 2] = (char) 200;
    head("one:");
    refused("a length too long", "at byte 144");
    ok(check(file, FCS_HEAD - 1, &err) != 0, "less than a head");
}


int
main(void)
{
    whole();
    torn();
    others();

    return tap_done();
}
