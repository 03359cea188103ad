/* The images of runtimes: are they whole, and which are they?  And which do
 * versions to come have? */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/check_int.h"
#include "agent/images/cache.h"
#include "agent/images/whole.h"

/* why it is of no use; NULL: its digest is told */
static const char *
fca_check_image(const char *path, char *sha256, fcf_err_t *err)
{
    struct stat  st;

    if (stat(path, &st) != 0 || access(path, R_OK) != 0) {
        return strerror(errno);
    }

    if (!S_ISREG(st.st_mode)) {
        return "not a regular file";
    }

    if (st.st_size == 0) {
        return "an empty file";
    }

    return fca_image_whole_at(path, err) != 0
           || fca_image_digest(path, sha256, err) != 0 ? err->msg : NULL;
}

static int
fca_check_one(fca_check_t *check, const fca_conf_t *conf, const char *name)
{
    char         path[4096], sha256[FCA_DIGEST + 1];
    fcf_err_t    err;
    const char  *why;

    snprintf(path, sizeof(path), "%s/%s", conf->runtimes, name);
    why = fca_check_image(path, sha256, &err);

    if (why) {
        fca_check_say(check, "runtime", "put the runtime images there (make "
                      "builds them below build/vm/runtimes)", "%s: %s", path,
                      why);
        return -1;
    }

    fca_check_say(check, "runtime", NULL, "%s (%.12s...)", path, sha256);

    return 0;
}

/* Base first, which a spec has if it names none.  The digest tells whether
 * nodes have the same. */
void
fca_check_runtimes(fca_check_t *check, const fca_conf_t *conf)
{
    DIR            *dir;
    size_t          n;
    struct dirent  *entry;

    if (fca_check_one(check, conf, "base.img") != 0) {
        return;
    }

    dir = opendir(conf->runtimes);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        n = strlen(entry->d_name);

        if (n > 4 && strcmp(entry->d_name + n - 4, ".img") == 0
            && strcmp(entry->d_name, "base.img") != 0)
        {
            (void) fca_check_one(check, conf, entry->d_name);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }
}

typedef struct {
    fca_check_t       *check;
    const fca_conf_t  *conf;
} fca_check_pinned_t;

static void
fca_check_pin(const fca_conf_t *conf, const char *name,
    const fcf_image_t *image)
{
    int        is;
    char       path[4096];
    fcf_err_t  err;

    snprintf(path, sizeof(path), "%s/%s.img", conf->runtimes, name);
    is = fca_image_is(path, image->sha256, &err);

    fca_check_note("runtime", "%s is pinned for versions to come: %.12s..., %s",
                   name, image->sha256, is == 1 ? "which is here"
                   : image->where[0] ? "which is fetched from its store"
                   : "which is not here, and in no store");
}

static void
fca_check_pinned_done(void *arg, const fcf_etcd_reply_t *reply,
    const fcf_err_t *err)
{
    size_t                    i;
    fcf_key_t                 key;
    fcf_err_t                 why;
    fcf_image_t               image;
    const fca_check_pinned_t  *of = arg;

    if (err && err->code == FCF_E_CANCELED) {
        return;
    }

    if (err) {
        fca_check_note("runtime", "which are pinned is not known: %s",
                       err->msg);
    }

    for (i = 0; err == NULL && i < reply->nkvs; i++) {
        fcf_key_parse(&key, of->conf->prefix, reply->kvs[i].key,
                      reply->kvs[i].key_len);

        if (key.kind != FCF_KEY_RUNTIME) {
            continue;
        }

        if (fcf_runtime_decode(&image, reply->kvs[i].value,
                               reply->kvs[i].value_len, &why) != 0)
        {
            fca_check_note("runtime", "%s: %s", reply->kvs[i].key, why.msg);
        } else {
            fca_check_pin(of->conf, key.name, &image);
        }
    }

    uv_stop(&of->check->uv);
}

void
fca_check_pinned(fca_check_t *check, const fca_conf_t *conf, fcf_etcd_t *etcd)
{
    char                key[FCF_KEY_MAX];
    fca_check_pinned_t  of = { check, conf };

    if (fcf_etcd_list(etcd, fcf_key_runtimes(key, conf->prefix),
                      fca_check_pinned_done, &of))
    {
        fca_check_wait(check);
    }
}
