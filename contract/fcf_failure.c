#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"


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


/* how many bytes at p are one well-formed UTF-8 character, 0 if none */

static size_t
fcf_utf8_len(const unsigned char *p, size_t len)
{
    size_t    i, n;
    unsigned  c;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;

    } else {
        return 0;
    }

    if (n > len) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    /* over-long forms, surrogates, beyond U+10FFFF */

    c = (unsigned) p[0] << 8 | p[1];

    if ((n == 3 && (c < 0xe0a0 || (c >= 0xeda0 && c <= 0xedbf)))
        || (n == 4 && (c < 0xf090 || c > 0xf48f)))
    {
        return 0;
    }

    return n;
}


/* copies what fits in FCF_FAILURE_MESSAGE_MAX, whole characters only */

static void
fcf_failure_message(char *dst, const char *src, size_t len)
{
    size_t                n, at;
    const unsigned char  *p;

    p = (const unsigned char *) src;

    for (at = 0; at < len && at < FCF_FAILURE_MESSAGE_MAX - 1; at += n) {

        n = fcf_utf8_len(p + at, len - at);

        if (n == 0) {
            dst[at] = '?';
            n = 1;
            continue;
        }

        if (at + n > FCF_FAILURE_MESSAGE_MAX - 1) {
            break;
        }

        memcpy(dst + at, p + at, n);
    }

    dst[at] = '\0';
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
        || fcf_json_int64(obj, "version", 0, INT64_MAX, &out->version, err))
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

    fcf_failure_message(out->message, json_string_value(message),
                        json_string_length(message));

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

    fcf_failure_message(message, failure->message,
                        strnlen(failure->message, FCF_FAILURE_MESSAGE_MAX));

    obj = json_object();

    fcf_json_put_str(&obj, "error", fcf_failure_name(failure->error));
    fcf_json_put_str(&obj, "message", message);

    if (failure->node_id[0] != '\0') {
        fcf_json_put_str(&obj, "node_id", failure->node_id);
    }

    fcf_json_put_int(&obj, "version", failure->version);

    return fcf_json_text(obj);
}
