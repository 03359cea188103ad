/* What the parts of the etcd client share: fcf_etcd.c (life, endpoints),
 * fcf_etcd_call.c (one call), fcf_etcd_auth.c (token), fcf_etcd_api.c and
 * fcf_etcd_list.c (the public requests), and fcf_sync*.c. */

#ifndef _FCF_ETCD_PRIVATE_H_INCLUDED_
#define _FCF_ETCD_PRIVATE_H_INCLUDED_

#include "client/fcf_cut.h"
#include "client/fcf_etcd_codec.h"

#define FCF_ETCD_REPLY_MAX    (64 * 1024 * 1024)
#define FCF_ETCD_BODY_MAX     (2 * 1024 * 1024)
#define FCF_ETCD_TIMEOUT_MS   2000
#define FCF_ETCD_LONG         (16 * 1024)       /* bytes of a PAGE that is
                                                   read in pieces */
#define FCF_ETCD_PIECE        32        /* keys of it at once */
#define FCF_ETCD_HEADERS_MAX  4
#define FCF_ETCD_TOKEN_MAX    8192      /* a JWT */

typedef enum {
    FCF_ETCD_RANGE = 0,
    FCF_ETCD_LIST,              /* range, page by page */
    FCF_ETCD_PAGE,              /* range, whose keys may come as a rest */
    FCF_ETCD_PROBE,             /* range of one try: is this endpoint well? */
    FCF_ETCD_PUT,
    FCF_ETCD_DELETE,
    FCF_ETCD_TXN,
    FCF_ETCD_GRANT,
    FCF_ETCD_KEEPALIVE,
    FCF_ETCD_LEASE_KEYS,
    FCF_ETCD_REVOKE
} fcf_etcd_kind_e;

typedef enum {
    FCF_ETCD_CALL_WAITING = 0,  /* for a token */
    FCF_ETCD_CALL_SENT,
    FCF_ETCD_CALL_FAILED,       /* its callback is due at the next turn */
    FCF_ETCD_CALL_DONE          /* its callback is running */
} fcf_etcd_call_e;

/* keys of a long answer, read FCF_ETCD_PIECE at a time */
typedef struct {
    char               *text;           /* NULL: there are none */
    fcf_cut_t           cut;
} fcf_etcd_rest_t;

/* parsed answer, alive during the callback */
typedef struct {
    fcf_etcd_reply_t    reply;
    fcf_etcd_header_t   header;
    fcf_etcd_kvs_t      kvs;
    fcf_etcd_rest_t     rest;           /* PAGE: of the keys; none is in kvs */
    int                 more;
} fcf_etcd_answer_t;

/* internal callers also want header and "more", and may take both out of it;
 * answer NULL on failure */
typedef void (*fcf_etcd_answer_pt)(void *arg,
    fcf_etcd_answer_t *answer, const fcf_err_t *err);

struct fcf_etcd_call_s {
    fcf_etcd_t          *etcd;
    fcf_etcd_call_t     *prev, *next;
    fcf_etcd_kind_e      kind;
    fcf_etcd_call_e      state;
    unsigned             tries;         /* endpoints that failed it */
    unsigned             renewed:1;     /* the token, once */
    uint64_t             deadline;
    size_t               endpoint;      /* it was sent to */
    unsigned             token;         /* generation it was sent with */
    fcf_buf_t            body;
    fcf_http_req_t      *req;
    fcf_etcd_pt          done;          /* one of these two */
    fcf_etcd_answer_pt   answered;
    void                *arg;
    fcf_err_t            err;           /* FAILED */

    char                *prefix;        /* LIST */
    int64_t              revision;
    fcf_etcd_answer_t   *pages;
    size_t               npages;
};

struct fcf_etcd_s {
    fcf_loop_t          *loop;
    fcf_http_t          *http;
    fcf_timer_t         *defer_timer;
    char                *endpoints[FCF_ETCD_ENDPOINTS_MAX];
    size_t               nendpoints;
    size_t               at;
    char                *user, *password;
    char                *ca, *cert, *key;
    int                  pem;
    unsigned             timeout_ms;

    char                 auth_header[FCF_ETCD_TOKEN_MAX + 32];
    unsigned             token;         /* generation; 0: none yet */
    unsigned             has_token:1;
    fcf_http_req_t      *auth_req;
    size_t               auth_endpoint;

    fcf_etcd_call_t     *calls, *last;
    uint64_t             failovers;
    int                  healthy;
    unsigned             dying:1;
};

/* fcf_etcd_call.c */
/* body: taken over.  NULL: out of memory or closing. */
fcf_etcd_call_t *fcf_etcd_call(fcf_etcd_t *etcd, fcf_etcd_kind_e kind,
    fcf_buf_t *body, fcf_etcd_pt done, fcf_etcd_answer_pt answered, void *arg);
void fcf_etcd_call_send(fcf_etcd_call_t *call);
/* the callback runs at the next turn */
void fcf_etcd_call_fail(fcf_etcd_call_t *call, const fcf_err_t *err);
/* arg: the client; runs the callbacks of calls that failed */
void fcf_etcd_calls_on_defer(void *arg);
fcf_etcd_call_t *fcf_etcd_range(fcf_etcd_t *etcd, fcf_etcd_kind_e kind,
    const fcf_etcd_range_t *range, fcf_etcd_answer_pt answered, void *arg);

/* runs the callback, now, and frees the call */
void fcf_etcd_call_finish(fcf_etcd_call_t *call, fcf_etcd_answer_t *answer,
    const fcf_err_t *err);
void fcf_etcd_call_unlink(fcf_etcd_call_t *call);
void fcf_etcd_call_free(fcf_etcd_call_t *call);

/* fcf_etcd.c */
/* what was sent to it failed: move on, unless that has been done already */
void fcf_etcd_endpoint_failed(fcf_etcd_t *etcd, size_t endpoint,
    const char *why);
/* fills what is common to all requests; url has room for FCF_ETCD_URL_MAX */
#define FCF_ETCD_URL_MAX  512
void fcf_etcd_http_call(fcf_etcd_t *etcd, fcf_http_call_t *call, char *url,
    const char **headers, const char *path);

/* fcf_etcd_list.c: a page has come; asks for the next or ends the call */
void fcf_etcd_call_next_page(fcf_etcd_call_t *call);

/* fcf_etcd_reply.c: parses the answer to a call of that kind */
int fcf_etcd_answer_parse(fcf_etcd_answer_t *out, fcf_etcd_kind_e kind,
    const char *body, size_t len, fcf_err_t *err);
void fcf_etcd_answer_free(fcf_etcd_answer_t *answer);

/* fcf_etcd_rest.c */
/* 0: the keys of this answer to a range are left to be read; -1: it is to be
 * read as a whole */
int fcf_etcd_rest_open(fcf_etcd_answer_t *out, const char *body, size_t len);
/* the next keys of one that is not done */
int fcf_etcd_rest_next(fcf_etcd_rest_t *rest, fcf_etcd_kvs_t *out,
    fcf_err_t *err);
int fcf_etcd_rest_done(const fcf_etcd_rest_t *rest);
void fcf_etcd_rest_free(fcf_etcd_rest_t *rest);

/* fcf_etcd_auth.c */
/* asks for a token; calls that wait for it are sent, or fail */
void fcf_etcd_auth_start(fcf_etcd_t *etcd);
/* the token of that generation was refused */
void fcf_etcd_token_refused(fcf_etcd_t *etcd, unsigned token);

#endif /* _FCF_ETCD_PRIVATE_H_INCLUDED_ */
