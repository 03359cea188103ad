/* The layers, read for who is who in them. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/archive.h"
#include "cli/command.h"
#include "cli/rootfs.h"

#define FCC_WHITEOUT  ".wh."
#define FCC_OPAQUE    ".wh..wh..opq"
#define FCC_XATTRS    256               /* KiB of names and values, of a file */
#define FCC_ENTRIES   (4 * FCC_TREE_FILES_MAX)
#define FCC_FILE_MAX  (1 << 20)


static char *
fcc_rootfs_tar(const fcc_rootfs_t *fs, size_t layer)
{
    char  *path;

    return asprintf(&path, "%s/layer-%zu", fs->temp, layer) < 0 ? NULL : path;
}


struct archive *
fcc_rootfs_open(const fcc_rootfs_t *fs, size_t layer, fcf_err_t *err)
{
    int              rc;
    char            *path;
    struct archive  *a;

    path = fcc_rootfs_tar(fs, layer);
    a = archive_read_new();

    if (path == NULL || a == NULL) {
        free(path);
        (void) archive_read_free(a);
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    (void) archive_read_support_format_tar(a);
    (void) archive_read_support_format_gnutar(a);
    (void) archive_read_support_format_empty(a);
    rc = archive_read_open_filename(a, path, 1 << 16);
    free(path);

    if (rc != ARCHIVE_OK) {
        fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: %s",
                    fs->oci->layers[layer].sha256, fcc_archive_why(a));
        (void) archive_read_free(a);
        return NULL;
    }

    return a;
}


int
fcc_rootfs_next(const fcc_rootfs_t *fs, size_t layer, struct archive *a,
    struct archive_entry **entry, fcf_err_t *err)
{
    int  rc;

    if (fcc_interrupted(err) != 0) {
        return -1;
    }

    rc = archive_read_next_header(a, entry);

    if (rc == ARCHIVE_EOF) {
        return 0;
    }

    /* a warning is of a name that is no UTF-8, and has the right bytes */

    return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 1
           : fcf_err_set(err, FCF_E_REFUSED, "layer %.12s...: %s",
                         fs->oci->layers[layer].sha256,
                         fcc_archive_why(a));
}


static int
fcc_rootfs_xattrs(fcc_inode_t *inode, struct archive_entry *entry,
    fcf_err_t *err)
{
    size_t         size, all;
    const void    *value;
    const char    *name;
    fcc_xattr_t  **last, *xattr;

    all = 0;
    last = &inode->xattrs;
    (void) archive_entry_xattr_reset(entry);

    while (archive_entry_xattr_next(entry, &name, &value, &size)
           == ARCHIVE_OK)
    {
        /* the others are no file system's */

        if (strncmp(name, "user.", 5) != 0
            && strncmp(name, "security.", 9) != 0
            && strncmp(name, "trusted.", 8) != 0)
        {
            continue;
        }

        all += strlen(name) + size;
        xattr = all <= FCC_XATTRS * 1024
                ? calloc(1, sizeof(fcc_xattr_t) + strlen(name) + 1) : NULL;

        if (xattr == NULL || (xattr->value = malloc(size + 1)) == NULL) {
            free(xattr);
            return fcf_err_set(err, FCF_E_REFUSED, "its extended attributes "
                               "are more than %d KB", FCC_XATTRS);
        }

        memcpy(xattr->value, value, size);
        memcpy(xattr->name, name, strlen(name));
        xattr->len = size;
        *last = xattr;
        last = &xattr->next;
    }

    return 0;
}


static fcc_inode_t *
fcc_rootfs_inode(struct archive_entry *entry, size_t layer, unsigned number,
    fcf_err_t *err)
{
    const char   *target;
    fcc_inode_t  *inode;

    inode = fcc_inode_new(archive_entry_mode(entry));

    if (inode == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "no memory");
        return NULL;
    }

    inode->uid = archive_entry_uid(entry);
    inode->gid = archive_entry_gid(entry);
    inode->mtime = archive_entry_mtime(entry);
    inode->mtime = inode->mtime < 0 ? 0 : inode->mtime > UINT32_MAX
                   ? UINT32_MAX : inode->mtime;
    inode->size = archive_entry_size(entry);
    inode->layer = layer;
    inode->number = number;

    target = archive_entry_symlink(entry);

    if (S_ISLNK(inode->mode)) {
        inode->target = target != NULL && *target != '\0'
                        && strlen(target) < PATH_MAX ? strdup(target) : NULL;

        if (inode->target == NULL) {
            fcf_err_set(err, FCF_E_REFUSED, "is a link to nothing, or to too "
                        "long a name");
            fcc_inode_free(inode);
            return NULL;
        }
    }

    if (inode->uid < 0 || inode->uid > FCF_IMAGE_ID_MAX || inode->gid < 0
        || inode->gid > FCF_IMAGE_ID_MAX)
    {
        fcf_err_set(err, FCF_E_REFUSED, "belongs to a user or group that "
                    "cannot be");
        fcc_inode_free(inode);
        return NULL;
    }

    if (fcc_rootfs_xattrs(inode, entry, err) != 0) {
        fcc_inode_free(inode);
        return NULL;
    }

    return inode;
}


/* 1: it only hides something, and that is done */
static int
fcc_rootfs_whiteout(fcc_rootfs_t *fs, size_t layer, char *path,
    fcf_err_t *err)
{
    char  *name;

    name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;

    if (strncmp(name, FCC_WHITEOUT, sizeof(FCC_WHITEOUT) - 1) != 0) {
        return 0;
    }

    if (strcmp(name, FCC_OPAQUE) == 0) {
        name[name > path ? -1 : 0] = '\0';
        return fcc_members_hide(&fs->members, layer, path, 1, err) != 0
               ? -1 : 1;
    }

    /* others of the kind are an engine's own affair */

    if (strncmp(name, FCC_WHITEOUT FCC_WHITEOUT,
                2 * sizeof(FCC_WHITEOUT) - 2) == 0)
    {
        return 1;
    }

    memmove(name, name + sizeof(FCC_WHITEOUT) - 1,
            strlen(name) - sizeof(FCC_WHITEOUT) + 2);

    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return fcf_err_set(err, FCF_E_REFUSED, "hides no name");
    }

    return fcc_members_hide(&fs->members, layer, path, 0, err) != 0 ? -1 : 1;
}


static int
fcc_rootfs_entry(fcc_rootfs_t *fs, size_t layer, unsigned number,
    struct archive_entry *entry, fcf_err_t *err)
{
    int           rc;
    char          path[PATH_MAX], target[PATH_MAX];
    const char   *name;
    fcc_inode_t  *inode;

    name = archive_entry_pathname(entry);

    if (name == NULL) {
        return fcf_err_set(err, FCF_E_REFUSED, "has a name that cannot be");
    }

    /* absolute ones are of the image's root, as engines read them */

    name += strspn(name, "/");

    if (fcc_entry_name(path, sizeof(path), name, err) != 0) {
        return -1;
    }

    rc = fcc_rootfs_whiteout(fs, layer, path, err);

    if (rc != 0) {
        return rc < 0 ? fcf_err_wrap(err, "\"%.100s\"", name) : 0;
    }

    if (archive_entry_hardlink(entry) != NULL) {

        name = archive_entry_hardlink(entry);
        name += strspn(name, "/");

        return fcc_entry_name(target, sizeof(target), name, err) != 0 ? -1
               : fcc_members_link(&fs->members, layer, path, target, err);
    }

    switch (archive_entry_filetype(entry)) {

    case AE_IFREG:
    case AE_IFDIR:
    case AE_IFLNK:
    case AE_IFIFO:
        break;

    default:
        return fcf_err_set(err, FCF_E_REFUSED, "\"%.100s\": is a device or "
                           "socket; images of functions have none", path);
    }

    inode = fcc_rootfs_inode(entry, layer, number, err);

    return inode == NULL ? fcf_err_wrap(err, "\"%.100s\"", path)
           : fcc_members_put(&fs->members, layer, path, inode, err);
}


static int
fcc_rootfs_read(fcc_rootfs_t *fs, size_t layer, fcf_err_t *err)
{
    int                    rc;
    unsigned               number;
    struct archive        *a;
    struct archive_entry  *entry;

    a = fcc_rootfs_open(fs, layer, err);

    if (a == NULL) {
        return -1;
    }

    for (number = 0; (rc = fcc_rootfs_next(fs, layer, a, &entry, err)) > 0;
         number++)
    {
        if (number == FCC_ENTRIES) {
            rc = fcf_err_set(err, FCF_E_REFUSED, "has more than %d entries",
                             FCC_ENTRIES);
        } else {
            rc = fcc_rootfs_entry(fs, layer, number, entry, err);
        }

        if (rc != 0) {
            (void) fcf_err_wrap(err, "layer %.12s...",
                                fs->oci->layers[layer].sha256);
            break;
        }
    }

    (void) archive_read_free(a);

    return rc;
}


int
fcc_rootfs_layers(fcc_rootfs_t *fs, fcf_err_t *err)
{
    int      rc;
    char    *path;
    size_t   i;
    int64_t  bytes;

    rc = 0;
    bytes = 0;

    for (i = 0; rc == 0 && i < fs->oci->nlayers; i++) {

        path = fcc_rootfs_tar(fs, i);

        rc = path == NULL ? fcf_err_set(err, FCF_E_NOMEM, "no memory")
             : fcc_oci_layer(fs->oci, i, path, &bytes, err);
        free(path);

        if (rc == 0) {
            rc = fcc_rootfs_read(fs, i, err);
        }
    }

    return rc;
}


char *
fcc_rootfs_file(const fcc_rootfs_t *fs, const char *path)
{
    char                  *text;
    ssize_t                n;
    unsigned               number;
    fcf_err_t              none;
    fcc_member_t          *member;
    struct archive        *a;
    struct archive_entry  *entry;

    member = fcc_members_find(&fs->members, path);

    if (member == NULL || !S_ISREG(member->inode->mode)) {
        return NULL;
    }

    a = fcc_rootfs_open(fs, member->inode->layer, &none);
    text = malloc(FCC_FILE_MAX + 1);
    n = -1;

    for (number = 0; a != NULL && text != NULL
         && fcc_rootfs_next(fs, member->inode->layer, a, &entry, &none) > 0;
         number++)
    {
        if (number == member->inode->number) {
            n = archive_read_data(a, text, FCC_FILE_MAX);
            break;
        }
    }

    (void) archive_read_free(a);

    if (n < 0) {
        free(text);
        return NULL;
    }

    text[n] = '\0';

    return text;
}
