/*
 * The gateway of fcfaas: directives, configuration, hooks.
 */

#include "ngx_fcfaas_module/ngx_http_fcfaas.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_conf.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_function.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_handler.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_nodes.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_reply.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_state.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_tally.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_trace.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_upstream.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_variables.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_worker.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


#define NGX_HTTP_FCFAAS_ZONE_DEFAULT  (8 * 1024 * 1024)


static ngx_int_t ngx_http_fcfaas_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_fcfaas_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_fcfaas_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_fcfaas_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_fcfaas_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_fcfaas_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_conf_num_bounds_t  ngx_http_fcfaas_limit_bounds = {
    ngx_conf_check_num_bounds, 1, 1000000
};

static ngx_conf_num_bounds_t  ngx_http_fcfaas_cpu_bounds = {
    ngx_conf_check_num_bounds, 1, 1024
};

static ngx_conf_num_bounds_t  ngx_http_fcfaas_memory_bounds = {
    ngx_conf_check_num_bounds, 16, 1048576
};


static ngx_command_t  ngx_http_fcfaas_commands[] = {

    { ngx_string("fcfaas_etcd"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_fcfaas_conf_etcd,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fcfaas_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_fcfaas_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fcfaas_prefix"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_fcfaas_conf_prefix,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fcfaas_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_fcfaas_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fcfaas_state_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_fcfaas_state_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fcfaas_token_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_fcfaas_conf_token_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("fcfaas_park_limit_total"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_main_conf_t, park_limit_total),
      &ngx_http_fcfaas_limit_bounds },

    { ngx_string("fcfaas_park_memory"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_main_conf_t, park_memory),
      NULL },

    { ngx_string("fcfaas"),
      NGX_HTTP_LOC_CONF|NGX_HTTP_LIF_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_fcfaas_function_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, id),
      NULL },

    { ngx_string("fcfaas"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_http_fcfaas_upstream_conf,
      0,
      0,
      NULL },

    { ngx_string("fcfaas_park_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, park_timeout),
      NULL },

    { ngx_string("fcfaas_sticky"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_fcfaas_traffic_sticky,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, sticky),
      NULL },

    { ngx_string("fcfaas_upgrade_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, upgrade_timeout),
      NULL },

    { ngx_string("fcfaas_park_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, park_limit),
      &ngx_http_fcfaas_limit_bounds },

    { ngx_string("fcfaas_declared"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, declared),
      NULL },

    { ngx_string("fcfaas_error_details"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, error_details),
      NULL },

    { ngx_string("fcfaas_cpu"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, cpu),
      &ngx_http_fcfaas_cpu_bounds },

    { ngx_string("fcfaas_memory"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, memory),
      &ngx_http_fcfaas_memory_bounds },

    { ngx_string("fcfaas_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_fcfaas_conf_metrics,
      0,
      0,
      NULL },

    { ngx_string("fcfaas_nodes"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_fcfaas_conf_nodes,
      0,
      0,
      NULL },

    { ngx_string("fcfaas_node"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_fcfaas_nodes_conf_node,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_fcfaas_loc_conf_t, node),
      NULL },

    { ngx_string("fcfaas_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_fcfaas_conf_status,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_fcfaas_module_ctx = {
    ngx_http_fcfaas_preconfiguration,      /* preconfiguration */
    ngx_http_fcfaas_postconfiguration,     /* postconfiguration */

    ngx_http_fcfaas_create_main_conf,      /* create main configuration */
    ngx_http_fcfaas_init_main_conf,        /* init main configuration */

    ngx_http_fcfaas_upstream_create_conf,  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_fcfaas_create_loc_conf,       /* create location configuration */
    ngx_http_fcfaas_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_fcfaas_module = {
    NGX_MODULE_V1,
    &ngx_http_fcfaas_module_ctx,           /* module context */
    ngx_http_fcfaas_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_fcfaas_worker_start,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_fcfaas_worker_stop,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_fcfaas_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_fcfaas_add_variables(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_fcfaas_nodes_add_variables(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_fcfaas_trace_add_variables(cf);
}


static ngx_int_t
ngx_http_fcfaas_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_handler_pt          *h;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_fcfaas_main_conf_t  *fmcf;

    static const struct {
        ngx_uint_t                phase;
        ngx_http_handler_pt       handler;
    } handlers[] = {
        { NGX_HTTP_PREACCESS_PHASE,  ngx_http_fcfaas_id_handler },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_http_fcfaas_handler },
        { NGX_HTTP_LOG_PHASE,        ngx_http_fcfaas_tally_handler }
    };

    fmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_fcfaas_module);

    if (!fmcf->used) {
        return NGX_OK;
    }

    if (ngx_http_fcfaas_upstream_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {

        if (handlers[i].handler == ngx_http_fcfaas_id_handler
            && !fmcf->captured)
        {
            continue;
        }

        h = ngx_array_push(&cmcf->phases[handlers[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = handlers[i].handler;
    }

    return NGX_OK;
}


static void *
ngx_http_fcfaas_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_fcfaas_main_conf_t  *fmcf;

    fmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_fcfaas_main_conf_t));
    if (fmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     fmcf->etcd, fmcf->redis = NULL;
     *     fmcf->etcd_*, fmcf->redis_*, fmcf->prefix, fmcf->token = { 0, NULL };
     *     fmcf->redis_db = 0;
     *     fmcf->zone_name = { 0, NULL };
     *     fmcf->shm_zone = NULL;
     *     fmcf->worker = NULL;
     *     fmcf->used, fmcf->captured = 0;
     */

    fmcf->park_limit_total = NGX_CONF_UNSET;
    fmcf->park_memory = NGX_CONF_UNSET_SIZE;

    return fmcf;
}


static char *
ngx_http_fcfaas_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_fcfaas_main_conf_t *fmcf = conf;

    ngx_conf_init_value(fmcf->park_limit_total, 0);
    ngx_conf_init_size_value(fmcf->park_memory, 256 * 1024 * 1024);

    if (fmcf->prefix.data == NULL) {
        ngx_str_set(&fmcf->prefix, "");
    }

    if (!fmcf->used) {
        return NGX_CONF_OK;
    }

    if (fmcf->etcd == NULL || fmcf->redis == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"fcfaas\" is used, but no \"%s\" is set",
                      fmcf->etcd == NULL ? "fcfaas_etcd" : "fcfaas_redis");
        return NGX_CONF_ERROR;
    }

    if (fmcf->zone_name.data == NULL) {
        ngx_str_set(&fmcf->zone_name, "ngx_http_fcfaas");
        fmcf->zone_size = NGX_HTTP_FCFAAS_ZONE_DEFAULT;
    }

    fmcf->shm_zone = ngx_http_fcfaas_zone_add(cf, fmcf);

    if (fmcf->shm_zone == NULL
        || ngx_http_fcfaas_tally_zone(cf, fmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_fcfaas_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_fcfaas_loc_conf_t  *flcf;

    flcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_fcfaas_loc_conf_t));
    if (flcf == NULL) {
        return NULL;
    }

    flcf->id = NGX_CONF_UNSET_PTR;
    flcf->sticky = NGX_CONF_UNSET_PTR;
    flcf->strip = NGX_CONF_UNSET;
    flcf->capture = NGX_CONF_UNSET;
    flcf->variable = NGX_CONF_UNSET;
    flcf->park_timeout = NGX_CONF_UNSET_MSEC;
    flcf->upgrade_timeout = NGX_CONF_UNSET_MSEC;
    flcf->park_limit = NGX_CONF_UNSET;
    flcf->declared = NGX_CONF_UNSET;
    flcf->error_details = NGX_CONF_UNSET;
    flcf->cpu = NGX_CONF_UNSET;
    flcf->memory = NGX_CONF_UNSET;

    return flcf;
}


static char *
ngx_http_fcfaas_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_fcfaas_loc_conf_t *prev = parent;
    ngx_http_fcfaas_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->id != NGX_CONF_UNSET_PTR
        && clcf->handler == NULL
        && !clcf->noname)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "location \"%V\" has \"fcfaas\" but no "
                      "\"proxy_pass\": its requests wait for an instance "
                      "and do not go there", &clcf->name);
    }

    ngx_http_fcfaas_function_merge(cf, prev, conf);

    if (conf->id && conf->node) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "location \"%V\" has both \"fcfaas\" and "
                      "\"fcfaas_node\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->id) {
        ngx_http_fcfaas_reply_merge(cf);
    }

    ngx_conf_merge_ptr_value(conf->sticky, prev->sticky, NULL);
    ngx_conf_merge_msec_value(conf->park_timeout, prev->park_timeout, 30000);
    ngx_conf_merge_msec_value(conf->upgrade_timeout, prev->upgrade_timeout,
                              3600000);
    ngx_conf_merge_value(conf->park_limit, prev->park_limit, 1024);
    ngx_conf_merge_value(conf->declared, prev->declared, 1);
    ngx_conf_merge_value(conf->error_details, prev->error_details, 0);
    ngx_conf_merge_value(conf->cpu, prev->cpu, FCF_DEFAULT_CPU);
    ngx_conf_merge_value(conf->memory, prev->memory, FCF_DEFAULT_MEMORY_MB);

    return NGX_CONF_OK;
}
