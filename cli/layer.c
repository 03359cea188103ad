/* A layer as a plain tar: unpacked under limits, and of the digest that the
 * image's configuration says. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <archive.h>
#include <archive_entry.h>

#include "cli/archive.h"
#include "cli/command.h"
#include "cli/digest.h"
#include "cli/oci.h"
#include "cli/progress.h"


static int
fcc_layer_bytes(const fcc_oci_layer_t *layer, int64_t here, int64_t all,
    fcf_err_t *err)
{
    if (all > FCC_TREE_BYTES_MAX) {
        return fcf_err_set(err, FCF_E_REFUSED, "its layers hold more than %d "
                           "MB", (int) (FCC_TREE_BYTES_MAX >> 20));
    }

    if (here > FCC_BOMB_BYTES && here / FCC_BOMB_RATIO > layer->size) {
        return fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: grows to more "
                           "than %d times its size", layer->sha256,
                           FCC_BOMB_RATIO);
    }

    return fcc_interrupted(err);
}


static int
fcc_layer_copy(const fcc_oci_layer_t *layer, struct archive *a, int fd,
    const char *diff, int64_t *bytes, fcc_progress_t *progress, fcf_err_t *err)
{
    char               *piece, hex[FCC_DIGEST];
    int64_t             here;
    ssize_t             n;
    struct sha256_ctx   sha;

    piece = malloc(1 << 16);
    sha256_init(&sha);
    here = 0;
    n = piece != NULL ? 1 : -1;

    while (n > 0 && (n = archive_read_data(a, piece, 1 << 16)) > 0) {

        here += n;
        *bytes += n;
        sha256_update(&sha, (size_t) n, (const uint8_t *) piece);
        fcc_progress(progress, archive_filter_bytes(a, -1));

        if (fcc_layer_bytes(layer, here, *bytes, err) != 0) {
            free(piece);
            return -1;
        }

        if (write(fd, piece, (size_t) n) != n) {
            free(piece);
            return fcf_err_sys(err, errno, "a layer in TMPDIR");
        }
    }

    free(piece);

    if (n < 0) {
        return fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: %s",
                           layer->sha256, fcc_archive_why(a));
    }

    fcc_digest_end(&sha, hex);

    return strcmp(hex, diff) == 0 ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: what is in it "
                         "has another digest than its configuration says",
                         layer->sha256);
}


int
fcc_oci_layer(const fcc_oci_t *oci, size_t i, const char *path,
    int64_t *bytes, fcf_err_t *err)
{
    int                     fd, rc;
    char                   *blob, hex[FCC_DIGEST], what[48];
    int64_t                 size;
    fcc_progress_t          progress;
    struct archive         *a;
    struct archive_entry   *entry;
    const fcc_oci_layer_t  *layer;

    layer = &oci->layers[i];

    if (asprintf(&blob, "%s/blobs/sha256/%s", oci->dir, layer->sha256) < 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    if (fcc_digest_file(blob, hex, &size, err) != 0) {
        free(blob);
        return -1;
    }

    if (strcmp(hex, layer->sha256) != 0 || size != layer->size) {
        free(blob);
        return fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: is not what "
                           "its digest and size say", layer->sha256);
    }

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    a = archive_read_new();

    if (fd < 0 || a == NULL) {
        rc = fcf_err_sys(err, errno, "%s", path);

    } else {
        (void) archive_read_support_format_raw(a);

        if (layer->gzip) {
            (void) archive_read_support_filter_gzip(a);
        }

        if (layer->zstd) {
            (void) archive_read_support_filter_zstd(a);
        }

        (void) snprintf(what, sizeof(what), "layer %zu of %zu", i + 1,
                        oci->nlayers);
        fcc_progress_begin(&progress, what, layer->size);

        rc = archive_read_open_filename(a, blob, 1 << 16) != ARCHIVE_OK
             || archive_read_next_header(a, &entry) != ARCHIVE_OK
             ? fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: %s",
                           layer->sha256, fcc_archive_why(a))
             : fcc_layer_copy(layer, a, fd, oci->config.diffs[i], bytes,
                              &progress, err);

        fcc_progress_end(&progress, rc == 0);
    }

    if (a != NULL) {
        (void) archive_read_free(a);
    }

    if (fd >= 0) {
        (void) close(fd);
    }

    free(blob);

    return rc;
}
