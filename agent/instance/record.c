#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "agent/instance/record.h"
#include "contract/fcf_json.h"
#include "contract/fcf_mac.h"

/* a job may be as long as a value of etcd, and its quotes are escaped */
#define RECORD_MAX  (2 * FCF_VALUE_MAX + 16384)

static const char *const  record_fields[] = {
    "record", "boot_id", "worker_id", "function_id", "request_id", "job",
    "state", "version", "spec", "declared", "slot", "lease", "tap", "address",
    "mac", "port", "born_ms", "started_ms"
};

#define RECORD_NFIELDS  (sizeof(record_fields) / sizeof(record_fields[0]))


char *
fca_record_encode(const fca_record_t *r)
{
    char        address[INET_ADDRSTRLEN], mac[18], *spec;
    json_t     *obj;
    fcf_spec_t  valid;

    /* of a function that nobody declared it is 0, which no spec can say */
    valid = r->spec;
    valid.version = r->spec.version > 0 ? r->spec.version : 1;

    spec = fcf_spec_encode(&valid);
    if (spec == NULL) {
        return NULL;
    }

    inet_ntop(AF_INET, &r->nic.address, address, sizeof(address));
    fcf_mac_format(mac, r->nic.mac);

    obj = json_object();

    fcf_json_put_int(&obj, "record", FCA_RECORD_VERSION);
    fcf_json_put_str(&obj, "boot_id", r->boot_id);
    fcf_json_put_str(&obj, "worker_id", r->worker_id);
    fcf_json_put_str(&obj, "function_id", r->function_id);
    fcf_json_put_str(&obj, "request_id", r->request_id);
    fcf_json_put_str(&obj, "job", r->job ? r->job : "");
    fcf_json_put_str(&obj, "state", fca_state_name(r->state));
    fcf_json_put_int(&obj, "version", r->spec.version);
    fcf_json_put(&obj, "spec", json_loads(spec, 0, NULL));
    fcf_json_put_int(&obj, "declared", r->declared != 0);
    fcf_json_put_int(&obj, "slot", r->slot);
    fcf_json_put_int(&obj, "lease", r->lease);
    fcf_json_put_str(&obj, "tap", r->nic.tap);
    fcf_json_put_str(&obj, "address", address);
    fcf_json_put_str(&obj, "mac", mac);
    fcf_json_put_int(&obj, "port", r->port);
    fcf_json_put_int(&obj, "born_ms", r->born_ms);
    fcf_json_put_int(&obj, "started_ms", r->started_ms);

    free(spec);

    return fcf_json_text(obj);
}


static json_t *
record_parse(const char *text, size_t len, fcf_err_t *err)
{
    int            version;
    size_t         i;
    json_t        *obj;
    json_error_t   why;

    if (len > RECORD_MAX) {
        fcf_err_set(err, FCF_E_INVALID, "%zu bytes, more than %d", len,
                    RECORD_MAX);
        return NULL;
    }

    obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (!json_is_object(obj)) {
        fcf_err_set(err, FCF_E_INVALID, "not a JSON object: %s",
                    obj ? "another value" : why.text);
        json_decref(obj);
        return NULL;
    }

    version = 0;

    if (fcf_json_int(obj, "record", 0, INT32_MAX, &version, err) != 0
        || version != FCA_RECORD_VERSION)
    {
        fcf_err_set(err, FCF_E_INVALID, "record: not version %d",
                    FCA_RECORD_VERSION);
        json_decref(obj);
        return NULL;
    }

    for (i = 0; i < RECORD_NFIELDS; i++) {
        if (fcf_json_required(obj, record_fields[i], err) != 0) {
            json_decref(obj);
            return NULL;
        }
    }

    if (json_object_size(obj) != RECORD_NFIELDS) {
        fcf_err_set(err, FCF_E_INVALID, "%zu fields instead of %zu",
                    json_object_size(obj), RECORD_NFIELDS);
        json_decref(obj);
        return NULL;
    }

    return obj;
}


/* a kernel's name for a link, and never a path */
static int
record_ifname_valid(const char *s, size_t len)
{
    return len > 0 && strpbrk(s, "/ \t\r\n") == NULL && s[0] != '.';
}


static int
record_boot_id_valid(const char *s, size_t len)
{
    return len == FCA_BOOT_ID_LEN
           && strspn(s, "0123456789abcdef-") == FCA_BOOT_ID_LEN;
}


static int
record_nic(fca_nic_t *nic, const json_t *obj, fcf_err_t *err)
{
    char  address[INET_ADDRSTRLEN], mac[FCF_MAC_TEXT];

    if (fcf_json_str(obj, "tap", nic->tap, sizeof(nic->tap),
                     record_ifname_valid, err) != 0
        || fcf_json_str(obj, "address", address, sizeof(address),
                        fcf_address_valid, err) != 0
        || fcf_json_str(obj, "mac", mac, sizeof(mac), NULL, err) != 0)
    {
        return -1;
    }

    if (inet_pton(AF_INET, address, &nic->address) != 1
        || fcf_mac_parse(mac, nic->mac) != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "address \"%s\" or mac \"%s\": bad value", address,
                           mac);
    }

    return 0;
}


static int
record_state(fca_record_t *out, const json_t *obj, fcf_err_t *err)
{
    int                    i, n;
    fcf_json_enum_t        names[FCA_S_N + 1];

    for (i = 0; i < FCA_S_N; i++) {
        names[i] = (fcf_json_enum_t) { fca_state_name(i), i };
    }

    names[FCA_S_N] = (fcf_json_enum_t) { NULL, 0 };
    n = 0;

    if (fcf_json_enum(obj, "state", names, &n, err) != 0) {
        return -1;
    }

    out->state = (fca_instance_state_e) n;

    return 0;
}


static int
record_spec(fca_record_t *out, const json_t *obj, fcf_err_t *err)
{
    int    rc;
    char  *text;

    text = json_dumps(json_object_get(obj, "spec"), JSON_COMPACT);

    /* an array or a bare value is refused like no memory: neither is ours */
    if (text == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "spec: not an object");
    }

    rc = fcf_spec_decode(&out->spec, text, strlen(text), err);
    free(text);

    if (rc != 0) {
        return -1;
    }

    return fcf_json_int64(obj, "version", 0, INT64_MAX, &out->spec.version,
                          err);
}


/* the job must be one, and the one that is named */
static int
record_job(fca_record_t *out, const json_t *obj, fcf_err_t *err)
{
    size_t       len;
    fcf_job_t    job;
    const char  *text;

    text = json_string_value(json_object_get(obj, "job"));
    len = json_string_length(json_object_get(obj, "job"));

    if (text == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "job: not a string");
    }

    if (len == 0) {
        return 0;
    }

    if (fcf_job_decode(&job, text, len, err) != 0) {
        return -1;
    }

    if (strcmp(job.function_id, out->function_id) != 0
        || strcmp(job.request_id, out->request_id) != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, "job: %s of %s is another's",
                           job.request_id, job.function_id);
    }

    out->job = strdup(text);

    return out->job ? 0 : fcf_err_set(err, FCF_E_NOMEM, "job: no memory");
}


static int
record_fill(fca_record_t *out, const json_t *obj, fcf_err_t *err)
{
    if (fcf_json_str(obj, "boot_id", out->boot_id, sizeof(out->boot_id),
                     record_boot_id_valid, err) != 0
        || fcf_json_str(obj, "worker_id", out->worker_id,
                        sizeof(out->worker_id), fcf_worker_id_valid, err) != 0
        || fcf_json_str(obj, "function_id", out->function_id,
                        sizeof(out->function_id), fcf_id_valid, err) != 0
        || fcf_json_str(obj, "request_id", out->request_id,
                        sizeof(out->request_id), fcf_request_id_valid, err)
        || fcf_json_int(obj, "declared", 0, 1, &out->declared, err) != 0
        || fcf_json_int(obj, "slot", 0, FCF_INSTANCES_MAX - 1, &out->slot,
                        err) != 0
        || fcf_json_int64(obj, "lease", 0, INT64_MAX, &out->lease, err) != 0
        || fcf_json_int(obj, "port", 1, 65535, &out->port, err) != 0
        || fcf_json_int64(obj, "born_ms", 0, INT64_MAX, &out->born_ms, err)
        || fcf_json_int64(obj, "started_ms", 0, INT64_MAX, &out->started_ms,
                          err) != 0
        || record_state(out, obj, err) != 0
        || record_nic(&out->nic, obj, err) != 0
        || record_spec(out, obj, err) != 0)
    {
        return -1;
    }

    return record_job(out, obj, err);
}


int
fca_record_decode(fca_record_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(*out));

    obj = record_parse(text, len, err);
    if (obj == NULL) {
        return fcf_err_wrap(err, "record");
    }

    rc = record_fill(out, obj, err);
    json_decref(obj);

    return rc == 0 ? 0 : fcf_err_wrap(err, "record");
}


void
fca_record_free(fca_record_t *record)
{
    free(record->job);
    record->job = NULL;
}


int
fca_boot_id(char *buf, fcf_err_t *err)
{
    int      fd;
    ssize_t  n;

    fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return fcf_err_sys(err, errno, "the host's boot id");
    }

    n = read(fd, buf, FCA_BOOT_ID_LEN);
    close(fd);

    if (n != FCA_BOOT_ID_LEN) {
        return fcf_err_set(err, FCF_E_SYSTEM, "the host's boot id is short");
    }

    buf[FCA_BOOT_ID_LEN] = '\0';

    return 0;
}


int64_t
fca_boottime_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
