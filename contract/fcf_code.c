/* What a version's code is: the digest of its image, how large that is, and
 * where it may be fetched from. */

#include <stdlib.h>
#include <string.h>

#include "contract/fcf_code.h"


static int
fcf_spec_sha256_valid(const char *s, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) {
            return 0;
        }
    }

    return len == 64;
}


int
fcf_store_valid(const char *url, size_t len)
{
    char         text[FCF_WHERE_MAX + 1];
    size_t       i;
    const char  *p;

    if (len == 0 || len > FCF_WHERE_MAX || url[len - 1] == '/') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (url[i] <= ' ' || url[i] > '~' || strchr("\"\\?#@", url[i])) {
            return 0;
        }
    }

    memcpy(text, url, len);
    text[len] = '\0';

    p = strncmp(text, "https://", 8) == 0 ? text + 8
        : strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;

    return p != NULL && fcf_authority_valid(p, strcspn(p, "/"));
}


static int
fcf_spec_where(fcf_spec_t *out, const json_t *code, fcf_err_t *err)
{
    size_t        i, len, used;
    json_t       *where;
    const char   *url;

    if (fcf_json_child(code, "where", JSON_ARRAY, &where, err) != 0) {
        return -1;
    }

    used = 0;

    for (i = 0; i < json_array_size(where); i++) {

        url = json_string_value(json_array_get(where, i));
        len = url != NULL ? json_string_length(json_array_get(where, i)) : 0;

        if (url == NULL || !fcf_store_valid(url, len)) {
            return fcf_err_set(err, FCF_E_INVALID, "where[%zu]: bad value "
                               "\"%s\"", i, url != NULL ? url : "");
        }

        if (used + len + 1 > FCF_WHERE_MAX) {
            return fcf_err_set(err, FCF_E_INVALID, "where: is longer than %d "
                               "bytes in all", FCF_WHERE_MAX);
        }

        if (used != 0) {
            out->code_where[used++] = ' ';
        }

        memcpy(out->code_where + used, url, len);
        used += len;
        out->code_where[used] = '\0';
    }

    return 0;
}


int
fcf_spec_code(fcf_spec_t *out, const json_t *obj, fcf_err_t *err)
{
    json_t  *code;

    if (fcf_json_child(obj, "code", JSON_OBJECT, &code, err) != 0
        || code == NULL)
    {
        return code == NULL ? 0 : -1;
    }

    if (fcf_json_str(code, "sha256", out->code_sha256,
                     sizeof(out->code_sha256), fcf_spec_sha256_valid, err)
        || fcf_json_int64(code, "size", 0, INT64_MAX, &out->code_size, err)
        || fcf_spec_where(out, code, err) != 0)
    {
        return fcf_err_wrap(err, "code");
    }

    return 0;
}


static json_t *
fcf_spec_put_where(const char *where)
{
    size_t   n;
    json_t  *urls;

    urls = json_array();

    for ( /* void */ ; *where != '\0'; where += n, where += *where == ' ') {

        n = strcspn(where, " ");

        if (json_array_append_new(urls, json_stringn(where, n)) != 0) {
            json_decref(urls);
            return NULL;
        }
    }

    return urls;
}


void
fcf_spec_put_code(json_t **obj, const fcf_spec_t *spec)
{
    json_t  *code;

    if (spec->code_sha256[0] == '\0' && spec->code_size == 0
        && spec->code_where[0] == '\0')
    {
        return;
    }

    code = json_object();

    if (spec->code_sha256[0] != '\0') {
        fcf_json_put_str(&code, "sha256", spec->code_sha256);
    }

    fcf_json_put_int(&code, "size", spec->code_size);

    if (spec->code_where[0] != '\0') {
        fcf_json_put(&code, "where", fcf_spec_put_where(spec->code_where));
    }

    fcf_json_put(obj, "code", code);
}
