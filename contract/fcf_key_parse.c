#include <string.h>

#include "contract/fcf_names.h"


/* a piece of a key up to the next slash or the end */

typedef struct {
    const char  *p;
    const char  *end;
} fcf_key_rest_t;


static int
fcf_key_skip(fcf_key_rest_t *rest, const char *s)
{
    size_t  len;

    len = strlen(s);

    if ((size_t) (rest->end - rest->p) < len || memcmp(rest->p, s, len) != 0) {
        return 0;
    }

    rest->p += len;

    return 1;
}


static size_t
fcf_key_piece(fcf_key_rest_t *rest, const char **piece)
{
    const char  *slash;

    *piece = rest->p;

    slash = memchr(rest->p, '/', (size_t) (rest->end - rest->p));
    rest->p = (slash != NULL) ? slash : rest->end;

    return (size_t) (rest->p - *piece);
}


/* decimal, in its one spelling, to the end of the key; -1 if it is not */

static int64_t
fcf_key_number(fcf_key_rest_t *rest)
{
    size_t       i, len;
    int64_t      n;
    const char  *s;

    len = fcf_key_piece(rest, &s);

    if (rest->p != rest->end || len == 0 || len > 18
        || (s[0] == '0' && len > 1))
    {
        return -1;
    }

    n = 0;

    for (i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return -1;
        }

        n = n * 10 + (s[i] - '0');
    }

    return n;
}


static int
fcf_key_id(char *dst, fcf_key_rest_t *rest)
{
    size_t       len;
    const char  *s;

    len = fcf_key_piece(rest, &s);

    if (!fcf_id_valid(s, len)) {
        return 0;
    }

    memcpy(dst, s, len);
    dst[len] = '\0';

    return 1;
}


static fcf_key_e
fcf_key_parse_spec(fcf_key_t *out, fcf_key_rest_t *rest)
{
    if (!fcf_key_id(out->function_id, rest)) {
        return FCF_KEY_OTHER;
    }

    if (rest->p == rest->end) {
        return FCF_KEY_SPEC;
    }

    if (!fcf_key_skip(rest, "/versions/")) {
        return FCF_KEY_OTHER;
    }

    out->number = fcf_key_number(rest);

    return (out->number < 1) ? FCF_KEY_OTHER : FCF_KEY_SPEC_VERSION;
}


static fcf_key_e
fcf_key_parse_secret(fcf_key_t *out, fcf_key_rest_t *rest)
{
    if (!fcf_key_id(out->function_id, rest) || !fcf_key_skip(rest, "/")) {
        return FCF_KEY_OTHER;
    }

    out->number = fcf_key_number(rest);

    return (out->number < 1) ? FCF_KEY_OTHER : FCF_KEY_SECRET;
}


static fcf_key_e
fcf_key_parse_function(fcf_key_t *out, fcf_key_rest_t *rest)
{
    int        (*valid)(const char *s, size_t len);
    size_t       len;
    fcf_key_e    kind;
    const char  *s;

    if (!fcf_key_id(out->function_id, rest)) {
        return FCF_KEY_OTHER;
    }

    if (fcf_key_skip(rest, "/slots/")) {
        out->number = fcf_key_number(rest);

        return (out->number < 0 || out->number >= FCF_INSTANCES_MAX)
               ? FCF_KEY_OTHER : FCF_KEY_SLOT;
    }

    if (fcf_key_skip(rest, "/instances/")) {
        kind = FCF_KEY_INSTANCE;
        valid = fcf_worker_id_valid;

    } else if (fcf_key_skip(rest, "/failures/")) {
        kind = FCF_KEY_FAILURE;
        valid = fcf_request_id_valid;

    } else {
        return FCF_KEY_OTHER;
    }

    len = fcf_key_piece(rest, &s);

    if (rest->p != rest->end || !valid(s, len)) {
        return FCF_KEY_OTHER;
    }

    memcpy(out->name, s, len);
    out->name[len] = '\0';

    return kind;
}


/* a name, and nothing behind it */
static fcf_key_e
fcf_key_parse_name(fcf_key_t *out, fcf_key_rest_t *rest, fcf_key_e kind)
{
    return fcf_key_id(out->name, rest) && rest->p == rest->end
           ? kind : FCF_KEY_OTHER;
}


void
fcf_key_parse(fcf_key_t *out, const char *prefix, const char *key, size_t len)
{
    fcf_key_e       kind;
    fcf_key_rest_t  rest;

    memset(out, 0, sizeof(fcf_key_t));

    rest.p = key;
    rest.end = key + len;
    kind = FCF_KEY_OTHER;

    if (!fcf_key_skip(&rest, prefix)) {
        return;
    }

    if (fcf_key_skip(&rest, "/specs/")) {
        kind = fcf_key_parse_spec(out, &rest);

    } else if (fcf_key_skip(&rest, "/secrets/")) {
        kind = fcf_key_parse_secret(out, &rest);

    } else if (fcf_key_skip(&rest, "/functions/")) {
        kind = fcf_key_parse_function(out, &rest);

    } else if (fcf_key_skip(&rest, "/workers/")) {
        kind = fcf_key_parse_name(out, &rest, FCF_KEY_WORKER);

    } else if (fcf_key_skip(&rest, "/runtimes/")) {
        kind = fcf_key_parse_name(out, &rest, FCF_KEY_RUNTIME);
    }

    if (kind == FCF_KEY_OTHER) {
        memset(out, 0, sizeof(fcf_key_t));
    }

    out->kind = kind;
}
