#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"
#include "contract/fcf_text.h"


static const fcf_json_enum_t  fcf_failures[] = {
#define FCF_X(id, name)  { name, FCF_FAILURE_##id },
    FCF_FAILURES(FCF_X)
#undef FCF_X
    { NULL, 0 }
};


const char *
fcf_failure_name(fcf_failure_e error)
{
    return (error < FCF_FAILURE_N) ? fcf_failures[error].name : "unknown";
}


static int
fcf_failure_fields(fcf_failure_t *out, const json_t *obj, fcf_err_t *err)
{
    int            error;
    const json_t  *message;

    error = 0;

    if (fcf_json_required(obj, "error", err) != 0
        || fcf_json_enum(obj, "error", fcf_failures, &error, err) != 0
        || fcf_json_str(obj, "node_id", out->node_id, sizeof(out->node_id),
                        fcf_id_valid, err)
        || fcf_json_int64(obj, "version", 0, INT64_MAX, &out->version, err)
        || fcf_json_int(obj, "booting", 0, 1, &out->booting, err) != 0)
    {
        return -1;
    }

    out->error = (fcf_failure_e) error;

    message = json_object_get(obj, "message");

    if (message == NULL) {
        return 0;
    }

    if (!json_is_string(message)) {
        return fcf_err_set(err, FCF_E_INVALID, "message: not a string");
    }

    fcf_text_clean(out->message, sizeof(out->message),
                   json_string_value(message), json_string_length(message), 0);

    return 0;
}


int
fcf_failure_decode(fcf_failure_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_failure_t));

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "failure");
    }

    rc = fcf_failure_fields(out, obj, err);

    json_decref(obj);

    return (rc == 0) ? 0 : fcf_err_wrap(err, "failure");
}


char *
fcf_failure_encode(const fcf_failure_t *failure)
{
    char     message[FCF_FAILURE_MESSAGE_MAX];
    json_t  *obj;

    fcf_text_clean(message, sizeof(message), failure->message,
                   strnlen(failure->message, FCF_FAILURE_MESSAGE_MAX), 0);

    obj = json_object();

    fcf_json_put_str(&obj, "error", fcf_failure_name(failure->error));
    fcf_json_put_str(&obj, "message", message);

    if (failure->node_id[0] != '\0') {
        fcf_json_put_str(&obj, "node_id", failure->node_id);
    }

    fcf_json_put_int(&obj, "version", failure->version);

    if (failure->booting) {
        fcf_json_put_int(&obj, "booting", 1);
    }

    return fcf_json_text(obj);
}
