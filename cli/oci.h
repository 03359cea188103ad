/* Container images: an OCI layout in a directory, read, checked and merged
 * into one root file system, without root and without mounting. */

#ifndef _FCC_OCI_H_INCLUDED_
#define _FCC_OCI_H_INCLUDED_

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "contract/fcf_err.h"

#define FCC_OCI_LAYERS   127            /* as container engines have */
#define FCC_OCI_CONFIG   (1 << 20)      /* bytes of an index, manifest, config */

typedef struct {
    json_t   *json;                     /* owns all strings */
    size_t    nargv;
    char    **argv;                     /* Entrypoint, then Cmd */
    size_t    nenv;
    char    **env;                      /* "NAME=value" */
    const char  *cwd, *user;            /* user: "" is root */
    int       port, nports;             /* the lowest TCP port; 0: none */
    size_t    ndiffs;
    const char  *diffs[FCC_OCI_LAYERS]; /* SHA-256 of layers, in hex */
} fcc_oci_config_t;

/* FCF_E_REFUSED, and why: it is no image that a guest can run */
int fcc_oci_config_decode(fcc_oci_config_t *out, const char *text, size_t len,
    fcf_err_t *err) fcf_must_check;
void fcc_oci_config_free(fcc_oci_config_t *config);
/* the hex digits of "sha256:..."; NULL: it is none */
const char *fcc_oci_hex(const char *digest);

typedef struct {
    char      sha256[65];
    int64_t   size;
    int       gzip, zstd;
} fcc_oci_layer_t;

typedef struct {
    char             *dir;
    fcc_oci_config_t  config;
    size_t            nlayers;
    fcc_oci_layer_t   layers[FCC_OCI_LAYERS];
} fcc_oci_t;

/* The image with this tag, or the only one (tag NULL). */
int fcc_oci_open(fcc_oci_t *oci, const char *dir, const char *tag,
    fcf_err_t *err) fcf_must_check;
void fcc_oci_close(fcc_oci_t *oci);

/* layer.c: the tar that a layer is, as a file at "path"; *bytes: of all layers
 * so far */
int fcc_oci_layer(const fcc_oci_t *oci, size_t i, const char *path,
    int64_t *bytes, fcf_err_t *err) fcf_must_check;

/* rootfs.c: makes a squashfs of it, and of a file of ours that says what is
 * run (vm/guest.h); temp: a directory.  *files: how many it has */
int fcc_oci_rootfs(fcc_oci_t *oci, const char *temp, const char *out,
    unsigned *files, fcf_err_t *err) fcf_must_check;

#endif /* _FCC_OCI_H_INCLUDED_ */
