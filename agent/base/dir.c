#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "agent/base/dir.h"
#include "agent/base/log.h"

#define DIR_LOCK_MS     10
#define DIR_LOCK_TRIES  100
/* a link in state_dir */
#define DIR_VMS         "vms"


int
fca_dir_path(char *buf, size_t size, const char *what, const char *dir,
    const char *name, fcf_err_t *err)
{
    if ((size_t) snprintf(buf, size, "%s/%s", dir, name) >= size) {
        return fcf_err_set(err, FCF_E_INVALID, "%s = \"%s\": too long", what,
                           dir);
    }

    return 0;
}


int
fca_dir_make(const char *what, const char *dir, fcf_err_t *err)
{
    char  path[PATH_MAX], *p;

    if (fca_dir_path(path, sizeof(path), what, dir, "", err) != 0) {
        return -1;
    }

    for (p = path + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = '\0';

        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            return fcf_err_sys(err, errno, "%s = \"%s\": mkdir %s", what, dir,
                               path);
        }
    }

    return 0;
}


int
fca_dir_lock(const char *what, const char *dir, fcf_err_t *err)
{
    int   fd, rc, tries;
    char  path[PATH_MAX];

    if (fca_dir_path(path, sizeof(path), what, dir, "lock", err) != 0) {
        return -1;
    }

    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    /* an agent that was killed may have been starting a process, which shares
     * its descriptors for a moment more */
    for (tries = 0; (rc = flock(fd, LOCK_EX | LOCK_NB)) != 0
                    && errno == EWOULDBLOCK && tries < DIR_LOCK_TRIES;
         tries++)
    {
        (void) poll(NULL, 0, DIR_LOCK_MS);
    }

    if (rc == 0) {
        return fd;
    }

    if (errno == EWOULDBLOCK) {
        fcf_err_set(err, FCF_E_EXISTS, "%s = \"%s\": another agent is running "
                    "on it", what, dir);
    } else {
        fcf_err_sys(err, errno, "%s", path);
    }

    close(fd);

    return -1;
}


static int
dir_same(const char *a, const char *b)
{
    struct stat  s, t;

    return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev
           && s.st_ino == t.st_ino;
}


/* Where they were may be another agent's by now. */
static int
dir_before_lock(fca_run_dir_t *run, const char *dir, const fca_state_t *state,
    fcf_err_t *err)
{
    fcf_err_t  why;

    if (dir_same(dir, state->dir)) {
        return 0;
    }

    run->before_lock = fca_dir_lock("run_dir", dir, &why);

    if (run->before_lock >= 0 || why.sys_errno == ENOENT) {
        return run->before_lock >= 0 ? 0 : 1;
    }

    if (why.code != FCF_E_EXISTS) {
        *err = why;
        return -1;
    }

    fca_log(FCF_LOG_WARN, NULL, "run_dir was \"%s\", which another agent has "
            "now; nothing is ended there", dir);

    return 1;
}


/* an agent that noted nothing had them in state_dir */
static int
dir_before(fca_run_dir_t *run, const char *dir, const fca_state_t *state,
    fcf_err_t *err)
{
    int          rc;
    char         path[PATH_MAX], target[PATH_MAX];
    ssize_t      n;
    const char  *before;

    if (fca_dir_path(path, sizeof(path), "state_dir", state->dir, DIR_VMS,
                     err) != 0)
    {
        return -1;
    }

    n = readlink(path, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    run->noted = strcmp(target, dir) == 0;
    before = n > 0 ? target : state->dir;

    if (run->noted || dir_same(before, dir)) {
        return 0;
    }

    rc = dir_before_lock(run, before, state, err);

    if (rc == 0 && (run->before = strdup(before)) == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "run_dir = \"%s\": no memory",
                           dir);
    }

    return rc < 0 ? -1 : 0;
}


/* its lock is of no more use; where anything else is in it, it stays */
static void
dir_before_forget(fca_run_dir_t *run, int gone)
{
    char  path[PATH_MAX];

    if (run->before_lock >= 0) {
        if (gone && fca_dir_path(path, sizeof(path), "run_dir", run->before,
                                 "lock", NULL) == 0)
        {
            (void) unlink(path);
            (void) rmdir(run->before);
        }

        close(run->before_lock);
        run->before_lock = -1;
    }

    free(run->before);
    run->before = NULL;
}


int
fca_run_dir_open(fca_run_dir_t *run, const char *dir, const fca_state_t *state,
    fcf_err_t *err)
{
    run->lock = run->before_lock = -1;
    run->noted = 0;
    run->before = NULL;

    if (fca_dir_make("run_dir", dir, err) != 0) {
        return -1;
    }

    if (!dir_same(dir, state->dir)) {
        run->lock = fca_dir_lock("run_dir", dir, err);

        if (run->lock < 0) {
            return -1;
        }
    }

    if (dir_before(run, dir, state, err) != 0) {
        fca_run_dir_close(run);
        return -1;
    }

    return 0;
}


int
fca_run_dir_note(fca_run_dir_t *run, const char *dir, const fca_state_t *state,
    fcf_err_t *err)
{
    char  path[PATH_MAX], tmp[PATH_MAX];

    dir_before_forget(run, 1);

    if (run->noted) {
        return 0;
    }

    if (fca_dir_path(path, sizeof(path), "state_dir", state->dir, DIR_VMS,
                     err) != 0
        || fca_dir_path(tmp, sizeof(tmp), "state_dir", state->dir,
                        DIR_VMS ".new", err) != 0)
    {
        return -1;
    }

    (void) unlink(tmp);

    if (symlink(dir, tmp) != 0 || rename(tmp, path) != 0) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    run->noted = 1;

    return 0;
}


void
fca_run_dir_close(fca_run_dir_t *run)
{
    if (run->lock >= 0) {
        close(run->lock);
        run->lock = -1;
    }

    dir_before_forget(run, 0);
}
