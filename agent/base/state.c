#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/dir.h"
#include "agent/base/log.h"
#include "agent/base/state.h"

static int
fca_state_path(char *buf, size_t size, const char *dir, const char *name,
    fcf_err_t *err)
{
    return fca_dir_path(buf, size, "state_dir", dir, name, err);
}

/* The name, too, is on the disk only when the directory is. */
static int
fca_state_sync_dir(const fca_state_t *state)
{
    int  fd, e;

    fd = open(state->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return errno;
    }

    e = fsync(fd) == 0 ? 0 : errno;
    close(fd);

    return e;
}

/* durable: outlives a crash of the host, which takes the disk's time */
static int
fca_state_write(const fca_state_t *state, const char *name, const char *text,
    int durable, fcf_err_t *err)
{
    int      fd, e;
    char     path[PATH_MAX], tmp[PATH_MAX];
    size_t   len;
    ssize_t  n;

    if (fca_state_path(path, sizeof(path), state->dir, name, err) != 0
        || fca_state_path(tmp, sizeof(tmp), state->dir, "tmp", err) != 0)
    {
        return -1;
    }

    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd == -1) {
        return fcf_err_sys(err, errno, "%s", tmp);
    }

    len = strlen(text);
    n = write(fd, text, len);
    e = n < 0 ? errno : ENOSPC;

    if (n == (ssize_t) len) {
        e = !durable || fdatasync(fd) == 0 ? 0 : errno;
    }

    close(fd);

    if (e == 0 && rename(tmp, path) != 0) {
        e = errno;
    }

    if (e == 0 && durable) {
        e = fca_state_sync_dir(state);
    }

    if (e) {
        unlink(tmp);
        return fcf_err_sys(err, e, "%s", path);
    }

    return 0;
}

/* the file's text in buf, and how much; -1 with errno */
static ssize_t
fca_state_read(const fca_state_t *state, const char *name, char *buf,
    size_t size)
{
    int        fd, e;
    char       path[PATH_MAX];
    ssize_t    n;

    buf[0] = '\0';

    if (fca_state_path(path, sizeof(path), state->dir, name, NULL) != 0) {
        errno = ENAMETOOLONG;
        return -1;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return -1;
    }

    n = read(fd, buf, size - 1);
    e = errno;
    close(fd);
    errno = e;

    if (n >= 0) {
        buf[n] = '\0';
    }

    return n;
}

/* Going on from a guess could give a number out twice. */
static int
fca_state_counter(fca_state_t *state, fcf_err_t *err)
{
    char     text[64], *end;
    ssize_t  n;

    state->next = 1;
    n = fca_state_read(state, "counter", text, sizeof(text));

    if (n < 0) {
        return errno == ENOENT ? 0 : fcf_err_sys(err, errno, "%s/counter",
                                                 state->dir);
    }

    errno = 0;
    state->next = strtoull(text, &end, 10);

    if (!isdigit((unsigned char) text[0]) || *end != '\n' || errno
        || state->next == 0)
    {
        return fcf_err_set(err, FCF_E_INVALID, "%s/counter: \"%.40s\" is not "
                           "a number", state->dir, text);
    }

    return 0;
}

int
fca_state_open(fca_state_t *state, const char *dir, fcf_err_t *err)
{

    memset(state, 0, sizeof(*state));
    state->lock = -1;
    state->dir = strdup(dir);
    if (state->dir == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "state_dir = \"%s\"", dir);
    }

    if (fca_dir_make("state_dir", dir, err) != 0
        || (state->lock = fca_dir_lock("state_dir", dir, err)) == -1
        || fca_state_counter(state, err) != 0)
    {
        fca_state_close(state);
        return -1;
    }

    state->end = state->next;

    return 0;
}

void
fca_state_close(fca_state_t *state)
{
    if (state->lock != -1) {
        close(state->lock);
        state->lock = -1;
    }

    fca_later_free(state->counter);
    fca_later_free(state->leases);
    state->counter = state->leases = NULL;

    free(state->dir);
    state->dir = NULL;
}

static void
fca_state_reserved(void *arg, const fcf_err_t *err)
{
    fca_state_t  *state = arg;

    if (err) {
        state->why = *err;

    } else {
        state->why.code = FCF_OK;
        state->end = state->reserving;
    }

    state->reserving = 0;
}

static int
fca_state_reserve(fca_state_t *state, fcf_err_t *err)
{
    char      text[32], *copy;
    uint64_t  end;

    end = state->end + FCA_STATE_BLOCK;
    snprintf(text, sizeof(text), "%" PRIu64 "\n", end);

    if (state->counter == NULL) {
        if (fca_state_write(state, "counter", text, 1, err) != 0) {
            return -1;
        }

        state->end = end;

        return 0;
    }

    copy = strdup(text);
    if (copy == NULL) {
        return fcf_err_set(err, FCF_E_NOMEM, "no memory for a number");
    }

    state->reserving = end;
    fca_later_put(state->counter, copy);

    return 0;
}

int
fca_state_number(fca_state_t *state, uint64_t *n, fcf_err_t *err)
{
    uint64_t  left;

    left = state->end - state->next;

    /* of the try that was waited for; an older one says nothing of now */
    if (left == 0 && state->awaited && !state->reserving
        && state->why.code != FCF_OK)
    {
        state->awaited = 0;
        return fcf_err_set(err, state->why.code, "%s", state->why.msg);
    }

    /* on a loop in good time, so that nobody waits for the disk */
    if (!state->reserving
        && left <= (state->counter ? FCA_STATE_BLOCK / 2 : 0)
        && fca_state_reserve(state, err) != 0 && left == 0)
    {
        return -1;
    }

    if (state->next == state->end) {
        state->awaited = 1;
        return fcf_err_set(err, FCF_E_UNAVAILABLE, "%s/counter is still "
                           "being written", state->dir);
    }

    *n = state->next++;

    return 0;
}

static void
fca_state_leases_stored(void *arg, const fcf_err_t *err)
{
    (void) arg;

    if (err) {
        fca_log(FCF_LOG_WARN, NULL, "the leases could not be noted: %s",
                err->msg);
    }
}

int
fca_state_async(fca_state_t *state, uv_loop_t *uv, fcf_err_t *err)
{
    int   rc;
    char  counter[PATH_MAX], leases[PATH_MAX];

    if (fca_state_path(counter, sizeof(counter), state->dir, "counter", err)
        != 0
        || fca_state_path(leases, sizeof(leases), state->dir, "leases", err)
           != 0)
    {
        return -1;
    }

    rc = state->next == state->end ? fca_state_reserve(state, &state->why)
                                   : 0;
    if (rc != 0) {
        fca_log(FCF_LOG_ERROR, NULL, "no VM can be started: %s",
                state->why.msg);
    }

    state->counter = fca_later_new(uv, counter, fca_state_reserved, state,
                                   err);
    state->leases = fca_later_new(uv, leases, fca_state_leases_stored, state,
                                  err);

    if (state->counter == NULL || state->leases == NULL) {
        return -1;
    }

    fca_later_sync(state->counter);

    return 0;
}

size_t
fca_state_leases_load(fca_state_t *state, int64_t *leases, size_t max)
{
    char    text[FCA_STATE_LEASES_MAX * 32], *p, *end;
    size_t  n;

    if (fca_state_read(state, "leases", text, sizeof(text)) < 0) {
        return 0;           /* they end by themselves */
    }

    for (n = 0, p = text; n < max && *p; n++, p = end + 1) {
        leases[n] = strtoll(p, &end, 10);
        if (end == p || *end != '\n' || leases[n] <= 0) {
            break;
        }
    }

    return n;
}

int
fca_state_leases_store(fca_state_t *state, const int64_t *leases, size_t n,
    fcf_err_t *err)
{
    int     len;
    char    text[FCA_STATE_LEASES_MAX * 32], *copy;
    size_t  i;

    text[0] = '\0';
    len = 0;

    for (i = 0; i < n && i < FCA_STATE_LEASES_MAX; i++) {
        len += snprintf(text + len, sizeof(text) - len, "%" PRId64 "\n",
                        leases[i]);
    }

    /* not durable: a lease ends before a host is up again */
    if (state->leases) {
        copy = strdup(text);
        if (copy == NULL) {
            return fcf_err_set(err, FCF_E_NOMEM, "no memory for leases");
        }

        fca_later_put(state->leases, copy);
        return 0;
    }

    return fca_state_write(state, "leases", text, 0, err);
}
