#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vmm/schema.h"

#define FCV_BAD_JSON  "An error occurred when deserializing the json body of "\
                      "a request: "


static int
known(const fcv_field_t *f, int minor)
{
    return f->since <= minor;
}


static const fcv_field_t *
find_field(const fcv_field_t *fields, int minor, const char *name)
{
    const fcv_field_t  *f;

    for (f = fields; f->name; f++) {
        if (known(f, minor) && strcmp(f->name, name) == 0) {
            return f;
        }
    }

    return NULL;
}


/* "`a`, `b`, `c`" */
static void
list_names(char *buf, size_t size, const fcv_field_t *fields, int minor,
    const char *const *names)
{
    size_t       len;
    const char  *name;

    buf[0] = '\0';

    for (len = 0; len + 1 < size; ) {

        while (fields && fields->name && !known(fields, minor)) {
            fields++;
        }

        name = fields ? fields->name : *names;

        if (name == NULL) {
            return;
        }

        len += (size_t) snprintf(buf + len, size - len, "%s`%s`",
                                 len ? ", " : "", name);

        if (fields) {
            fields++;

        } else {
            names++;
        }
    }
}


static int
wrong_type(const fcv_field_t *f, json_t *value, fcf_err_t *err)
{
    char        *text;
    const char  *want;

    want = f->type == FCV_T_BOOL ? "a boolean"
           : f->type == FCV_T_INT ? "an integer"
           : f->type == FCV_T_OBJECT ? "an object"
           : f->type == FCV_T_LIST ? "a sequence" : "a string";

    text = json_dumps(value, JSON_ENCODE_ANY|JSON_COMPACT);

    (void) fcf_err_set(err, FCF_E_INVALID,
                       FCV_BAD_JSON "field `%s`: invalid type: %.80s, "
                       "expected %s.", f->name, text ? text : "?", want);
    free(text);

    return -1;
}


static int
check_enum(const fcv_field_t *f, const char *value, fcf_err_t *err)
{
    char                 list[160];
    const char *const   *name;

    for (name = f->names; *name; name++) {
        if (strcmp(*name, value) == 0) {
            return 0;
        }
    }

    list_names(list, sizeof(list), NULL, 0, f->names);

    return fcf_err_set(err, FCF_E_INVALID,
                       FCV_BAD_JSON "field `%s`: unknown variant `%.80s`, "
                       "expected one of %s.", f->name, value, list);
}


static json_t *
check_list(const fcv_field_t *f, int minor, json_t *list, fcf_err_t *err)
{
    size_t   i;
    json_t  *out, *value;

    out = json_array();

    json_array_foreach(list, i, value) {
        value = fcv_schema_apply(f->fields, minor, value, err);

        if (value == NULL || json_array_append_new(out, value) != 0) {
            (void) fcf_err_wrap(err, "`%s`", f->name);
            json_decref(out);
            return NULL;
        }
    }

    return out;
}


/* a new reference to what the checked object is to hold, or NULL */
static json_t *
check_value(const fcv_field_t *f, int minor, json_t *value, fcf_err_t *err)
{
    json_t     *obj;
    long long   n;

    switch (f->type) {

    case FCV_T_BOOL:
        return json_is_boolean(value) ? json_incref(value)
                                      : (wrong_type(f, value, err), NULL);

    case FCV_T_INT:

        if (!json_is_integer(value)) {
            (void) wrong_type(f, value, err);
            return NULL;
        }

        n = json_integer_value(value);

        if (n < f->min || n > f->max) {
            (void) fcf_err_set(err, FCF_E_INVALID,
                               FCV_BAD_JSON "field `%s`: invalid value: %lld, "
                               "expected %lld to %lld.", f->name, n, f->min,
                               f->max);
            return NULL;
        }

        return json_incref(value);

    case FCV_T_OBJECT:

        if (!json_is_object(value)) {
            (void) wrong_type(f, value, err);
            return NULL;
        }

        obj = fcv_schema_apply(f->fields, minor, value, err);

        if (obj == NULL) {
            (void) fcf_err_wrap(err, "`%s`", f->name);
        }

        return obj;

    case FCV_T_LIST:
        return json_is_array(value) ? check_list(f, minor, value, err)
                                    : (wrong_type(f, value, err), NULL);

    default:

        if (!json_is_string(value)) {
            (void) wrong_type(f, value, err);
            return NULL;
        }

        if (f->type == FCV_T_ENUM
            && check_enum(f, json_string_value(value), err) != 0)
        {
            return NULL;
        }

        return json_incref(value);
    }
}


static json_t *
default_value(const fcv_field_t *f)
{
    if (f->hidden) {
        return NULL;
    }

    return f->type == FCV_T_BOOL ? json_false()
           : f->type == FCV_T_ENUM ? json_string(f->names[0]) : json_null();
}


static int
check_unknown(const fcv_field_t *fields, int minor, json_t *body,
    fcf_err_t *err)
{
    char         list[200];
    json_t      *value;
    const char  *name;

    json_object_foreach(body, name, value) {

        if (find_field(fields, minor, name) == NULL) {
            list_names(list, sizeof(list), fields, minor, NULL);

            return fcf_err_set(err, FCF_E_INVALID,
                               FCV_BAD_JSON "unknown field `%.60s`, expected "
                               "one of %s.", name, list);
        }
    }

    return 0;
}


json_t *
fcv_schema_apply(const fcv_field_t *fields, int minor, json_t *body,
    fcf_err_t *err)
{
    json_t             *out, *value;
    const fcv_field_t  *f;

    if (!json_is_object(body)) {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           FCV_BAD_JSON "expected an object.");
        return NULL;
    }

    if (check_unknown(fields, minor, body, err) != 0) {
        return NULL;
    }

    out = json_object();

    for (f = fields; f->name; f++) {
        if (!known(f, minor)) {
            continue;
        }

        value = json_object_get(body, f->name);

        if (value == NULL && f->required) {
            (void) fcf_err_set(err, FCF_E_INVALID,
                               FCV_BAD_JSON "missing field `%s`.", f->name);
            goto failed;
        }

        /* null stands for "absent" where that is allowed */

        if (value == NULL
            || (json_is_null(value) && !f->required
                && (f->type != FCV_T_BOOL || f->nullable)))
        {
            value = default_value(f);

            if (value == NULL) {
                continue;
            }

        } else {
            value = check_value(f, minor, value, err);

            if (value == NULL) {
                goto failed;
            }
        }

        if (json_object_set_new(out, f->name, value) != 0) {
            (void) fcf_err_set(err, FCF_E_NOMEM, "out of memory");
            goto failed;
        }
    }

    return out;

failed:

    json_decref(out);

    return NULL;
}


json_t *
fcv_schema_parse(const fcv_field_t *fields, int minor, const char *data,
    size_t len, fcf_err_t *err)
{
    json_t        *body, *out;
    json_error_t   error;

    body = json_loadb(data, len, JSON_REJECT_DUPLICATES, &error);

    if (body == NULL) {
        (void) fcf_err_set(err, FCF_E_INVALID,
                           FCV_BAD_JSON "%s at line %d column %d.",
                           error.text, error.line, error.column);
        return NULL;
    }

    out = fcv_schema_apply(fields, minor, body, err);

    json_decref(body);

    return out;
}


const char *
fcv_str(const json_t *obj, const char *name)
{
    return json_string_value(json_object_get(obj, name));
}


long long
fcv_int(const json_t *obj, const char *name)
{
    return json_integer_value(json_object_get(obj, name));
}


int
fcv_bool(const json_t *obj, const char *name)
{
    return json_is_true(json_object_get(obj, name));
}
