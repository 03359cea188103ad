/* Where the images of functions and runtimes lie. */

#ifndef _FCA_IMAGE_H_INCLUDED_
#define _FCA_IMAGE_H_INCLUDED_

#include <limits.h>
#include "agent/base/conf.h"
#include "contract/fcf_codec.h"

typedef struct {
    char  function[PATH_MAX];
    char  runtime[PATH_MAX];
} fca_images_t;

/* <functions>/<code sha256>.img if the spec names code, else
 * <functions>/<function_id>.img; <runtimes>/<runtime>.img.
 * FCF_E_NOT_FOUND: err says which is missing. */
int fca_images_find(fca_images_t *out, const fca_conf_t *conf,
    const char *function_id, const fcf_spec_t *spec, fcf_err_t *err)
    fcf_must_check;

/* the path of some image in this directory; -1: there is none */
int fca_image_any(char *path, size_t size, const char *dir) fcf_must_check;
/* both directories of images can be read */
int fca_images_dirs(const fca_conf_t *conf, fcf_err_t *err) fcf_must_check;

#endif /* _FCA_IMAGE_H_INCLUDED_ */
