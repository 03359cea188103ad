#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "contract/fcf_json.h"
#include "contract/fcf_names.h"


json_t *
fcf_json_parse(const char *text, size_t len, fcf_err_t *err)
{
    json_t        *obj;
    json_error_t   why;

    if (len > FCF_VALUE_MAX) {
        fcf_err_set(err, FCF_E_INVALID, "%zu bytes, more than %d", len,
                    FCF_VALUE_MAX);
        return NULL;
    }

    obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (obj == NULL) {
        fcf_err_set(err, json_error_code(&why) == json_error_out_of_memory
                         ? FCF_E_NOMEM : FCF_E_INVALID,
                    "not JSON at byte %d: %s", why.position, why.text);
        return NULL;
    }

    if (!json_is_object(obj)) {
        fcf_err_set(err, FCF_E_INVALID, "not a JSON object");
        json_decref(obj);
        return NULL;
    }

    return obj;
}


int
fcf_json_int64(const json_t *obj, const char *name, int64_t min, int64_t max,
    int64_t *out, fcf_err_t *err)
{
    int64_t        n;
    const json_t  *value;

    value = json_object_get(obj, name);

    if (value == NULL) {
        return 0;
    }

    if (!json_is_integer(value)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: not an integer", name);
    }

    n = json_integer_value(value);

    if (n < min || n > max) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: %" PRId64 " is not between %" PRId64
                           " and %" PRId64, name, n, min, max);
    }

    *out = n;

    return 0;
}


int
fcf_json_int(const json_t *obj, const char *name, int min, int max, int *out,
    fcf_err_t *err)
{
    int64_t  n;

    n = *out;

    if (fcf_json_int64(obj, name, min, max, &n, err) != 0) {
        return -1;
    }

    *out = (int) n;

    return 0;
}


int
fcf_json_str(const json_t *obj, const char *name, char *buf, size_t size,
    int (*valid)(const char *s, size_t len), fcf_err_t *err)
{
    size_t         len;
    const char    *s;
    const json_t  *value;

    value = json_object_get(obj, name);

    if (value == NULL) {
        return 0;
    }

    if (!json_is_string(value)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: not a string", name);
    }

    s = json_string_value(value);
    len = json_string_length(value);

    if (len >= size) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s: %zu bytes, more than %zu", name, len,
                           size - 1);
    }

    if (valid != NULL && !valid(s, len)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: bad value \"%s\"", name,
                           s);
    }

    memcpy(buf, s, len);
    buf[len] = '\0';

    return 0;
}


int
fcf_json_enum(const json_t *obj, const char *name, const fcf_json_enum_t *list,
    int *out, fcf_err_t *err)
{
    const char    *s;
    const json_t  *value;

    value = json_object_get(obj, name);

    if (value == NULL) {
        return 0;
    }

    s = json_string_value(value);

    if (s == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: not a string", name);
    }

    for ( /* void */ ; list->name != NULL; list++) {
        if (strcmp(list->name, s) == 0) {
            *out = list->value;
            return 0;
        }
    }

    return fcf_err_set(err, FCF_E_INVALID, "%s: unknown value \"%.64s\"", name,
                       s);
}


int
fcf_json_child(const json_t *obj, const char *name, json_type type,
    json_t **out, fcf_err_t *err)
{
    *out = json_object_get(obj, name);

    return *out == NULL || json_typeof(*out) == type ? 0
           : fcf_err_set(err, FCF_E_INVALID, "%s: not an %s", name,
                         type == JSON_ARRAY ? "array" : "object");
}


int
fcf_json_required(const json_t *obj, const char *name, fcf_err_t *err)
{
    if (json_object_get(obj, name) == NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: missing", name);
    }

    return 0;
}


int
fcf_address_valid(const char *s, size_t len)
{
    unsigned char  addr[16];

    /* json strings are NUL-terminated and without NUL inside */

    return len < FCF_ADDR_MAX
           && (inet_pton(AF_INET, s, addr) == 1
               || inet_pton(AF_INET6, s, addr) == 1);
}


int
fcf_authority_valid(const char *p, size_t len)
{
    long         port;
    char         digits[6], address[FCF_ADDR_MAX];
    size_t       host, rest;
    const char  *end;

    if (len != 0 && *p == '[') {        /* IPv6 */
        end = memchr(p, ']', len);

        if (end == NULL) {
            return 0;
        }

        host = (size_t) (end - p) - 1;
        rest = len - host - 2;
        p++;
        end++;

    } else {
        end = memchr(p, ':', len);
        end = end != NULL ? end : p + len;
        host = (size_t) (end - p);
        rest = len - host;
    }

    if (host >= sizeof(address)) {
        return 0;
    }

    memcpy(address, p, host);
    address[host] = '\0';

    if (!fcf_address_valid(address, host)) {
        return 0;
    }

    if (rest == 0) {
        return 1;
    }

    if (*end != ':' || rest < 2 || rest > sizeof(digits)
        || strspn(end + 1, "0123456789") < rest - 1)
    {
        return 0;
    }

    memcpy(digits, end + 1, rest - 1);
    digits[rest - 1] = '\0';
    port = strtol(digits, NULL, 10);

    return port > 0 && port < 65536;
}


void
fcf_json_put(json_t **obj, const char *name, json_t *value)
{
    if (*obj == NULL) {
        json_decref(value);
        return;
    }

    /* a NULL value is refused here too */

    if (json_object_set_new(*obj, name, value) != 0) {
        json_decref(*obj);
        *obj = NULL;
    }
}


void
fcf_json_put_int(json_t **obj, const char *name, int64_t value)
{
    fcf_json_put(obj, name, json_integer(value));
}


void
fcf_json_put_str(json_t **obj, const char *name, const char *value)
{
    fcf_json_put(obj, name, json_string(value));
}


char *
fcf_json_text(json_t *obj)
{
    char  *text;

    if (obj == NULL) {
        return NULL;
    }

    text = json_dumps(obj, JSON_COMPACT);
    json_decref(obj);

    return text;
}
