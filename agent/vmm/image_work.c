/* Images are looked for: what a worker thread does for a looker. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "agent/images/whole.h"
#include "agent/vmm/image_int.h"

static int
fca_image_find(const char *path, const char *what, struct stat *st,
    fcf_err_t *err)
{
    if (stat(path, st) != 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s image %s: %s", what,
                           path, strerror(errno));
    }

    if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode)) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "%s image %s: is not a file",
                           what, path);
    }

    return 0;
}

/* A copy of a runtime's image in place of it, which nobody writes into. */
static int
fca_image_runtime(const fca_looker_t *looker, char *path, char *sha256,
    fcf_err_t *err)
{
    fca_runtime_t  copy;

    if (looker->runtimes == NULL) {
        return 0;
    }

    if (fca_runtimes_get(looker->runtimes, path, &copy, err) != 0) {
        return -1;
    }

    memcpy(path, copy.path, PATH_MAX);
    memcpy(sha256, copy.sha256, sizeof(copy.sha256));

    return 0;
}

/* one that can be used: its path; else "" */
static void
fca_image_some(const fca_looker_t *looker, const char *dir, const char *name,
    char *image)
{
    char       sha256[FCA_DIGEST + 1];
    size_t     n = strlen(name);
    fcf_err_t  err;

    if (n <= 4 || strcmp(name + n - 4, ".img") != 0
        || (size_t) snprintf(image, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX
        || fca_image_runtime(looker, image, sha256, &err) != 0)
    {
        *image = '\0';
    }
}

/* the path of some image in this directory; else "" */
static int
fca_image_dir(const fca_looker_t *looker, const char *name, const char *path,
    char *image, fcf_err_t *err)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(path);
    if (dir == NULL) {
        return fcf_err_sys(err, errno, "%s = \"%s\"", name, path);
    }

    while (image && *image == '\0' && (entry = readdir(dir)) != NULL) {
        fca_image_some(looker, path, entry->d_name, image);
    }

    closedir(dir);

    return 0;
}

static int
fca_image_dirs(const fca_looker_t *looker, char *image, fcf_err_t *err)
{
    const fca_conf_t  *conf = looker->conf;

    return fca_image_dir(looker, "functions", conf->functions, NULL, err) != 0
           || fca_image_dir(looker, "runtimes", conf->runtimes, image, err)
              != 0 ? -1 : 0;
}

/* sha256: the runtime's, which tells more than what found says of it, or "" */
static void
fca_image_files(const fca_conf_t *conf, const struct stat *found,
    const char *sha256, fca_images_t *images)
{
    int          n;
    size_t       i, len;
    struct stat  st[5];
    const char  *paths[] = { conf->kernel, conf->initrd, conf->vmm };

    memset(st, 0, sizeof(st));
    st[0] = found[0];

    if (*sha256 == '\0') {
        st[1] = found[1];
    }

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (paths[i] != NULL) {
            (void) stat(paths[i], &st[2 + i]);
        }
    }

    len = (size_t) snprintf(images->files, sizeof(images->files), "%s ",
                            sha256);

    for (i = 0; i < sizeof(st) / sizeof(st[0]); i++) {
        n = snprintf(images->files + len, sizeof(images->files) - len,
                     "%llx:%llx:%llx:%llx.%lx ",
                     (unsigned long long) st[i].st_dev,
                     (unsigned long long) st[i].st_ino,
                     (unsigned long long) st[i].st_size,
                     (unsigned long long) st[i].st_mtim.tv_sec,
                     (unsigned long) st[i].st_mtim.tv_nsec);
        len += (size_t) n;
    }
}

/* it must be what its name says */
static int
fca_image_right(fca_looker_t *looker, const char *path, const char *what,
    const char *sha256, const struct stat *st, fcf_err_t *err)
{
    fcf_err_t  why;

    return fca_known_right(&looker->known, path, sha256, st, &why) == 0 ? 0
           : fcf_err_set(err, why.code, "%s image %s", what, why.msg);
}

static int
fca_image_function(fca_image_look_t *look, struct stat *st)
{
    int          rc;
    const char  *path = look->images.function;
    const char  *sha256 = look->spec.code.sha256;

    rc = fca_image_find(path, "function", st, &look->err);

    if (rc == 0 && *sha256 == '\0'
        && (rc = fca_image_whole_at(path, &look->err)) != 0)
    {
        fcf_err_wrap(&look->err, "function image %s", path);
    }

    if (rc == 0 && *sha256 && !look->code_fetched) {
        rc = fca_image_right(look->looker, path, "function", sha256, st,
                             &look->err);
    }

    if (rc != 0 && *sha256 && !look->code_fetched) {
        look->lacks = &look->spec.code;
    }

    return rc;
}

/* The one of its name, if it has that digest. */
static int
fca_image_by_name(const fca_image_look_t *look, char *path, fcf_err_t *err)
{
    char         sha256[FCA_DIGEST + 1] = "";
    struct stat  st;

    if (fca_image_find(path, "runtime", &st, err) != 0) {
        return -1;
    }

    if (look->looker->runtimes == NULL) {
        return fca_image_right(look->looker, path, "runtime",
                               look->spec.runtime_image.sha256, &st, err);
    }

    if (fca_image_runtime(look->looker, path, sha256, err) != 0) {
        return -1;
    }

    return strcmp(sha256, look->spec.runtime_image.sha256) == 0 ? 0
           : fcf_err_set(err, FCF_E_NOT_FOUND, "that in %s is %.12s...",
                         look->looker->conf->runtimes, sha256);
}

/* The copy of one that had its name before. */
static int
fca_image_by_copy(const fca_image_look_t *look, char *path, fcf_err_t *err)
{
    struct stat           st;
    const char           *sha256 = look->spec.runtime_image.sha256;
    const fca_looker_t   *looker = look->looker;

    return looker->runtimes != NULL
           && fca_runtimes_copy(looker->runtimes, sha256, path, &st) == 0
           ? fca_image_right(look->looker, path, "runtime", sha256, &st, err)
           : -1;
}

/* The one in the directory of functions that its digest names. */
static int
fca_image_by_digest(const fca_image_look_t *look, char *path, fcf_err_t *err)
{
    struct stat  st;

    if ((size_t) snprintf(path, PATH_MAX, "%s/%s.img",
                          look->looker->conf->functions,
                          look->spec.runtime_image.sha256) >= PATH_MAX)
    {
        return fcf_err_set(err, FCF_E_LIMIT, "path too long");
    }

    return fca_image_find(path, "runtime", &st, err) != 0
           ? -1 : fca_image_right(look->looker, path, "runtime",
                                  look->spec.runtime_image.sha256, &st, err);
}

/* A runtime that the version pins, from wherever these bytes are. */
static int
fca_image_pinned(fca_image_look_t *look)
{
    char       path[PATH_MAX];
    fcf_err_t  name, digest;

    if (look->runtime_fetched) {
        return 0;
    }

    memcpy(path, look->images.runtime, PATH_MAX);

    if (fca_image_by_name(look, path, &name) == 0
        || fca_image_by_copy(look, path, &digest) == 0
        || fca_image_by_digest(look, path, &digest) == 0)
    {
        memcpy(look->images.runtime, path, PATH_MAX);
        return 0;
    }

    look->lacks = &look->spec.runtime_image;

    return fcf_err_set(&look->err, FCF_E_NOT_FOUND, "runtime %s is to be "
                       "%.12s...: %s; %s", look->spec.runtime,
                       look->lacks->sha256, name.msg, digest.msg);
}

static int
fca_image_both(fca_image_look_t *look, struct stat *found, char *sha256)
{
    char        *runtime = look->images.runtime;
    const char  *pinned = look->spec.runtime_image.sha256;

    look->lacks = NULL;

    if (fca_image_function(look, &found[0]) != 0) {
        return -1;
    }

    if (look->own) {
        found[1] = found[0];
        memcpy(runtime, look->images.function, PATH_MAX);
        look->images.function[0] = '\0';
        return 0;
    }

    if (*pinned) {
        memcpy(sha256, pinned, FCA_DIGEST + 1);
        return fca_image_pinned(look);
    }

    return fca_image_find(runtime, "runtime", &found[1], &look->err) != 0
           || fca_image_runtime(look->looker, runtime, sha256, &look->err) != 0
           ? -1 : 0;
}

void
fca_image_look(fca_looker_t *looker, fca_image_look_t *look)
{
    char           sha256[FCA_DIGEST + 1] = "";
    fcf_err_t      why;
    struct stat    found[2];
    fca_images_t  *images = &look->images;

    if (look->any) {
        if (fca_image_dirs(looker, images->runtime, &look->err) == 0) {
            memcpy(images->function, images->runtime, PATH_MAX);
        }

        return;
    }

    if (fca_image_both(look, found, sha256) == 0) {
        if (looker->conf->snapshots) {
            fca_image_files(looker->conf, found, sha256, images);
        }

        return;
    }

    /* it may lie on another node; that here is no place for any is worse */
    if (fca_image_dirs(looker, NULL, &why) != 0) {
        look->err = why;
    }
}
