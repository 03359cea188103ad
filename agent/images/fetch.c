/* A download: piece by piece, from one store after the other. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/images/cache_int.h"

#define FETCH_CONNECT_MS  2000
#define FETCH_PIECE_MS    30000         /* for one; else it broke off */
#define FETCH_TRIES       3             /* of a store, without a piece */
#define FETCH_PAUSE_MS    250           /* doubled for each */

static void fetch_piece(fca_image_t *image);


static fca_image_t *
fetch_queued(const fca_cache_t *cache)
{
    fca_image_t  *image;

    TAILQ_FOREACH(image, &cache->images, link) {
        if (image->state == FCA_IMG_QUEUED) {
            return image;
        }
    }

    return NULL;
}


/* those that wait for their turn */
static void
fetch_next(fca_cache_t *cache)
{
    fca_image_t  *image;

    while (cache->fetching < FCA_FETCHES_MAX
           && (image = fetch_queued(cache)) != NULL)
    {
        fetch_piece(image);
    }
}


static void
fetch_end(fca_image_t *image, const fcf_err_t *err)
{
    fca_cache_t  *cache = image->cache;

    fca_image_end(image, err);
    fetch_next(cache);
}


static size_t
fetch_url_len(const fca_image_t *image)
{
    return strcspn(image->url, " ");
}


/* this store gives nothing, or what is wrong: the next one, if there is one */
static void
fetch_elsewhere(fca_image_t *image)
{
    fca_log(FCF_LOG_WARN, NULL, "%s", image->why.msg);

    image->url += fetch_url_len(image);
    image->url += strspn(image->url, " ");
    image->tries = 0;

    if (*image->url != '\0') {
        fetch_piece(image);
        return;
    }

    image->why.code = FCF_E_NOT_FOUND;
    fetch_end(image, &image->why);
}


static void
fetch_again(void *arg)
{
    fetch_piece(arg);
}


/* it broke off, or does not answer: once more, from where it was */
static void
fetch_broken(fca_image_t *image)
{
    fcf_loop_t  *loop = image->cache->conf.loop;

    if (++image->tries == FETCH_TRIES) {
        fetch_elsewhere(image);
        return;
    }

    if (image->timer == NULL) {
        image->timer = loop->timer_new(loop, fetch_again, image);
    }

    if (image->timer == NULL) {
        fetch_elsewhere(image);
        return;
    }

    fca_image_state(image, FCA_IMG_PAUSING);
    loop->timer_set(image->timer, FETCH_PAUSE_MS << (image->tries - 1));
}


static void
fetch_why(fca_image_t *image, const char *what)
{
    (void) fcf_err_set(&image->why, FCF_E_NOT_FOUND, "image %.12s... from "
                       "%.*s: %s, after %" PRId64 " of %" PRId64 " bytes",
                       image->sha256, (int) fetch_url_len(image), image->url,
                       what, image->got, image->size);
}


static void
fetch_refused(fca_image_t *image, long status, size_t len)
{
    char  what[64];

    if (status == 404 || status == 410) {
        fetch_why(image, "it has none");

    } else if (status == 200 || status == 206 || status == 416) {
        (void) snprintf(what, sizeof(what), "it has another length (%ld, "
                        "%zu bytes)", status, len);
        fetch_why(image, what);

    } else {
        (void) snprintf(what, sizeof(what), "status %ld", status);
        fetch_why(image, what);
    }

    if (status >= 500) {
        fetch_broken(image);
    } else {
        fetch_elsewhere(image);
    }
}


static size_t
fetch_len(const fca_image_t *image)
{
    return image->size - image->got < FCA_PIECE
           ? (size_t) (image->size - image->got) : FCA_PIECE;
}


static void
fetch_came(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *err)
{
    fca_image_t  *image = arg;

    image->req = NULL;

    if (err != NULL) {
        if (err->code == FCF_E_CANCELED) {
            return;                     /* the agent ends */
        }

        fetch_why(image, err->msg);
        fetch_broken(image);
        return;
    }

    /* a store that knows no ranges sends all of it */

    if ((status != 206 && (status != 200 || image->got != 0))
        || len != fetch_len(image))
    {
        fetch_refused(image, status, len);
        return;
    }

    image->piece = malloc(len);

    if (image->piece == NULL) {
        (void) fcf_err_set(&image->err, FCF_E_NOMEM, "image %.12s...: out of "
                           "memory", image->sha256);
        fetch_end(image, &image->err);
        return;
    }

    memcpy(image->piece, body, len);
    image->piece_len = len;
    image->tries = 0;
    fca_image_state(image, FCA_IMG_WRITING);
    fca_disk_job(image, FCA_DISK_WRITE);
}


static void
fetch_piece(fca_image_t *image)
{
    char         url[FCF_WHERE_MAX + FCA_DIGEST + 16], range[80];
    fcf_err_t    err;
    const char  *headers[] = { range, NULL };

    (void) snprintf(url, sizeof(url), "%.*s/%s" FCA_IMG_END,
                    (int) fetch_url_len(image), image->url, image->sha256);
    (void) snprintf(range, sizeof(range), "Range: bytes=%" PRId64 "-%" PRId64,
                    image->got, image->got + (int64_t) fetch_len(image) - 1);

    fca_image_state(image, FCA_IMG_LOADING);
    image->req = fcf_http_start(image->cache->conf.http, &(fcf_http_call_t) {
        .method = "GET", .url = url, .headers = headers,
        .connect_timeout_ms = FETCH_CONNECT_MS, .timeout_ms = FETCH_PIECE_MS,
        .max_reply = FCA_PIECE, .on_done = fetch_came, .arg = image,
        .ca = image->cache->conf.ca, .cert = image->cache->conf.cert,
        .key = image->cache->conf.key,
    }, &err);

    if (image->req == NULL) {
        fetch_why(image, err.msg);
        fetch_elsewhere(image);
    }
}


void
fca_fetch_looked(fca_image_t *image)
{
    fcf_err_t     err;
    fca_cache_t  *cache = image->cache;

    cache->stat.wrong += image->end == FCA_DISK_WRONG;

    if (image->end == FCA_DISK_THERE) {
        fetch_end(image, NULL);
        return;
    }

    if (image->end == FCA_DISK_FAILED) {
        fetch_end(image, &image->err);
        return;
    }

    if (TAILQ_EMPTY(&image->gets)) {
        fetch_end(image, NULL);         /* nobody waits any more */
        return;
    }

    image->url = image->where;
    image->tries = 0;

    if (*image->url == '\0' || image->size == 0) {
        (void) fcf_err_set(&err, FCF_E_NOT_FOUND, "image %.12s... is not "
                           "here, and its spec does not say %s",
                           image->sha256, *image->url == '\0'
                           ? "where it is" : "its size");
        fetch_end(image, &err);
        return;
    }

    if (fca_cache_room(cache, image, &err) != 0) {
        fetch_end(image, &err);
        return;
    }

    fca_log(FCF_LOG_INFO, NULL, "image %.12s... is fetched: %" PRId64 " of %"
            PRId64 " bytes are here", image->sha256, image->got, image->size);

    fca_image_state(image, FCA_IMG_QUEUED);
    fetch_next(cache);
}


void
fca_fetch_wrote(fca_image_t *image)
{
    switch (image->end) {

    case FCA_DISK_THERE:
        image->cache->stat.fetched++;
        fca_log(FCF_LOG_INFO, NULL, "image %.12s... is here: %" PRId64
                " bytes from %.*s", image->sha256, image->size,
                (int) fetch_url_len(image), image->url);
        fetch_end(image, NULL);
        break;

    case FCA_DISK_PART:
        if (TAILQ_EMPTY(&image->gets)) {
            fetch_end(image, NULL);
        } else {
            fetch_piece(image);
        }

        break;

    case FCA_DISK_WRONG:
        image->cache->stat.wrong++;
        fetch_why(image, "what it sent has another digest");

        if (TAILQ_EMPTY(&image->gets)) {
            fetch_end(image, NULL);
        } else {
            fetch_elsewhere(image);
        }

        break;

    case FCA_DISK_FAILED:
        fetch_end(image, &image->err);
        break;
    }
}


void
fca_fetch_stop(fca_image_t *image)
{
    switch (image->state) {

    case FCA_IMG_QUEUED:
    case FCA_IMG_LOADING:
    case FCA_IMG_PAUSING:
        if (image->req != NULL) {
            fcf_http_cancel(image->req);
            image->req = NULL;
        }

        if (image->timer != NULL) {
            image->cache->conf.loop->timer_stop(image->timer);
        }

        fetch_end(image, NULL);         /* what there is stays */
        break;

    case FCA_IMG_IDLE:
    case FCA_IMG_LOOKING:
    case FCA_IMG_WRITING:
        break;                          /* its end sees that nobody waits */
    }
}
