/* Images that no version is made of any more. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/mark.h"
#include "cli/store.h"


/* does any of these say so? */
static int
fcc_image_named(const fcc_reply_t *specs, const char *sha256)
{
    size_t  i;

    for (i = 0; i < specs->nkvs; i++) {

        /* by its words: what is not understood may name it as well */

        if (strstr(specs->kvs[i].value, sha256) != NULL) {
            return 1;
        }
    }

    return 0;
}


static void
fcc_image_remove_at(fcc_t *fcc, const char *store, const char *sha256)
{
    fcf_err_t  err;

    if (fcc_store_remove(fcc, store, sha256, &err) != 0) {
        fcc_say("image %.12s... stays: %s", sha256, err.msg);
    }
}


static void
fcc_image_unlink(const fcc_t *fcc, const char *sha256)
{
    char  *path;

    if (asprintf(&path, "%s/%s.img", fcc->conf.functions, sha256) < 0) {
        return;
    }

    /* agents of other machines have directories of their own */

    if (unlink(path) != 0 && errno != ENOENT) {
        fcc_say("%s: stays: %s", path, strerror(errno));
    }

    free(path);
}


/* does one of those before say so, too? */
static int
fcc_image_done(const fcf_spec_t *specs, size_t i, const char *store)
{
    size_t       k;
    char         url[FCF_WHERE_MAX + 1];
    const char  *at;

    for (k = 0; k < i; k++) {

        if (strcmp(specs[k].code_sha256, specs[i].code_sha256) != 0) {
            continue;
        }

        at = specs[k].code_where;

        if (*store == '\0' && *at == '\0') {
            return 1;
        }

        while (fcc_where_next(&at, url)) {
            if (strcmp(url, store) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


/* of the i-th one; versions of the same image are many */
static void
fcc_image_remove(fcc_t *fcc, const fcf_spec_t *specs, size_t i)
{
    char         url[FCF_WHERE_MAX + 1];
    const char  *at;

    at = specs[i].code_where;

    while (fcc_where_next(&at, url)) {
        if (!fcc_image_done(specs, i, url)) {
            fcc_image_remove_at(fcc, url, specs[i].code_sha256);
        }
    }

    if (specs[i].code_where[0] == '\0' && !fcc_image_done(specs, i, "")) {
        fcc_image_unlink(fcc, specs[i].code_sha256);
    }
}


/* what these keys said, as far as it is understood and there is an image */
static size_t
fcc_prune_specs(fcf_spec_t *specs, const fcf_kv_t *const *gone, size_t n)
{
    size_t  i, k;

    for (k = i = 0; i < n; i++) {
        if (fcf_spec_decode(&specs[k], gone[i]->value, gone[i]->value_len,
                            NULL) == 0
            && specs[k].code_sha256[0] != '\0')
        {
            k++;
        }
    }

    return k;
}


/* the first of those that are of the same image */
static int
fcc_image_first(const fcf_spec_t *specs, size_t i)
{
    size_t  k;

    for (k = 0; k < i; k++) {
        if (strcmp(specs[k].code_sha256, specs[i].code_sha256) == 0) {
            return 0;
        }
    }

    return 1;
}


/* all that is of the i-th one's image, wherever it is, unless others have it */
static int
fcc_image_prune(fcc_t *fcc, const fcf_spec_t *specs, size_t n, size_t i,
    int64_t lease, fcf_err_t *err)
{
    int          rc, named;
    char         key[FCF_KEY_MAX];
    fcc_mark_t   mark;
    fcc_reply_t  all;
    const char  *sha256;

    sha256 = specs[i].code_sha256;

    if (fcc_mark_begin(fcc, &mark, sha256, lease, err) != 0) {
        return -1;
    }

    rc = fcc_list(fcc, fcf_key_specs(key, fcc->conf.prefix), &all, err);
    named = rc != 0 || fcc_image_named(&all, sha256);
    fcc_reply_free(&all);

    for ( /* void */ ; !named && i < n; i++) {
        if (strcmp(specs[i].code_sha256, sha256) == 0) {
            fcc_image_remove(fcc, specs, i);
        }
    }

    fcc_mark_end(fcc, &mark, !named, lease);

    return rc;
}


void
fcc_prune(fcc_t *fcc, const fcf_kv_t *const *gone, size_t n)
{
    size_t        i;
    int64_t       lease;
    fcf_err_t     err;
    fcf_spec_t   *specs;

    specs = n != 0 ? calloc(n, sizeof(fcf_spec_t)) : NULL;
    n = specs != NULL ? fcc_prune_specs(specs, gone, n) : 0;
    lease = n != 0 ? fcc_lease(fcc, FCC_MARK_S, &err) : 0;

    for (i = 0; i < n; i++) {

        if (lease == 0
            || (fcc_image_first(specs, i)
                && fcc_image_prune(fcc, specs, n, i, lease, &err) != 0))
        {
            fcc_say("old images stay: %s", err.msg);
            break;
        }
    }

    free(specs);
}
