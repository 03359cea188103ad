#include <string.h>

#include "client/fcf_http_private.h"

#define FCF_HTTP_KEEPIDLE_S   5L
#define FCF_HTTP_KEEPINTVL_S  2L


int
fcf_http_add_headers(fcf_http_req_t *req, const fcf_http_call_t *call)
{
    const char *const  *header;
    struct curl_slist  *list;

    /* no pause before a body, unless it is worth to know first that the peer
     * takes it, and no form type invented by curl */

    if (call->on_read == NULL) {
        list = curl_slist_append(NULL, "Expect:");

        if (list == NULL) {
            return -1;
        }

        req->headers = list;
    }

    for (header = call->headers; header != NULL && *header != NULL; header++) {
        list = curl_slist_append(req->headers, *header);

        if (list == NULL) {
            return -1;
        }

        req->headers = list;
    }

    return (curl_easy_setopt(req->easy, CURLOPT_HTTPHEADER, req->headers)
            == CURLE_OK) ? 0 : -1;
}


#define fcf_http_opt(rc, easy, opt, value)                                  \
    do {                                                                    \
        if ((rc) == CURLE_OK) {                                             \
            (rc) = curl_easy_setopt(easy, opt, value);                      \
        }                                                                   \
    } while (0)


static size_t
fcf_http_on_read(char *buf, size_t size, size_t n, void *arg)
{
    size_t           len;
    fcf_http_req_t  *req;

    req = arg;
    len = req->state == FCF_HTTP_ACTIVE
          ? req->on_read(req->arg, buf, size * n) : 0;

    return len != 0 ? len : CURL_READFUNC_ABORT;
}


static CURLcode
fcf_http_set_upload(CURL *easy, const fcf_http_call_t *call,
    fcf_http_req_t *req)
{
    CURLcode  rc;

    rc = CURLE_OK;

    fcf_http_opt(rc, easy, CURLOPT_UPLOAD, 1L);
    fcf_http_opt(rc, easy, CURLOPT_INFILESIZE_LARGE,
                 (curl_off_t) call->body_len);
    fcf_http_opt(rc, easy, CURLOPT_READFUNCTION, fcf_http_on_read);
    fcf_http_opt(rc, easy, CURLOPT_READDATA, req);
    fcf_http_opt(rc, easy, CURLOPT_CUSTOMREQUEST, call->method);

    return rc;
}


static CURLcode
fcf_http_set_method(CURL *easy, const fcf_http_call_t *call,
    fcf_http_req_t *req)
{
    CURLcode  rc;

    rc = CURLE_OK;

    if (call->on_read != NULL) {
        return fcf_http_set_upload(easy, call, req);
    }

    if (call->body == NULL && strcmp(call->method, "GET") == 0) {
        return rc;
    }

    if (call->body == NULL && strcmp(call->method, "HEAD") == 0) {
        fcf_http_opt(rc, easy, CURLOPT_NOBODY, 1L);
        return rc;
    }

    if (call->body != NULL || strcmp(call->method, "DELETE") != 0) {
        fcf_http_opt(rc, easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t) (call->body ? call->body_len : 0));
        fcf_http_opt(rc, easy, CURLOPT_COPYPOSTFIELDS,
                     call->body ? call->body : "");
    }

    fcf_http_opt(rc, easy, CURLOPT_CUSTOMREQUEST, call->method);

    return rc;
}


/* a connection stands and the request is about to be written to it; libcurl
 * comes here again when that was a kept one that ended without an answer */

static int
fcf_http_on_send(void *arg, char *peer, char *local, int peer_port,
    int local_port)
{
    fcf_http_req_t  *req;

    (void) peer;
    (void) local;
    (void) peer_port;
    (void) local_port;

    req = arg;

    if (req->once && req->sent) {
        return CURL_PREREQFUNC_ABORT;
    }

    req->sent = 1;

    return CURL_PREREQFUNC_OK;
}


static CURLcode
fcf_http_set_pem(CURL *easy, CURLoption option, const char *text)
{
    struct curl_blob  blob;

    blob.data = (void *) text;
    blob.len = strlen(text);
    blob.flags = CURL_BLOB_COPY;

    return curl_easy_setopt(easy, option, &blob);
}


static CURLcode
fcf_http_set_tls(CURL *easy, const fcf_http_call_t *call)
{
    CURLcode  rc;

    rc = CURLE_OK;

    if (call->ca != NULL) {
        rc = call->pem
             ? fcf_http_set_pem(easy, CURLOPT_CAINFO_BLOB, call->ca)
             : curl_easy_setopt(easy, CURLOPT_CAINFO, call->ca);
    }

    if (call->cert == NULL || rc != CURLE_OK) {
        return rc;
    }

    /* else OpenSSL asks a terminal for what unlocks a key, and waits */

    fcf_http_opt(rc, easy, CURLOPT_KEYPASSWD, "");

    if (rc != CURLE_OK) {
        return rc;
    }

    if (call->pem) {
        rc = fcf_http_set_pem(easy, CURLOPT_SSLCERT_BLOB, call->cert);

        return rc == CURLE_OK
               ? fcf_http_set_pem(easy, CURLOPT_SSLKEY_BLOB, call->key) : rc;
    }

    fcf_http_opt(rc, easy, CURLOPT_SSLCERT, call->cert);
    fcf_http_opt(rc, easy, CURLOPT_SSLKEY, call->key);

    return rc;
}


CURLcode
fcf_http_set(fcf_http_req_t *req, const fcf_http_call_t *call)
{
    int        fresh;
    CURL      *easy;
    CURLcode   rc;

    easy = req->easy;
    rc = fcf_http_set_method(easy, call, req);

    /* what was read cannot be sent again, as it would be where a kept
     * connection turns out to have ended */

    fresh = call->fresh || call->on_read != NULL;

    fcf_http_opt(rc, easy, CURLOPT_URL, call->url);
    fcf_http_opt(rc, easy, CURLOPT_PRIVATE, req);
    fcf_http_opt(rc, easy, CURLOPT_ERRORBUFFER, req->errbuf);
    fcf_http_opt(rc, easy, CURLOPT_WRITEFUNCTION, fcf_http_on_write);
    fcf_http_opt(rc, easy, CURLOPT_WRITEDATA, req);
    fcf_http_opt(rc, easy, CURLOPT_PREREQFUNCTION, fcf_http_on_send);
    fcf_http_opt(rc, easy, CURLOPT_PREREQDATA, req);
    fcf_http_opt(rc, easy, CURLOPT_SOCKOPTFUNCTION, fcf_http_on_open);
    fcf_http_opt(rc, easy, CURLOPT_SOCKOPTDATA, req->http);
    fcf_http_opt(rc, easy, CURLOPT_NOSIGNAL, 1L);
    fcf_http_opt(rc, easy, CURLOPT_PROXY, "");
    fcf_http_opt(rc, easy, CURLOPT_PROTOCOLS_STR, "http,https");

    /* a stream of its own for each transfer: over HTTP/2 a watch would share
     * its connection with what probes it */

    fcf_http_opt(rc, easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    fcf_http_opt(rc, easy, CURLOPT_TCP_KEEPALIVE, 1L);
    fcf_http_opt(rc, easy, CURLOPT_TCP_KEEPIDLE, FCF_HTTP_KEEPIDLE_S);
    fcf_http_opt(rc, easy, CURLOPT_TCP_KEEPINTVL, FCF_HTTP_KEEPINTVL_S);
    fcf_http_opt(rc, easy, CURLOPT_CONNECTTIMEOUT_MS,
                 (long) call->connect_timeout_ms);
    fcf_http_opt(rc, easy, CURLOPT_TIMEOUT_MS, (long) call->timeout_ms);

    if (call->unix_socket != NULL) {
        fcf_http_opt(rc, easy, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    }

    if (call->connect_to != NULL) {
        req->connect_to = curl_slist_append(NULL, call->connect_to);

        if (req->connect_to == NULL) {
            return CURLE_OUT_OF_MEMORY;
        }

        fcf_http_opt(rc, easy, CURLOPT_CONNECT_TO, req->connect_to);
    }

    if (rc == CURLE_OK) {
        rc = fcf_http_set_tls(easy, call);
    }

    if (call->piece != 0) {
        fcf_http_opt(rc, easy, CURLOPT_BUFFERSIZE, (long) call->piece);
    }

    if (fresh) {
        fcf_http_opt(rc, easy, CURLOPT_FRESH_CONNECT, 1L);
    }

    if (fresh || call->last) {
        fcf_http_opt(rc, easy, CURLOPT_FORBID_REUSE, 1L);
    }

    return rc;
}


void
fcf_http_get_date(fcf_http_req_t *req)
{
    time_t               date;
    struct curl_header  *header;

    if (req->date_s != NULL
        && curl_easy_header(req->easy, "Date", 0, CURLH_HEADER, -1, &header)
           == CURLHE_OK)
    {
        date = curl_getdate(header->value, NULL);
        *req->date_s = date != -1 ? (int64_t) date : 0;
    }
}
