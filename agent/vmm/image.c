#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/vmm/image.h"

struct fca_image_look_s {
    TAILQ_ENTRY(fca_image_look_s)  link;
    fca_looker_t                  *looker;
    fca_images_pt                  done;        /* NULL: dropped */
    void                          *arg;
    int                            any;
    fca_images_t                   images;      /* by the loop; any: by the
                                                   worker */
    fcf_err_t                      err;         /* code FCF_OK: none */
};

TAILQ_HEAD(fca_image_looks_s, fca_image_look_s);

struct fca_looker_s {
    uv_loop_t                 *uv;
    const fca_conf_t          *conf;
    uv_work_t                  work;
    struct fca_image_looks_s   waiting, running;
    int                        busy, freed;
};

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

/* the path of some image in this directory; else "" */
static int
fca_image_dir(const char *name, const char *path, char *image, fcf_err_t *err)
{
    DIR            *dir;
    size_t          n;
    struct dirent  *entry;

    dir = opendir(path);
    if (dir == NULL) {
        return fcf_err_sys(err, errno, "%s = \"%s\"", name, path);
    }

    while (image && *image == '\0' && (entry = readdir(dir)) != NULL) {
        n = strlen(entry->d_name);

        if (n > 4 && strcmp(entry->d_name + n - 4, ".img") == 0
            && (size_t) snprintf(image, PATH_MAX, "%s/%s", path,
                                 entry->d_name) >= PATH_MAX)
        {
            *image = '\0';
        }
    }

    closedir(dir);

    return 0;
}

static int
fca_image_dirs(const fca_conf_t *conf, char *image, fcf_err_t *err)
{
    return fca_image_dir("functions", conf->functions, NULL, err) != 0
           || fca_image_dir("runtimes", conf->runtimes, image, err) != 0
           ? -1 : 0;
}

static void
fca_image_files(const fca_conf_t *conf, const struct stat *found,
    fca_images_t *images)
{
    int          n;
    size_t       i, len = 0;
    struct stat  st[5];
    const char  *paths[] = { conf->kernel, conf->initrd, conf->vmm };

    memset(st, 0, sizeof(st));
    st[0] = found[0];
    st[1] = found[1];

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (paths[i] != NULL) {
            (void) stat(paths[i], &st[2 + i]);
        }
    }

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

/* On a worker thread: of the look it has the images and err alone. */
static void
fca_image_look(const fca_conf_t *conf, fca_image_look_t *look)
{
    fcf_err_t      why;
    struct stat    found[2];
    fca_images_t  *images = &look->images;

    if (look->any) {
        if (fca_image_dirs(conf, images->runtime, &look->err) == 0) {
            memcpy(images->function, images->runtime, PATH_MAX);
        }

        return;
    }

    if (fca_image_find(images->function, "function", &found[0], &look->err)
        == 0
        && fca_image_find(images->runtime, "runtime", &found[1], &look->err)
           == 0)
    {
        if (conf->snapshots) {
            fca_image_files(conf, found, images);
        }

        return;
    }

    /* it may lie on another node; that here is no place for any is worse */
    if (fca_image_dirs(conf, NULL, &why) != 0) {
        look->err = why;
    }
}

static void
fca_looker_work(uv_work_t *work)
{
    fca_looker_t      *looker = work->data;
    fca_image_look_t  *look;

    TAILQ_FOREACH(look, &looker->running, link) {
        fca_image_look(looker->conf, look);
    }
}

static void
fca_looks_free(struct fca_image_looks_s *looks)
{
    fca_image_look_t  *look;

    while ((look = TAILQ_FIRST(looks)) != NULL) {
        TAILQ_REMOVE(looks, look, link);
        free(look);
    }
}

static void fca_looker_run(fca_looker_t *looker);

static void
fca_looker_worked(uv_work_t *work, int status)
{
    fca_looker_t      *looker = work->data;
    fca_image_look_t  *look;

    (void) status;              /* nothing cancels it */

    while (!looker->freed && (look = TAILQ_FIRST(&looker->running)) != NULL) {
        TAILQ_REMOVE(&looker->running, look, link);

        if (look->done) {
            look->done(look->arg, &look->images,
                       look->err.code != FCF_OK ? &look->err : NULL);
        }

        free(look);
    }

    looker->busy = 0;

    if (looker->freed) {
        fca_looker_free(looker);
        return;
    }

    fca_looker_run(looker);
}

static void
fca_looker_run(fca_looker_t *looker)
{
    if (looker->busy || TAILQ_EMPTY(&looker->waiting)) {
        return;
    }

    TAILQ_CONCAT(&looker->running, &looker->waiting, link);
    looker->busy = 1;
    looker->work.data = looker;
    uv_queue_work(looker->uv, &looker->work, fca_looker_work,
                  fca_looker_worked);
}

fca_looker_t *
fca_looker_new(uv_loop_t *uv, const fca_conf_t *conf, fcf_err_t *err)
{
    fca_looker_t  *looker;

    looker = calloc(1, sizeof(*looker));
    if (looker == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for looking for images");
        return NULL;
    }

    looker->uv = uv;
    looker->conf = conf;
    TAILQ_INIT(&looker->waiting);
    TAILQ_INIT(&looker->running);

    return looker;
}

void
fca_looker_free(fca_looker_t *looker)
{
    if (looker == NULL) {
        return;
    }

    fca_looks_free(&looker->waiting);

    if (looker->busy) {
        looker->freed = 1;      /* the worker has it still */
        return;
    }

    fca_looks_free(&looker->running);
    free(looker);
}

static fca_image_look_t *
fca_look_new(fca_looker_t *looker, fca_images_pt done, void *arg,
    fcf_err_t *err)
{
    fca_image_look_t  *look;

    look = calloc(1, sizeof(*look));
    if (look == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for looking for images");
        return NULL;
    }

    look->looker = looker;
    look->done = done;
    look->arg = arg;

    return look;
}

static fca_image_look_t *
fca_look_start(fca_image_look_t *look)
{
    TAILQ_INSERT_TAIL(&look->looker->waiting, look, link);
    fca_looker_run(look->looker);

    return look;
}

fca_image_look_t *
fca_images_look(fca_looker_t *looker, const char *function_id,
    const fcf_spec_t *spec, fca_images_pt done, void *arg, fcf_err_t *err)
{
    const char        *name;
    fca_image_look_t  *look;

    look = fca_look_new(looker, done, arg, err);
    if (look == NULL) {
        return NULL;
    }

    name = spec->code_sha256[0] ? spec->code_sha256 : function_id;

    if ((size_t) snprintf(look->images.function, PATH_MAX, "%s/%s.img",
                          looker->conf->functions, name) >= PATH_MAX
        || (size_t) snprintf(look->images.runtime, PATH_MAX, "%s/%s.img",
                             looker->conf->runtimes, spec->runtime)
           >= PATH_MAX)
    {
        free(look);
        fcf_err_set(err, FCF_E_LIMIT, "image of \"%s\" or runtime \"%s\": "
                    "path too long", name, spec->runtime);
        return NULL;
    }

    return fca_look_start(look);
}

fca_image_look_t *
fca_images_look_any(fca_looker_t *looker, fca_images_pt done, void *arg,
    fcf_err_t *err)
{
    fca_image_look_t  *look;

    look = fca_look_new(looker, done, arg, err);
    if (look == NULL) {
        return NULL;
    }

    look->any = 1;

    return fca_look_start(look);
}

void
fca_image_look_drop(fca_image_look_t *look)
{
    look->done = NULL;
}
