#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_http_private.h"

#define FCF_HTTP_REPLY_MAX  65536


static void fcf_http_destroy(fcf_http_t *http);


/* the only place that assigns it: QUEUED -> ACTIVE -> DONE, or DOOMED from
 * ACTIVE */

static void
fcf_http_req_state(fcf_http_req_t *req, fcf_http_state_e state)
{
    req->state = state;

    if (state == FCF_HTTP_QUEUED || state == FCF_HTTP_DOOMED) {
        req->http->unsettled = 1;
    }
}


static void
fcf_http_unlink(fcf_http_req_t *req)
{
    if (req->prev != NULL) {
        req->prev->next = req->next;

    } else {
        req->http->reqs = req->next;
    }

    if (req->next != NULL) {
        req->next->prev = req->prev;
    }

    req->prev = NULL;
    req->next = NULL;
}


static void
fcf_http_req_free(fcf_http_req_t *req)
{
    if (req->easy != NULL) {
        curl_easy_cleanup(req->easy);
    }

    curl_slist_free_all(req->headers);
    curl_slist_free_all(req->connect_to);
    fcf_buf_free(&req->body);
    free(req);
}


static fcf_code_e
fcf_http_code(CURLcode rc)
{
    switch (rc) {

    case CURLE_OK:
        return FCF_OK;

    case CURLE_OUT_OF_MEMORY:
        return FCF_E_NOMEM;

    case CURLE_OPERATION_TIMEDOUT:
        return FCF_E_TIMEOUT;

    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return FCF_E_INVALID;

    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return FCF_E_PROTOCOL;

    default:
        return FCF_E_UNAVAILABLE;
    }
}


/* an errno if no connection was made, so that nothing can have been sent */

static int
fcf_http_unsent(fcf_http_req_t *req, CURLcode rc)
{
    long  num;

    /* on a kept connection that ended, or is silent, it may have been: what
     * libcurl tells is about the last connection, or none */

    if (req->sent) {
        return 0;
    }

    if (rc == CURLE_COULDNT_CONNECT) {
        num = 0;
        (void) curl_easy_getinfo(req->easy, CURLINFO_OS_ERRNO, &num);

        return num ? (int) num : ECONNREFUSED;
    }

    return (rc == CURLE_OPERATION_TIMEDOUT) ? ETIMEDOUT : 0;
}


/* the request is out of curl and of the list when its owner hears of it */

static void
fcf_http_finish(fcf_http_req_t *req, CURLcode rc)
{
    int         unsent;
    long        status;
    fcf_err_t   err;

    status = 0;
    unsent = 0;

    if (req->state == FCF_HTTP_ACTIVE) {
        (void) curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &status);
        unsent = fcf_http_unsent(req, rc);
        fcf_http_get_date(req);
        (void) curl_multi_remove_handle(req->http->multi, req->easy);
    }

    fcf_http_unlink(req);

    if (req->state == FCF_HTTP_DOOMED) {
        fcf_http_req_free(req);
        return;
    }

    fcf_http_req_state(req, FCF_HTTP_DONE);

    if (rc == CURLE_OK) {
        req->on_done(req->arg, status, req->body.len ? req->body.data : "",
                     req->body.len, NULL);

    } else {
        fcf_err_set(&err, req->failed ? req->failed : fcf_http_code(rc),
                    "%s", req->failed == FCF_E_LIMIT ? "reply too large"
                          : req->failed == FCF_E_NOMEM ? "out of memory"
                          : rc == CURLE_ABORTED_BY_CALLBACK
                            ? "connection closed without an answer"
                          : req->errbuf[0] ? req->errbuf
                                           : curl_easy_strerror(rc));
        err.sys_errno = unsent;

        req->on_done(req->arg, 0, "", 0, &err);
    }

    fcf_http_req_free(req);
}


static void
fcf_http_cancel_one(fcf_http_req_t *req)
{
    fcf_err_t  err;

    if (req->state == FCF_HTTP_ACTIVE) {
        (void) curl_multi_remove_handle(req->http->multi, req->easy);
    }

    fcf_http_unlink(req);

    if (req->state != FCF_HTTP_DOOMED) {
        fcf_http_req_state(req, FCF_HTTP_DONE);
        fcf_err_set(&err, FCF_E_CANCELED, "HTTP client closed");
        req->on_done(req->arg, 0, "", 0, &err);
    }

    fcf_http_req_free(req);
}


/* what was started and cancelled while curl was running; user code may have
 * changed the list after each on_done, so it is read from its head again */

static void
fcf_http_settle(fcf_http_t *http)
{
    fcf_http_req_t  *req, *next;

    while (http->unsettled) {

        http->unsettled = 0;

        for (req = http->reqs; req != NULL; req = next) {

            next = req->next;

            if (req->state == FCF_HTTP_DOOMED) {
                (void) curl_multi_remove_handle(http->multi, req->easy);
                fcf_http_unlink(req);
                fcf_http_req_free(req);
                continue;
            }

            if (req->state != FCF_HTTP_QUEUED) {
                continue;
            }

            if (curl_multi_add_handle(http->multi, req->easy) == CURLM_OK) {
                fcf_http_req_state(req, FCF_HTTP_ACTIVE);
                continue;
            }

            http->unsettled = 1;
            fcf_http_finish(req, CURLE_OUT_OF_MEMORY);
            break;
        }
    }
}


static void
fcf_http_leave(fcf_http_t *http)
{
    if (--http->busy == 0 && http->dying) {
        fcf_http_destroy(http);
    }
}


void
fcf_http_action(fcf_http_t *http, curl_socket_t fd, int mask)
{
    int              n;
    CURL            *easy;
    CURLMsg         *msg;
    CURLcode         rc;
    fcf_http_req_t  *req;

    http->busy++;

    http->in_curl = 1;
    (void) curl_multi_socket_action(http->multi, fd, mask, &n);
    http->in_curl = 0;

    for ( ;; ) {

        fcf_http_settle(http);

        msg = curl_multi_info_read(http->multi, &n);

        if (msg == NULL) {
            break;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        easy = msg->easy_handle;
        rc = msg->data.result;

        if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &req) == CURLE_OK) {
            fcf_http_finish(req, rc);
        }
    }

    fcf_http_leave(http);
}


size_t
fcf_http_on_write(char *data, size_t size, size_t n, void *arg)
{
    int              rc;
    size_t           len;
    fcf_http_req_t  *req;

    req = arg;
    len = size * n;

    if (req->state != FCF_HTTP_ACTIVE) {
        return len + 1;
    }

    if (req->on_data != NULL) {
        rc = req->on_data(req->arg, data, len);

        if (rc != 0 && req->state == FCF_HTTP_ACTIVE) {
            req->failed = FCF_E_LIMIT;
        }

        /* any number but len ends the transfer */

        return (rc != 0 || req->state != FCF_HTTP_ACTIVE) ? len + 1 : len;
    }

    rc = fcf_buf_add(&req->body, data, len);

    if (rc != 0) {
        req->failed = (fcf_code_e) -rc;
        return len + 1;
    }

    return len;
}


fcf_http_t *
fcf_http_new(fcf_loop_t *loop, fcf_err_t *err)
{
    fcf_http_t  *http;

    http = calloc(1, sizeof(fcf_http_t));

    if (http == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "HTTP client");
        return NULL;
    }

    http->loop = loop;
    http->timer = loop->timer_new(loop, fcf_http_timer, http);
    http->multi = curl_multi_init();

    if (http->timer == NULL || http->multi == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "HTTP client");
        fcf_http_destroy(http);
        return NULL;
    }

    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION,
                      fcf_http_on_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, fcf_http_on_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);

    return http;
}


static void
fcf_http_destroy(fcf_http_t *http)
{
    http->dying = 1;
    http->busy++;

    while (http->reqs != NULL) {
        fcf_http_cancel_one(http->reqs);
    }

    /* before curl closes them */

    fcf_http_socks_free(http);

    if (http->multi != NULL) {
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, NULL);
        curl_multi_cleanup(http->multi);
    }

    if (http->timer != NULL) {
        http->loop->timer_free(http->timer);
    }

    free(http);
}


void
fcf_http_free(fcf_http_t *http)
{
    if (http == NULL) {
        return;
    }

    http->dying = 1;

    if (http->busy == 0) {
        fcf_http_destroy(http);
    }
}


static void
fcf_http_link(fcf_http_t *http, fcf_http_req_t *req)
{
    req->next = http->reqs;

    if (req->next != NULL) {
        req->next->prev = req;
    }

    http->reqs = req;
}


fcf_http_req_t *
fcf_http_start(fcf_http_t *http, const fcf_http_call_t *call, fcf_err_t *err)
{
    CURLcode         rc;
    fcf_http_req_t  *req;

    if (http->dying) {
        fcf_err_set(err, FCF_E_CANCELED, "HTTP client closed");
        return NULL;
    }

    req = calloc(1, sizeof(fcf_http_req_t));

    if (req == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "HTTP request");
        return NULL;
    }

    req->http = http;
    req->on_data = call->on_data;
    req->date_s = call->date_s;
    req->on_read = call->on_read;
    req->on_done = call->on_done;
    req->once = (call->once != 0);
    req->arg = call->arg;
    req->easy = curl_easy_init();

    fcf_buf_init(&req->body, call->max_reply ? call->max_reply
                                             : FCF_HTTP_REPLY_MAX);

    if (req->easy == NULL || fcf_http_add_headers(req, call) != 0) {
        fcf_err_set(err, FCF_E_NOMEM, "HTTP request");
        fcf_http_req_free(req);
        return NULL;
    }

    rc = fcf_http_set(req, call);

    if (rc != CURLE_OK) {
        fcf_err_set(err, fcf_http_code(rc), "HTTP request to %s: %s",
                    call->url, curl_easy_strerror(rc));
        fcf_http_req_free(req);
        return NULL;
    }

    if (http->in_curl) {
        fcf_http_req_state(req, FCF_HTTP_QUEUED);

    } else if (curl_multi_add_handle(http->multi, req->easy) == CURLM_OK) {
        fcf_http_req_state(req, FCF_HTTP_ACTIVE);

    } else {
        fcf_err_set(err, FCF_E_NOMEM, "HTTP request");
        fcf_http_req_free(req);
        return NULL;
    }

    fcf_http_link(http, req);

    return req;
}


void
fcf_http_cancel(fcf_http_req_t *req)
{
    switch (req->state) {

    case FCF_HTTP_DONE:
        /* from inside its on_done, which frees it */

    case FCF_HTTP_DOOMED:
        return;

    case FCF_HTTP_QUEUED:
        break;

    case FCF_HTTP_ACTIVE:

        if (req->http->in_curl) {
            fcf_http_req_state(req, FCF_HTTP_DOOMED);
            return;
        }

        (void) curl_multi_remove_handle(req->http->multi, req->easy);
        break;
    }

    fcf_http_unlink(req);
    fcf_http_req_free(req);
}
