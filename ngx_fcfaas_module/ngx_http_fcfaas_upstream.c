#include "ngx_fcfaas_module/ngx_http_fcfaas_upstream.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_keep.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_peer.h"


#define NGX_HTTP_FCFAAS_KEEP_MAX  1000000


/* a parameter "name=value" */
typedef struct {
    const char  *name;
    size_t       offset;        /* of an ngx_uint_t, or ngx_msec_t */
    ngx_uint_t   time;
    ngx_int_t    max;
} ngx_http_fcfaas_upstream_param_t;


static ngx_int_t ngx_http_fcfaas_upstream_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static char *ngx_http_fcfaas_upstream_keep(ngx_conf_t *cf,
    ngx_http_fcfaas_keep_t *keep);
static ngx_int_t ngx_http_fcfaas_upstream_param(ngx_str_t *value,
    ngx_http_fcfaas_keep_t *keep);


static const ngx_http_fcfaas_upstream_param_t
    ngx_http_fcfaas_upstream_params[] =
{
    { "keepalive=", offsetof(ngx_http_fcfaas_keep_t, max), 0,
      NGX_HTTP_FCFAAS_KEEP_MAX },
    { "keepalive_requests=", offsetof(ngx_http_fcfaas_keep_t, requests), 0,
      NGX_MAX_INT_T_VALUE },
    { "keepalive_time=", offsetof(ngx_http_fcfaas_keep_t, time), 1,
      NGX_MAX_INT_T_VALUE },
    { "keepalive_timeout=", offsetof(ngx_http_fcfaas_keep_t, timeout), 1,
      NGX_MAX_INT_T_VALUE },
    { NULL, 0, 0, 0 }
};


void *
ngx_http_fcfaas_upstream_create_conf(ngx_conf_t *cf)
{
    /* set by ngx_pcalloc(): 0, which no parameter may be */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_fcfaas_keep_t));
}


char *
ngx_http_fcfaas_upstream_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_upstream_server_t    *us;
    ngx_http_upstream_srv_conf_t  *uscf;

    uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);

    if (uscf->peer.init_upstream) {
        return uscf->peer.init_upstream == ngx_http_fcfaas_upstream_init
               ? "is duplicate"
               : "must stand first, before \"keepalive\", and alone as "
                 "balancer";
    }

    if (uscf->servers->nelts) {
        return "takes no \"server\" beside it: instances come from etcd";
    }

    /* nginx refuses an upstream without servers; this one is never used */

    us = ngx_array_push(uscf->servers);
    if (us == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(us, sizeof(ngx_http_upstream_server_t));

    uscf->flags = NGX_HTTP_UPSTREAM_CREATE;
    uscf->peer.init_upstream = ngx_http_fcfaas_upstream_init;

    return ngx_http_fcfaas_upstream_keep(cf,
                              ngx_http_conf_get_module_srv_conf(cf,
                                                  ngx_http_fcfaas_module));
}


static char *
ngx_http_fcfaas_upstream_keep(ngx_conf_t *cf, ngx_http_fcfaas_keep_t *keep)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_fcfaas_upstream_param(&value[i], keep) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"fcfaas\" "
                               "directive", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (cf->args->nelts > 1 && keep->max == 0) {
        return "needs \"keepalive=\" with its other parameters";
    }

    /* as nginx's own */

    keep->requests = keep->requests ? keep->requests : 1000;
    keep->time = keep->time ? keep->time : 3600000;
    keep->timeout = keep->timeout ? keep->timeout : 60000;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_fcfaas_upstream_param(ngx_str_t *value, ngx_http_fcfaas_keep_t *keep)
{
    size_t                                   len;
    ngx_int_t                                n;
    ngx_str_t                                arg;
    ngx_uint_t                              *field;
    const ngx_http_fcfaas_upstream_param_t  *p;

    for (p = ngx_http_fcfaas_upstream_params; p->name; p++) {

        len = ngx_strlen(p->name);

        if (value->len < len || ngx_strncmp(value->data, p->name, len) != 0) {
            continue;
        }

        arg.data = value->data + len;
        arg.len = value->len - len;

        n = p->time ? ngx_parse_time(&arg, 0) : ngx_atoi(arg.data, arg.len);
        field = (ngx_uint_t *) ((char *) keep + p->offset);

        if (n <= 0 || n > p->max || *field) {
            return NGX_ERROR;
        }

        *field = n;

        return NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_fcfaas_upstream_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
#if (NGX_HTTP_UPSTREAM_ZONE)
    if (us->shm_zone) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"zone\" has no use beside \"fcfaas\" in upstream "
                      "\"%V\" in %s:%ui", &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }
#endif

    if (us->servers->nelts > 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"server\" has no use beside \"fcfaas\" in upstream "
                      "\"%V\" in %s:%ui", &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }

#if (nginx_version >= 1029007)

    /* "keepalive" no longer stands in as a balancer, so it is not that */

    if (us->peer.init_upstream != ngx_http_fcfaas_upstream_init) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"sticky\", or another balancer, has no use beside "
                      "\"fcfaas\" in upstream \"%V\" in %s:%ui",
                      &us->host, us->file_name, us->line);
        return NGX_ERROR;
    }

#endif

    us->peer.init = ngx_http_fcfaas_peer_init;

    return ngx_http_fcfaas_keep_init(cf,
                 ngx_http_conf_upstream_srv_conf(us, ngx_http_fcfaas_module));
}


ngx_int_t
ngx_http_fcfaas_upstream_check(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_fcfaas_keep_t          *keep;
    ngx_http_upstream_srv_conf_t   **us;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    us = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (us[i]->peer.init_upstream == NULL || us[i]->srv_conf == NULL) {
            continue;
        }

        keep = ngx_http_conf_upstream_srv_conf(us[i], ngx_http_fcfaas_module);

        if (keep->max == 0 || us[i]->peer.init == ngx_http_fcfaas_peer_init) {
            continue;
        }

#if (nginx_version >= 1029007)

        /* there is a "keepalive" in every upstream, by default */

        us[i]->peer.init = ngx_http_fcfaas_peer_init;

#else

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"keepalive\" has no use beside \"fcfaas keepalive=\" "
                      "in upstream \"%V\" in %s:%ui",
                      &us[i]->host, us[i]->file_name, us[i]->line);
        return NGX_ERROR;

#endif
    }

    return NGX_OK;
}
