/* What a version's code or a runtime is: the digest of its image, how large
 * that is, and where it may be fetched from. */

#include <stdlib.h>
#include <string.h>

#include "contract/fcf_code.h"


static int
fcf_image_sha256_valid(const char *s, size_t len)
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
fcf_image_where(fcf_image_t *out, const json_t *image, fcf_err_t *err)
{
    size_t        i, len, used;
    json_t       *where;
    const char   *url;

    if (fcf_json_child(image, "where", JSON_ARRAY, &where, err) != 0) {
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
            out->where[used++] = ' ';
        }

        memcpy(out->where + used, url, len);
        used += len;
        out->where[used] = '\0';
    }

    return 0;
}


static int
fcf_image_take(fcf_image_t *out, const json_t *image, fcf_err_t *err)
{
    return fcf_json_str(image, "sha256", out->sha256, sizeof(out->sha256),
                        fcf_image_sha256_valid, err) != 0
           || fcf_json_int64(image, "size", 0, INT64_MAX, &out->size, err)
              != 0
           || fcf_image_where(out, image, err) != 0 ? -1 : 0;
}


int
fcf_spec_image(fcf_image_t *out, const json_t *obj, const char *field,
    fcf_err_t *err)
{
    json_t  *image;

    if (fcf_json_child(obj, field, JSON_OBJECT, &image, err) != 0
        || image == NULL)
    {
        return image == NULL ? 0 : -1;
    }

    return fcf_image_take(out, image, err) == 0
           ? 0 : fcf_err_wrap(err, "%s", field);
}


int
fcf_spec_names(const fcf_spec_t *spec, const char *sha256)
{
    return strcmp(spec->code.sha256, sha256) == 0
           || strcmp(spec->runtime_image.sha256, sha256) == 0;
}


int
fcf_runtime_decode(fcf_image_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_image_t));

    obj = fcf_json_parse(text, len, err);

    if (obj == NULL) {
        return fcf_err_wrap(err, "runtime");
    }

    rc = fcf_json_required(obj, "sha256", err) != 0
         || fcf_image_take(out, obj, err) != 0 ? -1 : 0;

    json_decref(obj);

    return rc == 0 ? 0 : fcf_err_wrap(err, "runtime");
}


static json_t *
fcf_image_put_where(const char *where)
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


static json_t *
fcf_image_object(const fcf_image_t *image)
{
    json_t  *obj;

    obj = json_object();

    if (image->sha256[0] != '\0') {
        fcf_json_put_str(&obj, "sha256", image->sha256);
    }

    fcf_json_put_int(&obj, "size", image->size);

    if (image->where[0] != '\0') {
        fcf_json_put(&obj, "where", fcf_image_put_where(image->where));
    }

    return obj;
}


void
fcf_spec_put_image(json_t **obj, const char *field, const fcf_image_t *image)
{
    if (image->sha256[0] != '\0' || image->size != 0
        || image->where[0] != '\0')
    {
        fcf_json_put(obj, field, fcf_image_object(image));
    }
}


char *
fcf_runtime_encode(const fcf_image_t *image)
{
    return fcf_json_text(fcf_image_object(image));
}
