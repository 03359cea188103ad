/* Images that no version is made of any more, and that no runtime is. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/mark.h"
#include "cli/store.h"


/* of a version, or of a runtime that was pushed */
typedef struct {
    fcf_image_t  image;
    int          runtime;
} fcc_gone_t;


/* does any of these say so? */
static int
fcc_image_named(const fcc_reply_t *said, const char *sha256)
{
    size_t  i;

    for (i = 0; i < said->nkvs; i++) {

        /* by its words: what is not understood may name it as well */

        if (strstr(said->kvs[i].value, sha256) != NULL) {
            return 1;
        }
    }

    return 0;
}


/* -1: it is not known.  Runtimes first: once none is that image, and it is
 * marked, no deploy can make a version of it. */
static int
fcc_gone_named(fcc_t *fcc, const fcc_gone_t *gone, fcf_err_t *err)
{
    int          rc;
    char         key[FCF_KEY_MAX];
    fcc_reply_t  said;

    rc = fcc_list(fcc, fcf_key_runtimes(key, fcc->conf.prefix), &said, err);

    if (rc == 0) {
        rc = fcc_image_named(&said, gone->image.sha256);

    } else if (err->code == FCF_E_AUTH && !gone->runtime) {
        rc = 0;                         /* roles of before there were any */
    }

    fcc_reply_free(&said);

    if (rc != 0) {
        return rc;
    }

    rc = fcc_list(fcc, fcf_key_specs(key, fcc->conf.prefix), &said, err);

    if (rc == 0) {
        rc = fcc_image_named(&said, gone->image.sha256);
    }

    fcc_reply_free(&said);

    return rc;
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


static int
fcc_gone_same(const fcc_gone_t *a, const fcc_gone_t *b)
{
    return strcmp(a->image.sha256, b->image.sha256) == 0;
}


/* does one of those before say so, too? */
static int
fcc_image_done(const fcc_gone_t *gone, size_t i, const char *store)
{
    size_t       k;
    char         url[FCF_WHERE_MAX + 1];
    const char  *at;

    for (k = 0; k < i; k++) {

        if (!fcc_gone_same(&gone[k], &gone[i])) {
            continue;
        }

        at = gone[k].image.where;

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
fcc_image_remove(fcc_t *fcc, const fcc_gone_t *gone, size_t i)
{
    char                url[FCF_WHERE_MAX + 1];
    const char         *at;
    const fcf_image_t  *image;

    image = &gone[i].image;
    at = image->where;

    while (fcc_where_next(&at, url)) {
        if (!fcc_image_done(gone, i, url)) {
            fcc_image_remove_at(fcc, url, image->sha256);
        }
    }

    if (image->where[0] == '\0' && !fcc_image_done(gone, i, "")) {
        fcc_image_unlink(fcc, image->sha256);
    }
}


static size_t
fcc_gone_add(fcc_gone_t *gone, size_t n, const fcf_image_t *image,
    int runtime)
{
    if (image->sha256[0] != '\0') {
        gone[n].image = *image;
        gone[n++].runtime = runtime;
    }

    return n;
}


/* what these keys said, as far as it is understood: two images each at most */
static size_t
fcc_gone_read(const fcc_t *fcc, fcc_gone_t *gone, const fcf_kv_t *const *kvs,
    size_t n)
{
    size_t       i, k;
    fcf_key_t    key;
    fcf_spec_t   spec;
    fcf_image_t  image;

    for (k = i = 0; i < n; i++) {

        fcf_key_parse(&key, fcc->conf.prefix, kvs[i]->key, kvs[i]->key_len);

        if (key.kind == FCF_KEY_RUNTIME) {

            if (fcf_runtime_decode(&image, kvs[i]->value, kvs[i]->value_len,
                                   NULL) == 0)
            {
                k = fcc_gone_add(gone, k, &image, 1);
            }

        } else if (fcf_spec_decode(&spec, kvs[i]->value, kvs[i]->value_len,
                                   NULL) == 0)
        {
            k = fcc_gone_add(gone, k, &spec.code, 0);
            k = fcc_gone_add(gone, k, &spec.runtime_image, 1);
        }
    }

    return k;
}


/* the first of those that are of the same image */
static int
fcc_image_first(const fcc_gone_t *gone, size_t i)
{
    size_t  k;

    for (k = 0; k < i; k++) {
        if (fcc_gone_same(&gone[k], &gone[i])) {
            return 0;
        }
    }

    return 1;
}


/* all that is of the i-th one's image, wherever it is, unless others have it */
static int
fcc_image_prune(fcc_t *fcc, const fcc_gone_t *gone, size_t n, size_t i,
    int64_t lease, fcf_err_t *err)
{
    int                named;
    size_t             k;
    fcc_mark_t         mark;
    const fcc_gone_t  *it = &gone[i];

    if (fcc_mark_begin(fcc, &mark, it->image.sha256, lease, err) != 0) {
        return -1;
    }

    named = fcc_gone_named(fcc, it, err);

    for (k = i; named == 0 && k < n; k++) {
        if (fcc_gone_same(&gone[k], it)) {
            fcc_image_remove(fcc, gone, k);
        }
    }

    fcc_mark_end(fcc, &mark, named == 0, lease);

    return named < 0 ? -1 : 0;
}


void
fcc_prune(fcc_t *fcc, const fcf_kv_t *const *kvs, size_t n)
{
    size_t        i;
    int64_t       lease;
    fcf_err_t     err;
    fcc_gone_t   *gone;

    gone = n != 0 ? calloc(n, 2 * sizeof(fcc_gone_t)) : NULL;
    n = gone != NULL ? fcc_gone_read(fcc, gone, kvs, n) : 0;
    lease = n != 0 ? fcc_lease(fcc, FCC_MARK_S, &err) : 0;

    for (i = 0; i < n; i++) {

        if (lease == 0
            || (fcc_image_first(gone, i)
                && fcc_image_prune(fcc, gone, n, i, lease, &err) != 0))
        {
            fcc_say("old images stay: %s", err.msg);
            break;
        }
    }

    free(gone);
}
