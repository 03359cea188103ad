#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/vmm/image_int.h"
#include "contract/fcf_runtime.h"

static void
fca_looker_work(uv_work_t *work)
{
    fca_looker_t      *looker = work->data;
    fca_image_look_t  *look;

    TAILQ_FOREACH(look, &looker->running, link) {
        fca_image_look(looker, look);
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

/* what is fetched is looked at as what was here is, with the other image, which
 * may be lacking, too */
static void
fca_look_fetched(void *arg, const char *path, const fcf_err_t *err)
{
    fca_image_look_t  *look = arg;
    fca_looker_t      *looker = look->looker;

    look->get = NULL;
    TAILQ_REMOVE(&looker->fetching, look, link);

    if (err) {
        look->err = *err;

        if (look->lacks == &look->spec.runtime_image) {
            fcf_err_wrap(&look->err, "runtime %s", look->spec.runtime);
        }

        fca_look_end(look);
        return;
    }

    if (look->lacks == &look->spec.code) {
        (void) snprintf(look->images.function, PATH_MAX, "%s", path);
        look->code_fetched = 1;
    } else {
        (void) snprintf(look->images.runtime, PATH_MAX, "%s", path);
        look->runtime_fetched = 1;
    }

    TAILQ_INSERT_TAIL(&looker->waiting, look, link);
    fca_looker_run(looker);
}

/* 1: it is on its way */
static int
fca_look_fetch(fca_image_look_t *look)
{
    fca_looker_t  *looker = look->looker;

    if (look->lacks == NULL || looker->cache == NULL || look->done == NULL
        || look->lacks->where[0] == '\0')
    {
        return 0;
    }

    look->get = fca_cache_get(looker->cache, look->lacks, fca_look_fetched,
                              look, &look->err);
    if (look->get == NULL) {
        return 0;
    }

    memset(&look->err, 0, sizeof(look->err));
    TAILQ_INSERT_TAIL(&looker->fetching, look, link);

    if (look->fetching && !look->told) {
        look->told = 1;
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
    const char *runtimes, fcf_err_t *err)
{
    fca_looker_t  *looker;

    looker = calloc(1, sizeof(*looker));
    if (looker == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory for looking for images");
        return NULL;
    }

    if (runtimes != NULL
        && (looker->runtimes = fca_runtimes_new(runtimes, err)) == NULL)
    {
        free(looker);
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
    fca_runtimes_free(looker->runtimes);
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
    name = spec->code.sha256[0] ? spec->code.sha256 : function_id;

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

const char *
fca_image_look_waits(const fca_image_look_t *look, const char **where)
{
    *where = look->lacks ? look->lacks->where : "";

    return look->lacks == &look->spec.runtime_image ? "the image of its runtime"
                                                    : "its image";
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
