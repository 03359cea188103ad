/* What a container image's configuration says is run. */

#include <stdlib.h>
#include <string.h>

#include "cli/oci.h"
#include "contract/fcf_runtime.h"


const char *
fcc_oci_hex(const char *digest)
{
    if (digest == NULL || strncmp(digest, "sha256:", 7) != 0
        || strlen(digest + 7) != 64
        || strspn(digest + 7, "0123456789abcdef") != 64)
    {
        return NULL;
    }

    return digest + 7;
}


static int
fcc_oci_refused(fcf_err_t *err, const char *field, const char *what)
{
    return fcf_err_set(err, FCF_E_REFUSED, "its configuration: %s %s", field,
                       what);
}


/* appends the strings of a list, which may be missing or null */
static int
fcc_oci_strings(const json_t *config, const char *name, char ***out,
    size_t *n, fcf_err_t *err)
{
    char    **list;
    size_t    i;
    json_t   *array, *value;

    array = json_object_get(config, name);

    if (array == NULL || json_is_null(array)) {
        return 0;
    }

    if (!json_is_array(array)
        || json_array_size(array) > FCF_IMAGE_STRINGS - *n)
    {
        return fcc_oci_refused(err, name, "is no list of strings, or too long");
    }

    list = realloc(*out, (*n + json_array_size(array) + 1) * sizeof(char *));

    if (list == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    *out = list;

    json_array_foreach(array, i, value) {

        if (!json_is_string(value)
            || strlen(json_string_value(value)) != json_string_length(value))
        {
            return fcc_oci_refused(err, name, "has something that is no "
                                   "string");
        }

        list[(*n)++] = (char *) json_string_value(value);
    }

    return 0;
}


static int
fcc_oci_text(const json_t *config, const char *name, const char *absent,
    const char **out, fcf_err_t *err)
{
    json_t  *value;

    value = json_object_get(config, name);
    *out = absent;

    if (value == NULL || json_is_null(value)) {
        return 0;
    }

    if (!json_is_string(value) || json_string_length(value) > 4095
        || strlen(json_string_value(value)) != json_string_length(value))
    {
        return fcc_oci_refused(err, name, "is no string, or too long");
    }

    if (json_string_length(value) != 0) {
        *out = json_string_value(value);
    }

    return 0;
}


/* "8080/tcp", "8080" */
static void
fcc_oci_ports(fcc_oci_config_t *out, const json_t *config)
{
    char        *end;
    long         port;
    void        *it;
    json_t      *ports;
    const char  *name;

    ports = json_object_get(config, "ExposedPorts");

    for (it = json_object_iter(ports); it != NULL;
         it = json_object_iter_next(ports, it))
    {
        name = json_object_iter_key(it);
        port = strspn(name, "0123456789") != 0 ? strtol(name, &end, 10) : 0;

        if (port < 1 || port > 65535
            || (*end != '\0' && strcmp(end, "/tcp") != 0))
        {
            continue;
        }

        out->nports++;
        out->port = out->port == 0 || port < out->port ? (int) port
                                                       : out->port;
    }
}


static int
fcc_oci_diffs(fcc_oci_config_t *out, fcf_err_t *err)
{
    size_t   i;
    json_t  *diffs, *value;

    diffs = json_object_get(json_object_get(out->json, "rootfs"), "diff_ids");

    if (!json_is_array(diffs) || json_array_size(diffs) == 0
        || json_array_size(diffs) > FCC_OCI_LAYERS)
    {
        return fcc_oci_refused(err, "rootfs.diff_ids", "is no list of 1 to 127 "
                               "digests");
    }

    json_array_foreach(diffs, i, value) {

        out->diffs[i] = fcc_oci_hex(json_string_value(value));

        if (out->diffs[i] == NULL) {
            return fcc_oci_refused(err, "rootfs.diff_ids", "has something that "
                                   "is no sha256:...");
        }

        out->ndiffs++;
    }

    return 0;
}


static int
fcc_oci_platform(const json_t *json, fcf_err_t *err)
{
    const char  *machine, *os;

    machine = json_string_value(json_object_get(json, "architecture"));
    os = json_string_value(json_object_get(json, "os"));

    return machine != NULL && os != NULL && strcmp(machine, "amd64") == 0
           && strcmp(os, "linux") == 0 ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "is for %s on %s; guests are "
                         "Linux on amd64", os != NULL ? os : "an unknown "
                         "system", machine != NULL ? machine : "an unknown "
                         "machine");
}


static int
fcc_oci_env_check(const fcc_oci_config_t *config, fcf_err_t *err)
{
    size_t  i;

    for (i = 0; i < config->nenv; i++) {
        if (config->env[i][0] == '='
            || strchr(config->env[i], '=') == NULL)
        {
            return fcc_oci_refused(err, "Env", "has something that is no "
                                   "NAME=value");
        }
    }

    return 0;
}


int
fcc_oci_config_decode(fcc_oci_config_t *out, const char *text, size_t len,
    fcf_err_t *err)
{
    json_t  *config;

    memset(out, 0, sizeof(fcc_oci_config_t));
    out->json = len <= FCC_OCI_CONFIG ? json_loadb(text, len, 0, NULL) : NULL;

    if (!json_is_object(out->json)) {
        fcc_oci_config_free(out);
        return fcc_oci_refused(err, "it", "is no JSON object");
    }

    config = json_object_get(out->json, "config");

    if (fcc_oci_platform(out->json, err) != 0
        || fcc_oci_diffs(out, err) != 0
        || fcc_oci_strings(config, "Entrypoint", &out->argv, &out->nargv, err)
        || fcc_oci_strings(config, "Cmd", &out->argv, &out->nargv, err)
        || fcc_oci_strings(config, "Env", &out->env, &out->nenv, err)
        || fcc_oci_env_check(out, err) != 0
        || fcc_oci_text(config, "WorkingDir", "/", &out->cwd, err) != 0
        || fcc_oci_text(config, "User", "", &out->user, err) != 0)
    {
        fcc_oci_config_free(out);
        return -1;
    }

    if (out->nargv == 0 || out->argv[0][0] == '\0') {
        fcc_oci_config_free(out);
        return fcf_err_set(err, FCF_E_REFUSED, "has neither an entrypoint nor "
                           "a command: nothing would run");
    }

    if (out->cwd[0] != '/') {
        fcc_oci_config_free(out);
        return fcc_oci_refused(err, "WorkingDir", "is no absolute path");
    }

    fcc_oci_ports(out, config);

    return 0;
}


void
fcc_oci_config_free(fcc_oci_config_t *config)
{
    free(config->argv);
    free(config->env);
    json_decref(config->json);
    memset(config, 0, sizeof(fcc_oci_config_t));
}
