#include <stdio.h>
#include <string.h>

#include "client/fcf_etcd_private.h"
#include "contract/fcf_json.h"


/* after a failure: calls that may try again wait for the next attempt */

static void
fcf_etcd_auth_failed(fcf_etcd_t *etcd, const fcf_err_t *err)
{
    int               again;
    fcf_etcd_call_t  *call;

    again = 0;

    for (call = etcd->calls; call != NULL; call = call->next) {

        if (call->state != FCF_ETCD_CALL_WAITING) {
            continue;
        }

        if ((err->code == FCF_E_UNAVAILABLE || err->code == FCF_E_TIMEOUT)
            && ++call->tries < etcd->nendpoints
            && call->deadline > etcd->loop->now(etcd->loop))
        {
            again = 1;
            continue;
        }

        fcf_etcd_call_fail(call, err);
    }

    if (again) {
        fcf_etcd_auth_start(etcd);
    }
}


static int
fcf_etcd_auth_parse(fcf_etcd_t *etcd, long status, const char *body,
    size_t len, fcf_err_t *err)
{
    int          n;
    json_t      *root;
    const char  *token;

    if (status != 200) {
        return fcf_etcd_parse_error(status, body, len, err);
    }

    root = json_loadb(body, len, 0, NULL);
    token = json_string_value(json_object_get(root, "token"));

    n = (token == NULL) ? -1
        : snprintf(etcd->auth_header, sizeof(etcd->auth_header),
                   "Authorization: %s", token);

    json_decref(root);

    if (n < 0 || (size_t) n >= sizeof(etcd->auth_header)) {
        return fcf_err_set(err, FCF_E_PROTOCOL, "etcd: no token in reply");
    }

    return 0;
}


static void
fcf_etcd_auth_done(void *arg, long status, const char *body, size_t len,
    const fcf_err_t *failed)
{
    fcf_err_t         err;
    fcf_etcd_t       *etcd;
    fcf_etcd_call_t  *call, *next;

    etcd = arg;
    etcd->auth_req = NULL;

    if (etcd->dying) {
        return;
    }

    if (failed != NULL) {
        err = *failed;

    } else if (fcf_etcd_auth_parse(etcd, status, body, len, &err) == 0) {

        etcd->has_token = 1;
        etcd->token++;
        etcd->healthy = 1;

        for (call = etcd->calls; call != NULL; call = next) {
            next = call->next;

            if (call->state == FCF_ETCD_CALL_WAITING) {
                fcf_etcd_call_send(call);
            }
        }

        return;
    }

    if (err.code == FCF_E_UNAVAILABLE || err.code == FCF_E_TIMEOUT
        || err.code == FCF_E_PROTOCOL)
    {
        fcf_etcd_endpoint_failed(etcd, etcd->auth_endpoint, err.msg);
    }

    fcf_err_wrap(&err, "etcd user \"%s\"", etcd->user);
    fcf_etcd_auth_failed(etcd, &err);
}


void
fcf_etcd_auth_start(fcf_etcd_t *etcd)
{
    char             *text, url[FCF_ETCD_URL_MAX];
    json_t           *obj;
    fcf_err_t         err;
    const char       *headers[FCF_ETCD_HEADERS_MAX];
    fcf_http_call_t   http;

    if (etcd->auth_req != NULL) {
        return;
    }

    obj = json_object();
    fcf_json_put_str(&obj, "name", etcd->user);
    fcf_json_put_str(&obj, "password", etcd->password ? etcd->password : "");
    text = fcf_json_text(obj);

    fcf_err_set(&err, FCF_E_NOMEM, "out of memory");

    if (text != NULL) {
        fcf_etcd_http_call(etcd, &http, url, headers, "/v3/auth/authenticate");

        http.body = text;
        http.body_len = strlen(text);
        http.timeout_ms = etcd->timeout_ms;
        http.on_done = fcf_etcd_auth_done;
        http.arg = etcd;

        etcd->auth_endpoint = etcd->at;
        etcd->auth_req = fcf_http_start(etcd->http, &http, &err);
        free(text);
    }

    if (etcd->auth_req == NULL) {
        fcf_etcd_auth_failed(etcd, &err);
    }
}


void
fcf_etcd_token_refused(fcf_etcd_t *etcd, unsigned token)
{
    if (etcd->has_token && etcd->token == token) {
        etcd->has_token = 0;
    }
}
