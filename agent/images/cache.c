#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/dir.h"
#include "agent/base/log.h"
#include "agent/images/cache_int.h"


void
fca_image_state(fca_image_t *image, fca_image_state_e state)
{
    int           was, is;
    fca_cache_t  *cache = image->cache;

    was = image->state >= FCA_IMG_LOADING;
    is = state >= FCA_IMG_LOADING;
    image->state = state;
    cache->fetching += (unsigned) is;
    cache->fetching -= (unsigned) was;
}


/* by the digest that the name begins with */
static fca_image_t *
image_find(const fca_cache_t *cache, const char *name)
{
    fca_image_t  *image;

    TAILQ_FOREACH(image, &cache->images, link) {
        if (strncmp(image->sha256, name, FCA_DIGEST) == 0) {
            return image;
        }
    }

    return NULL;
}


static fca_image_t *
image_new(fca_cache_t *cache, const char *sha256)
{
    fca_image_t  *image;

    image = calloc(1, sizeof(*image));

    if (image != NULL) {
        image->cache = cache;
        image->fresh = 1;
        memcpy(image->sha256, sha256, FCA_DIGEST);
        TAILQ_INIT(&image->gets);
        TAILQ_INSERT_TAIL(&cache->images, image, link);
    }

    return image;
}


/* it is in no list any more */
void
fca_image_free(fca_image_t *image)
{
    fca_cache_get_t  *get;

    while ((get = TAILQ_FIRST(&image->gets)) != NULL) {
        TAILQ_REMOVE(&image->gets, get, link);
        free(get);
    }

    if (image->req != NULL) {
        fcf_http_cancel(image->req);
    }

    if (image->timer != NULL) {
        image->cache->conf.loop->timer_free(image->timer);
    }

    free(image->piece);
    free(image);
}


void
fca_image_end(fca_image_t *image, const fcf_err_t *err)
{
    char              path[PATH_MAX];
    fca_cache_t      *cache = image->cache;
    fca_cache_get_t  *get;

    fca_image_state(image, FCA_IMG_IDLE);
    image->bytes = image->got;
    cache->stat.failed += err != NULL;
    fca_store_path(image, FCA_IMG_END, path, sizeof(path));

    /* whoever is told may ask anew, and waits for the next end then */

    while (image->state == FCA_IMG_IDLE
           && (get = TAILQ_FIRST(&image->gets)) != NULL)
    {
        TAILQ_REMOVE(&image->gets, get, link);
        get->done(get->arg, path, err);
        free(get);
    }
}


static void
image_remove(fca_image_t *image)
{
    assert(image->state == FCA_IMG_IDLE && TAILQ_EMPTY(&image->gets));

    TAILQ_REMOVE(&image->cache->images, image, link);
    image->cache->stat.dropped++;
    fca_disk_job(image, FCA_DISK_REMOVE);
}


static int
image_may_go(const fca_image_t *image)
{
    const fca_cache_conf_t  *conf = &image->cache->conf;

    return image->state == FCA_IMG_IDLE && TAILQ_EMPTY(&image->gets)
           && (conf->runs == NULL || !conf->runs(conf->arg, image->sha256));
}


static uint64_t
cache_bytes(const fca_cache_t *cache)
{
    int64_t             bytes;
    const fca_image_t  *image;

    bytes = 0;

    TAILQ_FOREACH(image, &cache->images, link) {
        bytes += image->state == FCA_IMG_IDLE ? image->bytes : image->size;
    }

    return (uint64_t) bytes;
}


int
fca_cache_room(fca_cache_t *cache, fca_image_t *image, fcf_err_t *err)
{
    uint64_t      bytes;
    fca_image_t  *old, *next;

    bytes = cache_bytes(cache);

    for (old = TAILQ_FIRST(&cache->images);
         old != NULL && bytes > cache->conf.max_bytes; old = next)
    {
        next = TAILQ_NEXT(old, link);

        if (old != image && image_may_go(old)) {
            bytes -= (uint64_t) old->bytes;
            fca_log(FCF_LOG_INFO, NULL, "image %.12s... goes: all of them "
                    "take more than images_mb", old->sha256);
            image_remove(old);
        }
    }

    return bytes <= cache->conf.max_bytes ? 0
           : fcf_err_set(err, FCF_E_LIMIT, "an image of %lld bytes, and those "
                         "of what runs, are more than images_mb = %llu",
                         (long long) image->size,
                         (unsigned long long) (cache->conf.max_bytes >> 20));
}


/* what an agent before this one had, by when it was written; anything else is
 * left alone */
static void
cache_found(fca_cache_t *cache, const char *name)
{
    char          path[PATH_MAX];
    size_t        len;
    struct stat   st;
    fca_image_t  *image, *other;

    len = strspn(name, "0123456789abcdef");

    if (len != FCA_DIGEST
        || (strcmp(name + len, FCA_IMG_END) != 0
            && strcmp(name + len, FCA_PART_END) != 0)
        || (size_t) snprintf(path, sizeof(path), "%s/%s", cache->dir, name)
           >= sizeof(path)
        || stat(path, &st) != 0)
    {
        return;
    }

    image = image_find(cache, name);

    if (image == NULL && (image = image_new(cache, name)) == NULL) {
        return;
    }

    image->bytes += st.st_size;
    image->file.sec = (uint64_t) st.st_mtim.tv_sec;
    TAILQ_REMOVE(&cache->images, image, link);

    TAILQ_FOREACH(other, &cache->images, link) {
        if (other->file.sec > image->file.sec) {
            TAILQ_INSERT_BEFORE(other, image, link);
            return;
        }
    }

    TAILQ_INSERT_TAIL(&cache->images, image, link);
}


static void
cache_scan(fca_cache_t *cache)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(cache->dir);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        cache_found(cache, entry->d_name);
    }

    if (dir != NULL) {
        closedir(dir);
    }
}


fca_cache_t *
fca_cache_new(const fca_cache_conf_t *conf, fcf_err_t *err)
{
    fca_cache_t  *cache;

    if (fca_dir_make("images", conf->dir, err) != 0) {
        return NULL;
    }

    cache = calloc(1, sizeof(*cache));

    if (cache == NULL || (cache->dir = strdup(conf->dir)) == NULL) {
        free(cache);
        fcf_err_set(err, FCF_E_NOMEM, "images: out of memory");
        return NULL;
    }

    cache->conf = *conf;
    cache->conf.dir = cache->dir;
    TAILQ_INIT(&cache->images);
    STAILQ_INIT(&cache->jobs);
    cache_scan(cache);

    return cache;
}


void
fca_cache_free(fca_cache_t *cache)
{
    fca_image_t  *image;

    if (cache == NULL) {
        return;
    }

    /* those that were to be removed are in no other list */

    while ((image = STAILQ_FIRST(&cache->jobs)) != NULL) {
        STAILQ_REMOVE_HEAD(&cache->jobs, job);

        if (image->disk == FCA_DISK_REMOVE) {
            fca_image_free(image);
        }
    }

    while ((image = TAILQ_FIRST(&cache->images)) != NULL) {
        TAILQ_REMOVE(&cache->images, image, link);

        if (image != cache->now) {
            fca_image_free(image);
        }
    }

    if (cache->now != NULL) {
        cache->freed = 1;               /* the worker has it still */
        return;
    }

    free(cache->dir);
    free(cache);
}


fca_cache_get_t *
fca_cache_get(fca_cache_t *cache, const fcf_image_t *what, fca_cache_pt done,
    void *arg, fcf_err_t *err)
{
    fca_image_t      *image;
    fca_cache_get_t  *get;

    image = image_find(cache, what->sha256);
    get = calloc(1, sizeof(*get));

    if (get == NULL
        || (image == NULL
            && (image = image_new(cache, what->sha256)) == NULL))
    {
        free(get);
        fcf_err_set(err, FCF_E_NOMEM, "images: out of memory");
        return NULL;
    }

    get->image = image;
    get->done = done;
    get->arg = arg;
    TAILQ_INSERT_TAIL(&image->gets, get, link);
    TAILQ_REMOVE(&cache->images, image, link);
    TAILQ_INSERT_TAIL(&cache->images, image, link);

    if (image->state == FCA_IMG_IDLE) {
        image->size = what->size;
        memcpy(image->where, what->where, sizeof(image->where));
        fca_image_state(image, FCA_IMG_LOOKING);
        fca_disk_job(image, FCA_DISK_LOOK);
    }

    return get;
}


void
fca_cache_drop(fca_cache_get_t *get)
{
    fca_image_t  *image = get->image;

    TAILQ_REMOVE(&image->gets, get, link);
    free(get);

    if (TAILQ_EMPTY(&image->gets)) {
        fca_fetch_stop(image);
    }
}


void
fca_cache_sweep_begin(fca_cache_t *cache)
{
    fca_image_t  *image;

    TAILQ_FOREACH(image, &cache->images, link) {
        image->named = image->fresh = 0;
    }
}


void
fca_cache_named(fca_cache_t *cache, const char *sha256)
{
    fca_image_t  *image;

    image = *sha256 != '\0' ? image_find(cache, sha256) : NULL;

    if (image != NULL) {
        image->named = 1;
    }
}


unsigned
fca_cache_sweep_end(fca_cache_t *cache)
{
    unsigned      left = 0;
    fca_image_t  *image, *next;

    for (image = TAILQ_FIRST(&cache->images); image != NULL; image = next) {
        next = TAILQ_NEXT(image, link);

        if (image->named || image->fresh) {
            continue;
        }

        if (!image_may_go(image)) {
            left++;

        } else {
            fca_log(FCF_LOG_INFO, NULL, "image %.12s... goes: no version is "
                    "made of it", image->sha256);
            image_remove(image);
        }
    }

    return left;
}


int
fca_cache_empty(const fca_cache_t *cache)
{
    return TAILQ_EMPTY(&cache->images);
}


void
fca_cache_stat(const fca_cache_t *cache, fca_cache_stat_t *stat)
{
    const fca_image_t  *image;

    *stat = cache->stat;
    stat->n = 0;
    stat->fetching = cache->fetching;
    stat->bytes = 0;

    TAILQ_FOREACH(image, &cache->images, link) {
        stat->n++;
        stat->bytes += (uint64_t) image->bytes;
    }
}
