#include "ngx_fcfaas_module/ngx_http_fcfaas_tls.h"


#if (NGX_SSL)

/* nodes, and places where what is the same modulo that may be */
#define NGX_HTTP_FCFAAS_TLS_SESSIONS  256
#define NGX_HTTP_FCFAAS_TLS_WAYS      4


/* Locations may have other certificates, and so be others to a node: each has
 * sessions of its own. */
typedef struct {
    ngx_ssl_t         *ssl;             /* of the location */
    in_addr_t          node;
    ngx_ssl_session_t *session;         /* NULL: free */
} ngx_http_fcfaas_session_t;


struct ngx_http_fcfaas_tls_s {
    ngx_uint_t                 next;    /* way to be given up */
    ngx_http_fcfaas_session_t  sessions[NGX_HTTP_FCFAAS_TLS_SESSIONS];
};


static ngx_http_fcfaas_session_t *ngx_http_fcfaas_tls_find(
    ngx_http_fcfaas_peer_t *fp, ngx_uint_t make);
static ngx_http_fcfaas_session_t *ngx_http_fcfaas_tls_free(
    ngx_http_fcfaas_tls_t *tls, ngx_http_fcfaas_session_t *ways);


/*
 * This is where TLS begins, on a connection that is there.  What is left of the
 * time for that would be too short: many who waited may begin at once, and each
 * that gives up and begins anew makes it longer for all.
 */

ngx_int_t
ngx_http_fcfaas_tls_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_fcfaas_peer_t  *fp = data;

    ngx_http_fcfaas_session_t  *s;

    ngx_add_timer(pc->connection->write, NGX_HTTP_FCFAAS_TLS_TIMEOUT);

    s = ngx_http_fcfaas_tls_find(fp, 0);

    return s ? ngx_ssl_set_session(pc->connection, s->session) : NGX_OK;
}


void
ngx_http_fcfaas_tls_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_fcfaas_peer_t  *fp = data;

    ngx_ssl_session_t          *session;
    ngx_http_fcfaas_session_t  *s;

    session = ngx_ssl_get_session(pc->connection);

    if (session == NULL) {
        return;
    }

    s = ngx_http_fcfaas_tls_find(fp, 1);

    if (s == NULL) {
        ngx_ssl_free_session(session);
        return;
    }

    if (s->session) {
        ngx_ssl_free_session(s->session);
    }

    s->session = session;
}


void
ngx_http_fcfaas_tls_done(ngx_http_fcfaas_worker_t *w)
{
    ngx_uint_t                  i;
    ngx_http_fcfaas_session_t  *s;

    for (i = 0; w->sessions && i < NGX_HTTP_FCFAAS_TLS_SESSIONS; i++) {
        s = &w->sessions->sessions[i];

        if (s->session) {
            ngx_ssl_free_session(s->session);
            s->session = NULL;
        }
    }
}


static ngx_http_fcfaas_session_t *
ngx_http_fcfaas_tls_find(ngx_http_fcfaas_peer_t *fp, ngx_uint_t make)
{
    in_addr_t                   node;
    ngx_ssl_t                  *ssl;
    ngx_uint_t                  i;
    struct sockaddr_in         *sin;
    ngx_http_fcfaas_tls_t      *tls;
    ngx_http_fcfaas_worker_t   *w;
    ngx_http_fcfaas_session_t  *ways, *s;

    if (fp->instance == NULL) {
        return NULL;
    }

    w = fp->instance->function->worker;
    sin = &fp->instance->sockaddr.sockaddr_in;

    if (sin->sin_family != AF_INET) {
        return NULL;
    }

    if (w->sessions == NULL) {

        if (!make) {
            return NULL;
        }

        w->sessions = ngx_pcalloc(w->pool, sizeof(ngx_http_fcfaas_tls_t));
        if (w->sessions == NULL) {
            return NULL;
        }
    }

    tls = w->sessions;
    node = sin->sin_addr.s_addr;
    ssl = fp->own_conf->ssl;
    i = ntohl(node) * NGX_HTTP_FCFAAS_TLS_WAYS % NGX_HTTP_FCFAAS_TLS_SESSIONS;
    ways = &tls->sessions[i];

    for (i = 0; i < NGX_HTTP_FCFAAS_TLS_WAYS; i++) {
        s = &ways[i];

        if (s->session && s->node == node && s->ssl == ssl) {
            return s;
        }
    }

    if (!make) {
        return NULL;
    }

    s = ngx_http_fcfaas_tls_free(tls, ways);
    s->node = node;
    s->ssl = ssl;

    return s;
}


static ngx_http_fcfaas_session_t *
ngx_http_fcfaas_tls_free(ngx_http_fcfaas_tls_t *tls,
    ngx_http_fcfaas_session_t *ways)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_FCFAAS_TLS_WAYS; i++) {
        if (ways[i].session == NULL) {
            return &ways[i];
        }
    }

    return &ways[tls->next++ % NGX_HTTP_FCFAAS_TLS_WAYS];
}

#else

#if (NGX_COMPAT)

ngx_int_t
ngx_http_fcfaas_tls_set_session(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


void
ngx_http_fcfaas_tls_save_session(ngx_peer_connection_t *pc, void *data)
{
    /* void */
}

#endif


void
ngx_http_fcfaas_tls_done(ngx_http_fcfaas_worker_t *w)
{
    /* void */
}

#endif
