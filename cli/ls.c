/* fcfaas ls: the functions, and how many instances each has. */

#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/table.h"

typedef struct {
    char         id[FCF_ID_MAX + 1];
    fcf_spec_t   spec;
    char        *why;                   /* it is not valid */
    int          ready, draining, slots;
} fcc_function_t;

typedef struct {
    fcc_function_t  *list;
    size_t           n;
} fcc_functions_t;


static int
fcc_function_cmp(const void *a, const void *b)
{
    return strcmp(((const fcc_function_t *) a)->id,
                  ((const fcc_function_t *) b)->id);
}


static int
fcc_functions_specs(const fcc_t *fcc, const fcc_reply_t *specs,
    fcc_functions_t *out, fcf_err_t *err)
{
    size_t           i;
    fcf_err_t        why;
    fcf_key_t        key;
    fcc_function_t  *function;
    const fcf_kv_t  *kv;

    out->list = calloc(specs->nkvs + 1, sizeof(fcc_function_t));

    if (out->list == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    for (i = 0; i < specs->nkvs; i++) {

        kv = &specs->kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);

        if (key.kind != FCF_KEY_SPEC) {
            continue;
        }

        function = &out->list[out->n++];
        memcpy(function->id, key.function_id, sizeof(function->id));

        if (fcf_spec_decode(&function->spec, kv->value, kv->value_len, &why)
            != 0)
        {
            function->why = strdup(why.msg);
        }
    }

    qsort(out->list, out->n, sizeof(fcc_function_t), fcc_function_cmp);

    return 0;
}


/* what agents say of them */
static void
fcc_functions_count(const fcc_t *fcc, const fcc_reply_t *said,
    fcc_functions_t *functions)
{
    size_t           i;
    fcf_key_t        key;
    fcf_instance_t   instance;
    fcc_function_t  *function, wanted;
    const fcf_kv_t  *kv;

    for (i = 0; i < said->nkvs; i++) {

        kv = &said->kvs[i];
        fcf_key_parse(&key, fcc->conf.prefix, kv->key, kv->key_len);
        memcpy(wanted.id, key.function_id, sizeof(wanted.id));

        function = bsearch(&wanted, functions->list, functions->n,
                           sizeof(fcc_function_t), fcc_function_cmp);

        if (function == NULL) {
            continue;
        }

        if (key.kind == FCF_KEY_SLOT) {
            function->slots++;

        } else if (key.kind == FCF_KEY_INSTANCE
                   && fcf_instance_decode(&instance, kv->value, kv->value_len,
                                          NULL) == 0)
        {
            function->ready += instance.state == FCF_INSTANCE_READY;
            function->draining += instance.state != FCF_INSTANCE_READY;
        }
    }
}


/* an instance holds its slot from before its boot to its end */
static int
fcc_function_starting(const fcc_function_t *function)
{
    int  n;

    n = function->slots - function->ready - function->draining;

    return n > 0 ? n : 0;
}


static json_t *
fcc_functions_json(const fcc_functions_t *functions)
{
    json_t                *all;
    size_t                 i;
    const fcc_function_t  *f;

    all = json_array();

    for (i = 0; i < functions->n; i++) {

        f = &functions->list[i];

        (void) json_array_append_new(all, f->why != NULL
            ? json_pack("{s:s, s:s}", "name", f->id, "not_valid", f->why)
            : json_pack("{s:s, s:I, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i,"
                        " s:i}", "name", f->id,
                        "version", (json_int_t) f->spec.version,
                        "runtime", f->spec.runtime,
                        "cpu", f->spec.cpu,
                        "memory_mb", f->spec.memory_mb,
                        "concurrency", f->spec.concurrency,
                        "min_instances", f->spec.min_instances,
                        "max_instances", f->spec.max_instances,
                        "ready", f->ready, "draining", f->draining,
                        "starting", fcc_function_starting(f)));
    }

    return all;
}


static int
fcc_functions_table(const fcc_functions_t *functions, fcf_err_t *err)
{
    size_t                    i;
    fcc_table_t               table;
    const fcc_function_t     *f;
    static const char *const  heads[] = {
        "NAME", "VERSION", "RUNTIME", "MEMORY", "READY", "STARTING", "MIN",
        "MAX", NULL
    };

    fcc_table_init(&table, heads);

    for (i = 0; i < functions->n; i++) {

        f = &functions->list[i];
        fcc_table_add(&table, "%s", f->id);

        if (f->why != NULL) {
            fcc_table_add(&table, "(not valid: see fcfaas describe %s)",
                          f->id);
        } else {
            fcc_table_add(&table, "%lld%s", (long long) f->spec.version,
                          f->spec.ntraffic > 1 ? "+" : "");
        }

        fcc_table_add(&table, "%s", f->spec.runtime);
        fcc_table_add(&table, "%d MB", f->spec.memory_mb);
        fcc_table_add(&table, "%d", f->ready);
        fcc_table_add(&table, "%d", fcc_function_starting(f));
        fcc_table_add(&table, "%d", f->spec.min_instances);
        fcc_table_add(&table, "%d", f->spec.max_instances);
    }

    return fcc_table_print(&table, err);
}


static int
fcc_ls(fcc_t *fcc, fcf_err_t *err)
{
    int              rc;
    char             key[FCF_KEY_MAX];
    size_t           i;
    fcc_reply_t      specs, said = { .kvs = NULL };
    fcc_functions_t  functions = { NULL, 0 };

    rc = -1;

    if (fcc_list(fcc, fcf_key_specs(key, fcc->conf.prefix), &specs, err) == 0
        && fcc_list(fcc, fcf_key_functions(key, fcc->conf.prefix), &said, err)
           == 0
        && fcc_functions_specs(fcc, &specs, &functions, err) == 0)
    {
        fcc_functions_count(fcc, &said, &functions);

        rc = fcc->json ? fcc_json_print(fcc_functions_json(&functions), err)
                       : fcc_functions_table(&functions, err);
    }

    for (i = 0; i < functions.n; i++) {
        free(functions.list[i].why);
    }

    free(functions.list);
    fcc_reply_free(&specs);
    fcc_reply_free(&said);

    return rc;
}


const fcc_verb_t  fcc_verb_ls = {
    "ls", "", "the functions, and how many instances each has", 0, 0, NULL,
    "A \"+\" behind the version: others have a share of the requests, see\n"
    "fcfaas describe.\n", fcc_ls
};
