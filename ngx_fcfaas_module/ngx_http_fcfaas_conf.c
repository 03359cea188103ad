#include "ngx_fcfaas_module/ngx_http_fcfaas_conf.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_metrics.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_secret.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_status.h"


#define NGX_HTTP_FCFAAS_ZONE_MIN      (512 * 1024)
#define NGX_HTTP_FCFAAS_REDIS_DB_MAX  1023


/* an option "name=value" of a directive */
typedef struct {
    const char  *name;
    size_t       offset;        /* of an ngx_str_t in the main conf */
    ngx_uint_t   file;          /* the value is the content of a file */
    ngx_uint_t   pem;           /* the same, in PEM */
} ngx_http_fcfaas_option_t;


typedef int (*ngx_http_fcfaas_check_pt)(const char *text, fcf_err_t *err);


static char *ngx_http_fcfaas_conf_servers(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_fcfaas_main_conf_t *fmcf, ngx_array_t *servers,
    ngx_http_fcfaas_check_pt check, const ngx_http_fcfaas_option_t *options);
static ngx_int_t ngx_http_fcfaas_conf_option(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_fcfaas_main_conf_t *fmcf,
    const ngx_http_fcfaas_option_t *options, ngx_str_t *value);
static ngx_int_t ngx_http_fcfaas_conf_db(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_fcfaas_main_conf_t *fmcf, ngx_str_t *value);
static char *ngx_http_fcfaas_conf_page(ngx_conf_t *cf,
    ngx_http_handler_pt handler);
static char *ngx_http_fcfaas_conf_invalid(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value, const char *why);


static const ngx_http_fcfaas_option_t  ngx_http_fcfaas_etcd_options[] = {
    { "user=", offsetof(ngx_http_fcfaas_main_conf_t, etcd_user), 0, 0 },
    { "password_file=",
      offsetof(ngx_http_fcfaas_main_conf_t, etcd_password), 1, 0 },
    { "ca=", offsetof(ngx_http_fcfaas_main_conf_t, etcd_ca), 0, 1 },
    { "cert=", offsetof(ngx_http_fcfaas_main_conf_t, etcd_cert), 0, 1 },
    { "key=", offsetof(ngx_http_fcfaas_main_conf_t, etcd_key), 0, 1 },
    { NULL, 0, 0, 0 }
};

static const ngx_http_fcfaas_option_t  ngx_http_fcfaas_redis_options[] = {
    { "user=", offsetof(ngx_http_fcfaas_main_conf_t, redis_user), 0, 0 },
    { "password_file=",
      offsetof(ngx_http_fcfaas_main_conf_t, redis_password), 1, 0 },
    { NULL, 0, 0, 0 }
};


char *
ngx_http_fcfaas_conf_etcd(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    char  *rv;

    if (fmcf->etcd) {
        return "is duplicate";
    }

    fmcf->etcd = ngx_array_create(cf->pool, 3, sizeof(ngx_str_t));
    if (fmcf->etcd == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_fcfaas_conf_servers(cf, cmd, fmcf, fmcf->etcd,
                                      fcf_etcd_endpoint_check,
                                      ngx_http_fcfaas_etcd_options);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if ((fmcf->etcd_user.len == 0) != (fmcf->etcd_password.len == 0)) {
        return "needs both \"user=\" and \"password_file=\", or neither";
    }

    if ((fmcf->etcd_cert.len == 0) != (fmcf->etcd_key.len == 0)) {
        return "needs both \"cert=\" and \"key=\", or neither";
    }

    if (fmcf->etcd->nelts > FCF_ETCD_ENDPOINTS_MAX) {
        return "has too many endpoints";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_fcfaas_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    char  *rv;

    if (fmcf->redis) {
        return "is duplicate";
    }

    fmcf->redis = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (fmcf->redis == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_fcfaas_conf_servers(cf, cmd, fmcf, fmcf->redis,
                                      fcf_redis_addr_check,
                                      ngx_http_fcfaas_redis_options);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (fmcf->redis_user.len && fmcf->redis_password.len == 0) {
        return "needs \"password_file=\" with \"user=\"";
    }

    if (fmcf->redis->nelts > FCF_REDIS_ADDRS_MAX) {
        return "has too many addresses";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_fcfaas_conf_servers(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_fcfaas_main_conf_t *fmcf, ngx_array_t *servers,
    ngx_http_fcfaas_check_pt check, const ngx_http_fcfaas_option_t *options)
{
    fcf_err_t    err;
    ngx_int_t    rc;
    ngx_str_t   *value, *s;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_http_fcfaas_conf_option(cf, cmd, fmcf, options, &value[i]);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_OK) {
            continue;
        }

        /* rc == NGX_DECLINED; arguments are followed by NUL */

        if (ngx_strncmp(value[i].data, "password=", 9) == 0
            || (ngx_strchr(value[i].data, '@')
                && ngx_strncmp(value[i].data, "unix:", 5) != 0))
        {
            /* the value is not to be shown */
            return "takes passwords by \"password_file=\" only, and users "
                   "by \"user=\"";
        }

        if (check((char *) value[i].data, &err) != 0) {
            return ngx_http_fcfaas_conf_invalid(cf, cmd, &value[i], err.msg);
        }

        s = ngx_array_push(servers);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        *s = value[i];
    }

    if (servers->nelts == 0) {
        return "names no server";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_fcfaas_conf_option(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_fcfaas_main_conf_t *fmcf,
    const ngx_http_fcfaas_option_t *options, ngx_str_t *value)
{
    size_t                           len;
    ngx_str_t                        arg, *field;
    const ngx_http_fcfaas_option_t  *o;

    if (options == ngx_http_fcfaas_redis_options
        && ngx_strncmp(value->data, "db=", 3) == 0)
    {
        return ngx_http_fcfaas_conf_db(cf, cmd, fmcf, value);
    }

    for (o = options; o->name; o++) {

        len = ngx_strlen(o->name);

        if (value->len < len || ngx_strncmp(value->data, o->name, len) != 0) {
            continue;
        }

        field = (ngx_str_t *) ((char *) fmcf + o->offset);

        arg.data = value->data + len;
        arg.len = value->len - len;

        if (arg.len == 0 || field->len) {
            (void) ngx_http_fcfaas_conf_invalid(cf, cmd, value,
                                         arg.len ? "is given twice"
                                                 : "it is empty");
            return NGX_ERROR;
        }

        if (o->file) {
            return ngx_http_fcfaas_secret_line(cf, cmd, &arg, field);
        }

        if (o->pem) {
            return ngx_http_fcfaas_secret_pem(cf, cmd, &arg, field);
        }

        *field = arg;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_fcfaas_conf_db(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_fcfaas_main_conf_t *fmcf, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data + 3, value->len - 3);

    if (n == NGX_ERROR || n > NGX_HTTP_FCFAAS_REDIS_DB_MAX) {
        (void) ngx_http_fcfaas_conf_invalid(cf, cmd, value,
                                        "a database is a number, 0 to 1023");
        return NGX_ERROR;
    }

    fmcf->redis_db = n;

    return NGX_OK;
}


char *
ngx_http_fcfaas_conf_prefix(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (fmcf->prefix.data) {
        return "is duplicate";
    }

    if (!fcf_prefix_valid((char *) value[1].data, value[1].len)) {
        return ngx_http_fcfaas_conf_invalid(cf, cmd, &value[1],
                            "a prefix is at most 64 printable characters "
                            "without space or braces");
    }

    fmcf->prefix = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_fcfaas_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (fmcf->zone_name.data) {
        return "is duplicate";
    }

    if (value[1].len == 0) {
        return ngx_http_fcfaas_conf_invalid(cf, cmd, &value[1],
                                            "a zone needs a name");
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        return ngx_http_fcfaas_conf_invalid(cf, cmd, &value[2],
                                            "not a size");
    }

    if (size < NGX_HTTP_FCFAAS_ZONE_MIN) {
        return ngx_http_fcfaas_conf_invalid(cf, cmd, &value[2],
                                            "less than 512k");
    }

    fmcf->zone_name = value[1];
    fmcf->zone_size = size;

    return NGX_CONF_OK;
}


char *
ngx_http_fcfaas_conf_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (fmcf->token.data) {
        return "is duplicate";
    }

    return ngx_http_fcfaas_secret_line(cf, cmd, &value[1], &fmcf->token)
           == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_fcfaas_conf_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_fcfaas_conf_page(cf, ngx_http_fcfaas_status_handler);
}


char *
ngx_http_fcfaas_conf_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_fcfaas_conf_page(cf, ngx_http_fcfaas_metrics_handler);
}


char *
ngx_http_fcfaas_conf_nodes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_fcfaas_conf_page(cf, ngx_http_fcfaas_nodes_handler);
}


static char *
ngx_http_fcfaas_conf_page(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = handler;

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fcfaas_module);
    fmcf->used = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_fcfaas_conf_invalid(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value, const char *why)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive: %s",
                       value, &cmd->name, why);

    return NGX_CONF_ERROR;
}
