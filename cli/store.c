#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/http.h"
#include "cli/progress.h"
#include "cli/store.h"
#include "contract/fcf_base64.h"

#define FCC_STORE_CONNECT   3000        /* ms */
#define FCC_STORE_MS        10000
#define FCC_STORE_RATE      65536       /* bytes/s, at least */
#define FCC_STORE_TRIES     3
#define FCC_STORE_PAUSE     500         /* ms */
#define FCC_STORE_USER      "fcfaas:"
#define FCC_URL_MAX         (FCF_WHERE_MAX + 80)

/* an upload */
typedef struct {
    fcc_t          *fcc;
    const char     *url;                /* the store's */
    int             fd;
    int64_t         sent, size;
    fcc_progress_t  progress;
    fcf_err_t      *err;                /* why it cannot be read */
    int             failed;
} fcc_upload_t;


int
fcc_where_next(const char **at, char store[FCF_WHERE_MAX + 1])
{
    size_t  n;

    *at += strspn(*at, " ");
    n = strcspn(*at, " ");
    (void) snprintf(store, FCF_WHERE_MAX + 1, "%.*s", (int) n, *at);
    *at += n;

    return n != 0;
}


static void
fcc_store_url(char url[FCC_URL_MAX], const char *store, const char *sha256)
{
    (void) snprintf(url, FCC_URL_MAX, "%s/%s.img", store, sha256);
}


/* "": there is none */
static void
fcc_store_auth(const fcc_t *fcc, char *out, size_t size)
{
    char    plain[1200], coded[fcf_base64_encoded_len(sizeof(plain)) + 1];
    size_t  len;

    *out = '\0';

    if (fcc->conf.store_token == NULL) {
        return;
    }

    len = (size_t) snprintf(plain, sizeof(plain), FCC_STORE_USER "%s",
                            fcc->conf.store_token);

    if (len < sizeof(plain)) {
        (void) fcf_base64_encode(coded, plain, len);
        (void) snprintf(out, size, "Authorization: Basic %s", coded);
    }
}


/* what a status means that is no success */
static int
fcc_store_status(const fcc_t *fcc, const char *store, long status,
    int64_t size, fcf_err_t *err)
{
    switch (status) {

    case 401:
    case 403:
        return fcf_err_set(err, FCF_E_AUTH, "store %s: %s", store,
                           fcc->conf.store_token == NULL
                           ? "wants a token: store_token_file"
                           : "refuses the token of store_token_file");

    case 405:
        return fcf_err_set(err, FCF_E_REFUSED, "store %s: takes no images "
                           "there (its dav_methods)", store);

    case 413:
        return fcf_err_set(err, FCF_E_LIMIT, "store %s: takes no image of %"
                           PRId64 " KB (its client_max_body_size)", store,
                           size / 1024);

    case 500:
        return fcf_err_set(err, FCF_E_REFUSED, "store %s: could not write it: "
                           "is its disk full?  Its error log says (status "
                           "500)", store);

    case 507:
        return fcf_err_set(err, FCF_E_REFUSED, "store %s: its disk is full",
                           store);

    default:
        return fcf_err_set(err, FCF_E_REFUSED, "store %s: status %ld", store,
                           status);
    }
}


/* its last byte, and the one behind it: one comes if it is as long as that */
int
fcc_store_has(fcc_t *fcc, const char *store, const char *sha256, int64_t size,
    fcf_err_t *err)
{
    char         url[FCC_URL_MAX], range[80];
    long         status;
    size_t       len;
    fcf_buf_t    body;
    const char  *headers[] = { range, NULL };

    fcc_store_url(url, store, sha256);
    (void) snprintf(range, sizeof(range), "Range: bytes=%" PRId64 "-%" PRId64,
                    size > 0 ? size - 1 : 0, size);
    fcf_buf_init(&body, 65536);

    if (fcc_http(fcc, &(fcf_http_call_t) { .method = "GET", .url = url,
                     .headers = headers, .timeout_ms = FCC_STORE_MS,
                     .connect_timeout_ms = FCC_STORE_CONNECT,
                     .ca = fcc->conf.store_ca },
                 &status, &body, err) != 0)
    {
        fcf_buf_free(&body);
        return -1;
    }

    len = body.len;
    fcf_buf_free(&body);

    return status == 206 ? len == 1
           : status == 404 || status == 416 || status == 200 ? 0
           : fcc_store_status(fcc, store, status, size, err);
}


int
fcc_store_remove(fcc_t *fcc, const char *store, const char *sha256,
    fcf_err_t *err)
{
    char         url[FCC_URL_MAX], auth[2048];
    long         status;
    const char  *headers[] = { auth, NULL };

    fcc_store_url(url, store, sha256);
    fcc_store_auth(fcc, auth, sizeof(auth));

    if (fcc_http(fcc, &(fcf_http_call_t) { .method = "DELETE", .url = url,
                     .headers = headers, .timeout_ms = FCC_STORE_MS,
                     .connect_timeout_ms = FCC_STORE_CONNECT,
                     .ca = fcc->conf.store_ca },
                 &status, NULL, err) != 0)
    {
        return -1;
    }

    return status / 100 == 2 || status == 404
           ? 0 : fcc_store_status(fcc, store, status, 0, err);
}


static size_t
fcc_upload_read(void *arg, char *buf, size_t size)
{
    ssize_t        n;
    fcc_upload_t  *up = arg;

    if (fcc_interrupted(up->err) != 0) {
        up->failed = 1;
        return 0;
    }

    n = pread(up->fd, buf, size, up->sent);

    if (n <= 0) {
        up->failed = fcf_err_sys(up->err, n < 0 ? errno : EIO, "the image");
        return 0;
    }

    up->sent += n;
    fcc_progress(&up->progress, up->sent);

    return (size_t) n;
}


/* 1: it broke off, or nobody answers: again, perhaps */
static int
fcc_upload_once(fcc_upload_t *up, const char *sha256)
{
    int          rc;
    char         url[FCC_URL_MAX], auth[2048];
    long         status;
    fcf_err_t    why;
    const char  *headers[] = { auth, NULL };

    fcc_store_url(url, up->url, sha256);
    fcc_store_auth(up->fcc, auth, sizeof(auth));
    up->sent = 0;
    fcc_progress_begin(&up->progress, up->url, up->size);

    rc = fcc_http(up->fcc, &(fcf_http_call_t) {
        .method = "PUT", .url = url, .headers = headers,
        .body_len = (size_t) up->size, .on_read = fcc_upload_read, .arg = up,
        .connect_timeout_ms = FCC_STORE_CONNECT,
        .ca = up->fcc->conf.store_ca,
        .timeout_ms = (unsigned) (FCC_STORE_MS + up->size / FCC_STORE_RATE
                                  * 1000),
    }, &status, NULL, &why);

    fcc_progress_end(&up->progress, rc == 0 && status / 100 == 2);

    if (up->failed || fcc_interrupted(up->err) != 0) {
        return -1;
    }

    if (rc != 0) {
        *up->err = why;
        return 1;
    }

    return status / 100 == 2 ? 0
           : fcc_store_status(up->fcc, up->url, status, up->size, up->err);
}


static int
fcc_upload(fcc_upload_t *up, const char *sha256)
{
    int  rc, i;

    rc = 1;

    for (i = 0; i < FCC_STORE_TRIES && rc == 1; i++) {

        if (i > 0) {
            fcc_say("%s; once more", up->err->msg);
            (void) poll(NULL, 0, FCC_STORE_PAUSE);
        }

        rc = fcc_upload_once(up, sha256);
    }

    return rc == 0 ? 0 : -1;
}


static int
fcc_store_put_one(fcc_t *fcc, const char *store, int fd, const char *sha256,
    int64_t size, fcf_err_t *err)
{
    int           rc;
    fcc_upload_t  up = { .fcc = fcc, .url = store, .fd = fd, .size = size,
                         .err = err };

    rc = fcc_store_has(fcc, store, sha256, size, err);

    if (rc != 0) {
        return rc < 0 ? -1 : 0;
    }

    if (fcc_upload(&up, sha256) != 0) {
        return -1;
    }

    fcc_say("%s: has it now, %" PRId64 " KB", store,
            (size + 1023) / 1024);

    return 0;
}


int
fcc_store_put(fcc_t *fcc, const char *path, const char *sha256, int64_t size,
    fcf_err_t *err)
{
    int        fd, had;
    size_t     i;
    fcf_err_t  why;

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return fcf_err_sys(err, errno, "%s", path);
    }

    had = 0;

    for (i = 0; i < fcc->conf.nstores; i++) {

        if (fcc_store_put_one(fcc, fcc->conf.stores[i], fd, sha256, size, &why)
            == 0)
        {
            had++;
            continue;
        }

        *err = why;

        if (fcc_interrupted(err) != 0) {
            had = 0;
            break;
        }

        if (fcc->conf.nstores > 1) {
            fcc_say("%s", why.msg);
        }
    }

    (void) close(fd);

    if (had != 0 && had < (int) fcc->conf.nstores) {
        fcc_say("not all stores have it: the same "
                "command puts it there, later");
    }

    return had != 0 ? 0 : -1;
}
