#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"


static const fcf_json_enum_t  fcf_instance_states[] = {
    { "ready",    FCF_INSTANCE_READY },
    { "draining", FCF_INSTANCE_DRAINING },
    { NULL, 0 }
};


const char *
fcf_instance_state_name(fcf_instance_state_e state)
{
    return fcf_instance_states[state].name;
}


static int
fcf_instance_fields(fcf_instance_t *out, const json_t *obj, fcf_err_t *err)
{
    int  state;

    state = FCF_INSTANCE_READY;

    if (fcf_json_required(obj, "worker_ip", err) != 0
        || fcf_json_required(obj, "proxy_port", err) != 0
        || fcf_json_str(obj, "worker_ip", out->worker_ip,
                        sizeof(out->worker_ip), fcf_address_valid, err)
        || fcf_json_int(obj, "proxy_port", 1, 65535, &out->proxy_port, err)
        || fcf_json_str(obj, "internal_vm_ip", out->internal_vm_ip,
                        sizeof(out->internal_vm_ip), fcf_address_valid, err)
        || fcf_json_int64(obj, "version", 0, INT64_MAX, &out->version, err)
        || fcf_json_int(obj, "concurrency", 0, FCF_CONCURRENCY_MAX,
                        &out->concurrency, err)
        || fcf_json_enum(obj, "state", fcf_instance_states, &state, err)
        || fcf_json_int64(obj, "started_ms", 0, INT64_MAX, &out->started_ms,
                          err))
    {
        return -1;
    }

    out->state = (fcf_instance_state_e) state;

    return 0;
}


int
fcf_instance_decode(fcf_instance_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_instance_t));

    out->concurrency = -1;

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "instance");
    }

    rc = fcf_instance_fields(out, obj, err);

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "instance");
}


char *
fcf_instance_encode(const fcf_instance_t *instance)
{
    json_t  *obj;

    obj = json_object();

    fcf_json_put_str(&obj, "worker_ip", instance->worker_ip);
    fcf_json_put_int(&obj, "proxy_port", instance->proxy_port);

    if (instance->internal_vm_ip[0] != '\0') {
        fcf_json_put_str(&obj, "internal_vm_ip", instance->internal_vm_ip);
    }

    if (instance->version != 0) {
        fcf_json_put_int(&obj, "version", instance->version);
    }

    if (instance->concurrency >= 0) {
        fcf_json_put_int(&obj, "concurrency", instance->concurrency);
    }

    fcf_json_put_str(&obj, "state",
                     fcf_instance_state_name(instance->state));

    if (instance->started_ms != 0) {
        fcf_json_put_int(&obj, "started_ms", instance->started_ms);
    }

    return fcf_json_text(obj);
}
