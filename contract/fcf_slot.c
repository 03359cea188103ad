#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"


static int
fcf_slot_fields(fcf_slot_t *out, const json_t *obj, fcf_err_t *err)
{
    if (fcf_json_required(obj, "worker_id", err) != 0
        || fcf_json_str(obj, "worker_id", out->worker_id,
                        sizeof(out->worker_id), fcf_worker_id_valid, err)
        || fcf_json_str(obj, "request_id", out->request_id,
                        sizeof(out->request_id), fcf_request_id_valid, err)
        || fcf_json_int64(obj, "version", 0, INT64_MAX, &out->version, err))
    {
        return -1;
    }

    return 0;
}


int
fcf_slot_decode(fcf_slot_t *out, const char *text, size_t len, fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_slot_t));

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "slot");
    }

    rc = fcf_slot_fields(out, obj, err);

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "slot");
}


char *
fcf_slot_encode(const fcf_slot_t *slot)
{
    json_t  *obj;

    obj = json_object();

    fcf_json_put_str(&obj, "worker_id", slot->worker_id);

    if (slot->request_id[0] != '\0') {
        fcf_json_put_str(&obj, "request_id", slot->request_id);
    }

    fcf_json_put_int(&obj, "version", slot->version);

    return fcf_json_text(obj);
}
