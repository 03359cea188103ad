#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "contract/fcf_mac.h"
#include "vm/guest.h"
#include "vm/init/config.h"
#include "vm/init/frame.h"

#define ENV_OWN       8                 /* variables of ours, and the NULL */


static int
get_json(fcv_config_t *conf, const uint8_t *data, size_t len, fcf_err_t *err)
{
    uint32_t      n;
    json_error_t  where;

    if (len < FCV_CONFIG_HEAD
        || memcmp(data, FCV_CONFIG_MAGIC, sizeof(FCV_CONFIG_MAGIC) - 1) != 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, "does not begin with "
                           FCV_CONFIG_MAGIC);
    }

    n = fcv_get_be32(data + sizeof(FCV_CONFIG_MAGIC) - 1);

    if (n > FCV_CONFIG_MAX) {
        return fcf_err_set(err, FCF_E_LIMIT,
                           "%u bytes of JSON announced, at most %d allowed",
                           (unsigned) n, FCV_CONFIG_MAX);
    }

    if (n > len - FCV_CONFIG_HEAD) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%u bytes of JSON announced, %zu are there",
                           (unsigned) n, len - FCV_CONFIG_HEAD);
    }

    conf->json = json_loadb((const char *) data + FCV_CONFIG_HEAD, n, 0,
                            &where);
    if (conf->json == NULL) {
        /* not where.text: it may quote a secret */
        return fcf_err_set(err, FCF_E_INVALID, "bad JSON at byte %d",
                           where.position);
    }

    if (!json_is_object(conf->json)) {
        return fcf_err_set(err, FCF_E_INVALID, "JSON is not an object");
    }

    return 0;
}


/* *out stays as it is if the field is absent and not required */

static int
get_string(const fcv_config_t *conf, const char *name, int required,
    size_t max, const char **out, fcf_err_t *err)
{
    json_t  *value;

    value = json_object_get(conf->json, name);

    if (value == NULL && !required) {
        return 0;
    }

    if (!json_is_string(value) || json_string_length(value) == 0) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not a string", name);
    }

    if (json_string_length(value) > max) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is longer than %zu", name,
                           max);
    }

    *out = json_string_value(value);

    return 0;
}


static int
get_integer(const fcv_config_t *conf, const char *name, int64_t min,
    int64_t max, int64_t *out, fcf_err_t *err)
{
    json_t  *value;

    value = json_object_get(conf->json, name);

    if (value == NULL) {
        return 0;
    }

    if (!json_is_integer(value)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not an integer", name);
    }

    if (json_integer_value(value) < min || json_integer_value(value) > max) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s is %lld, not within %lld-%lld", name,
                           (long long) json_integer_value(value),
                           (long long) min, (long long) max);
    }

    *out = json_integer_value(value);

    return 0;
}


static int
get_address(const fcv_config_t *conf, const char *name, struct in_addr *out,
    fcf_err_t *err)
{
    const char  *text;

    if (get_string(conf, name, 1, 256, &text, err) < 0) {
        return -1;
    }

    if (inet_pton(AF_INET, text, out) != 1) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "%s is \"%s\", not an IPv4 address", name, text);
    }

    return 0;
}


static int
get_mac(fcv_config_t *conf, fcf_err_t *err)
{
    const char  *text;

    text = NULL;

    if (get_string(conf, "mac", 0, 256, &text, err) < 0) {
        return -1;
    }

    if (text == NULL) {
        return 0;
    }

    if (fcf_mac_parse(text, conf->mac) < 0
        || fcf_mac_is_multicast(conf->mac))
    {
        return fcf_err_set(err, FCF_E_INVALID,
                           "mac is \"%s\", not a unicast MAC address", text);
    }

    conf->has_mac = 1;

    return 0;
}


static int
get_network(fcv_config_t *conf, fcf_err_t *err)
{
    int64_t  prefix_len, mtu;

    prefix_len = 24;
    mtu = 0;

    if (get_address(conf, "address", &conf->address, err) < 0
        || get_address(conf, "gateway", &conf->gateway, err) < 0
        || get_integer(conf, "prefix_len", 1, 30, &prefix_len, err) < 0
        || get_integer(conf, "mtu", 68, 65535, &mtu, err) < 0
        || get_mac(conf, err) < 0)
    {
        return -1;
    }

    conf->mtu = (int) mtu;
    conf->netmask.s_addr = htonl((uint32_t) (~0ull << (32 - prefix_len)));

    return 0;
}


static int
get_version(fcv_config_t *conf, fcf_err_t *err)
{
    json_t   *value;
    int64_t   n;

    value = json_object_get(conf->json, "version");
    n = -1;

    if (json_is_string(value)
        && json_string_length(value) < sizeof(conf->version))
    {
        memcpy(conf->version, json_string_value(value),
               json_string_length(value) + 1);
        return 0;
    }

    if (get_integer(conf, "version", 0, INT64_MAX, &n, err) < 0) {
        return -1;
    }

    if (n >= 0) {
        snprintf(conf->version, sizeof(conf->version), "%lld", (long long) n);
    }

    return 0;
}


static int
add_variable(fcv_config_t *conf, size_t *n, const char *name,
    const char *value, fcf_err_t *err)
{
    if (asprintf(&conf->env[*n], "%s=%s", name, value) < 0) {
        conf->env[*n] = NULL;
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for %s", name);
    }

    (*n)++;

    return 0;
}


/* by hand, since an address is not to be quoted at any length */

static int
get_dns(fcv_config_t *conf, fcf_err_t *err)
{
    size_t       i;
    json_t      *list, *value;
    const char  *text;

    list = json_object_get(conf->json, "dns");

    if (list == NULL) {
        return 0;
    }

    if (!json_is_array(list) || json_array_size(list) > FCV_DNS_MAX) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "dns is not a list of at most %d addresses",
                           FCV_DNS_MAX);
    }

    json_array_foreach(list, i, value) {
        text = json_string_value(value);

        if (text == NULL || inet_pton(AF_INET, text, &conf->dns[i]) != 1) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "dns: \"%.64s\" is not an IPv4 address",
                               text ? text : "");
        }

        conf->ndns = i + 1;
    }

    return 0;
}


/* values of secrets are never named in a message */

static int
add_variables(fcv_config_t *conf, size_t *n, const char *field,
    fcf_err_t *err)
{
    json_t      *object, *value;
    const char  *name;

    object = json_object_get(conf->json, field);

    if (object == NULL) {
        return 0;
    }

    if (!json_is_object(object)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s is not an object", field);
    }

    json_object_foreach(object, name, value) {
        if (name[0] == '\0' || strchr(name, '=')) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "%s: \"%s\" is not a variable's name", field,
                               name);
        }

        if (!json_is_string(value)) {
            return fcf_err_set(err, FCF_E_INVALID,
                               "%s: the value of %s is not a string", field,
                               name);
        }

        if (add_variable(conf, n, name, json_string_value(value), err) < 0) {
            return -1;
        }
    }

    return 0;
}


/* a later one replaces an earlier one of the same name (function.c), so ours
 * come last */

static int
get_env(fcv_config_t *conf, fcf_err_t *err)
{
    char    port[8];
    size_t  n;

    n = json_object_size(json_object_get(conf->json, "env"))
        + json_object_size(json_object_get(conf->json, "secrets")) + ENV_OWN;

    conf->env = calloc(n, sizeof(char *));
    if (conf->env == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for the environment");
    }

    n = 0;
    snprintf(port, sizeof(port), "%d", conf->port);

    if (add_variables(conf, &n, "env", err) < 0
        || add_variables(conf, &n, "secrets", err) < 0
        || add_variable(conf, &n, "PORT", port, err) < 0
        || add_variable(conf, &n, "FCFAAS_FUNCTION_ID", conf->function_id,
                        err) < 0
        || add_variable(conf, &n, "FCFAAS_INSTANCE_ID", conf->instance_id,
                        err) < 0
        || add_variable(conf, &n, "FCFAAS_VERSION", conf->version, err) < 0)
    {
        return -1;
    }

    return 0;
}


int
fcv_config_decode(fcv_config_t *conf, const void *data, size_t len,
    fcf_err_t *err)
{
    int64_t  port, memory_mb;

    memset(conf, 0, sizeof(*conf));
    conf->instance_id = "";
    port = 80;
    memory_mb = 0;

    if (get_json(conf, data, len, err) < 0
        || get_string(conf, "function_id", 1, FCV_HOSTNAME_MAX,
                      &conf->function_id, err) < 0
        || get_string(conf, "instance_id", 0, 256, &conf->instance_id,
                      err) < 0
        || get_version(conf, err) < 0
        || get_integer(conf, "port", 1, 65535, &port, err) < 0
        || get_integer(conf, "time_ms", 0, INT64_MAX, &conf->time_ms, err) < 0
        || get_integer(conf, "memory_mb", 0, INT_MAX, &memory_mb, err) < 0
        || get_string(conf, "seed", 0, FCV_SEED_TEXT, &conf->seed, err) < 0
        || get_dns(conf, err) < 0
        || get_network(conf, err) < 0)
    {
        goto failed;
    }

    conf->port = (int) port;
    conf->memory_mb = (int) memory_mb;
    conf->hostname = conf->function_id;

    if (get_string(conf, "hostname", 0, FCV_HOSTNAME_MAX, &conf->hostname,
                   err) < 0
        || get_env(conf, err) < 0)
    {
        goto failed;
    }

    return 0;

failed:

    fcv_config_free(conf);

    return -1;
}


static ssize_t
read_all(int fd, uint8_t *buf, size_t size)
{
    size_t   len;
    ssize_t  n;

    for (len = 0; len < size; len += (size_t) n) {
        n = read(fd, buf + len, size - len);

        if (n < 0) {
            return -1;
        }

        if (n == 0) {
            break;
        }
    }

    return (ssize_t) len;
}


/* only as much is read as the head announces: a drive may be larger */

static int
read_drive(fcv_config_t *conf, int fd, uint8_t *buf, fcf_err_t *err)
{
    size_t   more;
    ssize_t  head, body;

    head = read_all(fd, buf, FCV_CONFIG_HEAD);
    if (head < 0) {
        return fcf_err_sys(err, errno, "read");
    }

    body = 0;

    if (head == FCV_CONFIG_HEAD) {
        more = fcv_get_be32(buf + sizeof(FCV_CONFIG_MAGIC) - 1);

        if (more > FCV_CONFIG_MAX) {
            more = 0;
        }

        body = read_all(fd, buf + head, more);
        if (body < 0) {
            return fcf_err_sys(err, errno, "read");
        }
    }

    return fcv_config_decode(conf, buf, (size_t) (head + body), err);
}


int
fcv_config_read(fcv_config_t *conf, const char *path, fcf_err_t *err)
{
    int       fd, rc;
    uint8_t  *buf;

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "open");
    }

    buf = malloc(FCV_CONFIG_HEAD + FCV_CONFIG_MAX);
    if (buf == NULL) {
        close(fd);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = read_drive(conf, fd, buf, err);

    explicit_bzero(buf, FCV_CONFIG_HEAD + FCV_CONFIG_MAX);
    free(buf);
    close(fd);

    return rc;
}


void
fcv_config_free(fcv_config_t *conf)
{
    char  **p;

    for (p = conf->env; p && *p; p++) {
        explicit_bzero(*p, strlen(*p));
        free(*p);
    }

    free(conf->env);
    json_decref(conf->json);
    memset(conf, 0, sizeof(*conf));
}
