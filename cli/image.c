/* The image, unless it is one already: squashfs, made by mksquashfs without
 * root and without mounting, the same bytes for the same files wherever and
 * whenever; as vm/mkimage makes it.  In a directory it is written beside where
 * it will be, and renamed when it is whole. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/digest.h"
#include "cli/runtime.h"
#include "cli/source.h"
#include "cli/store.h"


/* Others may write to what it is a copy of.  Of a squashfs, all of its tables
 * are looked at, which stand at its end. */
static int
fcc_image_copy(const fcc_source_t *source, const char *out, fcf_err_t *err)
{
    int             fd, rc;
    char            magic[4] = "";
    fcc_runtime_t   inside;

    (void) unlink(out);

    if (fcc_tree_copy(source->label, out, err) != 0) {
        return -1;
    }

    fd = open(out, O_RDONLY | O_CLOEXEC);
    rc = fd < 0 || read(fd, magic, sizeof(magic)) < 0
         ? fcf_err_sys(err, errno, "%s", out) : 0;

    if (fd >= 0) {
        (void) close(fd);
    }

    if (rc == 0 && memcmp(magic, "hsqs", sizeof(magic)) == 0) {
        rc = fcc_runtime_read(&inside, out, err) == 0 ? 0
             : fcf_err_set(err, FCF_E_REFUSED, "is not whole: %s cannot be "
                           "read as the squashfs that it begins as",
                           source->label);
        fcc_runtime_free(&inside);
    }

    return rc;
}


static int
fcc_image_make(fcc_source_t *source, const char *out, fcf_err_t *err)
{
    if (source->image) {
        return fcc_image_copy(source, out, err);
    }

    if (source->oci != NULL) {
        return fcc_oci_rootfs(source->oci, source->temp, out, &source->files,
                              err);
    }

    const char *const  argv[] = {
        "mksquashfs", source->dir, out, "-quiet", "-no-progress", "-noappend",
        "-all-root", "-noI", "-noD", "-noF", "-noX", "-no-xattrs",
        "-no-exports", "-no-hardlinks", "-reproducible", "-mkfs-time", "0",
        "-all-time", "0", "-action", "chmod(u=rwX,go=rX)@true", NULL
    };

    return fcc_command_makes(argv, NULL, out, "the image", source->bytes, err);
}


/* a file or a directory outlives a crash of the host from here on */
static int
fcc_sync(const char *path, fcf_err_t *err)
{
    int  fd, rc;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    rc = fd < 0 || fsync(fd) != 0 ? fcf_err_sys(err, errno, "%s", path) : 0;

    if (fd >= 0) {
        (void) close(fd);
    }

    return rc;
}


/* one that is there already is left alone, unless it is not what its name
 * says */
static int
fcc_image_place(fcc_source_t *source, const fcc_conf_t *conf, const char *made,
    fcf_err_t *err)
{
    int      rc, there;
    char    *path, hex[FCC_DIGEST];
    int64_t  size;

    if (asprintf(&path, "%s/%s.img", conf->functions, source->sha256) < 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    there = fcc_digest_file(path, hex, &size, NULL) == 0
            && strcmp(hex, source->sha256) == 0;

    rc = there ? 0 : fcc_sync(made, err);

    if (rc == 0 && !there && rename(made, path) != 0) {
        rc = fcf_err_sys(err, errno, "%s", path);
    }

    free(path);

    return rc == 0 ? fcc_sync(conf->functions, err) : rc;
}


static int
fcc_image_make_at(fcc_source_t *source, const char *path, fcf_err_t *err)
{
    if (fcc_image_make(source, path, err) != 0) {
        return -1;
    }

    (void) chmod(path, 0644);

    return fcc_digest_file(path, source->sha256, &source->size, err);
}


static int
fcc_image_to_dir(fcc_t *fcc, fcc_source_t *source, fcf_err_t *err)
{
    int                rc;
    char              *made;
    const fcc_conf_t  *conf = &fcc->conf;

    if (access(conf->functions, W_OK | X_OK) != 0) {
        return fcf_err_sys(err, errno, "functions = \"%s\": images cannot be "
                           "put there", conf->functions);
    }

    if (asprintf(&made, "%s/.new-%ld", conf->functions, (long) getpid()) < 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    rc = fcc_image_make_at(source, made, err) != 0
         || fcc_mark_read(fcc, &source->mark, source->sha256, err) != 0
         || fcc_image_place(source, conf, made, err) != 0 ? -1 : 0;

    (void) unlink(made);
    free(made);

    return rc;
}


static int
fcc_image_to_stores(fcc_t *fcc, fcc_source_t *source, fcf_err_t *err)
{
    int    rc;
    char  *dir, *path;

    dir = fcc_temp_dir(err);
    path = dir != NULL ? fcc_join(dir, "image") : NULL;

    rc = dir == NULL ? -1
         : path == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
         : fcc_image_make_at(source, path, err) != 0
         || fcc_mark_read(fcc, &source->mark, source->sha256, err) != 0
         || fcc_store_put(fcc, path, source->sha256, source->size, err) != 0
         ? -1 : 0;

    fcc_remove_tree(dir);
    free(path);
    free(dir);

    return rc;
}


int
fcc_image_put(fcc_t *fcc, fcc_source_t *source, fcf_err_t *err)
{
    int  rc;

    rc = fcc->conf.nstores != 0 ? fcc_image_to_stores(fcc, source, err)
                                : fcc_image_to_dir(fcc, source, err);

    return rc == 0 ? 0 : fcf_err_wrap(err, "the image of %s", source->given);
}


/* the stores fit: together they are no longer than the setting */
void
fcc_image_of(const fcc_source_t *source, const fcc_conf_t *conf,
    fcf_image_t *out)
{
    size_t  i, len;

    memset(out, 0, sizeof(fcf_image_t));
    memcpy(out->sha256, source->sha256, sizeof(out->sha256));
    out->size = source->size;

    for (i = len = 0; i < conf->nstores && len < sizeof(out->where); i++) {
        len += (size_t) snprintf(out->where + len, sizeof(out->where) - len,
                                 "%s%s", i != 0 ? " " : "", conf->stores[i]);
    }
}
