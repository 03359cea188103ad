#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/command.h"
#include "cli/source.h"


/* how deep below the root a link leads that stands at a path of it, by its
 * words; below 0: out */
static int
fcc_link_depth(const char *path, const char *target)
{
    int          depth, least;
    size_t       n;
    const char  *p;

    depth = -1;                         /* its own name does not count */

    for (p = path; *p != '\0'; p += n, p += strspn(p, "/"), depth++) {
        n = strcspn(p, "/");
    }

    least = depth;

    for (p = target; *p != '\0'; p += n, p += strspn(p, "/")) {

        n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.') {
            depth--;
        } else if (n != 1 || *p != '.') {
            depth++;
        }

        least = depth < least ? depth : least;
    }

    return least;
}


/* by its words, and where it really leads, through other links */
static int
fcc_link_check(const char *root, const char *path, const char *name,
    fcf_err_t *err)
{
    int      out;
    char     target[PATH_MAX], real[PATH_MAX];
    size_t   len;
    ssize_t  n;

    n = readlink(path, target, sizeof(target) - 1);

    if (n < 0) {
        return fcf_err_sys(err, errno, "%s", name);
    }

    target[n] = '\0';
    len = strlen(root);

    out = *target == '/' || fcc_link_depth(name, target) < 0
          || (realpath(path, real) != NULL
              && (strncmp(real, root, len) != 0
                  || (real[len] != '/' && real[len] != '\0')));

    return !out ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "%s: is a link out of the "
                         "directory, to %s; put a copy there instead", name,
                         target);
}


static int
fcc_file_check(fcc_source_t *source, const FTSENT *entry, const char *name,
    fcf_err_t *err)
{
    if (faccessat(AT_FDCWD, entry->fts_path, R_OK, AT_EACCESS) != 0) {
        return fcf_err_sys(err, errno, "%s: cannot be read", name);
    }

    source->bytes += entry->fts_statp->st_size;

    return source->bytes <= FCC_TREE_BYTES_MAX ? 0
           : fcf_err_set(err, FCF_E_REFUSED, "there are more than %d MB",
                         (int) (FCC_TREE_BYTES_MAX >> 20));
}


static int
fcc_tree_entry(fcc_source_t *source, const FTSENT *entry, fcf_err_t *err)
{
    const char  *name;

    name = entry->fts_path + strlen(source->dir);
    name += strspn(name, "/");
    name = *name != '\0' ? name : ".";

    if (fcc_interrupted(err) != 0) {
        return -1;
    }

    if (entry->fts_info != FTS_DP && ++source->files > FCC_TREE_FILES_MAX + 1)
    {
        return fcf_err_set(err, FCF_E_REFUSED, "there are more than %d files",
                           FCC_TREE_FILES_MAX);
    }

    switch (entry->fts_info) {

    case FTS_D:
    case FTS_DP:
        return 0;

    case FTS_F:
        return fcc_file_check(source, entry, name, err);

    case FTS_SL:
    case FTS_SLNONE:
        return fcc_link_check(source->dir, entry->fts_path, name, err);

    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return fcf_err_sys(err, entry->fts_errno, "%s: cannot be read", name);

    default:
        return fcf_err_set(err, FCF_E_REFUSED, "%s: is a device, socket or "
                           "fifo; a function has none", name);
    }
}


int
fcc_tree_check(fcc_source_t *source, fcf_err_t *err)
{
    int      rc;
    FTS     *fts;
    char    *roots[2] = { source->dir, NULL };
    FTSENT  *entry;

    fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    if (fts == NULL) {
        return fcf_err_sys(err, errno, "%s", source->given);
    }

    rc = 0;

    while (rc == 0 && (errno = 0, entry = fts_read(fts)) != NULL) {
        rc = fcc_tree_entry(source, entry, err);
    }

    if (rc == 0 && errno != 0) {
        rc = fcf_err_sys(err, errno, "cannot be read");
    }

    (void) fts_close(fts);

    if (rc == 0) {
        source->files--;                /* the root */
    }

    return rc == 0 ? 0 : fcf_err_wrap(err, "%s", source->given);
}


static int
fcc_copy_file(const FTSENT *entry, const char *to, fcf_err_t *err)
{
    int      in, out;
    ssize_t  n;

    in = open(entry->fts_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    out = in < 0 ? -1
          : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                 entry->fts_statp->st_mode & 0111 ? 0755 : 0644);
    n = out < 0 ? -1 : 1;

    while (n > 0) {
        n = sendfile(out, in, NULL, 1 << 20);
    }

    if (n < 0) {
        (void) fcf_err_sys(err, errno, "%s", entry->fts_path);
    }

    if (in >= 0) {
        (void) close(in);
    }

    if (out >= 0) {
        (void) close(out);
    }

    return n < 0 ? -1 : 0;
}


static int
fcc_copy_entry(const FTSENT *entry, const char *to, fcf_err_t *err)
{
    char     target[PATH_MAX];
    ssize_t  n;

    switch (entry->fts_info) {

    case FTS_D:
        return mkdir(to, 0755) == 0 ? 0 : fcf_err_sys(err, errno, "%s", to);

    case FTS_F:
        return fcc_copy_file(entry, to, err);

    case FTS_SL:
    case FTS_SLNONE:
        n = readlink(entry->fts_path, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';

        return n > 0 && symlink(target, to) == 0 ? 0
               : fcf_err_sys(err, errno, "%s", to);

    default:
        return 0;
    }
}


int
fcc_tree_copy(const char *from, const char *to, fcf_err_t *err)
{
    int      rc;
    FTS     *fts;
    char    *path, *roots[2] = { (char *) from, NULL };
    FTSENT  *entry;

    fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    if (fts == NULL) {
        return fcf_err_sys(err, errno, "%s", from);
    }

    rc = 0;

    while (rc == 0 && (entry = fts_read(fts)) != NULL) {

        if (asprintf(&path, "%s%s", to, entry->fts_path + strlen(from)) < 0) {
            rc = fcf_err_set(err, FCF_E_NOMEM, "no memory");
            break;
        }

        rc = fcc_interrupted(err) != 0 ? -1 : fcc_copy_entry(entry, path, err);
        free(path);
    }

    (void) fts_close(fts);

    return rc;
}
