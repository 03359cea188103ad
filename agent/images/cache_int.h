/* Shared by agent/images/ only. */

#ifndef _FCA_CACHE_INT_H_INCLUDED_
#define _FCA_CACHE_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/images/cache.h"
#include "agent/images/known.h"

#define FCA_IMG_END     ".img"
#define FCA_PART_END    ".part"         /* of what is not whole */

/* Where an image stands; changed by fca_image_state() only. */
typedef enum {
    FCA_IMG_IDLE,           /* whole or not, nothing is under way */
    FCA_IMG_LOOKING,        /* the worker looks at what there is of it */
    FCA_IMG_QUEUED,         /* others are being fetched */
    FCA_IMG_LOADING,        /* a piece comes */
    FCA_IMG_PAUSING,        /* before it is asked for again */
    FCA_IMG_WRITING         /* the worker has the piece */
} fca_image_state_e;

typedef enum {
    FCA_DISK_LOOK,
    FCA_DISK_WRITE,
    FCA_DISK_REMOVE
} fca_disk_e;

typedef enum {
    FCA_DISK_THERE,         /* whole */
    FCA_DISK_PART,          /* so much of it as "got" says */
    FCA_DISK_WRONG,         /* it was all there, and was something else */
    FCA_DISK_FAILED         /* err says why */
} fca_disk_end_e;

typedef struct fca_image_s  fca_image_t;

struct fca_cache_get_s {
    TAILQ_ENTRY(fca_cache_get_s)  link;
    fca_image_t                  *image;
    fca_cache_pt                  done;
    void                         *arg;
};

struct fca_image_s {
    TAILQ_ENTRY(fca_image_s)    link;   /* the least recently used first */
    STAILQ_ENTRY(fca_image_s)   job;    /* while the worker is to come */
    fca_cache_t                *cache;
    char                        sha256[FCA_DIGEST + 1];
    fca_image_state_e           state;
    int64_t                     bytes;  /* on the disk */
    int                         named, fresh;   /* of a sweep */
    TAILQ_HEAD(, fca_cache_get_s)  gets;

    /* of a download */
    int64_t                     size;   /* that it is to have */
    char                        where[FCF_WHERE_MAX + 1];
    const char                 *url;    /* in where; the store's turn */
    unsigned                    tries;  /* of this store, since the last
                                           piece */
    fcf_http_req_t             *req;
    fcf_timer_t                *timer;  /* while PAUSING */
    fcf_err_t                   why;    /* the last store gave nothing */

    /* The worker's, while it has a job. */
    fca_disk_e                  disk;
    fca_disk_end_e              end;
    fcf_err_t                   err;
    char                       *piece;
    size_t                      piece_len;
    int64_t                     got;
    struct sha256_ctx           sha;    /* of these bytes */
    int                         checked;    /* in this agent's life, when the
                                               file was as below */
    fca_file_id_t               file;
};

struct fca_cache_s {
    fca_cache_conf_t            conf;
    char                       *dir;
    int                         freed;
    unsigned                    fetching;       /* downloads under way */
    fca_cache_stat_t            stat;
    TAILQ_HEAD(, fca_image_s)   images;
    STAILQ_HEAD(, fca_image_s)  jobs;   /* one at a time: a disk has one head */
    fca_image_t                *now;    /* the worker has it */
    uv_work_t                   work;
};

/* cache.c */
void fca_image_state(fca_image_t *image, fca_image_state_e state);
/* all that wait are told; err NULL: it is there */
void fca_image_end(fca_image_t *image, const fcf_err_t *err);
/* room for what is to come of it: 0, or there is none */
int fca_cache_room(fca_cache_t *cache, fca_image_t *image, fcf_err_t *err);
void fca_image_free(fca_image_t *image);

/* fetch.c */
/* what the worker found; goes on from there */
void fca_fetch_looked(fca_image_t *image);
void fca_fetch_wrote(fca_image_t *image);
/* nobody waits for it any more */
void fca_fetch_stop(fca_image_t *image);

/* disk.c */
void fca_disk_job(fca_image_t *image, fca_disk_e what);

/* store.c; all on the worker thread, of the image what is the worker's */
void fca_store_path(const fca_image_t *image, const char *ending, char *buf,
    size_t size);
fca_disk_end_e fca_store_look(fca_image_t *image);
fca_disk_end_e fca_store_write(fca_image_t *image);
void fca_store_remove(fca_image_t *image);

#endif /* _FCA_CACHE_INT_H_INCLUDED_ */
