#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vm/jailer/jailer.h"

#define OLD_ROOT    "old_root"
#define COPY_CHUNK  (1 << 30)

/* numbers of Linux' Documentation/admin-guide/devices.txt */
#define MISC_MAJOR      10
#define TUN_MINOR      200
#define KVM_MINOR      232
#define MEM_MAJOR        1
#define URANDOM_MINOR    9


int
fcv_jail_mkdirs(const char *path, fcf_err_t *err)
{
    char  *p, dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s", path);

    for (p = dir; p != NULL; ) {
        p = strchr(p + 1, '/');

        if (p != NULL) {
            *p = '\0';
        }

        if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
            return fcf_err_sys(err, errno, "Failed to create directory %s",
                               dir);
        }

        if (p != NULL) {
            *p = '/';
        }
    }

    return 0;
}


static int
copy_bytes(int from, int to, fcf_err_t *err)
{
    ssize_t  n;

    do {
        n = sendfile(to, from, NULL, COPY_CHUNK);
    } while (n > 0 || (n < 0 && errno == EINTR));

    return n < 0 ? fcf_err_sys(err, errno, "Failed to copy the program") : 0;
}


/* to: an open new binary, or an old one that nothing else names */
static int
copy_own(const fcv_jail_t *jail, int from, int to, const char *path,
    fcf_err_t *err)
{
    struct stat  st;

    if (fstat(to, &st) != 0 || st.st_nlink > 1) {
        return fcf_err_set(err, FCF_E_INVALID, "Detected hard link at: %s",
                           path);
    }

    if (fchown(to, jail->uid, jail->gid) != 0) {
        return fcf_err_sys(err, errno, "Failed to change owner for %s", path);
    }

    if (ftruncate(to, 0) != 0) {
        return fcf_err_sys(err, errno, "Failed to write to %s", path);
    }

    return copy_bytes(from, to, err);
}


/* A copy, not a link: two jails share no pages of their programs. */
int
fcv_jail_copy(const fcv_jail_t *jail, fcf_err_t *err)
{
    int          from, to, rc;
    char         path[PATH_MAX + NAME_MAX + 2];
    struct stat  st;

    from = open(jail->exec_file, O_RDONLY | O_CLOEXEC);

    if (from < 0 || fstat(from, &st) != 0) {
        rc = fcf_err_sys(err, errno, "Failed to open %s", jail->exec_file);

        if (from >= 0) {
            close(from);
        }

        return rc;
    }

    snprintf(path, sizeof(path), "%s/%s", jail->root, jail->exec_name);

    to = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
              st.st_mode & 07777);

    if (to < 0) {
        rc = fcf_err_sys(err, errno, "Failed to open %s", path);

    } else {
        rc = copy_own(jail, from, to, path, err);
        close(to);
    }

    close(from);

    return rc;
}


/* A mount namespace of its own whose root is the jail; everything else is let
 * go, so that no path and no ".." leads out. */
static int
root_pivot(const char *root, fcf_err_t *err)
{
    if (unshare(CLONE_NEWNS) != 0) {
        return fcf_err_sys(err, errno, "Failed to unshare into new mount "
                           "namespace");
    }

    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) != 0) {
        return fcf_err_sys(err, errno, "Failed to change the propagation "
                           "type to slave");
    }

    /* pivot_root() wants a mount */
    if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) != 0) {
        return fcf_err_sys(err, errno, "Failed to bind mount the jail root "
                           "directory");
    }

    if (chdir(root) != 0) {
        return fcf_err_sys(err, errno, "Failed to chdir into chroot "
                           "directory");
    }

    if (mkdir(OLD_ROOT, 0600) != 0) {
        return fcf_err_sys(err, errno, "Failed to create the jail root "
                           "directory before pivoting root");
    }

    if (syscall(SYS_pivot_root, ".", OLD_ROOT) != 0) {
        return fcf_err_sys(err, errno, "Failed to pivot root");
    }

    if (chdir("/") != 0) {
        return fcf_err_sys(err, errno, "Failed to chdir into chroot "
                           "directory");
    }

    if (umount2(OLD_ROOT, MNT_DETACH) != 0) {
        return fcf_err_sys(err, errno, "Failed to unmount the old jail root");
    }

    return rmdir(OLD_ROOT) == 0 ? 0
           : fcf_err_sys(err, errno, "Failed to remove old jail root "
                         "directory");
}


static int
folder_make(const fcv_jail_t *jail, const char *path, fcf_err_t *err)
{
    if (fcv_jail_mkdirs(path, err) != 0) {
        return -1;
    }

    if (chmod(path, 0700) != 0) {
        return fcf_err_sys(err, errno, "Failed to change permissions on %s",
                           path);
    }

    return chown(path, jail->uid, jail->gid) == 0 ? 0
           : fcf_err_sys(err, errno, "Failed to change owner for %s", path);
}


static int
device_make(const fcv_jail_t *jail, const char *path, unsigned major_no,
    unsigned minor_no, fcf_err_t *err)
{
    if (mknod(path, S_IFCHR | 0600, makedev(major_no, minor_no)) != 0) {
        return fcf_err_sys(err, errno, "Failed to create %s via mknod inside "
                           "the jail", path);
    }

    return chown(path, jail->uid, jail->gid) == 0 ? 0
           : fcf_err_sys(err, errno, "Failed to change owner for %s", path);
}


/* the minor of a misc device, given when its driver is loaded; -1: none */
static int
misc_minor(const char *name)
{
    int    n, found;
    char   line[256], word[64];
    FILE  *f;

    f = fopen("/proc/misc", "re");
    if (f == NULL) {
        return -1;
    }

    found = -1;

    while (found < 0 && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "%d %63s", &n, word) == 2
            && strcmp(word, name) == 0)
        {
            found = n;
        }
    }

    fclose(f);

    return found;
}


int
fcv_jail_enter(const fcv_jail_t *jail, fcf_err_t *err)
{
    int        uffd;
    fcf_err_t  why;

    /* /proc is outside */
    uffd = misc_minor("userfaultfd");

    if (root_pivot(jail->root, err) != 0
        || folder_make(jail, "/", err) != 0
        || folder_make(jail, "/dev", err) != 0
        || folder_make(jail, "/dev/net", err) != 0
        || folder_make(jail, "/run", err) != 0
        || device_make(jail, "/dev/net/tun", MISC_MAJOR, TUN_MINOR, err) != 0
        || device_make(jail, "/dev/kvm", MISC_MAJOR, KVM_MINOR, err) != 0)
    {
        return -1;
    }

    if (device_make(jail, "/dev/urandom", MEM_MAJOR, URANDOM_MINOR, &why)
        != 0)
    {
        printf("Warning! %s\n", why.msg);
    }

    if (uffd < 0) {
        return 0;
    }

    return device_make(jail, "/dev/userfaultfd", MISC_MAJOR, (unsigned) uffd,
                       err);
}
