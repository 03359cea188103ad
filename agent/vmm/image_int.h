/* Shared by agent/vmm/image*.c only. */

#ifndef _FCA_IMAGE_INT_H_INCLUDED_
#define _FCA_IMAGE_INT_H_INCLUDED_

#include <sys/queue.h>
#include "agent/images/known.h"
#include "agent/images/runtimes.h"
#include "agent/vmm/image.h"

struct fca_image_look_s {
    TAILQ_ENTRY(fca_image_look_s)  link;
    fca_looker_t                  *looker;
    fca_fetching_pt                fetching;
    fca_images_pt                  done;        /* NULL: dropped */
    void                          *arg;
    int                            any;
    fcf_spec_t                     spec;        /* unless any */
    int                            own;         /* its image is its runtime */
    const fcf_image_t             *lacks;       /* by the worker: this of the
                                                   spec's; NULL: nothing */
    /* these two are the cache's, whose word is good */
    int                            code_fetched, runtime_fetched;
    int                            told;        /* that one is fetched */
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
    fca_known_t                known;           /* the worker's, and this, */
    fca_runtimes_t            *runtimes;        /* unless NULL */
};

/* image_work.c.  On a worker thread: of the look it has the images, what it
 * lacks, and err alone. */
void fca_image_look(fca_looker_t *looker, fca_image_look_t *look);

#endif /* _FCA_IMAGE_INT_H_INCLUDED_ */
