#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <archive.h>
#include <archive_entry.h>

#include "cli/archive.h"
#include "cli/command.h"

/* a link is made last, so that nothing is ever written through one */
typedef struct fcc_link_s  fcc_link_t;

struct fcc_link_s {
    fcc_link_t  *next;
    char        *path, *target;
    int          hard;
};

typedef struct {
    const char       *dir;
    struct archive   *a;
    fcc_link_t       *links;
    int64_t           size;             /* of the archive */
    int64_t           bytes;
    unsigned          files;
} fcc_unpack_t;


const char *
fcc_archive_why(struct archive *a)
{
    const char  *why;

    why = archive_error_string(a);

    return why != NULL ? why : "cannot be read or written";
}


/* the directories that lead to a path, which is ours to change */
static int
fcc_make_parents(char *path, size_t from, fcf_err_t *err)
{
    int    rc;
    char  *p;

    for (p = path + from; (p = strchr(p, '/')) != NULL; p++) {

        *p = '\0';
        rc = mkdir(path, 0755);

        if (rc != 0 && errno != EEXIST) {
            rc = fcf_err_sys(err, errno, "\"%s\"", path + from);
            *p = '/';
            return rc;
        }

        *p = '/';
    }

    return 0;
}


static int
fcc_unpack_data(fcc_unpack_t *u, int fd, const char *name, fcf_err_t *err)
{
    char     piece[65536];
    ssize_t  n;

    while ((n = archive_read_data(u->a, piece, sizeof(piece))) != 0) {

        if (n < 0) {
            return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": %s", name,
                               fcc_archive_why(u->a));
        }

        u->bytes += n;

        if (u->bytes > FCC_TREE_BYTES_MAX) {
            return fcf_err_set(err, FCF_E_REFUSED, "holds more than %d MB",
                               (int) (FCC_TREE_BYTES_MAX >> 20));
        }

        if (u->bytes > FCC_BOMB_BYTES
            && u->bytes / FCC_BOMB_RATIO > u->size)
        {
            return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": grows to more "
                               "than %d times what the archive has", name,
                               FCC_BOMB_RATIO);
        }

        if (write(fd, piece, (size_t) n) != n) {
            return fcf_err_sys(err, errno, "\"%s\" in TMPDIR", name);
        }

        if (fcc_interrupted(err) != 0) {
            return -1;
        }
    }

    return 0;
}


static int
fcc_unpack_file(fcc_unpack_t *u, const char *path, const char *name,
    mode_t mode, fcf_err_t *err)
{
    int  fd, rc;

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
              mode & 0111 ? 0755 : 0644);

    if (fd == -1) {
        return errno == EEXIST
               ? fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is there twice",
                             name)
               : fcf_err_sys(err, errno, "\"%s\"", name);
    }

    rc = fcc_unpack_data(u, fd, name, err);
    (void) close(fd);

    return rc;
}


static int
fcc_unpack_link(fcc_unpack_t *u, const char *path, const char *target,
    int hard, fcf_err_t *err)
{
    char         to[PATH_MAX];
    fcc_link_t  *link;

    link = calloc(1, sizeof(fcc_link_t));

    if (link == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    link->next = u->links;
    u->links = link;
    link->hard = hard;
    link->path = strdup(path);

    /* a hard link names an entry; a symbolic one is looked at with the tree */

    if (hard && fcc_entry_name(to, sizeof(to), target, err) != 0) {
        return -1;
    }

    link->target = hard ? fcc_join(u->dir, to) : strdup(target);

    return link->path != NULL && link->target != NULL ? 0
           : fcf_err_set(err, FCF_E_NOMEM, "no memory");
}


static int
fcc_unpack_entry(fcc_unpack_t *u, struct archive_entry *entry, fcf_err_t *err)
{
    char         path[PATH_MAX], name[PATH_MAX];
    mode_t       mode;
    const char  *said;

    said = archive_entry_pathname_utf8(entry);
    said = said != NULL ? said : archive_entry_pathname(entry);

    if (said == NULL) {
        return fcf_err_set(err, FCF_E_REFUSED, "has a name that is no text");
    }

    if (archive_entry_is_encrypted(entry)) {
        return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is encrypted", said);
    }

    if (fcc_entry_name(name, sizeof(name), said, err) != 0) {
        return -1;
    }

    if (*name == '\0') {
        return 0;
    }

    if ((size_t) snprintf(path, sizeof(path), "%s/%s", u->dir, name)
        >= sizeof(path))
    {
        return fcf_err_set(err, FCF_E_REFUSED, "\"%.60s...\": is too long a "
                           "name", name);
    }

    if (++u->files > FCC_TREE_FILES_MAX) {
        return fcf_err_set(err, FCF_E_REFUSED, "holds more than %d files",
                           FCC_TREE_FILES_MAX);
    }

    if (fcc_make_parents(path, strlen(u->dir) + 1, err) != 0) {
        return -1;
    }

    if (archive_entry_hardlink(entry) != NULL) {
        return fcc_unpack_link(u, path, archive_entry_hardlink(entry), 1, err);
    }

    mode = archive_entry_mode(entry);

    switch (archive_entry_filetype(entry)) {

    case AE_IFREG:
        return fcc_unpack_file(u, path, name, mode, err);

    case AE_IFDIR:
        return mkdir(path, 0755) == 0 || errno == EEXIST ? 0
               : fcf_err_sys(err, errno, "\"%s\"", name);

    case AE_IFLNK:
        return fcc_unpack_link(u, path, archive_entry_symlink(entry) != NULL
                               ? archive_entry_symlink(entry) : "", 0, err);

    default:
        return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is a device, socket "
                           "or fifo; a function has none", name);
    }
}


/* what was the target's is copied by the image's maker */
static int
fcc_make_links(fcc_unpack_t *u, fcf_err_t *err)
{
    int          hard;
    fcc_link_t  *link;
    struct stat  st;

    for (hard = 1; hard >= 0; hard--) {
        for (link = u->links; link != NULL; link = link->next) {

            if (link->hard != hard) {
                continue;
            }

            if (hard && (lstat(link->target, &st) != 0
                         || !S_ISREG(st.st_mode)))
            {
                return fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is a link to "
                                   "no file of the archive",
                                   link->path + strlen(u->dir) + 1);
            }

            if ((hard ? linkat(AT_FDCWD, link->target, AT_FDCWD, link->path, 0)
                      : symlink(link->target, link->path)) != 0)
            {
                return errno == EEXIST
                       ? fcf_err_set(err, FCF_E_REFUSED, "\"%s\": is there "
                                     "twice", link->path + strlen(u->dir) + 1)
                       : fcf_err_sys(err, errno, "\"%s\"",
                                     link->path + strlen(u->dir) + 1);
            }
        }
    }

    return 0;
}


static int
fcc_no_archive(struct archive *a, fcf_err_t *err)
{
    return fcf_err_set(err, FCF_E_REFUSED, "%s; it must be a directory, a "
                       "zip, or a tar as it is or packed by gzip, bzip2, xz "
                       "or zstd", fcc_archive_why(a));
}


static int
fcc_unpack_all(fcc_unpack_t *u, fcf_err_t *err)
{
    int                    rc;
    struct archive_entry  *entry;

    while ((rc = archive_read_next_header(u->a, &entry)) != ARCHIVE_EOF) {

        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
            return fcc_no_archive(u->a, err);
        }

        if (fcc_interrupted(err) != 0
            || fcc_unpack_entry(u, entry, err) != 0)
        {
            return -1;
        }
    }

    if (u->files == 0) {
        return fcf_err_set(err, FCF_E_REFUSED, "there is nothing in it");
    }

    return fcc_make_links(u, err);
}


static void
fcc_links_free(fcc_link_t *link)
{
    fcc_link_t  *next;

    for ( /* void */ ; link != NULL; link = next) {
        next = link->next;
        free(link->path);
        free(link->target);
        free(link);
    }
}


int
fcc_unpack(const char *name, const char *dir, fcf_err_t *err)
{
    int           rc;
    struct stat   st;
    fcc_unpack_t  u;

    memset(&u, 0, sizeof(u));
    u.dir = dir;
    u.a = archive_read_new();

    /* names beyond ASCII */
    (void) setlocale(LC_CTYPE, "C.UTF-8");

    if (u.a == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory");
    }

    /* by name: "all" would run programs for odd ones */

    (void) archive_read_support_format_zip(u.a);
    (void) archive_read_support_format_tar(u.a);
    (void) archive_read_support_format_gnutar(u.a);
    (void) archive_read_support_filter_gzip(u.a);
    (void) archive_read_support_filter_bzip2(u.a);
    (void) archive_read_support_filter_xz(u.a);
    (void) archive_read_support_filter_zstd(u.a);

    if (stat(name, &st) != 0) {
        rc = fcf_err_sys(err, errno, "cannot be read");

    } else if (archive_read_open_filename(u.a, name, 65536) != ARCHIVE_OK) {
        rc = fcc_no_archive(u.a, err);

    } else {
        u.size = st.st_size;
        rc = fcc_unpack_all(&u, err);
    }

    archive_read_free(u.a);
    fcc_links_free(u.links);

    return rc == 0 ? 0 : fcf_err_wrap(err, "%s", name);
}
