/* What a function is made of: a directory, or a zip or tar of one, or a
 * container image, looked at and made an image of. */

#ifndef _FCC_SOURCE_H_INCLUDED_
#define _FCC_SOURCE_H_INCLUDED_

#include <stdint.h>
#include "cli/fcc.h"
#include "cli/mark.h"
#include "cli/oci.h"

typedef struct {
    const char   *given;                /* as on the command line */
    char         *label;                /* its absolute path */
    int           image;                /* it is one already, to be copied */
    char         *dir;                  /* what is looked at */
    char         *temp;                 /* NULL: nothing was unpacked */
    const char   *runtime;              /* by fcc_source_look() */
    char         *runtime_img;          /* NULL: not to be seen from here */
    unsigned      files;
    int64_t       bytes;
    fcc_oci_t    *oci;                  /* NULL: it is no container image */
    char          sha256[65];           /* of the image */
    int64_t       size;
    fcc_mark_t    mark;                 /* of it, before it was put there */
} fcc_source_t;

/* Unpacks it, and sees that all of it can be in an image.  plain: a registry is
 * asked without TLS. */
int fcc_source_open(fcc_source_t *source, const char *given, int plain,
    fcf_err_t *err) fcf_must_check;
/* Sees that the runtime can start it, and does what the runtime wants done
 * before.  conf says where runtimes are; pinned: it need not be there. */
int fcc_source_look(fcc_source_t *source, const fcc_conf_t *conf,
    const char *runtime, int pinned, fcf_err_t *err) fcf_must_check;
/* The image that it is, of a runtime. */
int fcc_source_image(fcc_source_t *source, const char *given, fcf_err_t *err)
    fcf_must_check;
void fcc_source_close(fcc_source_t *source);

/* container.c */
/* "oci:...", "docker-archive:..." or "docker://..." */
int fcc_is_container(const char *given);
/* what it is to be called, if nothing else is said; as fits */
void fcc_container_name(char *name, size_t size, const char *given);
/* opens source->oci */
int fcc_container_open(fcc_source_t *source, int plain, fcf_err_t *err)
    fcf_must_check;

/* tree.c: every file is one that an image can have, no link leads out; counts
 * them */
int fcc_tree_check(fcc_source_t *source, fcf_err_t *err) fcf_must_check;
/* a copy: files, directories and links; or of one file */
int fcc_tree_copy(const char *from, const char *to, fcf_err_t *err)
    fcf_must_check;

/* entry.c: there is something that the runtime can start */
int fcc_entry_check(const fcc_source_t *source, const fcc_conf_t *conf,
    fcf_err_t *err) fcf_must_check;

/* image.c: makes it, puts it into the stores, or, where there is none, into the
 * directory of images, by its digest */
int fcc_image_put(fcc_t *fcc, fcc_source_t *source, fcf_err_t *err)
    fcf_must_check;
/* What it is from then on: all of the settings' stores have it; none: the
 * directory. */
void fcc_image_of(const fcc_source_t *source, const fcc_conf_t *conf,
    fcf_image_t *out);

#endif /* _FCC_SOURCE_H_INCLUDED_ */
