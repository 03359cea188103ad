#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/tree.h"
#include "agent/vmm/snaps.h"
#include "agent/vmm/vmm_int.h"
#include "vm/guest.h"

#define CONFIG_HEAD   (sizeof(FCV_CONFIG_MAGIC) - 1 + 4)
#define CONFIG_BLOCK  512
/* stands before the name of a directory that is being removed */
#define DIR_GONE      ".gone-"


char *
fca_vmm_config_image(const char *json, size_t *len, fcf_err_t *err)
{
    char           *image;
    size_t          n, size;
    unsigned char  *p;

    n = strlen(json);

    if (n > FCV_CONFIG_MAX) {
        fcf_err_set(err, FCF_E_LIMIT,
                    "config drive: %zu bytes of JSON, at most %d fit", n,
                    FCV_CONFIG_MAX);
        return NULL;
    }

    size = (CONFIG_HEAD + n + CONFIG_BLOCK - 1) / CONFIG_BLOCK * CONFIG_BLOCK;

    image = calloc(1, size);
    if (image == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "config drive: out of memory");
        return NULL;
    }

    memcpy(image, FCV_CONFIG_MAGIC, sizeof(FCV_CONFIG_MAGIC) - 1);

    p = (unsigned char *) image + sizeof(FCV_CONFIG_MAGIC) - 1;
    p[0] = (unsigned char) (n >> 24);
    p[1] = (unsigned char) (n >> 16);
    p[2] = (unsigned char) (n >> 8);
    p[3] = (unsigned char) n;

    memcpy(p + 4, json, n);
    *len = size;

    return image;
}


int
fca_vmm_file_write(int dirfd, const char *name, const char *data, size_t len,
    fcf_err_t *err)
{
    int      fd, saved;
    ssize_t  n;

    fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
                             | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "making %s", name);
    }

    n = 0;

    while (len > 0) {
        n = write(fd, data, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            break;
        }

        data += n;
        len -= (size_t) n;
    }

    saved = n < 0 ? errno : ENOSPC;
    close(fd);

    return len > 0 ? fcf_err_sys(err, saved, "writing %s", name) : 0;
}


static int
dir_fifo(int dirfd, const char *name, fcf_err_t *err)
{
    return mkfifoat(dirfd, name, 0600) != 0
           ? fcf_err_sys(err, errno, "making the FIFO %s", name)
           : fca_vmm_fifo_open(dirfd, name, err);
}


/* what the VMM itself is to open; root's, unless it is in a jail */
static int
dir_own(const fca_vmm_t *vmm, const char *name, fcf_err_t *err)
{
    return vmm->jail == NULL
           || fchownat(vmm->jailfd, name, vmm->uid, vmm->uid,
                       AT_SYMLINK_NOFOLLOW) == 0
           ? 0 : fcf_err_sys(err, errno, "giving %s to user %u", name,
                             (unsigned) vmm->uid);
}


/* The VMM is given every file by its name in its directory, a link (a hard one
 * in a jail): what a snapshot keeps of it then fits any VM.  One that is
 * missing is named here, by its own path. */
static int
dir_link(const fca_vmm_t *vmm, const char *name, const char *target,
    const char *what, fcf_err_t *err)
{
    struct stat  st;

    if (target == NULL) {
        return 0;
    }

    if (stat(target, &st) != 0) {
        return fcf_err_sys(err, errno, "%s %s", what, target);
    }

    if (vmm->jail != NULL) {
        return fca_jail_file(vmm->conf->jail, vmm->jailfd, name, target,
                             err);
    }

    return symlinkat(target, vmm->dirfd, name) != 0
           ? fcf_err_sys(err, errno, "linking %s", name) : 0;
}


/* The link comes first: whatever there is of a jail, the directory leads to
 * it. */
static int
dir_jail(fca_vmm_t *vmm, fcf_err_t *err)
{
    if (vmm->jail == NULL) {
        return 0;
    }

    if (symlinkat(vmm->jail, vmm->dirfd, FCA_VMM_JAIL) != 0) {
        return fcf_err_sys(err, errno, "linking %s", FCA_VMM_JAIL);
    }

    vmm->jailfd = fca_jail_make(vmm->conf->jail, vmm->jail, err);

    return vmm->jailfd < 0 ? -1 : 0;
}


/* what the VMM opens by name */
static int
dir_inside(fca_vmm_t *vmm, fcf_err_t *err)
{
    int  fd, rc;

    fd = fca_vmm_files_fd(vmm);
    vmm->console.fd = dir_fifo(fd, FCA_VMM_CONSOLE, err);

    if (vmm->console.fd < 0 || dir_own(vmm, FCA_VMM_CONSOLE, err) != 0) {
        return -1;
    }

    if (vmm->config == NULL) {
        return 0;
    }

    rc = fca_vmm_file_write(fd, FCA_VMM_CONFIG, vmm->config, vmm->config_len,
                            err);

    /* it may hold secrets */
    explicit_bzero(vmm->config, vmm->config_len);

    return rc == 0 ? dir_own(vmm, FCA_VMM_CONFIG, err) : -1;
}


static int
dir_files(fca_vmm_t *vmm, fcf_err_t *err)
{
    int  fd;

    fd = vmm->dirfd;

    /* first, since it is what tells a VM's directory from any other */
    return fca_vmm_file_write(fd, FCA_VMM_PID, "", 0, err) != 0
           || (vmm->output.fd = dir_fifo(fd, FCA_VMM_OUTPUT, err)) < 0
           || dir_jail(vmm, err) != 0
           || (vmm->record != NULL
               && fca_vmm_file_write(fd, FCA_VMM_RECORD, vmm->record,
                                     strlen(vmm->record), err) != 0)
           || dir_inside(vmm, err) != 0
           ? -1 : 0;
}


static int
dir_links(const fca_vmm_t *vmm, fcf_err_t *err)
{
    return dir_link(vmm, FCA_VMM_KERNEL, vmm->kernel, "kernel", err) != 0
           || dir_link(vmm, FCA_VMM_INITRD, vmm->initrd, "initrd", err) != 0
           || dir_link(vmm, FCA_VMM_RUNTIME, vmm->runtime_image,
                       "runtime image", err) != 0
           || dir_link(vmm, FCA_VMM_FUNCTION, vmm->function_image,
                       "function image", err) != 0
           || dir_link(vmm, FCA_SNAP_STATE, vmm->snap_state, "snapshot", err)
              != 0
           || dir_link(vmm, FCA_SNAP_MEMORY, vmm->snap_memory, "snapshot",
                       err) != 0
           ? -1 : 0;
}


/* Its name goes first, in one step: a removal that a kill cuts short must not
 * leave a VM's directory that lacks what it is known by. */
int
fca_vmm_dir_remove(const char *dir, fcf_err_t *err)
{
    int          n, rc;
    char        *jail, gone[FCA_VMM_PATH + sizeof(DIR_GONE)];
    const char  *name;

    /* first, since only the directory leads to it */
    jail = fca_vmm_jail_of(dir);
    rc = jail != NULL ? fca_tree_remove(jail, err) : 0;
    free(jail);

    if (rc != 0) {
        return -1;
    }

    name = strrchr(dir, '/');
    n = name != NULL ? (int) (name - dir + 1) : 0;
    snprintf(gone, sizeof(gone), "%.*s" DIR_GONE "%s", n, dir, dir + n);

    return fca_tree_remove(rename(dir, gone) == 0 ? gone : dir, err);
}


void
fca_vmm_dirs_sweep(const char *run_dir)
{
    DIR            *dir;
    char            path[PATH_MAX];
    fcf_err_t       err;
    struct dirent  *entry;

    dir = opendir(run_dir);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, DIR_GONE, sizeof(DIR_GONE) - 1) != 0) {
            continue;
        }

        snprintf(path, sizeof(path), "%s/%s", run_dir, entry->d_name);

        if (fca_tree_remove(path, &err) != 0) {
            fca_log(FCF_LOG_WARN, NULL, "%s", err.msg);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }
}


int
fca_vmm_dir_make(fca_vmm_t *vmm, fcf_err_t *err)
{
    int  rc;

    if (mkdir(vmm->dir, 0700) != 0) {
        return fcf_err_sys(err, errno, "making directory %s", vmm->dir);
    }

    vmm->dirfd = open(vmm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC
                                | O_NOFOLLOW);

    if (vmm->dirfd < 0) {
        rc = fcf_err_sys(err, errno, "opening directory %s", vmm->dir);

    } else if (dir_files(vmm, err) != 0) {
        rc = fcf_err_wrap(err, "%s", vmm->dir);

    } else {
        rc = dir_links(vmm, err);
    }

    if (rc != 0) {
        (void) fca_vmm_dir_remove(vmm->dir, NULL);
    }

    return rc;
}


char *
fca_vmm_jail_of(const char *dir)
{
    char     link[FCA_VMM_PATH + 8], jail[PATH_MAX];
    ssize_t  n;

    snprintf(link, sizeof(link), "%s/" FCA_VMM_JAIL, dir);
    n = readlink(link, jail, sizeof(jail) - 1);

    return n > 0 ? strndup(jail, (size_t) n) : NULL;
}


int
fca_vmm_files_fd(const fca_vmm_t *vmm)
{
    return vmm->jail != NULL ? vmm->jailfd : vmm->dirfd;
}


/* The address holds 107 bytes of a path, and a run_dir may be longer: it is
 * reached by way of the descriptor. */
int
fca_vmm_socket_path(const fca_vmm_t *vmm, char *buf, size_t size)
{
    int  fd;

    fd = fca_vmm_files_fd(vmm);

    return snprintf(buf, size, "/proc/self/fd/%d/" FCA_VMM_SOCKET, fd)
           < (int) size && fd >= 0 ? 0 : -1;
}
