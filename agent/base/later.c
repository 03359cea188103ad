#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/later.h"

struct fca_later_s {
    uv_loop_t      *uv;
    uv_work_t       work;
    char           *path, *tmp;
    char           *text;               /* the worker's while it runs */
    char           *next;               /* the loop's */
    int             busy, freed, sync;
    fca_later_pt    done;
    void           *arg;
    int             rc;
    fcf_err_t       err;
};

static void later_start(fca_later_t *later);


/* the name, too, is on the disk only when the directory is */
static int
later_sync_dir(const char *path)
{
    int    fd, e;
    char  *dir, *slash;

    dir = strdup(path);
    if (dir == NULL) {
        return ENOMEM;
    }

    slash = strrchr(dir, '/');
    fd = -1;
    e = EINVAL;

    if (slash) {
        slash[slash == dir] = '\0';
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        e = fd == -1 || fsync(fd) != 0 ? errno : 0;
    }

    if (fd != -1) {
        close(fd);
    }

    free(dir);

    return e;
}


static int
later_write(const fca_later_t *later, fcf_err_t *err)
{
    int      fd, e;
    size_t   len;
    ssize_t  n;

    fd = open(later->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
                          | O_NOFOLLOW, 0600);
    if (fd == -1) {
        return fcf_err_sys(err, errno, "%s", later->tmp);
    }

    len = strlen(later->text);

    do {
        n = write(fd, later->text, len);
    } while (n < 0 && errno == EINTR);

    e = n == (ssize_t) len ? 0 : n < 0 ? errno : ENOSPC;

    if (e == 0 && later->sync && fdatasync(fd) != 0) {
        e = errno;
    }

    close(fd);

    if (e == 0 && rename(later->tmp, later->path) != 0) {
        e = errno;
    }

    if (e == 0 && later->sync) {
        e = later_sync_dir(later->path);
    }

    if (e) {
        (void) unlink(later->tmp);
        return fcf_err_sys(err, e, "%s", later->path);
    }

    return 0;
}


static void
later_work(uv_work_t *work)
{
    fca_later_t  *later = work->data;

    later->rc = later_write(later, &later->err);
}


static void
later_worked(uv_work_t *work, int status)
{
    fcf_err_t     err;
    fca_later_t  *later = work->data;

    (void) status;
    free(later->text);
    later->text = NULL;
    later->busy = 0;

    if (later->next) {
        later_start(later);
        return;
    }

    if (later->freed) {
        fca_later_free(later);
        return;
    }

    /* it may be freed by whom it tells */
    err = later->err;
    later->done(later->arg, later->rc == 0 ? NULL : &err);
}


static void
later_start(fca_later_t *later)
{
    int  rc;

    later->text = later->next;
    later->next = NULL;
    later->busy = 1;

    rc = uv_queue_work(later->uv, &later->work, later_work, later_worked);
    assert(rc == 0);                    /* it has but one fault: no function */
    (void) rc;
}


fca_later_t *
fca_later_new(uv_loop_t *uv, const char *path, fca_later_pt done, void *arg,
    fcf_err_t *err)
{
    fca_later_t  *later;

    later = calloc(1, sizeof(*later));

    if (later) {
        later->uv = uv;
        later->done = done;
        later->arg = arg;
        later->work.data = later;
        later->path = strdup(path);

        if (later->path && asprintf(&later->tmp, "%s.new", path) >= 0) {
            return later;
        }

        later->tmp = NULL;
        fca_later_free(later);
    }

    fcf_err_set(err, FCF_E_NOMEM, "%s: no memory", path);

    return NULL;
}


void
fca_later_sync(fca_later_t *later)
{
    later->sync = 1;
}


void
fca_later_put(fca_later_t *later, char *text)
{
    free(later->next);
    later->next = text;

    if (!later->busy) {
        later_start(later);
    }
}


int
fca_later_busy(const fca_later_t *later)
{
    return later->busy;
}


void
fca_later_free(fca_later_t *later)
{
    if (later == NULL) {
        return;
    }

    if (later->busy) {
        later->freed = 1;
        return;
    }

    free(later->path);
    free(later->tmp);
    free(later->next);
    free(later);
}
