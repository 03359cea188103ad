#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"
#include "vm/guest.h"

#define CONFIG_HEAD   (sizeof(FCV_CONFIG_MAGIC) - 1 + 4)
#define CONFIG_BLOCK  512


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


/* a new file of that content, for root only */
static int
file_write(int dirfd, const char *name, const char *data, size_t len,
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
dir_fill(fca_vmm_t *vmm, int dirfd, fcf_err_t *err)
{
    int  rc;

    /* first, since it is what tells a VM's directory from any other */
    if (file_write(dirfd, FCA_VMM_PID, "", 0, err) != 0) {
        return -1;
    }

    if (mkfifoat(dirfd, FCA_VMM_CONSOLE, 0600) != 0) {
        return fcf_err_sys(err, errno, "making the console FIFO");
    }

    if (vmm->config == NULL) {
        return 0;
    }

    rc = file_write(dirfd, FCA_VMM_CONFIG, vmm->config, vmm->config_len, err);

    /* it may hold secrets */
    explicit_bzero(vmm->config, vmm->config_len);

    return rc;
}


int
fca_vmm_dir_make(fca_vmm_t *vmm, fcf_err_t *err)
{
    int  fd, rc;

    if (mkdir(vmm->dir, 0700) != 0) {
        return fcf_err_sys(err, errno, "making directory %s", vmm->dir);
    }

    fd = open(vmm->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        rc = fcf_err_sys(err, errno, "opening directory %s", vmm->dir);

    } else {
        rc = dir_fill(vmm, fd, err);
        close(fd);

        if (rc != 0) {
            fcf_err_wrap(err, "%s", vmm->dir);
        }
    }

    if (rc != 0) {
        fca_vmm_dir_remove(vmm->dir, NULL);
    }

    return rc;
}


/* One level only: nobody of ours makes directories there, and what the VMM
 * makes lies in this one. */
int
fca_vmm_dir_remove(const char *path, fcf_err_t *err)
{
    int             rc;
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(path);
    if (dir == NULL) {
        return errno == ENOENT ? 0 : fcf_err_sys(err, errno, "%s", path);
    }

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0
            && strcmp(entry->d_name, "..") != 0)
        {
            (void) unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }

    closedir(dir);

    rc = rmdir(path);

    return rc != 0 ? fcf_err_sys(err, errno, "removing %s", path) : 0;
}


unsigned long long
fca_proc_start_time(pid_t pid)
{
    int                  fd, field;
    char                 path[40], buf[1024], *p;
    ssize_t              n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    if (n <= 0) {
        return 0;
    }

    buf[n] = '\0';

    /* field 2, the name, may hold anything, blanks and brackets included */
    p = strrchr(buf, ')');

    for (field = 2; p != NULL && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }

    return p != NULL ? strtoull(p + 1, NULL, 10) : 0;
}


int
fca_vmm_pid_write(const char *dir, pid_t pid, fcf_err_t *err)
{
    int   fd, rc;
    char  text[64];

    snprintf(text, sizeof(text), "%d %llu\n", (int) pid,
             fca_proc_start_time(pid));

    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "%s", dir);
    }

    rc = file_write(fd, FCA_VMM_PID, text, strlen(text), err);
    close(fd);

    return rc;
}


int
fca_vmm_pid_read(const char *dir, pid_t *pid, unsigned long long *start)
{
    int      fd, n;
    char     path[FCA_VMM_PATH + 8], buf[64];
    ssize_t  len;

    snprintf(path, sizeof(path), "%s/" FCA_VMM_PID, dir);

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }

    len = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    buf[len > 0 ? len : 0] = '\0';

    if (sscanf(buf, "%d %llu", &n, start) != 2 || n <= 1 || *start == 0) {
        return 1;
    }

    *pid = (pid_t) n;

    return 0;
}


void
fca_vmm_last_words(const fca_vmm_t *vmm, char *buf, size_t size)
{
    int      fd;
    char     path[FCA_VMM_PATH + 16], text[1024], *p, *line;
    off_t    end;
    ssize_t  n;

    buf[0] = '\0';
    snprintf(path, sizeof(path), "%s/" FCA_VMM_OUTPUT, vmm->dir);

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return;
    }

    end = lseek(fd, 0, SEEK_END);
    n = pread(fd, text, sizeof(text) - 1,
              end > (off_t) sizeof(text) - 1
              ? end - (off_t) sizeof(text) + 1 : 0);
    close(fd);

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) {
        n--;
    }

    if (n <= 0) {
        return;
    }

    text[n] = '\0';
    p = strrchr(text, '\n');
    line = p != NULL ? p + 1 : text;

    snprintf(buf, size, "%s", line);
}
