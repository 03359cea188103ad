/* fcfaas runtime ls: each image of a runtime that a key or a version names, and
 * which versions that are. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/runtime_verb.h"
#include "cli/store.h"
#include "cli/table.h"

#define FCC_USERS_SHOWN  3              /* for people */

typedef struct {
    char          name[FCF_ID_MAX + 1];
    fcf_image_t   image;
    int           current;              /* its key says so */
    json_t       *users;                /* "function@version" */
} fcc_pushed_t;

typedef struct {
    fcc_pushed_t  *list;
    size_t         n, size;
} fcc_pusheds_t;


/* the one of this name and digest; NULL: out of memory */
static fcc_pushed_t *
fcc_pushed(fcc_pusheds_t *all, const char *name, const fcf_image_t *image)
{
    size_t         i, size;
    fcc_pushed_t  *list;

    for (i = 0; i < all->n; i++) {
        if (strcmp(all->list[i].name, name) == 0
            && strcmp(all->list[i].image.sha256, image->sha256) == 0)
        {
            return &all->list[i];
        }
    }

    if (all->n == all->size) {

        size = all->size * 2 + 16;
        list = realloc(all->list, size * sizeof(fcc_pushed_t));

        if (list == NULL) {
            return NULL;
        }

        all->list = list;
        all->size = size;
    }

    memset(&all->list[i], 0, sizeof(fcc_pushed_t));
    (void) snprintf(all->list[i].name, sizeof(all->list[i].name), "%s", name);
    all->list[i].image = *image;
    all->list[i].users = json_array();
    all->n++;

    return &all->list[i];
}


static int
fcc_pushed_keys(fcc_t *fcc, fcc_pusheds_t *all, fcf_err_t *err)
{
    int              rc;
    char             key[FCF_KEY_MAX];
    size_t           i;
    fcf_err_t        why;
    fcf_key_t        parsed;
    fcc_reply_t      keys;
    fcf_image_t      image;
    fcc_pushed_t    *it;
    const fcf_kv_t  *kv;

    rc = fcc_list(fcc, fcf_key_runtimes(key, fcc->conf.prefix), &keys, err);

    for (i = 0; rc == 0 && i < keys.nkvs; i++) {

        kv = &keys.kvs[i];
        fcf_key_parse(&parsed, fcc->conf.prefix, kv->key, kv->key_len);

        if (parsed.kind != FCF_KEY_RUNTIME) {
            continue;
        }

        if (fcf_runtime_decode(&image, kv->value, kv->value_len, &why) != 0) {
            fcc_say("%s: %s", kv->key, why.msg);
            continue;
        }

        it = fcc_pushed(all, parsed.name, &image);

        if (it == NULL) {
            rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
        } else {
            it->current = 1;
        }
    }

    fcc_reply_free(&keys);

    return rc;
}


/* a spec may be of a version that has a key, too: each is named once */
static void
fcc_pushed_user(fcc_pushed_t *it, const char *function, int64_t version)
{
    char     text[FCF_ID_MAX + 32];
    size_t   i;
    json_t  *user;

    (void) snprintf(text, sizeof(text), "%s@%" PRId64, function, version);

    json_array_foreach(it->users, i, user) {
        if (strcmp(json_string_value(user), text) == 0) {
            return;
        }
    }

    (void) json_array_append_new(it->users, json_string(text));
}


static int
fcc_pushed_versions(fcc_t *fcc, fcc_pusheds_t *all, fcf_err_t *err)
{
    int            rc;
    char           key[FCF_KEY_MAX];
    size_t         i;
    fcf_key_t      parsed;
    fcf_spec_t     spec;
    fcc_reply_t    specs;
    fcc_pushed_t  *it;

    rc = fcc_list(fcc, fcf_key_specs(key, fcc->conf.prefix), &specs, err);

    for (i = 0; rc == 0 && i < specs.nkvs; i++) {

        fcf_key_parse(&parsed, fcc->conf.prefix, specs.kvs[i].key,
                      specs.kvs[i].key_len);

        if ((parsed.kind != FCF_KEY_SPEC
             && parsed.kind != FCF_KEY_SPEC_VERSION)
            || fcf_spec_decode(&spec, specs.kvs[i].value,
                               specs.kvs[i].value_len, NULL) != 0
            || spec.runtime_image.sha256[0] == '\0')
        {
            continue;
        }

        it = fcc_pushed(all, spec.runtime, &spec.runtime_image);

        if (it == NULL) {
            rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
        } else {
            fcc_pushed_user(it, parsed.function_id,
                            parsed.kind == FCF_KEY_SPEC ? spec.version
                                                        : parsed.number);
        }
    }

    fcc_reply_free(&specs);

    return rc;
}


static int
fcc_pushed_cmp(const void *a, const void *b)
{
    int                  rc;
    const fcc_pushed_t  *x = a, *y = b;

    rc = strcmp(x->name, y->name);

    return rc != 0 ? rc
           : x->current != y->current ? y->current - x->current
           : strcmp(x->image.sha256, y->image.sha256);
}


static json_t *
fcc_pushed_json(const fcc_pusheds_t *all)
{
    char                 url[FCF_WHERE_MAX + 1];
    size_t               i;
    json_t              *list, *where;
    const char          *at;
    const fcc_pushed_t  *it;

    list = json_array();

    for (i = 0; i < all->n; i++) {

        it = &all->list[i];
        at = it->image.where;
        where = json_array();

        while (fcc_where_next(&at, url)) {
            (void) json_array_append_new(where, json_string(url));
        }

        (void) json_array_append_new(list, json_pack(
            "{s:s, s:s, s:I, s:o, s:b, s:O}", "name", it->name,
            "sha256", it->image.sha256, "size", (json_int_t) it->image.size,
            "where", where, "current", it->current, "versions", it->users));
    }

    return list;
}


static void
fcc_pushed_users(const fcc_pushed_t *it, char *text, size_t size)
{
    size_t  i, n, len;

    n = json_array_size(it->users);
    (void) snprintf(text, size, "%s", n == 0 ? "-" : "");

    for (i = len = 0; i < n && i < FCC_USERS_SHOWN && len < size; i++) {
        len += (size_t) snprintf(text + len, size - len, "%s%s",
                                 i != 0 ? " " : "", json_string_value(
                                     json_array_get(it->users, i)));
    }

    if (n > FCC_USERS_SHOWN && len < size) {
        (void) snprintf(text + len, size - len, " and %zu more",
                        n - FCC_USERS_SHOWN);
    }
}


static int
fcc_pushed_table(const fcc_pusheds_t *all, fcf_err_t *err)
{
    char                 users[512];
    size_t               i;
    fcc_table_t          table;
    const fcc_pushed_t  *it;

    static const char *const  heads[] = {
        "NAME", "SHA256", "SIZE", "FOR NEW", "WHERE", "VERSIONS", NULL
    };

    fcc_table_init(&table, heads);

    for (i = 0; i < all->n; i++) {

        it = &all->list[i];
        fcc_pushed_users(it, users, sizeof(users));

        fcc_table_add(&table, "%s", it->name);
        fcc_table_add(&table, "%.12s", it->image.sha256);
        fcc_table_add(&table, "%" PRId64 " KB", (it->image.size + 1023) / 1024);
        fcc_table_add(&table, "%s", it->current ? "yes" : "no");
        fcc_table_add(&table, "%s", it->image.where[0] != '\0'
                                    ? it->image.where : "functions");
        fcc_table_add(&table, "%s", users);
    }

    return fcc_table_print(&table, err);
}


int
fcc_runtime_ls(fcc_t *fcc, fcf_err_t *err)
{
    int            rc;
    size_t         i;
    fcc_pusheds_t  all = { NULL, 0, 0 };

    rc = fcc_pushed_keys(fcc, &all, err) != 0
         || fcc_pushed_versions(fcc, &all, err) != 0 ? -1 : 0;

    if (rc == 0) {

        if (all.n != 0) {
            qsort(all.list, all.n, sizeof(fcc_pushed_t), fcc_pushed_cmp);
        }

        rc = fcc->json ? fcc_json_print(fcc_pushed_json(&all), err)
                       : fcc_pushed_table(&all, err);
    }

    for (i = 0; i < all.n; i++) {
        json_decref(all.list[i].users);
    }

    free(all.list);

    return rc;
}
