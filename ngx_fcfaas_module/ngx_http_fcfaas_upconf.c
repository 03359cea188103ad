#include "ngx_fcfaas_module/ngx_http_fcfaas_upconf.h"


/* variants kept; one more lives as long as its request */
#define NGX_HTTP_FCFAAS_UPCONFS  256


struct ngx_http_fcfaas_upconf_s {
    ngx_http_fcfaas_upconf_t    *next;
    ngx_http_upstream_conf_t    *of;
    ngx_msec_t                   timeout;
    ngx_http_upstream_conf_t     conf;
};


ngx_http_upstream_conf_t *
ngx_http_fcfaas_upconf(ngx_http_request_t *r, ngx_http_fcfaas_worker_t *w,
    ngx_http_upstream_conf_t *conf, ngx_msec_t timeout)
{
    ngx_uint_t                 n;
    ngx_pool_t                *pool;
    ngx_http_fcfaas_upconf_t  *uc, **p;

    n = 0;

    for (p = &w->upconfs; *p; p = &(*p)->next) {

        uc = *p;

        if (uc->of == conf && uc->timeout == timeout) {
            /* the one used last is found first */
            *p = uc->next;
            uc->next = w->upconfs;
            w->upconfs = uc;

            return &uc->conf;
        }

        n++;
    }

    pool = n < NGX_HTTP_FCFAAS_UPCONFS ? w->pool : r->pool;

    uc = ngx_palloc(pool, sizeof(ngx_http_fcfaas_upconf_t));
    if (uc == NULL) {
        return NULL;
    }

    uc->of = conf;
    uc->timeout = timeout;
    uc->conf = *conf;

    if (conf->connect_timeout > NGX_HTTP_FCFAAS_CONNECT_TIMEOUT) {
        uc->conf.connect_timeout = NGX_HTTP_FCFAAS_CONNECT_TIMEOUT;
    }

    if (timeout) {
        uc->conf.read_timeout = timeout;
        uc->conf.send_timeout = timeout;
    }

    if (pool == w->pool) {
        uc->next = w->upconfs;
        w->upconfs = uc;
    }

    return &uc->conf;
}
