/*
 * What cannot be linked into jails is copied once to beside them, and that
 * copy is linked: under a service manager that mounts parts of the file system
 * anew, not even two directories of one disk can share a link.
 *
 * <base>/.copies is root's alone; a copy is named after the file's identity
 * (device, inode, time of change, size), so that one which was replaced gets
 * another.  Copies that no jail uses go when the agent starts and ends, and
 * after a while when others come.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/vmm/vmm_jail_int.h"

#define COPY_CHUNK   (1 << 30)
#define COPY_NAME    96
#define COPY_TRIES   3
#define COPY_KEEP_S  600
#define COPY_TEMP    "new-"
#define COPY_TEMP_S  60


static int
copies_open(const char *base, int make, fcf_err_t *err)
{
    int   fd;
    char  path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/" FCA_JAIL_COPIES, base);

    if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fcf_err_sys(err, errno, "making %s", path);
    }

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    return fd >= 0 ? fd : fcf_err_sys(err, errno, "opening %s", path);
}


/* A copy that is being made is somebody's, who may be another process: a check
 * beside the agent that runs.  One that is old has been given up. */
static int
copy_old(const char *name, const struct stat *st, time_t unused)
{
    if (strncmp(name, COPY_TEMP, sizeof(COPY_TEMP) - 1) == 0
        && unused < COPY_TEMP_S)
    {
        unused = COPY_TEMP_S;
    }

    return time(NULL) - st->st_mtime >= unused;
}


/* those that no jail has and nobody has used for so long */
static void
copies_sweep(int copies, time_t unused)
{
    DIR            *dir;
    struct stat     st;
    struct dirent  *entry;

    copies = dup(copies);
    dir = copies >= 0 ? fdopendir(copies) : NULL;

    if (dir == NULL) {
        if (copies >= 0) {
            close(copies);
        }

        return;
    }

    rewinddir(dir);

    while ((entry = readdir(dir)) != NULL) {
        if (fstatat(copies, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
            && S_ISREG(st.st_mode) && st.st_nlink == 1
            && copy_old(entry->d_name, &st, unused))
        {
            (void) unlinkat(copies, entry->d_name, 0);
        }
    }

    closedir(dir);
}


void
fca_jail_copies_clean(const char *base)
{
    int   fd;
    char  path[PATH_MAX];

    fd = copies_open(base, 0, NULL);
    if (fd < 0) {
        return;
    }

    copies_sweep(fd, 0);
    close(fd);

    snprintf(path, sizeof(path), "%s/" FCA_JAIL_COPIES, base);
    (void) rmdir(path);
}


static int
copy_bytes(int from, int to)
{
    ssize_t  n;

    do {
        n = sendfile(to, from, NULL, COPY_CHUNK);
    } while (n > 0 || (n < 0 && errno == EINTR));

    return n < 0 ? errno : 0;
}


/* whole, or not at all: it gets its name last */
static int
copy_make(int copies, const char *name, const char *file,
    const struct stat *st, fcf_err_t *err)
{
    int                 from, to, saved;
    char                temp[COPY_NAME];

    static atomic_uint  seq;

    snprintf(temp, sizeof(temp), COPY_TEMP "%d-%u", (int) getpid(),
             atomic_fetch_add(&seq, 1));

    from = open(file, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        return fcf_err_sys(err, errno, "opening %s", file);
    }

    to = openat(copies, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    saved = errno;

    if (to >= 0) {
        saved = copy_bytes(from, to);

        if (saved == 0
            && (fchmod(to, st->st_mode & S_IXUSR ? 0555 : 0444) != 0
                || renameat(copies, temp, copies, name) != 0))
        {
            saved = errno;
        }

        close(to);

        if (saved != 0) {
            (void) unlinkat(copies, temp, 0);
        }
    }

    close(from);

    return saved == 0 ? 0 : fcf_err_sys(err, saved, "copying %s for jails",
                                        file);
}


static int
copy_link(int copies, const char *file, const struct stat *st, int rootfd,
    const char *name, fcf_err_t *err)
{
    int   tries;
    char  copy[COPY_NAME];

    snprintf(copy, sizeof(copy), "%llx-%llx-%llx.%lx-%llx",
             (unsigned long long) st->st_dev, (unsigned long long) st->st_ino,
             (unsigned long long) st->st_ctim.tv_sec,
             (unsigned long) st->st_ctim.tv_nsec,
             (unsigned long long) st->st_size);

    for (tries = 0; tries < COPY_TRIES; tries++) {
        if (linkat(copies, copy, rootfd, name, 0) == 0) {
            (void) utimensat(copies, copy, NULL, 0);
            return 0;
        }

        if (errno == EMLINK) {
            /* as many jails as an inode has room for: the next has another */
            (void) unlinkat(copies, copy, 0);

        } else if (errno != ENOENT) {
            break;
        }

        copies_sweep(copies, COPY_KEEP_S);

        if (copy_make(copies, copy, file, st, err) != 0) {
            return -1;
        }
    }

    return fcf_err_sys(err, errno, "linking a copy of %s into a jail", file);
}


int
fca_jail_copy(const char *base, const char *file, const struct stat *st,
    int rootfd, const char *name, fcf_err_t *err)
{
    int  fd, rc;

    fd = copies_open(base, 1, err);
    if (fd < 0) {
        return -1;
    }

    rc = copy_link(fd, file, st, rootfd, name, err);
    close(fd);

    return rc;
}
