/*
 * HTTP requests on a caller-supplied loop: libcurl's multi interface, driven
 * by curl_multi_socket_action().  Serves the etcd client and the Firecracker
 * API client alike.  curl_global_init() is the process's own affair.
 */

#ifndef _FCF_HTTP_H_INCLUDED_
#define _FCF_HTTP_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>
#include "client/fcf_loop.h"

typedef struct fcf_http_s      fcf_http_t;
typedef struct fcf_http_req_s  fcf_http_req_t;

/* err == NULL: the transfer ended and status is the peer's.  body is
 * NUL-terminated, valid during the call, and empty if on_data took it.
 * err->sys_errno != 0: no connection was made, so nothing was sent. */
typedef void (*fcf_http_done_pt)(void *arg, long status, const char *body,
    size_t len, const fcf_err_t *err);
/* a piece of the body as it arrives; return non-zero to end the transfer
 * (done then gets FCF_E_LIMIT) */
typedef int (*fcf_http_data_pt)(void *arg, const char *data, size_t len);

/* fills buf with what comes next of a body that is sent, up to body_len: how
 * much that was; 0: the transfer ends */
typedef size_t (*fcf_http_read_pt)(void *arg, char *buf, size_t size);

typedef struct {
    const char              *method;        /* "GET", "PUT", ... */
    const char              *url;
    const char              *unix_socket;   /* NULL: TCP */
    const char              *connect_to;    /* NULL, or "name:port:ip:port",
                                               the first two of url: whose
                                               certificate is to name it */
    const char *const       *headers;       /* "Name: value", NULL-ended */
    const char              *body;          /* copied; NULL: none */
    size_t                   body_len;
    fcf_http_read_pt         on_read;       /* instead of body: for a large
                                               one */
    unsigned                 connect_timeout_ms;
    unsigned                 timeout_ms;    /* whole transfer; 0: none */
    size_t                   max_reply;     /* bytes collected; over: LIMIT;
                                               0: 65536 */
    const char              *ca, *cert, *key;   /* PEM files or NULL */
    int                      pem;           /* these are PEM texts instead */
    int                      fresh;         /* a connection of its own */
    unsigned                 piece;         /* read at once; libcurl takes a
                                               hundred in a turn.  0: 16 KiB */
    int                      last;          /* on its connection, which is not
                                               kept */
    int                      once;          /* else repeated when a kept
                                               connection ends unanswered */
    int64_t                 *date_s;        /* NULL, or where the answer's
                                               Date, if it has one, goes before
                                               on_done: Unix time */
    fcf_http_data_pt         on_data;       /* NULL: collect */
    fcf_http_done_pt         on_done;
    void                    *arg;
} fcf_http_call_t;

fcf_http_t *fcf_http_new(fcf_loop_t *loop, fcf_err_t *err);
/* every request under way gets on_done with FCF_E_CANCELED: at once, or, from
 * inside a callback, when that returns */
void fcf_http_free(fcf_http_t *http);

/* on_done runs exactly once, never before this returns, unless cancelled.
 * Everything in *call but the body's copy may die once this returns. */
fcf_http_req_t *fcf_http_start(fcf_http_t *http, const fcf_http_call_t *call,
    fcf_err_t *err);
/* no callback of this request runs any more; safe inside callbacks */
void fcf_http_cancel(fcf_http_req_t *req);

#endif /* _FCF_HTTP_H_INCLUDED_ */
