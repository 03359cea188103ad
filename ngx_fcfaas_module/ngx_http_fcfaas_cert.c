#include "ngx_fcfaas_module/ngx_http_fcfaas_cert.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_answer.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_failure.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_wait.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


#if (NGX_SSL)

#define NGX_HTTP_FCFAAS_CERT_TEXT  384


static void ngx_http_fcfaas_cert_say(ngx_http_fcfaas_peer_t *fp,
    ngx_str_t *text, const char *what, const char *why);
static void ngx_http_fcfaas_cert_keep(ngx_http_fcfaas_peer_t *fp,
    ngx_uint_t ours, const char *why);
static size_t ngx_http_fcfaas_cert_node(ngx_http_fcfaas_instance_t *instance);
static const char *ngx_http_fcfaas_cert_judge(ngx_connection_t *c);


void
ngx_http_fcfaas_cert_theirs(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    long               rc;
    ngx_str_t          text;
    const char        *why;
    ngx_connection_t  *c;

    c = pc->connection;

    if (c == NULL || c->ssl == NULL || !fp->own_conf->ssl_verify) {
        return;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc == X509_V_OK) {
        return;
    }

    why = X509_verify_cert_error_string(rc);

    ngx_http_fcfaas_cert_keep(fp, 0, why);
    ngx_http_fcfaas_cert_say(fp, &text, "its certificate is refused", why);
    ngx_http_fcfaas_failure_refused(fp->instance->pool, &text);
}


/*
 * A node judges after the handshake, in TLS 1.3 a gateway's part of it, and
 * nginx's stream module, which stands there, only closes the connection then.
 * So what it has against our certificate is found by looking at that, with the
 * CA that nodes' are to be of.
 */

void
ngx_http_fcfaas_cert_ours(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_str_t          text;
    const char        *why;
    ngx_connection_t  *c;

    c = pc->connection;

    if (c == NULL
        || c->ssl == NULL
        || pc->cached
        || fp->answered
        || (!c->read->eof && !c->read->error))
    {
        return;
    }

    why = fp->own_conf->ssl_verify ? ngx_http_fcfaas_cert_judge(c) : NULL;

    if (why == NULL) {
        ngx_http_fcfaas_cert_say(fp, &text, "a new connection was closed",
                                 "does it refuse this gateway's certificate? "
                                 "its front says so at level info");
        return;
    }

    ngx_http_fcfaas_cert_keep(fp, 1, why);
    ngx_http_fcfaas_cert_say(fp, &text, "it refuses this gateway's certificate",
                             why);
    ngx_http_fcfaas_answer_certificate(&fp->ctx->waiter.answer, &text);
    ngx_http_fcfaas_wait_last(fp, pc, NGX_HTTP_UPSTREAM_FT_ERROR);
}


void
ngx_http_fcfaas_cert_taken(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    ngx_http_fcfaas_instance_t  *instance;

    if (pc->connection->ssl == NULL || pc->cached) {
        return;
    }

    instance = fp->instance;

    ngx_http_fcfaas_zone_taken(instance->function->worker->conf->shm_zone,
                               instance->worker_id,
                               ngx_http_fcfaas_cert_node(instance));
}


/* "text" lasts as long as the request */
static void
ngx_http_fcfaas_cert_say(ngx_http_fcfaas_peer_t *fp, ngx_str_t *text,
    const char *what, const char *why)
{
    ngx_http_request_t          *r;
    ngx_http_fcfaas_instance_t  *instance;

    r = fp->ctx->request;
    instance = fp->instance;

    ngx_str_null(text);
    text->data = ngx_pnalloc(r->pool, NGX_HTTP_FCFAAS_CERT_TEXT);

    if (text->data) {
        text->len = ngx_snprintf(text->data, NGX_HTTP_FCFAAS_CERT_TEXT,
                                 "node \"%*s\" at %V: %s: %s",
                                 ngx_http_fcfaas_cert_node(instance),
                                 instance->worker_id, &instance->name, what,
                                 why)
                    - text->data;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "fcfaas: \"%V\": %V", &fp->ctx->id, text);
}


/* for the status page */
static void
ngx_http_fcfaas_cert_keep(ngx_http_fcfaas_peer_t *fp, ngx_uint_t ours,
    const char *why)
{
    ngx_http_fcfaas_worker_t    *w;
    ngx_http_fcfaas_refused_t    refused;
    ngx_http_fcfaas_instance_t  *instance;

    instance = fp->instance;
    w = instance->function->worker;

    ngx_memzero(&refused, sizeof(ngx_http_fcfaas_refused_t));

    refused.at = fcz_now();
    refused.ours = ours;
    (void) ngx_snprintf(refused.node, sizeof(refused.node) - 1, "%*s",
                        ngx_http_fcfaas_cert_node(instance),
                        instance->worker_id);
    (void) ngx_snprintf(refused.address, sizeof(refused.address) - 1, "%V",
                        &instance->name);
    (void) ngx_snprintf(refused.why, sizeof(refused.why) - 1, "%s", why);

    ngx_http_fcfaas_zone_refused(w->conf->shm_zone, &refused);
}


/* of a worker's id "<node>-<n>", the former's length */
static size_t
ngx_http_fcfaas_cert_node(ngx_http_fcfaas_instance_t *instance)
{
    size_t  len, n;

    len = ngx_strlen(instance->worker_id);

    for (n = len; n > 1; n--) {

        if (instance->worker_id[n - 1] == '-') {
            return n - 1;
        }
    }

    return len;
}


/* NULL: there is nothing against it */
static const char *
ngx_http_fcfaas_cert_judge(ngx_connection_t *c)
{
    int              rc;
    SSL             *ssl;
    X509            *x509;
    X509_STORE_CTX  *store;
    STACK_OF(X509)  *chain;

    ssl = c->ssl->connection;
    x509 = SSL_get_certificate(ssl);

    if (x509 == NULL) {
        return "there is none (proxy_ssl_certificate)";
    }

    store = X509_STORE_CTX_new();
    if (store == NULL) {
        return NULL;
    }

    chain = NULL;
    (void) SSL_get0_chain_certs(ssl, &chain);

    rc = X509_V_OK;

    if (X509_STORE_CTX_init(store,
                            SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
                            x509, chain)
        == 1
        && X509_verify_cert(store) != 1)
    {
        rc = X509_STORE_CTX_get_error(store);
    }

    X509_STORE_CTX_free(store);
    ERR_clear_error();

    return rc == X509_V_OK ? NULL : X509_verify_cert_error_string(rc);
}

#else

void
ngx_http_fcfaas_cert_theirs(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    /* void */
}


void
ngx_http_fcfaas_cert_ours(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    /* void */
}


void
ngx_http_fcfaas_cert_taken(ngx_http_fcfaas_peer_t *fp,
    ngx_peer_connection_t *pc)
{
    /* void */
}

#endif
