/* One connection to the API socket; for http.c only. */

#ifndef _FCV_HTTP_CONN_H_INCLUDED_
#define _FCV_HTTP_CONN_H_INCLUDED_

#include <llhttp.h>

#include "contract/fcf_buf.h"
#include "vm/vmm/http.h"

typedef struct {
    fcv_source_t   source;              /* fd -1: a free place */
    fcv_http_t    *http;
    uint32_t       events;              /* registered */
    llhttp_t       parser;
    fcf_buf_t      in;                  /* read, not yet parsed */
    fcf_buf_t      url, body;
    fcf_buf_t      word;                /* a header's name, or its value */
    size_t         head_len;            /* of all names and values */
    fcf_buf_t      out;
    const char    *refusal;             /* why it is too large */
    unsigned       expect:1;            /* Expect: 100-continue */
    unsigned       expect_name:1;       /* the header at hand is Expect */
    unsigned       waiting:1;           /* for an answer that comes later */
    unsigned       closing:1;           /* after what is in out */
    unsigned       eof:1;
} fcv_http_conn_t;

struct fcv_http_s {
    fcv_source_t       source;
    fcv_loop_t        *loop;
    fcv_api_t         *api;
    llhttp_settings_t  settings;
    fcv_http_conn_t    conns[FCV_HTTP_CONNS];
};

void fcv_http_settings(llhttp_settings_t *settings);

/* takes fd over */
void fcv_http_conn_open(fcv_http_t *http, fcv_http_conn_t *conn, int fd);
void fcv_http_conn_close(fcv_http_conn_t *conn);

/* These return -1 when the connection is to be closed.
 * answer takes the body over; parse goes on with what was read. */
int fcv_http_conn_answer(fcv_http_conn_t *conn, int status, json_t *body);
int fcv_http_conn_parse(fcv_http_conn_t *conn);
int fcv_http_conn_flush(fcv_http_conn_t *conn);

#endif /* _FCV_HTTP_CONN_H_INCLUDED_ */
