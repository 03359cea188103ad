#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/fcf_etcd_private.h"


void
fcf_etcd_http_call(fcf_etcd_t *etcd, fcf_http_call_t *call, char *url,
    const char **headers, const char *path)
{
    size_t  n;

    memset(call, 0, sizeof(fcf_http_call_t));

    (void) snprintf(url, FCF_ETCD_URL_MAX, "%s%s", etcd->endpoints[etcd->at],
                    path);

    n = 0;
    headers[n++] = "Content-Type: application/json";

    if (etcd->has_token) {
        headers[n++] = etcd->auth_header;
    }

    headers[n] = NULL;

    call->method = "POST";
    call->url = url;
    call->headers = headers;
    call->ca = etcd->ca;
    call->cert = etcd->cert;
    call->key = etcd->key;
    call->pem = etcd->pem;

    /* what is left for the next endpoint if this one's host is gone */

    call->connect_timeout_ms = etcd->nendpoints > 1 ? etcd->timeout_ms / 2
                                                    : etcd->timeout_ms;
    call->max_reply = FCF_ETCD_REPLY_MAX;
}


void
fcf_etcd_endpoint_failed(fcf_etcd_t *etcd, size_t endpoint, const char *why)
{
    if (etcd->at != endpoint) {
        return;
    }

    if (etcd->nendpoints > 1) {
        etcd->at = (etcd->at + 1) % etcd->nendpoints;
        etcd->failovers++;
    }

    /* of one alone its owner says so: calls fail */

    if (etcd->healthy && etcd->nendpoints > 1) {
        fcf_log(etcd->loop, FCF_LOG_WARN, "etcd %s: %s; going on with %s",
                etcd->endpoints[endpoint], why, etcd->endpoints[etcd->at]);
    }

    etcd->healthy = 0;
}


static int
fcf_etcd_dup(char **dst, const char *src)
{
    if (src == NULL) {
        return 0;
    }

    *dst = strdup(src);

    return (*dst == NULL) ? -1 : 0;
}


static int
fcf_etcd_copy(fcf_etcd_t *etcd, const fcf_etcd_conf_t *conf)
{
    int     rc;
    size_t  i;

    rc = fcf_etcd_dup(&etcd->user, conf->user);
    rc |= fcf_etcd_dup(&etcd->password, conf->password);
    rc |= fcf_etcd_dup(&etcd->ca, conf->ca);
    rc |= fcf_etcd_dup(&etcd->cert, conf->cert);
    rc |= fcf_etcd_dup(&etcd->key, conf->key);
    etcd->pem = conf->pem;

    for (i = 0; i < conf->nendpoints && rc == 0; i++) {
        rc = fcf_etcd_dup(&etcd->endpoints[i], conf->endpoints[i]);
        etcd->nendpoints++;
    }

    return rc;
}


static int
fcf_etcd_conf_check(const fcf_etcd_conf_t *conf, fcf_err_t *err)
{
    size_t  i;

    if (conf->nendpoints == 0 || conf->nendpoints > FCF_ETCD_ENDPOINTS_MAX) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "etcd: %zu endpoints, must be 1 to %d",
                           conf->nendpoints, FCF_ETCD_ENDPOINTS_MAX);
    }

    for (i = 0; i < conf->nendpoints; i++) {
        if (fcf_etcd_endpoint_check(conf->endpoints[i], err) != 0) {
            return -1;
        }
    }

    if ((conf->cert == NULL) != (conf->key == NULL)) {
        return fcf_err_set(err, FCF_E_INVALID,
                           "etcd: a certificate and its key go together");
    }

    return 0;
}


fcf_etcd_t *
fcf_etcd_new(fcf_loop_t *loop, const fcf_etcd_conf_t *conf, fcf_err_t *err)
{
    fcf_etcd_t  *etcd;

    if (fcf_etcd_conf_check(conf, err) != 0) {
        return NULL;
    }

    etcd = calloc(1, sizeof(fcf_etcd_t));

    if (etcd == NULL) {
        fcf_err_set(err, FCF_E_NOMEM, "etcd client");
        return NULL;
    }

    etcd->loop = loop;
    etcd->timeout_ms = conf->timeout_ms ? conf->timeout_ms
                                        : FCF_ETCD_TIMEOUT_MS;
    etcd->http = fcf_http_new(loop, err);
    etcd->defer_timer = loop->timer_new(loop, fcf_etcd_calls_on_defer, etcd);

    if (etcd->http == NULL || etcd->defer_timer == NULL
        || fcf_etcd_copy(etcd, conf) != 0)
    {
        fcf_err_set(err, FCF_E_NOMEM, "etcd client");
        fcf_etcd_free(etcd);
        return NULL;
    }

    return etcd;
}


void
fcf_etcd_free(fcf_etcd_t *etcd)
{
    size_t            i;
    fcf_err_t         err;
    fcf_etcd_call_t  *call;

    if (etcd == NULL) {
        return;
    }

    etcd->dying = 1;
    fcf_err_set(&err, FCF_E_CANCELED, "etcd client closed");

    while (etcd->calls != NULL) {
        call = etcd->calls;

        if (call->req != NULL) {
            fcf_http_cancel(call->req);
        }

        fcf_etcd_call_finish(call, NULL, &err);
    }

    fcf_http_free(etcd->http);

    if (etcd->defer_timer != NULL) {
        etcd->loop->timer_free(etcd->defer_timer);
    }

    for (i = 0; i < etcd->nendpoints; i++) {
        free(etcd->endpoints[i]);
    }

    free(etcd->user);
    free(etcd->password);
    free(etcd->ca);
    free(etcd->cert);
    free(etcd->key);
    free(etcd);
}


void
fcf_etcd_stat(const fcf_etcd_t *etcd, fcf_etcd_stat_t *out)
{
    out->endpoint = etcd->endpoints[etcd->at];
    out->healthy = etcd->healthy;
    out->failovers = etcd->failovers;
}
