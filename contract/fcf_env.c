/* What is in /secrets/<function>/<generation>.  No message quotes a value, nor
 * what a parser says, which may quote one; memory is wiped before it goes. */

#include <stdlib.h>
#include <string.h>

#include "contract/fcf_codec.h"
#include "contract/fcf_json.h"

/* set by init, whatever is said here */
static const char *const  fcf_env_own[] = {
    "PORT", "FCFAAS_FUNCTION_ID", "FCFAAS_INSTANCE_ID", "FCFAAS_VERSION", NULL
};


static int
fcf_env_name_valid(const char *s, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (!((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z')
              || s[i] == '_' || (i > 0 && s[i] >= '0' && s[i] <= '9')))
        {
            return 0;
        }
    }

    return len != 0 && len <= FCF_ENV_NAME_MAX;
}


int
fcf_env_name_check(const char *name, fcf_err_t *err)
{
    size_t  i;

    if (!fcf_env_name_valid(name, strlen(name))) {
        return fcf_err_set(err, FCF_E_INVALID, "\"%.*s\" cannot be a "
                           "variable's name: A-Z, a-z, \"_\", then also 0-9, "
                           "%d at most", FCF_ENV_NAME_MAX, name,
                           FCF_ENV_NAME_MAX);
    }

    for (i = 0; fcf_env_own[i] != NULL; i++) {
        if (strcmp(fcf_env_own[i], name) == 0) {
            return fcf_err_set(err, FCF_E_INVALID, "%s is set for each "
                               "instance, and is not for people to set", name);
        }
    }

    return 0;
}


/* where it is, or is to be: they are in the order of their names */
static size_t
fcf_env_find(const fcf_env_t *env, const char *name, int *found)
{
    int     order;
    size_t  i;

    *found = 0;

    for (i = 0; i < env->nvars; i++) {

        order = strcmp(env->vars[i].name, name);

        if (order >= 0) {
            *found = order == 0;
            break;
        }
    }

    return i;
}


void
fcf_env_wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}


const fcf_var_t *
fcf_env_get(const fcf_env_t *env, const char *name)
{
    int     found;
    size_t  i;

    i = fcf_env_find(env, name, &found);

    return found ? &env->vars[i] : NULL;
}


/* a place for it; NULL: out of memory */
static fcf_var_t *
fcf_env_insert(fcf_env_t *env, size_t i, const char *name)
{
    char       *copy;
    fcf_var_t  *vars;

    copy = strdup(name);
    vars = copy == NULL ? NULL
           : realloc(env->vars, (env->nvars + 1) * sizeof(fcf_var_t));

    if (vars == NULL) {
        free(copy);
        return NULL;
    }

    memmove(vars + i + 1, vars + i, (env->nvars - i) * sizeof(fcf_var_t));
    vars[i] = (fcf_var_t) { .name = copy };
    env->vars = vars;
    env->nvars++;

    return &vars[i];
}


int
fcf_env_set(fcf_env_t *env, const char *name, const char *value, int secret)
{
    int         found;
    char       *copy;
    size_t      i;
    fcf_var_t  *var;

    copy = strdup(value);
    i = fcf_env_find(env, name, &found);
    var = copy == NULL ? NULL
          : found ? &env->vars[i] : fcf_env_insert(env, i, name);

    if (var == NULL) {
        fcf_env_wipe(copy);
        return -1;
    }

    fcf_env_wipe(var->value);
    var->value = copy;
    var->secret = secret;

    return 0;
}


int
fcf_env_unset(fcf_env_t *env, const char *name)
{
    int     found;
    size_t  i;

    i = fcf_env_find(env, name, &found);

    if (!found) {
        return 0;
    }

    free(env->vars[i].name);
    fcf_env_wipe(env->vars[i].value);
    env->nvars--;
    memmove(env->vars + i, env->vars + i + 1,
            (env->nvars - i) * sizeof(fcf_var_t));

    return 1;
}


void
fcf_env_free(fcf_env_t *env)
{
    size_t  i;

    for (i = 0; i < env->nvars; i++) {
        free(env->vars[i].name);
        fcf_env_wipe(env->vars[i].value);
    }

    free(env->vars);
    memset(env, 0, sizeof(fcf_env_t));
}


static int
fcf_env_take(fcf_env_t *env, const json_t *obj, const char *field, int secret,
    fcf_err_t *err)
{
    void        *at;
    json_t      *all, *value;
    const char  *name;

    if (fcf_json_child(obj, field, JSON_OBJECT, &all, err) != 0) {
        return -1;
    }

    for (at = json_object_iter(all); at != NULL;
         at = json_object_iter_next(all, at))
    {
        name = json_object_iter_key(at);
        value = json_object_iter_value(at);

        if (fcf_env_name_check(name, err) != 0) {
            return fcf_err_wrap(err, "%s", field);
        }

        if (!json_is_string(value)) {
            return fcf_err_set(err, FCF_E_INVALID, "%s: %s: not a string",
                               field, name);
        }

        if (fcf_env_get(env, name) != NULL) {
            return fcf_err_set(err, FCF_E_INVALID, "%s: %s: is in env, too",
                               field, name);
        }

        if (fcf_env_set(env, name, json_string_value(value), secret) != 0) {
            return fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }
    }

    return 0;
}


void
fcf_env_json_free(json_t *obj)
{
    void    *at;
    json_t  *all, *value;
    size_t   i;

    static const char *const  fields[] = { "env", "secrets" };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {

        all = json_object_get(obj, fields[i]);

        for (at = json_object_iter(all); at != NULL;
             at = json_object_iter_next(all, at))
        {
            value = json_object_iter_value(at);

            if (json_is_string(value)) {
                explicit_bzero((char *) json_string_value(value),
                               json_string_length(value));
            }
        }
    }

    json_decref(obj);
}


int
fcf_env_decode(fcf_env_t *out, const char *text, size_t len, fcf_err_t *err)
{
    int      rc;
    json_t  *obj;

    memset(out, 0, sizeof(fcf_env_t));

    if (len > FCF_VALUE_MAX) {
        return fcf_err_set(err, FCF_E_INVALID, "env: %zu bytes, more than %d",
                           len, FCF_VALUE_MAX);
    }

    obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(obj)) {
        json_decref(obj);
        return fcf_err_set(err, FCF_E_INVALID, "env: not a JSON object");
    }

    rc = fcf_env_take(out, obj, "env", 0, err) != 0
         || fcf_env_take(out, obj, "secrets", 1, err) != 0 ? -1 : 0;

    fcf_env_json_free(obj);

    if (rc != 0) {
        fcf_env_free(out);
        return fcf_err_wrap(err, "env");
    }

    return 0;
}


void
fcf_env_json(const fcf_env_t *env, json_t **obj)
{
    size_t   i;
    json_t  *all[2];

    all[0] = json_object();
    all[1] = json_object();

    for (i = 0; i < env->nvars; i++) {
        fcf_json_put_str(&all[env->vars[i].secret != 0], env->vars[i].name,
                         env->vars[i].value);
    }

    fcf_json_put(obj, "env", all[0]);
    fcf_json_put(obj, "secrets", all[1]);
}


char *
fcf_env_encode(const fcf_env_t *env)
{
    char    *text;
    json_t  *obj;

    obj = json_object();
    fcf_env_json(env, &obj);

    text = obj != NULL ? json_dumps(obj, JSON_COMPACT) : NULL;
    fcf_env_json_free(obj);

    return text;
}


int
fcf_env_check(const fcf_env_t *env, fcf_err_t *err)
{
    char    *text;
    size_t   len;

    text = fcf_env_encode(env);

    if (text == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    len = strlen(text);
    fcf_env_wipe(text);

    return len <= FCF_VALUE_MAX ? 0
           : fcf_err_set(err, FCF_E_LIMIT, "the environment is %zu bytes as "
                         "JSON, of which %d are taken: what is large belongs "
                         "into a file of the function", len, FCF_VALUE_MAX);
}
