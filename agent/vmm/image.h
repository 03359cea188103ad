/* Where the images of functions and runtimes lie: in the directories that the
 * settings name, or, by digest, in the cache of what stores had.  They may
 * lie on a file system that does not answer, so that the loop never looks for
 * itself. */

#ifndef _FCA_IMAGE_H_INCLUDED_
#define _FCA_IMAGE_H_INCLUDED_

#include <limits.h>
#include <uv.h>
#include "agent/base/conf.h"
#include "agent/images/cache.h"
#include "contract/fcf_codec.h"

#define FCA_IMAGES_FILES  512

typedef struct {
    char  function[PATH_MAX];           /* "": the runtime is its own */
    char  runtime[PATH_MAX];
    /* which files these are, and kernel, initrd and VMM: by device, inode,
     * size and time, the runtime's by its digest; another text, another VM */
    char  files[FCA_IMAGES_FILES];
} fca_images_t;

typedef struct fca_looker_s      fca_looker_t;
typedef struct fca_image_look_s  fca_image_look_t;

/* err NULL: both images are there, by these names.  FCF_E_NOT_FOUND: err says
 * which is missing; FCF_E_LIMIT: it may not be fetched here; any other: it says
 * what is wrong with a directory of images, which is this host's fault.  All
 * pointers are valid during the call alone. */
typedef void (*fca_images_pt)(void *arg, const fca_images_t *images,
    const fcf_err_t *err);

/* An image is not here and is being fetched; done comes later. */
typedef void (*fca_fetching_pt)(void *arg);

/* Looks on one worker thread at a time, however many there are to look for: a
 * file system that hangs takes no more of them.  uv, conf and cache (NULL:
 * nothing is fetched) outlive it; runtimes: where its copies of those are, see
 * agent/images/runtimes.h, or NULL: they are used where they lie. */
fca_looker_t *fca_looker_new(uv_loop_t *uv, const fca_conf_t *conf,
    fca_cache_t *cache, const char *runtimes, fcf_err_t *err);
/* Also of NULL.  Whoever still waits is not told. */
void fca_looker_free(fca_looker_t *looker);

/* <functions>/<code sha256>.img if the spec names code, which must be what it
 * is called, or what the stores have that the spec names; else
 * <functions>/<function_id>.img; <runtimes>/<runtime>.img, or the copy of it;
 * if the spec names a digest of that too, whatever has these bytes: that one,
 * <functions>/<sha256>.img or the stores.  done runs once, from the loop,
 * unless it is dropped before; fetching (may be NULL) at most once before it.
 */
fca_image_look_t *fca_images_look(fca_looker_t *looker,
    const char *function_id, const fcf_spec_t *spec, fca_fetching_pt fetching,
    fca_images_pt done, void *arg, fcf_err_t *err);
/* Some runtime's image, for both; "" if there is none, which is no error as
 * long as both directories can be read. */
fca_image_look_t *fca_images_look_any(fca_looker_t *looker,
    fca_images_pt done, void *arg, fcf_err_t *err);
/* What is being fetched for it, as the subject of a sentence, and where from;
 * valid as long as it is. */
const char *fca_image_look_waits(const fca_image_look_t *look,
    const char **where);
/* its done will not run */
void fca_image_look_drop(fca_image_look_t *look);

#endif /* _FCA_IMAGE_H_INCLUDED_ */
