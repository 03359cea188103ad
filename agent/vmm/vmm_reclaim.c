#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/vmm/vmm_int.h"

#define RECLAIM_MS  5000
#define RECORD_MAX  (1 << 18)

typedef struct {
    char  *path;
    int    pidfd;                       /* -1: no process */
    pid_t  pid;
} reclaim_vm_t;

typedef struct {
    reclaim_vm_t     *vms;
    size_t            n, size;
    fca_vmm_keep_pt   keep;
    void             *arg;
} reclaim_t;


static int64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* The descriptor is opened before the process is compared: from then on it
 * means one, and if that is not the recorded one, none. */
static int
reclaim_open(const fca_proc_t *proc, const char *dir)
{
    int  fd;

    fd = (int) syscall(SYS_pidfd_open, proc->pid, 0);

    if (fd >= 0 && !fca_proc_is(proc, dir)) {
        close(fd);
        fd = -1;
    }

    return fd;
}


/* "<node_id>-<n>": what an instance's directory is called */
static int
worker_name(const char *name)
{
    size_t       n;
    const char  *dash;

    dash = strrchr(name, '-');
    n = strlen(name);

    return dash != NULL && dash != name && dash[1] != '\0'
           && n <= FCF_WORKER_ID_MAX
           && strspn(dash + 1, "0123456789") == strlen(dash + 1);
}


/* a file for root alone, and no link or pipe; malloc'd */
static char *
record_read(const char *dir, size_t *len)
{
    int          fd;
    char        *text, *path;
    ssize_t      n;
    struct stat  st;

    if (asprintf(&path, "%s/" FCA_VMM_RECORD, dir) < 0) {
        return NULL;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);

    if (fd < 0) {
        return NULL;
    }

    text = NULL;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid()
        && st.st_size <= RECORD_MAX
        && (text = malloc((size_t) st.st_size + 1)) != NULL)
    {
        n = read(fd, text, (size_t) st.st_size);
        *len = n > 0 ? (size_t) n : 0;
        text[*len] = '\0';
    }

    close(fd);

    return text;
}


static int
reclaim_keep(const reclaim_t *r, const reclaim_vm_t *vm, const char *name)
{
    int             rc;
    char           *record;
    fca_vmm_left_t  left;

    if (r->keep == NULL || !worker_name(name)) {
        return 0;
    }

    memset(&left, 0, sizeof(left));
    memcpy(left.worker_id, name, strlen(name) + 1);     /* worker_name() */
    left.pid = vm->pid;
    left.pidfd = vm->pidfd;
    left.record = record = record_read(vm->path, &left.record_len);

    rc = r->keep(r->arg, &left);
    free(record);

    return rc;
}


/* A directory of ours has the pid file; one without is ours if it is called as
 * an instance and empty, since that file is the first to be made. */
static int
reclaim_add(reclaim_t *r, const char *run_dir, const char *name,
    fcf_err_t *err)
{
    int            rc;
    char          *path;
    void          *p;
    size_t         size;
    fca_proc_t     proc;
    reclaim_vm_t  *vm;

    if (asprintf(&path, "%s/%s", run_dir, name) < 0) {
        return fcf_err_set(err, FCF_E_NOMEM, "reclaiming: out of memory");
    }

    rc = fca_vmm_pid_read(path, &proc);

    if (rc < 0) {
        if (worker_name(name)) {
            (void) rmdir(path);
        }

        free(path);
        return 0;
    }

    if (r->n == r->size) {
        size = r->size == 0 ? 16 : r->size * 2;

        p = realloc(r->vms, size * sizeof(r->vms[0]));
        if (p == NULL) {
            free(path);
            return fcf_err_set(err, FCF_E_NOMEM, "reclaiming: out of memory");
        }

        r->vms = p;
        r->size = size;
    }

    vm = &r->vms[r->n];
    vm->path = path;
    vm->pidfd = rc == 0 ? reclaim_open(&proc, path) : -1;
    vm->pid = vm->pidfd >= 0 ? proc.pid : 0;

    if (reclaim_keep(r, vm, name)) {
        free(path);
        return 0;
    }

    r->n++;

    if (vm->pidfd >= 0) {
        (void) syscall(SYS_pidfd_send_signal, vm->pidfd, SIGKILL, NULL, 0);
    }

    return 0;
}


static int
reclaim_scan(reclaim_t *r, const char *run_dir, fcf_err_t *err)
{
    int             rc;
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(run_dir);
    if (dir == NULL) {
        return errno == ENOENT ? 0 : fcf_err_sys(err, errno, "%s", run_dir);
    }

    rc = 0;

    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        if ((entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)
            && entry->d_name[0] != '.')
        {
            rc = reclaim_add(r, run_dir, entry->d_name, err);
        }
    }

    closedir(dir);

    return rc;
}


static int
reclaim_wait(const reclaim_vm_t *vm, int64_t deadline, fcf_err_t *err)
{
    int64_t        left;
    struct pollfd  p = { .fd = vm->pidfd, .events = POLLIN };

    do {
        left = deadline - now_ms();

        if (poll(&p, 1, left > 0 ? (int) left : 0) > 0) {
            return 0;
        }

    } while (left > 0);

    return fcf_err_set(err, FCF_E_TIMEOUT,
                       "VMM %d of an earlier run (%s) does not end after "
                       "SIGKILL", (int) vm->pid, vm->path);
}


int
fca_vmm_reclaim(const char *run_dir, fca_vmm_keep_pt keep, void *arg,
    fcf_err_t *err)
{
    int        rc, n;
    size_t     i;
    int64_t    deadline;
    reclaim_t  r = { NULL, 0, 0, keep, arg };

    fca_vmm_dirs_sweep(run_dir);
    rc = reclaim_scan(&r, run_dir, err);
    deadline = now_ms() + RECLAIM_MS;
    n = 0;

    for (i = 0; i < r.n; i++) {
        if (r.vms[i].pidfd >= 0) {
            n++;

            if (rc == 0) {
                rc = reclaim_wait(&r.vms[i], deadline, err);
            }

            close(r.vms[i].pidfd);
        }

        if (rc == 0) {
            rc = fca_vmm_dir_remove(r.vms[i].path, err);
        }

        free(r.vms[i].path);
    }

    free(r.vms);

    return rc == 0 ? n : -1;
}
