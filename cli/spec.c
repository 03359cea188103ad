#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/nearest.h"
#include "cli/rollout.h"
#include "contract/fcf_runtime.h"

/* in a function's directory: what its spec is to say */
#define FCC_SPEC_FILE  "fcfaas.json"

/* made by the commands themselves; and those of them that are of one version
 * alone */
static const char *const  fcc_spec_own[] = {
    "secrets_generation", "version", "previous", "code", "runtime_image",
    "traffic", "deployed", NULL
};

static const char *const *const  fcc_spec_version = fcc_spec_own + 1;


static int
fcc_among(const char *const *list, const char *name)
{
    for ( /* void */ ; *list != NULL; list++) {
        if (strcmp(*list, name) == 0) {
            return 1;
        }
    }

    return 0;
}


static const char *
fcc_spec_field(void *arg, size_t i)
{
    (void) arg;
    return fcf_spec_fields[i];
}


const char *
fcc_spec_meant(const char *field)
{
    return fcc_among(fcf_spec_fields, field)
           ? "" : fcc_nearest(field, fcc_spec_field, NULL);
}


/* what people give: only fields that somebody knows */
static int
fcc_spec_given_check(const json_t *given, const char *where, fcf_err_t *err)
{
    char         meant[FCC_MEANT_MAX];
    void        *field;
    const char  *name;

    for (field = json_object_iter((json_t *) given); field != NULL;
         field = json_object_iter_next((json_t *) given, field))
    {
        name = json_object_iter_key(field);

        if (fcc_among(fcc_spec_own, name)) {
            return fcf_err_set(err, FCF_E_INVALID, "%s: %s: is not for people "
                               "to set", where, name);
        }

        if (!fcc_among(fcf_spec_fields, name)) {
            return fcf_err_set(err, FCF_E_INVALID, "%s: %s: there is no such "
                               "field%s", where, name,
                               fcc_meant(meant, name, "", fcc_spec_field,
                                         NULL));
        }
    }

    return 0;
}


/* given: what was read of where, as it was written there, or NULL for why it
 * could not be; freed */
static int
fcc_spec_take(json_t *spec, json_t *given, const json_error_t *why,
    const char *where, const char *written, fcf_err_t *err)
{
    int  rc;

    if (!json_is_object(given)) {
        rc = fcf_err_set(err, FCF_E_INVALID, "%s%s: is not a JSON object%s%s",
                         where, written, given == NULL ? ": " : "",
                         given == NULL ? why->text : "");

    } else {
        rc = fcc_spec_given_check(given, where, err);

        if (rc == 0 && json_object_update(spec, given) != 0) {
            rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }
    }

    json_decref(given);

    return rc;
}


/* fcfaas.json, if there is one */
static int
fcc_spec_file(json_t *spec, const fcc_source_t *source, fcf_err_t *err)
{
    int            rc;
    char          *path, line[32];
    json_t        *given;
    json_error_t   why;

    if (source->dir == NULL) {
        return 0;                       /* a container image has none */
    }

    path = fcc_join(source->dir, FCC_SPEC_FILE);

    if (path == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = 0;

    if (access(path, F_OK) == 0) {
        given = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
        (void) snprintf(line, sizeof(line), ":%d", why.line);
        rc = fcc_spec_take(spec, given, &why, FCC_SPEC_FILE,
                           given == NULL ? line : "", err);
        rc = rc == 0 ? 0 : fcf_err_wrap(err, "%s", source->given);
    }

    free(path);

    return rc;
}


/* --spec */
static int
fcc_spec_option(const fcc_t *fcc, json_t *spec, fcf_err_t *err)
{
    json_t        *given;
    const char    *text;
    char           written[256];
    json_error_t   why;

    text = fcc_opt(fcc, "spec");

    if (text == NULL || *text == '\0') {
        return 0;
    }

    given = *text == '@' ? json_load_file(text + 1, 0, &why)
                         : json_loads(text, 0, &why);

    (void) snprintf(written, sizeof(written), " %s", text);

    return fcc_spec_take(spec, given, &why, "--spec", written, err);
}


/* a flag for each of what is wanted most */
static int
fcc_spec_flags(const fcc_t *fcc, json_t *spec, fcf_err_t *err)
{
    int          n;
    size_t       i;
    static const struct {
        const char  *option, *field;
        int          min, max;
    } flags[] = {
        { "memory", "memory_mb", 1, FCF_MEMORY_MB_MAX },
        { "cpu", "cpu", 1, FCF_CPU_MAX },
        { "port", "port", 1, 65535 },
        { "concurrency", "concurrency", 0, FCF_CONCURRENCY_MAX },
    };

    if (fcc_opt(fcc, "runtime") != NULL) {
        (void) json_object_set_new(spec, "runtime",
                                   json_string(fcc_opt(fcc, "runtime")));
    }

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {

        if (fcc_opt(fcc, flags[i].option) == NULL) {
            continue;
        }

        if (fcc_opt_int(fcc, flags[i].option, flags[i].min, flags[i].max, &n,
                        err) != 0)
        {
            return -1;
        }

        (void) json_object_set_new(spec, flags[i].field, json_integer(n));
    }

    return 0;
}


/* of all that it is, without what belongs to one version */
static json_t *
fcc_spec_bare(const json_t *spec)
{
    json_t  *bare;
    size_t   i;

    bare = spec != NULL ? json_copy((json_t *) spec) : json_object();

    for (i = 0; bare != NULL && fcc_spec_version[i] != NULL; i++) {
        (void) json_object_del(bare, fcc_spec_version[i]);
    }

    return bare;
}


/* A container image has no runtime, and may say where it serves; what people
 * said goes before that, also long ago. */
static int
fcc_spec_container(fcc_rollout_t *rollout, const fcc_source_t *source,
    fcf_err_t *err)
{
    int      port;
    json_t  *spec;

    spec = rollout->spec;

    if (source->oci == NULL) {
        return 0;
    }

    if (fcc_opt(rollout->fcc, "runtime") != NULL) {
        return fcf_err_set(err, FCF_E_INVALID, "--runtime %s: a container image "
                           "is its own", fcc_opt(rollout->fcc, "runtime"));
    }

    (void) json_object_set_new(spec, "runtime", json_string(FCF_RUNTIME_OWN));
    port = source->oci->config.port;

    if (port != 0 && json_object_get(spec, "port") == NULL) {

        (void) json_object_set_new(spec, "port", json_integer(port));

        if (source->oci->config.nports > 1) {
            fcc_say("%s: of its ports %d is taken: "
                    "--port says another", rollout->name, port);
        }
    }

    return 0;
}


int
fcc_spec_merge(fcc_rollout_t *rollout, const fcc_source_t *source,
    fcf_err_t *err)
{
    rollout->spec = fcc_spec_bare(rollout->old);

    if (rollout->spec == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    /* what was a container image is none any more, whatever it is now */

    if (source->oci == NULL && rollout->old != NULL
        && strcmp(rollout->old_spec.runtime, FCF_RUNTIME_OWN) == 0)
    {
        (void) json_object_del(rollout->spec, "runtime");
    }

    return fcc_spec_file(rollout->spec, source, err) != 0
           || fcc_spec_option(rollout->fcc, rollout->spec, err) != 0
           || fcc_spec_flags(rollout->fcc, rollout->spec, err) != 0
           || fcc_spec_container(rollout, source, err) != 0
           ? -1 : fcc_spec_read(&rollout->decoded, rollout->spec, err);
}


int
fcc_spec_keep(fcc_rollout_t *rollout, int64_t generation, fcf_err_t *err)
{
    json_t  *code, *runtime;

    code = json_object_get(rollout->old, "code");
    runtime = json_object_get(rollout->old, "runtime_image");
    rollout->spec = fcc_spec_bare(rollout->old);

    if (rollout->spec == NULL
        || (code != NULL
            && json_object_set(rollout->spec, "code", code) != 0)
        || (runtime != NULL
            && json_object_set(rollout->spec, "runtime_image", runtime) != 0)
        || json_object_set_new(rollout->spec, "secrets_generation",
                               json_integer(generation)) != 0
        || json_object_set_new(rollout->spec, "version",
                               json_integer(rollout->version)) != 0)
    {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    return fcc_spec_read(&rollout->decoded, rollout->spec, err);
}


int
fcc_spec_read(fcf_spec_t *out, const json_t *spec, fcf_err_t *err)
{
    int    rc;
    char  *text;

    text = json_dumps(spec, JSON_COMPACT);
    rc = text == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
         : fcf_spec_decode(out, text, strlen(text), err);
    free(text);

    return rc;
}


int
fcc_spec_same(const json_t *a, const json_t *b)
{
    json_t  *x, *y;

    x = json_object_get(a, "runtime_image");
    y = json_object_get(b, "runtime_image");

    return fcc_spec_same_code(a, b)
           && (json_equal(x, y) || (x == NULL && y == NULL));
}


int
fcc_spec_same_code(const json_t *a, const json_t *b)
{
    int      same;
    json_t  *x, *y;

    x = fcc_spec_bare(a);
    y = fcc_spec_bare(b);

    same = json_equal(x, y) && json_equal(json_object_get(a, "code"),
                                          json_object_get(b, "code"));

    json_decref(x);
    json_decref(y);

    return same;
}
