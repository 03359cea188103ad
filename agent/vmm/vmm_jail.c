#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/tree.h"
#include "agent/vmm/vmm_jail.h"
#include "agent/vmm/vmm_jail_int.h"

struct fca_jail_s {
    char         *jailer, *base, *program;
    const char   *name;                 /* points into program */
    char        **libs;
    atomic_int    copied;               /* said already */
};


static int
jail_resolve(char **out, const char *what, const char *path, fcf_err_t *err)
{
    *out = realpath(path, NULL);

    return *out != NULL ? 0 : fcf_err_sys(err, errno, "%s = \"%s\"", what,
                                          path);
}


/* a device in it must open, a file in it must run: the mount says */
static int
jail_check_mount(const fca_jail_t *jail, fcf_err_t *err)
{
    struct stat     st;
    struct statvfs  fs;

    if (stat(jail->base, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return fcf_err_sys(err, ENOTDIR, "jail_base = \"%s\"", jail->base);
    }

    if (statvfs(jail->base, &fs) != 0) {
        return fcf_err_sys(err, errno, "jail_base = \"%s\"", jail->base);
    }

    if (fs.f_flag & (ST_NODEV | ST_NOEXEC | ST_RDONLY)) {
        return fcf_err_set(err, FCF_E_INVALID, "jail_base = \"%s\": its file "
                           "system is mounted %s", jail->base,
                           fs.f_flag & ST_NODEV ? "nodev"
                           : fs.f_flag & ST_NOEXEC ? "noexec" : "read-only");
    }

    return 0;
}


/* what a jail needs of the file system, done in a directory of its own */
static int
jail_check_try(const fca_jail_t *jail, int dirfd, fcf_err_t *err)
{
    int  fd;

    fd = openat(dirfd, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, "x", 1) != 1) {
        (void) fcf_err_sys(err, errno, "jail_base = \"%s\": a file in it",
                           jail->base);

        if (fd >= 0) {
            close(fd);
        }

        return -1;
    }

    close(fd);

    if (linkat(dirfd, "file", dirfd, "link", 0) != 0) {
        return fcf_err_sys(err, errno, "jail_base = \"%s\": a hard link in "
                           "it", jail->base);
    }

    if (mknodat(dirfd, "null", S_IFCHR | 0600, makedev(1, 3)) != 0) {
        return fcf_err_sys(err, errno, "jail_base = \"%s\": a device in it",
                           jail->base);
    }

    fd = openat(dirfd, "null", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "jail_base = \"%s\": opening a device "
                           "in it", jail->base);
    }

    close(fd);

    return 0;
}


static int
jail_check_base(const fca_jail_t *jail, fcf_err_t *err)
{
    int   fd, rc;
    char  path[PATH_MAX];

    if (jail_check_mount(jail, err) != 0) {
        return -1;
    }

    if ((size_t) snprintf(path, sizeof(path), "%s/.check-XXXXXX", jail->base)
        >= sizeof(path) - NAME_MAX)
    {
        return fcf_err_sys(err, ENAMETOOLONG, "jail_base = \"%s\"",
                           jail->base);
    }

    if (mkdtemp(path) == NULL) {
        return fcf_err_sys(err, errno, "jail_base = \"%s\": a directory in "
                           "it", jail->base);
    }

    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd >= 0 ? jail_check_try(jail, fd, err)
                 : fcf_err_sys(err, errno, "%s", path);

    if (fd >= 0) {
        close(fd);
    }

    (void) fca_tree_remove(path, NULL);

    return rc;
}


fca_jail_t *
fca_jail_open(const fca_jail_conf_t *conf, fcf_err_t *err)
{
    fca_jail_t  *jail;

    jail = calloc(1, sizeof(*jail));
    if (jail == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "jails: out of memory");
        return NULL;
    }

    if (jail_resolve(&jail->jailer, "jailer_binary", conf->jailer, err) != 0
        || jail_resolve(&jail->base, "jail_base", conf->base, err) != 0
        || jail_resolve(&jail->program, "vmm", conf->program, err) != 0
        || jail_check_base(jail, err) != 0
        || (jail->libs = fca_libs_find(jail->program, err)) == NULL)
    {
        fca_jail_close(jail);
        return NULL;
    }

    if (access(jail->jailer, X_OK) != 0) {
        fcf_err_sys(err, errno, "jailer_binary = \"%s\"", jail->jailer);
        fca_jail_close(jail);
        return NULL;
    }

    jail->name = strrchr(jail->program, '/') + 1;
    fca_jail_copies_clean(jail->base);

    return jail;
}


void
fca_jail_close(fca_jail_t *jail)
{
    char  *all;

    if (jail == NULL) {
        return;
    }

    /* it goes if no jail is in it */
    if (jail->name != NULL
        && asprintf(&all, "%s/%s", jail->base, jail->name) >= 0)
    {
        (void) rmdir(all);
        free(all);
        fca_jail_copies_clean(jail->base);
    }

    fca_libs_free(jail->libs);
    free(jail->jailer);
    free(jail->base);
    free(jail->program);
    free(jail);
}


const char *
fca_jail_jailer(const fca_jail_t *jail)
{
    return jail->jailer;
}


const char *
fca_jail_base(const fca_jail_t *jail)
{
    return jail->base;
}


const char *
fca_jail_program(const fca_jail_t *jail)
{
    return jail->program;
}


char *
fca_jail_path(const fca_jail_t *jail, const char *id)
{
    char  *path;

    return asprintf(&path, "%s/%s/%s", jail->base, jail->name, id) >= 0
           ? path : NULL;
}


/* the first of them must be new, those above it need not be */
static int
jail_dirs(const char *path, fcf_err_t *err)
{
    char    *up, *end;
    int      rc;

    up = strdup(path);
    if (up == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "jail: out of memory");
    }

    end = strrchr(up, '/');
    *end = '\0';

    rc = mkdir(up, 0700) != 0 && errno != EEXIST
         ? fcf_err_sys(err, errno, "making %s", up)
         : mkdir(path, 0700) != 0
           ? fcf_err_sys(err, errno, "making %s", path) : 0;

    free(up);

    return rc;
}


/* the directories of a file below the root */
static int
jail_file_dirs(int rootfd, const char *name, fcf_err_t *err)
{
    char     dir[PATH_MAX];
    size_t   i;

    for (i = 0; name[i] != '\0'; i++) {
        if (name[i] != '/' || i == 0) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%.*s", (int) i, name);

        if (mkdirat(rootfd, dir, 0755) == 0) {
            if (fchmodat(rootfd, dir, 0755, 0) != 0) {
                return fcf_err_sys(err, errno, "making %s in a jail", dir);
            }

        } else if (errno != EEXIST) {
            return fcf_err_sys(err, errno, "making %s in a jail", dir);
        }
    }

    return 0;
}


static void
jail_say_copied(fca_jail_t *jail, const char *file, const char *why)
{
    if (atomic_exchange(&jail->copied, 1) == 0) {
        fca_log(FCF_LOG_WARN, NULL, "%s is copied to %s, since it cannot be "
                "linked into jails: %s", file, jail->base, why);
    }
}


int
fca_jail_file(fca_jail_t *jail, int rootfd, const char *name,
    const char *file, fcf_err_t *err)
{
    struct stat  st;

    if (stat(file, &st) != 0) {
        return fcf_err_sys(err, errno, "%s", file);
    }

    if (!S_ISREG(st.st_mode)) {
        return fcf_err_set(err, FCF_E_INVALID, "%s: not a regular file",
                           file);
    }

    if (!(st.st_mode & S_IROTH)) {
        jail_say_copied(jail, file, "it is not readable for everybody");

    } else if (linkat(AT_FDCWD, file, rootfd, name, AT_SYMLINK_FOLLOW) == 0) {
        return 0;

    } else if (errno == EXDEV || errno == EMLINK || errno == EPERM) {
        jail_say_copied(jail, file, errno == EXDEV ? "it lies on another file "
                                                     "system"
                                                   : strerror(errno));

    } else {
        return fcf_err_sys(err, errno, "linking %s into a jail", file);
    }

    return fca_jail_copy(jail->base, file, &st, rootfd, name, err);
}


int
fca_jail_make(fca_jail_t *jail, const char *path, fcf_err_t *err)
{
    int      rootfd;
    char     root[PATH_MAX];
    size_t   i;

    if ((size_t) snprintf(root, sizeof(root), "%s/root", path)
        >= sizeof(root))
    {
        return fcf_err_sys(err, ENAMETOOLONG, "%s", path);
    }

    if (jail_dirs(path, err) != 0) {
        return -1;
    }

    if (mkdir(root, 0700) != 0) {
        return fcf_err_sys(err, errno, "making %s", root);
    }

    rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (rootfd < 0) {
        return fcf_err_sys(err, errno, "opening %s", root);
    }

    for (i = 0; jail->libs[i] != NULL; i++) {
        if (jail_file_dirs(rootfd, jail->libs[i] + 1, err) != 0
            || fca_jail_file(jail, rootfd, jail->libs[i] + 1, jail->libs[i],
                             err) != 0)
        {
            close(rootfd);
            return -1;
        }
    }

    return rootfd;
}
