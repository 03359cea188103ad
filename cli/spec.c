#include <string.h>

#include "cli/nearest.h"
#include "cli/rollout.h"

/* made by the commands themselves */
static const char *const  fcc_spec_own[] = {
    "version", "previous", "code", "traffic", "deployed", NULL
};


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
fcc_spec_given_check(const json_t *given, fcf_err_t *err)
{
    void        *field;
    const char  *name, *meant;

    for (field = json_object_iter((json_t *) given); field != NULL;
         field = json_object_iter_next((json_t *) given, field))
    {
        name = json_object_iter_key(field);

        if (fcc_among(fcc_spec_own, name)) {
            return fcf_err_set(err, FCF_E_INVALID, "--spec: %s: is not for "
                               "people to set", name);
        }

        meant = fcc_spec_meant(name);

        if (meant == NULL || *meant != '\0') {
            return fcf_err_set(err, FCF_E_INVALID, "--spec: %s: there is no "
                               "such field%s%s%s", name,
                               meant != NULL ? "; did you mean " : "",
                               meant != NULL ? meant : "",
                               meant != NULL ? "?" : "");
        }
    }

    return 0;
}


static json_t *
fcc_spec_given(const fcc_t *fcc, fcf_err_t *err)
{
    json_t        *given;
    const char    *text;
    json_error_t   why;

    text = fcc_opt(fcc, "spec");

    if (text == NULL || *text == '\0') {
        return json_object();
    }

    given = *text == '@' ? json_load_file(text + 1, 0, &why)
                         : json_loads(text, 0, &why);

    if (!json_is_object(given)) {
        fcf_err_set(err, FCF_E_INVALID, "--spec %s: is not a JSON object%s%s",
                    text, given == NULL ? ": " : "",
                    given == NULL ? why.text : "");
        json_decref(given);
        return NULL;
    }

    if (fcc_spec_given_check(given, err) != 0) {
        json_decref(given);
        return NULL;
    }

    return given;
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

    for (i = 0; bare != NULL && fcc_spec_own[i] != NULL; i++) {
        (void) json_object_del(bare, fcc_spec_own[i]);
    }

    return bare;
}


int
fcc_spec_merge(fcc_rollout_t *rollout, fcf_err_t *err)
{
    json_t  *given;

    given = fcc_spec_given(rollout->fcc, err);

    if (given == NULL) {
        return -1;
    }

    rollout->spec = fcc_spec_bare(rollout->old);

    if (rollout->spec == NULL
        || json_object_update(rollout->spec, given) != 0)
    {
        json_decref(given);
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    json_decref(given);

    if (fcc_spec_flags(rollout->fcc, rollout->spec, err) != 0) {
        return -1;
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
