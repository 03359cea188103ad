#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/vmm/image.h"
#include "contract/fcf_runtime.h"

/* files whose digest was seen to, so that each is read once */
#define FCA_KNOWN_MAX  256

typedef struct {
    char         sha256[65];
    struct stat  st;
} fca_known_t;

struct fca_image_look_s {
    TAILQ_ENTRY(fca_image_look_s)  link;
    fca_looker_t                  *looker;
    fca_fetching_pt                fetching;
    fca_images_pt                  done;        /* NULL: dropped */
    void                          *arg;
    int                            any;
    fcf_spec_t                     spec;        /* unless any */
    int                            own;         /* its image is its runtime */
    int                            lacks;       /* by the worker: the
                                                   function's image */
    int                            fetched;     /* the cache's word is good */
    fca_cache_get_t               *get;         /* in the list of those that
                                                   are being fetched */
    fca_images_t                   images;      /* by the loop; any: by the
                                                   worker */
    fcf_err_t                      err;         /* code FCF_OK: none */
};

TAILQ_HEAD(fca_image_looks_s, fca_image_look_s);

struct fca_looker_s {
    uv_loop_t                 *uv;
    const fca_conf_t          *conf;
    uv_work_t                  work;
    fca_cache_t               *cache;
    struct fca_image_looks_s   waiting, running, fetching;
    int                        busy, freed;
    fca_known_t                known[FCA_KNOWN_MAX];    /* the worker's */
    unsigned                   nknown;
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

static int
fca_known_same(const fca_known_t *known, const char *sha256,
    const struct stat *st)
{
    return strcmp(known->sha256, sha256) == 0 && known->st.st_dev == st->st_dev
           && known->st.st_ino == st->st_ino
           && known->st.st_size == st->st_size
           && known->st.st_mtim.tv_sec == st->st_mtim.tv_sec
           && known->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

/* It is what its name says.  Not found, if it is not: nothing runs of it. */
static int
fca_image_right(fca_looker_t *looker, const char *path, const char *sha256,
    const struct stat *st, fcf_err_t *err)
{
    int           rc;
    unsigned      i;
    fca_known_t  *known;

    for (i = 0; i < looker->nknown && i < FCA_KNOWN_MAX; i++) {
        if (fca_known_same(&looker->known[i], sha256, st)) {
            return 0;
        }
    }

    rc = fca_image_is(path, sha256, err);
    if (rc < 0) {
        return -1;
    }

    if (rc == 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "function image %s: is not "
                           "what its name says: it is damaged", path);
    }

    known = &looker->known[looker->nknown++ % FCA_KNOWN_MAX];
    memcpy(known->sha256, sha256, sizeof(known->sha256));
    known->st = *st;

    return 0;
}

static int
fca_image_function(fca_image_look_t *look, struct stat *st)
{
    int          rc;
    const char  *path = look->images.function, *sha256 = look->spec.code_sha256;

    rc = fca_image_find(path, "function", st, &look->err);

    if (rc == 0 && *sha256 && !look->fetched) {
        rc = fca_image_right(look->looker, path, sha256, st, &look->err);
    }

    look->lacks = rc != 0 && *sha256;

    return rc;
}

/* On a worker thread: of the look it has the images, what it lacks, and err
 * alone. */
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

    if (fca_image_function(look, &found[0]) == 0
        && (look->own
            || fca_image_find(images->runtime, "runtime", &found[1],
                              &look->err) == 0))
    {
        if (look->own) {
            found[1] = found[0];
            memcpy(images->runtime, images->function, PATH_MAX);
            images->function[0] = '\0';
        }

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

        if (look->get) {
            fca_cache_drop(look->get);
        }

        free(look);
    }
}

static void fca_looker_run(fca_looker_t *looker);

static void
fca_look_end(fca_image_look_t *look)
{
    if (look->done) {
        look->done(look->arg, &look->images,
                   look->err.code != FCF_OK ? &look->err : NULL);
    }

    free(look);
}

/* what is fetched is looked at as the other is, with its runtime */
static void
fca_look_fetched(void *arg, const char *path, const fcf_err_t *err)
{
    fca_image_look_t  *look = arg;
    fca_looker_t      *looker = look->looker;

    look->get = NULL;
    TAILQ_REMOVE(&looker->fetching, look, link);

    if (err == NULL
        && (size_t) snprintf(look->images.function, PATH_MAX, "%s", path)
           < PATH_MAX)
    {
        look->fetched = 1;
        TAILQ_INSERT_TAIL(&looker->waiting, look, link);
        fca_looker_run(looker);
        return;
    }

    if (err) {
        look->err = *err;
    }

    fca_look_end(look);
}

/* 1: it is on its way */
static int
fca_look_fetch(fca_image_look_t *look)
{
    fca_looker_t  *looker = look->looker;

    if (!look->lacks || look->fetched || looker->cache == NULL
        || look->done == NULL || look->spec.code_where[0] == '\0')
    {
        return 0;
    }

    look->get = fca_cache_get(looker->cache, &look->spec, fca_look_fetched,
                              look, &look->err);
    if (look->get == NULL) {
        return 0;
    }

    memset(&look->err, 0, sizeof(look->err));
    TAILQ_INSERT_TAIL(&looker->fetching, look, link);

    if (look->fetching) {
        look->fetching(look->arg);
    }

    return 1;
}

static void
fca_looker_worked(uv_work_t *work, int status)
{
    fca_looker_t      *looker = work->data;
    fca_image_look_t  *look;

    (void) status;              /* nothing cancels it */

    while (!looker->freed && (look = TAILQ_FIRST(&looker->running)) != NULL) {
        TAILQ_REMOVE(&looker->running, look, link);

        if (!fca_look_fetch(look)) {
            fca_look_end(look);
        }
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
fca_looker_new(uv_loop_t *uv, const fca_conf_t *conf, fca_cache_t *cache,
    fcf_err_t *err)
{
    fca_looker_t  *looker;

    looker = calloc(1, sizeof(*looker));
    if (looker == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for looking for images");
        return NULL;
    }

    looker->uv = uv;
    looker->conf = conf;
    looker->cache = cache;
    TAILQ_INIT(&looker->fetching);
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
    fca_looks_free(&looker->fetching);

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
    const fcf_spec_t *spec, fca_fetching_pt fetching, fca_images_pt done,
    void *arg, fcf_err_t *err)
{
    const char        *name;
    fca_image_look_t  *look;

    look = fca_look_new(looker, done, arg, err);
    if (look == NULL) {
        return NULL;
    }

    look->spec = *spec;
    look->fetching = fetching;
    look->own = strcmp(spec->runtime, FCF_RUNTIME_OWN) == 0;
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

    if (look->get) {
        fca_cache_drop(look->get);
        TAILQ_REMOVE(&look->looker->fetching, look, link);
        free(look);
    }
}
