/* Shared by rootfs*.c and program.c. */

#ifndef _FCC_ROOTFS_H_INCLUDED_
#define _FCC_ROOTFS_H_INCLUDED_

#include <archive.h>
#include <archive_entry.h>

#include "cli/member.h"
#include "cli/oci.h"
#include "contract/fcf_runtime.h"

typedef struct {
    fcc_oci_t      *oci;
    const char     *temp;               /* where the layers are unpacked */
    fcc_members_t   members;
    fcc_member_t  **sorted;
} fcc_rootfs_t;

/* rootfs_read.c */
/* all of them into the members */
int fcc_rootfs_layers(fcc_rootfs_t *fs, fcf_err_t *err) fcf_must_check;
/* a layer's tar from its first entry on; NULL: *err says why not */
struct archive *fcc_rootfs_open(const fcc_rootfs_t *fs, size_t layer,
    fcf_err_t *err);
/* 1: there is one, 0: there is none any more */
int fcc_rootfs_next(const fcc_rootfs_t *fs, size_t layer, struct archive *a,
    struct archive_entry **entry, fcf_err_t *err) fcf_must_check;
/* what a file holds, malloc'd and NUL-terminated, up to a bound; NULL: it is
 * not there */
char *fcc_rootfs_file(const fcc_rootfs_t *fs, const char *path);

/* rootfs_write.c: a tar of all of it, and of FCF_IMAGE_FILE */
int fcc_rootfs_write(fcc_rootfs_t *fs, const char *path, const char *program,
    fcf_err_t *err) fcf_must_check;

/* program.c: what FCF_IMAGE_FILE is to say, malloc'd; a directory to work in
 * that the image has not is made.  NULL: *err says what cannot run. */
char *fcc_program(fcc_rootfs_t *fs, fcf_err_t *err);

#endif /* _FCC_ROOTFS_H_INCLUDED_ */
