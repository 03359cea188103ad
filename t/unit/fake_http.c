#include <stdlib.h>
#include <string.h>

#include "t/unit/fake_http.h"

#define HEADERS_MAX  8

struct fcf_http_s {
    int               unused;
};

struct fcf_http_req_s {
    fcf_http_req_t   *next;
    char             *url, *body, *headers[HEADERS_MAX];
    fcf_http_data_pt  on_data;
    fcf_http_done_pt  on_done;
    void             *arg;
};

/* oldest first; one client per test */
static fcf_http_req_t  *reqs;
static char             started[65536];


static int
ends(const char *url, const char *path)
{
    size_t  n, m;

    n = strlen(url);
    m = strlen(path);

    return n >= m && strcmp(url + n - m, path) == 0;
}


static fcf_http_req_t *
find(const char *path)
{
    fcf_http_req_t  *req;

    for (req = reqs; req != NULL; req = req->next) {
        if (ends(req->url, path)) {
            return req;
        }
    }

    return NULL;
}


static void
drop(fcf_http_req_t *req)
{
    size_t            i;
    fcf_http_req_t  **p;

    for (p = &reqs; *p != req; p = &(*p)->next) { /* void */ }

    *p = req->next;

    for (i = 0; i < HEADERS_MAX; i++) {
        free(req->headers[i]);
    }

    free(req->url);
    free(req->body);
    free(req);
}


fcf_http_t *
fcf_http_new(fcf_loop_t *loop, fcf_err_t *err)
{
    (void) loop;
    (void) err;

    started[0] = '\0';

    return calloc(1, sizeof(fcf_http_t));
}


void
fcf_http_free(fcf_http_t *http)
{
    while (reqs != NULL) {
        fake_http_fail(reqs->url, FCF_E_CANCELED, 0);
    }

    free(http);
}


fcf_http_req_t *
fcf_http_start(fcf_http_t *http, const fcf_http_call_t *call, fcf_err_t *err)
{
    size_t            i, len;
    fcf_http_req_t   *req, **p;

    (void) http;
    (void) err;

    req = calloc(1, sizeof(fcf_http_req_t));

    if (req == NULL) {
        abort();
    }

    req->url = strdup(call->url);
    req->body = strndup(call->body ? call->body : "", call->body_len);
    req->on_data = call->on_data;
    req->on_done = call->on_done;
    req->arg = call->arg;

    for (i = 0; call->headers[i] != NULL && i < HEADERS_MAX; i++) {
        req->headers[i] = strdup(call->headers[i]);
    }

    for (p = &reqs; *p != NULL; p = &(*p)->next) { /* void */ }

    *p = req;

    len = strlen(started);

    if (len + strlen(req->url) + 2 < sizeof(started)) {
        memcpy(started + len, req->url, strlen(req->url));
        memcpy(started + len + strlen(req->url), "\n", 2);
    }

    return req;
}


void
fcf_http_cancel(fcf_http_req_t *req)
{
    drop(req);
}


const char *
fake_http_body(const char *path)
{
    fcf_http_req_t  *req;

    req = find(path);

    return req ? req->body : NULL;
}


const char *
fake_http_header(const char *path, const char *name)
{
    size_t           i;
    fcf_http_req_t  *req;

    req = find(path);

    for (i = 0; req != NULL && i < HEADERS_MAX && req->headers[i]; i++) {
        if (strncmp(req->headers[i], name, strlen(name)) == 0
            && req->headers[i][strlen(name)] == ':')
        {
            return req->headers[i] + strlen(name) + 2;
        }
    }

    return NULL;
}


unsigned
fake_http_pending(void)
{
    unsigned         n;
    fcf_http_req_t  *req;

    n = 0;

    for (req = reqs; req != NULL; req = req->next) {
        n++;
    }

    return n;
}


unsigned
fake_http_started(const char *path)
{
    char        *p;
    unsigned     n;

    n = 0;

    for (p = started; (p = strstr(p, path)) != NULL; p++) {
        n++;
    }

    return n;
}


int
fake_http_answer(const char *path, long status, const char *body)
{
    void              *arg;
    fcf_http_req_t    *req;
    fcf_http_done_pt   on_done;

    req = find(path);

    if (req == NULL) {
        return 0;
    }

    on_done = req->on_done;
    arg = req->arg;
    drop(req);
    on_done(arg, status, body, strlen(body), NULL);

    return 1;
}


int
fake_http_fail(const char *path, fcf_code_e code, int sys_errno)
{
    void              *arg;
    fcf_err_t          err;
    fcf_http_req_t    *req;
    fcf_http_done_pt   on_done;

    req = find(path);

    if (req == NULL) {
        return 0;
    }

    on_done = req->on_done;
    arg = req->arg;
    drop(req);

    fcf_err_set(&err, code, "made to fail");
    err.sys_errno = sys_errno;
    on_done(arg, 0, "", 0, &err);

    return 1;
}


int
fake_http_data(const char *path, const char *data)
{
    fcf_http_req_t  *req;

    req = find(path);

    if (req == NULL) {
        return 0;
    }

    return req->on_data(req->arg, data, strlen(data)) == 0;
}
