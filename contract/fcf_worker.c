#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"


static const fcf_json_enum_t  fcf_worker_states[] = {
    { "ready",    FCF_WORKER_READY },
    { "draining", FCF_WORKER_DRAINING },
    { "ill",      FCF_WORKER_ILL },
    { NULL, 0 }
};


const char *
fcf_worker_state_name(fcf_worker_state_e state)
{
    return fcf_worker_states[state].name;
}


/* where requests are sent, with what else stands in a URL behind it */
static int
fcf_worker_admin_valid(const char *s, size_t len)
{
    return len == 0 || fcf_authority_valid(s, len);
}


static int
fcf_worker_fields(fcf_worker_t *out, const json_t *obj, fcf_err_t *err)
{
    int  state;

    state = FCF_WORKER_READY;

    if (fcf_json_required(obj, "address", err) != 0
        || fcf_json_str(obj, "address", out->address, sizeof(out->address),
                        fcf_address_valid, err)
        || fcf_json_str(obj, "admin", out->admin, sizeof(out->admin),
                        fcf_worker_admin_valid, err)
        || fcf_json_str(obj, "vmm_version", out->vmm_version,
                        sizeof(out->vmm_version), NULL, err)
        || fcf_json_int(obj, "cpu", 0, INT32_MAX, &out->cpu, err) != 0
        || fcf_json_int(obj, "memory_mb", 0, INT32_MAX, &out->memory_mb, err)
        || fcf_json_int(obj, "cpu_free", 0, INT32_MAX, &out->cpu_free, err)
        || fcf_json_int(obj, "memory_mb_free", 0, INT32_MAX,
                        &out->memory_mb_free, err)
        || fcf_json_int(obj, "vms", 0, INT32_MAX, &out->vms, err) != 0
        || fcf_json_str(obj, "agent_version", out->agent_version,
                        sizeof(out->agent_version), NULL, err)
        || fcf_json_enum(obj, "state", fcf_worker_states, &state, err) != 0
        || fcf_json_str(obj, "reason", out->reason, sizeof(out->reason), NULL,
                        err))
    {
        return -1;
    }

    out->state = (fcf_worker_state_e) state;

    return 0;
}


int
fcf_worker_decode(fcf_worker_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_worker_t));

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "worker");
    }

    rc = fcf_worker_fields(out, obj, err);

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "worker");
}


char *
fcf_worker_encode(const fcf_worker_t *worker)
{
    json_t  *obj;

    obj = json_object();

    fcf_json_put_str(&obj, "address", worker->address);

    if (worker->admin[0] != '\0') {
        fcf_json_put_str(&obj, "admin", worker->admin);
    }

    if (worker->vmm_version[0] != '\0') {
        fcf_json_put_str(&obj, "vmm_version", worker->vmm_version);
    }

    fcf_json_put_int(&obj, "cpu", worker->cpu);
    fcf_json_put_int(&obj, "memory_mb", worker->memory_mb);
    fcf_json_put_int(&obj, "cpu_free", worker->cpu_free);
    fcf_json_put_int(&obj, "memory_mb_free", worker->memory_mb_free);
    fcf_json_put_int(&obj, "vms", worker->vms);
    fcf_json_put_str(&obj, "agent_version", worker->agent_version);
    fcf_json_put_str(&obj, "state", fcf_worker_state_name(worker->state));

    if (worker->reason[0] != '\0') {
        fcf_json_put_str(&obj, "reason", worker->reason);
    }

    return fcf_json_text(obj);
}
