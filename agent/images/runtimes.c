#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/dir.h"
#include "agent/base/log.h"
#include "agent/images/known.h"
#include "agent/images/runtimes.h"
#include "agent/images/whole.h"

#define COPY_NEW      "new"             /* the one that is being made */
#define COPY_END      ".img"
#define COPY_KEEP_S   3600              /* what starts has it open by then */
#define COPY_TRIES    20                /* of a file that is being written */
#define COPY_PAUSE_MS 50

/* a file, and its last copy */
typedef struct kept_s {
    LIST_ENTRY(kept_s)  link;
    char                sha256[FCA_DIGEST + 1];     /* "": none yet */
    fca_file_id_t       file;
    fca_file_id_t       bad;            /* of no use when it was this; */
    fcf_err_t           why;            /* code FCF_OK: there was none */
    int                 told;           /* that the one before is used */
    char                path[];
} kept_t;

struct fca_runtimes_s {
    char               *dir;
    LIST_HEAD(, kept_s) kept;
};


fca_runtimes_t *
fca_runtimes_new(const char *dir, fcf_err_t *err)
{
    fca_runtimes_t  *runtimes;

    if (fca_dir_make("runtimes", dir, err) != 0) {
        return NULL;
    }

    runtimes = calloc(1, sizeof(*runtimes));

    if (runtimes == NULL || (runtimes->dir = strdup(dir)) == NULL) {
        free(runtimes);
        fcf_err_set(err, FCF_E_NOMEM, "runtimes: out of memory");
        return NULL;
    }

    LIST_INIT(&runtimes->kept);

    return runtimes;
}


void
fca_runtimes_free(fca_runtimes_t *runtimes)
{
    kept_t  *kept;

    if (runtimes == NULL) {
        return;
    }

    while ((kept = LIST_FIRST(&runtimes->kept)) != NULL) {
        LIST_REMOVE(kept, link);
        free(kept);
    }

    free(runtimes->dir);
    free(runtimes);
}


static kept_t *
kept_find(fca_runtimes_t *runtimes, const char *path)
{
    kept_t  *kept;

    LIST_FOREACH(kept, &runtimes->kept, link) {
        if (strcmp(kept->path, path) == 0) {
            return kept;
        }
    }

    kept = calloc(1, sizeof(*kept) + strlen(path) + 1);

    if (kept != NULL) {
        memcpy(kept->path, path, strlen(path));
        LIST_INSERT_HEAD(&runtimes->kept, kept, link);
    }

    return kept;
}


static int
copy_path(const fca_runtimes_t *runtimes, const char *name, const char *ending,
    char *buf, fcf_err_t *err)
{
    return snprintf(buf, PATH_MAX, "%s/%s%s", runtimes->dir, name, ending)
           < PATH_MAX ? 0
           : fcf_err_set(err, FCF_E_LIMIT, "%s: too long a path",
                         runtimes->dir);
}


/* A file's time is that of the kernel's last tick: one that was written in this
 * tick may be written once more without another time. */
static void
past_tick(const struct stat *st)
{
    int              i;
    struct timespec  now, tick = { 0, 1000 * 1000 };

    for (i = 0; i < 20; i++) {
        clock_gettime(CLOCK_REALTIME_COARSE, &now);

        if (now.tv_sec != st->st_mtim.tv_sec
            || now.tv_nsec != st->st_mtim.tv_nsec)
        {
            return;
        }

        (void) nanosleep(&tick, NULL);
    }
}


/* from is open; FCF_E_NOT_FOUND: it was written meanwhile */
static int
copy_fill(const fca_runtimes_t *runtimes, int from, int to,
    const struct stat *st, char *sha256, fcf_err_t *err)
{
    struct stat        after;
    fca_file_id_t      id;
    struct sha256_ctx  sha;

    past_tick(st);
    fca_file_id(&id, st);
    sha256_init(&sha);

    /* whoever a jailed VMM is, it must read it */

    if (fchmod(to, 0444) != 0 || fca_digest_file(from, to, &sha) < 0) {
        return fcf_err_sys(err, errno, "a copy in %s", runtimes->dir);
    }

    fca_digest_end(&sha, sha256);

    return fstat(from, &after) == 0 && fca_file_same(&id, &after) ? 0
           : fcf_err_set(err, FCF_E_NOT_FOUND, "is being written; put a whole "
                         "image there, by mv");
}


static int
copy_make(const fca_runtimes_t *runtimes, int from, const struct stat *st,
    char *sha256, fcf_err_t *err)
{
    int   to, rc;
    char  new[PATH_MAX], path[PATH_MAX];

    if (fca_image_whole(from, st, err) != 0
        || copy_path(runtimes, COPY_NEW, "", new, err) != 0)
    {
        return -1;
    }

    (void) unlink(new);
    to = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (to < 0) {
        return fcf_err_sys(err, errno, "a copy, %s", new);
    }

    rc = copy_fill(runtimes, from, to, st, sha256, err) != 0
         || copy_path(runtimes, sha256, COPY_END, path, err) != 0 ? -1 : 0;

    if (rc == 0 && rename(new, path) != 0) {
        rc = fcf_err_sys(err, errno, "a copy, %s", path);
    }

    (void) close(to);

    if (rc != 0) {
        (void) unlink(new);
    }

    return rc;
}


/* st: of what was copied, or was not */
static int
copy_try(const fca_runtimes_t *runtimes, const kept_t *kept, struct stat *st,
    char *sha256, fcf_err_t *err)
{
    int  fd, rc;

    fd = open(kept->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, st) != 0) {
        rc = fcf_err_set(err, FCF_E_NOT_FOUND, "%s", strerror(errno));
    } else {
        rc = copy_make(runtimes, fd, st, sha256, err);
    }

    if (fd >= 0) {
        (void) close(fd);
    }

    return rc == 0 ? 0 : fcf_err_wrap(err, "runtime image %s", kept->path);
}


/* If there is none before it, it is worth a moment until it has been written,
 * as it is by who builds it where it is to be. */
static int
copy_of(const fca_runtimes_t *runtimes, const kept_t *kept, struct stat *st,
    char *sha256, fcf_err_t *err)
{
    int              rc, tries = kept->sha256[0] != '\0' ? 1 : COPY_TRIES;
    struct timespec  pause = { 0, COPY_PAUSE_MS * 1000 * 1000 };

    while ((rc = copy_try(runtimes, kept, st, sha256, err)) != 0
           && err->code == FCF_E_NOT_FOUND && --tries > 0)
    {
        (void) nanosleep(&pause, NULL);
    }

    return rc;
}


static int
copy_current(const fca_runtimes_t *runtimes, const char *name)
{
    const kept_t  *kept;

    LIST_FOREACH(kept, &runtimes->kept, link) {
        if (kept->sha256[0] != '\0'
            && strncmp(name, kept->sha256, FCA_DIGEST) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* What runs has its copy open.  Those that are of no file any more go, but for
 * what somebody may be about to open. */
static void
copies_prune(const fca_runtimes_t *runtimes)
{
    DIR            *dir;
    struct stat     st;
    struct dirent  *entry;

    dir = opendir(runtimes->dir);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strlen(entry->d_name) == FCA_DIGEST + sizeof(COPY_END) - 1
            && !copy_current(runtimes, entry->d_name)
            && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW)
               == 0
            && time(NULL) - st.st_mtime > COPY_KEEP_S)
        {
            (void) unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }
}


/* the copy that was its is left alone for an hour from now */
static void
kept_change(const fca_runtimes_t *runtimes, kept_t *kept, const char *sha256,
    const struct stat *st)
{
    int        same = strcmp(kept->sha256, sha256) == 0;
    char       path[PATH_MAX];
    fcf_err_t  err;

    if (kept->sha256[0] == '\0') {
        fca_log(FCF_LOG_INFO, NULL, "runtime image %s is %.12s...", kept->path,
                sha256);

    } else if (!same) {
        fca_log(FCF_LOG_INFO, NULL, "runtime image %s is another now, %.12s... "
                "after %.12s...: what starts from now on has it, what runs "
                "keeps the one before until its end", kept->path, sha256,
                kept->sha256);

        if (copy_path(runtimes, kept->sha256, COPY_END, path, &err) == 0) {
            (void) utimensat(AT_FDCWD, path, NULL, 0);
        }
    }

    memcpy(kept->sha256, sha256, FCA_DIGEST + 1);
    fca_file_id(&kept->file, st);
    kept->why.code = FCF_OK;
    kept->told = 0;
    copies_prune(runtimes);
}


/* the copy that there is */
static int
kept_get(const fca_runtimes_t *runtimes, const kept_t *kept,
    fca_runtime_t *out)
{
    fcf_err_t  err;

    memcpy(out->sha256, kept->sha256, sizeof(out->sha256));

    return kept->sha256[0] != '\0'
           && copy_path(runtimes, kept->sha256, COPY_END, out->path, &err) == 0
           && access(out->path, R_OK) == 0 ? 0 : -1;
}


/* why: the file as it is cannot be had */
static int
kept_before(const fca_runtimes_t *runtimes, kept_t *kept, const fcf_err_t *why,
    fca_runtime_t *out, fcf_err_t *err)
{
    if (kept_get(runtimes, kept, out) != 0) {
        *err = *why;
        return -1;
    }

    if (!kept->told) {
        kept->told = 1;
        fca_log(FCF_LOG_WARN, NULL, "%s; what starts has the one before, "
                "%.12s...", why->msg, kept->sha256);
    }

    return 0;
}


/* it is another than it was, or was of no use */
static int
kept_anew(fca_runtimes_t *runtimes, kept_t *kept, struct stat *st,
    fca_runtime_t *out, fcf_err_t *err)
{
    char       sha256[FCA_DIGEST + 1];
    fcf_err_t  why;

    if (kept->why.code != FCF_OK && fca_file_same(&kept->bad, st)) {
        return kept_before(runtimes, kept, &kept->why, out, err);
    }

    if (copy_of(runtimes, kept, st, sha256, &why) == 0) {
        kept_change(runtimes, kept, sha256, st);

        return kept_get(runtimes, kept, out) == 0 ? 0
               : fcf_err_sys(err, errno, "%s", out->path);
    }

    if (why.code == FCF_E_NOT_FOUND) {
        fca_file_id(&kept->bad, st);
        kept->why = why;
    }

    return kept_before(runtimes, kept, &why, out, err);
}


int
fca_runtimes_get(fca_runtimes_t *runtimes, const char *path,
    fca_runtime_t *out, fcf_err_t *err)
{
    kept_t      *kept;
    struct stat  st;

    if (stat(path, &st) != 0) {
        return fcf_err_set(err, FCF_E_NOT_FOUND, "runtime image %s: %s", path,
                           strerror(errno));
    }

    if (!S_ISREG(st.st_mode)) {
        out->sha256[0] = '\0';
        (void) snprintf(out->path, sizeof(out->path), "%s", path);
        return 0;
    }

    kept = kept_find(runtimes, path);
    if (kept == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "runtimes: out of memory");
    }

    return fca_file_same(&kept->file, &st)
           && kept_get(runtimes, kept, out) == 0
           ? 0 : kept_anew(runtimes, kept, &st, out, err);
}


int
fca_runtimes_copy(const fca_runtimes_t *runtimes, const char *sha256,
    char path[PATH_MAX], struct stat *st)
{
    fcf_err_t  err;

    if (copy_path(runtimes, sha256, COPY_END, path, &err) != 0
        || stat(path, st) != 0 || !S_ISREG(st->st_mode))
    {
        return -1;
    }

    /* not each time: who has seen to its digest would have to again */

    if (time(NULL) - st->st_mtime < COPY_KEEP_S / 2
        || utimensat(AT_FDCWD, path, NULL, 0) != 0)
    {
        return 0;
    }

    return stat(path, st);
}
