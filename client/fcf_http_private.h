/* What fcf_http.c (life of requests), fcf_http_loop.c (descriptors and timer
 * of libcurl) and fcf_http_opt.c (what libcurl is told about a request)
 * share. */

#ifndef _FCF_HTTP_PRIVATE_H_INCLUDED_
#define _FCF_HTTP_PRIVATE_H_INCLUDED_

#include <curl/curl.h>
#include "contract/fcf_buf.h"
#include "client/fcf_http.h"

/*
 * libcurl must not be called from inside its own callbacks.  "in_curl" tells
 * that we are in one: what is started or cancelled then waits in a list until
 * curl_multi_socket_action() has returned.  "busy" counts all frames of ours
 * from which user code may run, and defers fcf_http_free().
 */

typedef enum {
    FCF_HTTP_QUEUED = 0,        /* started inside curl, not added yet */
    FCF_HTTP_ACTIVE,
    FCF_HTTP_DOOMED,            /* cancelled inside curl */
    FCF_HTTP_DONE               /* on_done is running */
} fcf_http_state_e;

typedef struct fcf_http_sock_s  fcf_http_sock_t;

struct fcf_http_s {
    fcf_loop_t          *loop;
    CURLM               *multi;
    fcf_timer_t         *timer;
    fcf_http_req_t      *reqs;
    fcf_http_sock_t     *socks;
    unsigned             busy;
    unsigned             in_curl:1;
    unsigned             unsettled:1;   /* some are QUEUED or DOOMED */
    unsigned             dying:1;
};

struct fcf_http_req_s {
    fcf_http_t          *http;
    fcf_http_req_t      *prev, *next;
    CURL                *easy;
    struct curl_slist   *headers, *connect_to;
    fcf_buf_t            body;
    fcf_http_state_e     state;
    fcf_code_e           failed;        /* why on_data ended the transfer */
    unsigned             sent:1;        /* at least begun */
    unsigned             once:1;
    fcf_http_data_pt     on_data;
    int64_t             *date_s;
    fcf_http_read_pt     on_read;
    fcf_http_done_pt     on_done;
    void                *arg;
    char                 errbuf[CURL_ERROR_SIZE];
};

/* fcf_http.c: lets libcurl act, then settles what came of it; user code runs,
 * and http may be gone when it returns */
void fcf_http_action(fcf_http_t *http, curl_socket_t fd, int mask);

/* fcf_http_loop.c */
void fcf_http_timer(void *arg);
int fcf_http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *sockp);
int fcf_http_on_open(void *arg, curl_socket_t fd, curlsocktype purpose);
int fcf_http_on_timer(CURLM *multi, long ms, void *arg);
void fcf_http_socks_free(fcf_http_t *http);

/* fcf_http_opt.c: everything about the transfer but when it starts */
CURLcode fcf_http_set(fcf_http_req_t *req, const fcf_http_call_t *call);
void fcf_http_get_date(fcf_http_req_t *req);
int fcf_http_add_headers(fcf_http_req_t *req, const fcf_http_call_t *call);
size_t fcf_http_on_write(char *data, size_t size, size_t n, void *arg);

#endif /* _FCF_HTTP_PRIVATE_H_INCLUDED_ */
