/* One root file system of an image's layers, as a tar: each file once, behind
 * the directories, and its other names behind it, as sqfstar wants it. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/archive.h"
#include "cli/rootfs.h"


/* its attributes; NULL: out of memory */
static struct archive_entry *
fcc_rootfs_out(const fcc_member_t *member, const char *path)
{
    const fcc_xattr_t     *xattr;
    const fcc_inode_t     *inode;
    struct archive_entry  *entry;

    inode = member->inode;
    entry = archive_entry_new();

    if (entry == NULL) {
        return NULL;
    }

    archive_entry_copy_pathname(entry, path);
    archive_entry_set_mode(entry, inode->mode);
    archive_entry_set_uid(entry, inode->uid);
    archive_entry_set_gid(entry, inode->gid);
    archive_entry_set_mtime(entry, inode->mtime, 0);
    archive_entry_set_size(entry, S_ISREG(inode->mode) ? inode->size : 0);

    if (inode->target != NULL) {
        archive_entry_copy_symlink(entry, inode->target);
    }

    for (xattr = inode->xattrs; xattr != NULL; xattr = xattr->next) {
        archive_entry_xattr_add_entry(entry, xattr->name, xattr->value,
                                      xattr->len);
    }

    return entry;
}


static int
fcc_rootfs_bad(struct archive *out, fcf_err_t *err)
{
    return fcf_err_set(err, FCF_E_REFUSED, "the image's tar in TMPDIR: %s",
                       fcc_archive_why(out));
}


/* in: what its contents are read of; NULL: it has none */
static int
fcc_rootfs_put(const fcc_member_t *member, struct archive *out,
    struct archive *in, const char *link_to, fcf_err_t *err)
{
    int                    rc;
    char                   path[PATH_MAX], piece[65536];
    ssize_t                n;
    struct archive_entry  *entry;

    if (fcc_member_path(member, path, sizeof(path)) != 0) {
        return fcf_err_set(err, FCF_E_REFUSED, "\"%.60s...\": is too long a "
                           "name", member->name);
    }

    entry = fcc_rootfs_out(member, path);

    if (entry == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    if (link_to != NULL) {
        archive_entry_copy_hardlink(entry, link_to);
        archive_entry_set_size(entry, 0);
    }

    rc = archive_write_header(out, entry) < ARCHIVE_WARN
         ? fcc_rootfs_bad(out, err) : 0;
    archive_entry_free(entry);
    n = in != NULL && rc == 0 ? 1 : 0;

    while (n > 0 && (n = archive_read_data(in, piece, sizeof(piece))) > 0) {
        if (archive_write_data(out, piece, (size_t) n) != n) {
            return fcc_rootfs_bad(out, err);
        }
    }

    return n < 0 ? fcf_err_set(err, FCF_E_REFUSED, "\"%.100s\": %s", path,
                               fcc_archive_why(in)) : rc;
}


static int
fcc_contents_cmp(const void *a, const void *b)
{
    const fcc_inode_t  *x = (*(fcc_member_t *const *) a)->inode;
    const fcc_inode_t  *y = (*(fcc_member_t *const *) b)->inode;

    if (x->layer != y->layer) {
        return x->layer < y->layer ? -1 : 1;
    }

    return (x->number > y->number) - (x->number < y->number);
}


/* the files that this layer has the contents of: from *first on, in the order
 * of its entries */
static int
fcc_rootfs_contents(const fcc_rootfs_t *fs, size_t layer,
    fcc_member_t *const **next, fcc_member_t *const *end, struct archive *out,
    fcf_err_t *err)
{
    int                    rc;
    unsigned               number;
    struct archive        *a;
    struct archive_entry  *entry;

    if (*next == end || (**next)->inode->layer != layer) {
        return 0;
    }

    a = fcc_rootfs_open(fs, layer, err);

    if (a == NULL) {
        return -1;
    }

    for (number = 0; *next != end && (**next)->inode->layer == layer;
         number++)
    {
        rc = fcc_rootfs_next(fs, layer, a, &entry, err);

        if (rc <= 0
            || ((**next)->inode->number == number
                && fcc_rootfs_put(*(*next)++, out, a, NULL, err) != 0))
        {
            (void) archive_read_free(a);
            return rc == 0 ? fcf_err_set(err, FCF_E_REFUSED, "layer %.12s... "
                                         "has changed",
                                         fs->oci->layers[layer].sha256) : -1;
        }
    }

    (void) archive_read_free(a);

    return 0;
}


/* directories first; then files, which other names of them follow */
static int
fcc_rootfs_members(fcc_rootfs_t *fs, struct archive *out, fcf_err_t *err)
{
    int                   rc;
    char                  first[PATH_MAX];
    size_t                i, n, nfiles;
    fcc_inode_t          *inode;
    fcc_member_t        **files;
    fcc_member_t *const  *next;

    n = fs->members.n;
    files = calloc(n + 1, sizeof(fcc_member_t *));
    rc = files != NULL ? 0 : fcf_err_set(err, FCF_E_NOMEM, "no memory");
    nfiles = 0;

    for (i = 1; rc == 0 && i < n; i++) {

        inode = fs->sorted[i]->inode;

        if (S_ISDIR(inode->mode)) {
            rc = fcc_rootfs_put(fs->sorted[i], out, NULL, NULL, err);

        } else if (inode->first == NULL) {

            inode->first = fs->sorted[i];

            if (S_ISREG(inode->mode)) {
                files[nfiles++] = fs->sorted[i];
            } else {
                rc = fcc_rootfs_put(fs->sorted[i], out, NULL, NULL, err);
            }
        }
    }

    if (rc == 0) {
        qsort(files, nfiles, sizeof(fcc_member_t *), fcc_contents_cmp);
    }

    for (next = files, i = 0; rc == 0 && i < fs->oci->nlayers; i++) {
        rc = fcc_rootfs_contents(fs, i, &next, files + nfiles, out, err);
    }

    for (i = 1; rc == 0 && i < n; i++) {

        inode = fs->sorted[i]->inode;

        if (!S_ISDIR(inode->mode) && inode->first != fs->sorted[i]) {
            rc = fcc_member_path(inode->first, first, sizeof(first)) != 0
                 ? fcf_err_set(err, FCF_E_REFUSED, "has too long a name")
                 : fcc_rootfs_put(fs->sorted[i], out, NULL, first, err);
        }
    }

    free(files);

    return rc;
}


/* the file of ours, and the directory that it is in */
static int
fcc_rootfs_program(struct archive *out, const char *text, fcf_err_t *err)
{
    int                    rc, i;
    struct archive_entry  *entry;

    rc = 0;

    for (i = 0; rc == 0 && i < 2; i++) {

        entry = archive_entry_new();

        if (entry == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "no memory");
        }

        archive_entry_copy_pathname(entry, i == 0 ? FCF_IMAGE_DIR
                                                  : FCF_IMAGE_FILE);
        archive_entry_set_mode(entry, i == 0 ? S_IFDIR | 0755
                                             : S_IFREG | 0644);
        archive_entry_set_mtime(entry, 0, 0);
        archive_entry_set_size(entry, i == 0 ? 0 : (int64_t) strlen(text));

        if (archive_write_header(out, entry) != ARCHIVE_OK
            || (i == 1 && archive_write_data(out, text, strlen(text))
                          != (ssize_t) strlen(text)))
        {
            rc = fcc_rootfs_bad(out, err);
        }

        archive_entry_free(entry);
    }

    return rc;
}


int
fcc_rootfs_write(fcc_rootfs_t *fs, const char *path, const char *program,
    fcf_err_t *err)
{
    int              rc;
    struct archive  *out;

    out = archive_write_new();

    if (out == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    (void) archive_write_set_format_pax_restricted(out);
    (void) archive_write_set_options(out, "pax:hdrcharset=BINARY");

    rc = archive_write_open_filename(out, path) != ARCHIVE_OK
         ? fcc_rootfs_bad(out, err)
         : fcc_rootfs_members(fs, out, err) != 0
           || fcc_rootfs_program(out, program, err) != 0 ? -1 : 0;

    if (rc == 0 && archive_write_close(out) != ARCHIVE_OK) {
        rc = fcc_rootfs_bad(out, err);
    }

    (void) archive_write_free(out);

    return rc;
}
