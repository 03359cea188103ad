/*
 * A QEMU command line as a configuration file (qemu-options, -readconfig): a
 * group for each option, a line for each of its values.  There is no way to
 * write a quote in a value, nor one of 1024 bytes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "contract/fcf_buf.h"
#include "vm/vmm/qemu_config.h"

#define FCV_CONFIG_MAX  16384
#define FCV_VALUE_MAX   1023

typedef int (*option_pt)(fcf_buf_t *out, const char *group, const char *first,
    const char *value);


static int
add_value(fcf_buf_t *out, const char *key, size_t key_len, const char *value,
    size_t len)
{
    if (len == 0 || len > FCV_VALUE_MAX || memchr(value, '"', len)
        || memchr(value, '\n', len))
    {
        return -1;
    }

    return fcf_buf_addf(out, "%.*s = \"%.*s\"\n", (int) key_len, key,
                        (int) len, value);
}


static int
add_text(fcf_buf_t *out, const char *key, const char *value)
{
    return value ? add_value(out, key, strlen(key), value, strlen(value)) : -1;
}


/* "a,id=b,c=d": none of the commas is doubled, which is one of a value's */
static int
add_list(fcf_buf_t *out, const char *group, const char *first,
    const char *value)
{
    size_t       n;
    const char  *p, *eq, *id;

    if (strstr(value, ",,")) {
        return -1;
    }

    id = strstr(value, ",id=");
    n = id ? strcspn(id + 4, ",") : 0;

    if (fcf_buf_addf(out, id ? "[%s \"%.*s\"]\n" : "[%s]\n", group, (int) n,
                     id ? id + 4 : "") != 0
        || add_value(out, first, strlen(first), value, strcspn(value, ",")))
    {
        return -1;
    }

    for (p = strchr(value, ','); p; p = p[n] ? p + n : NULL) {
        n = strcspn(++p, ",");
        eq = memchr(p, '=', n);

        if (eq == NULL) {
            return -1;
        }

        if (strncmp(p, "id=", 3) != 0
            && add_value(out, p, (size_t) (eq - p), eq + 1,
                         n - (size_t) (eq + 1 - p)) != 0)
        {
            return -1;
        }
    }

    return 0;
}


static int
add_memory(fcf_buf_t *out, const char *group, const char *first,
    const char *value)
{
    return fcf_buf_addf(out, "[%s]\n%s = \"%sM\"\n", group, first, value);
}


/* one level after the other: a.b.c, but that of a throttle-group, which it has
 * by other names too */
static int
add_members(fcf_buf_t *out, json_t *json, const char *prefix)
{
    int          rc = 0;
    char         name[64], number[32];
    json_t      *value;
    const char  *key;

    json_object_foreach(json, key, value) {

        if (strcmp(key, "id") == 0 || strcmp(key, "node-name") == 0) {
            continue;
        }

        if (strcmp(key, "limits") == 0) {
            snprintf(name, sizeof(name), "x-");
        } else {
            snprintf(name, sizeof(name), "%s%s%s", prefix, key,
                     json_is_object(value) ? "." : "");
        }

        snprintf(number, sizeof(number), "%lld", json_integer_value(value));

        rc = json_is_object(value) ? add_members(out, value, name)
             : json_is_string(value) ? add_text(out, name,
                                                json_string_value(value))
             : json_is_integer(value) ? add_text(out, name, number)
             : add_text(out, name, json_is_true(value) ? "on" : "off");

        if (rc != 0) {
            break;
        }
    }

    return rc;
}


/* first: a line that is added */
static int
add_json(fcf_buf_t *out, const char *group, const char *first,
    const char *text)
{
    int          rc;
    json_t      *json;
    const char  *id;

    json = json_loads(text, 0, NULL);
    id = json_string_value(json_object_get(json, "id"));

    if (id == NULL) {
        id = json_string_value(json_object_get(json, "node-name"));
    }

    rc = id == NULL
         || fcf_buf_addf(out, "[%s \"%s\"]\n%s", group, id, first)
         || add_members(out, json, "");

    json_decref(json);

    return rc ? -1 : 0;
}


static int
add_object(fcf_buf_t *out, const char *group, const char *first,
    const char *value)
{
    return *value == '{' ? add_json(out, group, "", value)
                         : add_list(out, group, first, value);
}


static const struct {
    const char  *option;
    const char  *group, *first;
    option_pt    add;
} options[] = {
    { "-M", "machine", "type", add_list },
    { "-m", "memory", "size", add_memory },
    /* which is the same device */
    { "-blockdev", "drive", "if = \"none\"\n", add_json },
    { "-netdev", "netdev", "type", add_list },
    { "-object", "object", "qom-type", add_object },
    { "-device", "device", "driver", add_list },
};


static int
add_option(fcf_buf_t *out, const char *option, const char *value)
{
    size_t  i;

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(options[i].option, option) == 0) {
            return options[i].add(out, options[i].group, options[i].first,
                                  value);
        }
    }

    return -1;
}


static const char *
value_of(const fcv_args_t *args, unsigned i)
{
    return i + 1 < args->argc && args->argv[i + 1][0] != '-'
           ? args->argv[i + 1] : "";
}


static int
is_given(const fcv_args_t *given, const char *option, const char *value)
{
    unsigned  i;

    for (i = 1; i < given->argc; i++) {
        if (strcmp(given->argv[i], option) == 0
            && strcmp(value_of(given, i), value) == 0)
        {
            return 1;
        }
    }

    return 0;
}


char *
fcv_qemu_config(const fcv_args_t *args, const fcv_args_t *given)
{
    unsigned     i;
    fcf_buf_t    out;
    const char  *option, *value;

    fcf_buf_init(&out, FCV_CONFIG_MAX);

    for (i = 1; i < args->argc; i += value[0] ? 2 : 1) {

        option = args->argv[i];
        value = value_of(args, i);

        if (!is_given(given, option, value)
            && add_option(&out, option, value) != 0)
        {
            fcf_buf_free(&out);
            return NULL;
        }
    }

    return fcf_buf_take(&out, NULL);
}
