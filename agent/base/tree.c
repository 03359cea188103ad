/*
 * A tree is made flat and not walked: what is below a directory of the top is
 * moved up beside it, so that two levels are all there ever is to look at.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "agent/base/tree.h"

typedef struct {
    int        top;
    unsigned   number;                  /* of the next that is moved up */
    unsigned   removed;                 /* in this pass */
    int        error;                   /* the first that kept something */
} fca_tree_t;


/* what is called for each entry of a directory */
typedef void (*fca_tree_pt)(fca_tree_t *tree, int dirfd, const char *name);


static void
tree_failed(fca_tree_t *tree)
{
    if (tree->error == 0) {
        tree->error = errno;
    }
}


static void
tree_each(fca_tree_t *tree, int dirfd, fca_tree_pt each)
{
    int             fd;
    DIR            *dir;
    struct dirent  *entry;

    /* a position of its own, from the start */
    fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        tree_failed(tree);

        if (fd >= 0) {
            close(fd);
        }

        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0
            && strcmp(entry->d_name, "..") != 0)
        {
            each(tree, dirfd, entry->d_name);
        }
    }

    closedir(dir);
}


static void
tree_inner(fca_tree_t *tree, int dirfd, const char *name)
{
    char  up[32];

    if (unlinkat(dirfd, name, 0) == 0) {
        return;
    }

    if (errno != EISDIR) {
        tree_failed(tree);
        return;
    }

    do {
        snprintf(up, sizeof(up), ".up-%u", tree->number++);

        if (renameat(dirfd, name, tree->top, up) == 0) {
            return;
        }

        /* taken, by somebody's file or full directory */
    } while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);

    tree_failed(tree);
}


static void
tree_entry(fca_tree_t *tree, int dirfd, const char *name)
{
    int              fd;
    struct open_how  how;

    if (unlinkat(dirfd, name, 0) == 0) {
        tree->removed++;
        return;
    }

    if (errno != EISDIR) {
        tree_failed(tree);
        return;
    }

    memset(&how, 0, sizeof(how));
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;

    fd = (int) syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
    if (fd < 0) {
        tree_failed(tree);
        return;
    }

    tree_each(tree, fd, tree_inner);
    close(fd);

    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0) {
        tree->removed++;

    } else {
        tree_failed(tree);
    }
}


int
fca_tree_remove(const char *path, fcf_err_t *err)
{
    fca_tree_t  tree = { 0 };

    tree.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tree.top < 0) {
        return errno == ENOENT ? 0
                               : fcf_err_sys(err, errno, "removing %s", path);
    }

    /* until a pass finds nothing to remove; what was moved up is the next
     * one's */
    do {
        tree.removed = 0;
        tree.error = 0;
        tree_each(&tree, tree.top, tree_entry);
    } while (tree.removed > 0);

    close(tree.top);

    if (rmdir(path) == 0) {
        return 0;
    }

    return fcf_err_sys(err, tree.error != 0 ? tree.error : errno,
                       "removing %s", path);
}
