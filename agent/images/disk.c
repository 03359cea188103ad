/* What the worker thread does for the cache, one job at a time. */

#include <stdlib.h>

#include "agent/images/cache_int.h"

static void disk_run(fca_cache_t *cache);


static void
disk_work(uv_work_t *work)
{
    fca_cache_t  *cache = work->data;
    fca_image_t  *image = cache->now;

    switch (image->disk) {

    case FCA_DISK_LOOK:
        image->end = fca_store_look(image);
        break;

    case FCA_DISK_WRITE:
        image->end = fca_store_write(image);
        break;

    case FCA_DISK_REMOVE:
        fca_store_remove(image);
        break;
    }
}


static void
disk_worked(uv_work_t *work, int status)
{
    fca_cache_t  *cache = work->data;
    fca_image_t  *image = cache->now;

    (void) status;                      /* nothing cancels it */
    cache->now = NULL;
    free(image->piece);
    image->piece = NULL;

    if (cache->freed) {
        fca_image_free(image);
        fca_cache_free(cache);
        return;
    }

    switch (image->disk) {

    case FCA_DISK_LOOK:
        fca_fetch_looked(image);
        break;

    case FCA_DISK_WRITE:
        fca_fetch_wrote(image);
        break;

    case FCA_DISK_REMOVE:
        fca_image_free(image);
        break;
    }

    disk_run(cache);
}


static void
disk_run(fca_cache_t *cache)
{
    fca_image_t  *image;

    image = STAILQ_FIRST(&cache->jobs);

    if (cache->now != NULL || image == NULL) {
        return;
    }

    STAILQ_REMOVE_HEAD(&cache->jobs, job);
    cache->now = image;
    cache->work.data = cache;
    uv_queue_work(cache->conf.uv, &cache->work, disk_work, disk_worked);
}


void
fca_disk_job(fca_image_t *image, fca_disk_e what)
{
    image->disk = what;
    STAILQ_INSERT_TAIL(&image->cache->jobs, image, job);
    disk_run(image->cache);
}
