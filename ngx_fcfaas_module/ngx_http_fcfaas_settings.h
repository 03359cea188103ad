/*
 * What the configuration says: of all (http), and of a location.
 */

#ifndef _NGX_HTTP_FCFAAS_SETTINGS_H_INCLUDED_
#define _NGX_HTTP_FCFAAS_SETTINGS_H_INCLUDED_

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

typedef struct ngx_http_fcfaas_worker_s    ngx_http_fcfaas_worker_t;

typedef struct {
    ngx_array_t                 *etcd;          /* of ngx_str_t, with NUL */
    ngx_str_t                    etcd_user;
    ngx_str_t                    etcd_password;
    ngx_str_t                    etcd_ca;
    ngx_str_t                    etcd_cert;
    ngx_str_t                    etcd_key;

    ngx_array_t                 *redis;         /* of ngx_str_t, with NUL */
    ngx_str_t                    redis_user;
    ngx_str_t                    redis_password;
    ngx_int_t                    redis_db;

    ngx_str_t                    prefix;        /* with NUL */
    ngx_str_t                    token;
    ngx_int_t                    park_limit_total;  /* 0: none */
    size_t                       park_memory;       /* in a worker; 0: any */
    ngx_str_t                    zone_name;
    size_t                       zone_size;
    ngx_shm_zone_t              *shm_zone;      /* NULL if not used */
    ngx_shm_zone_t              *tally_zone;    /* see _tally.h */

    ngx_str_t                    state_file;    /* with NUL; empty: none */
    ngx_msec_t                   state_interval;

    ngx_http_fcfaas_worker_t    *worker;        /* NULL in the master */

    unsigned                     used:1;        /* "fcfaas" in a location */
    unsigned                     captured:1;    /* ... with a capture */
} ngx_http_fcfaas_main_conf_t;


typedef struct {
    ngx_http_complex_value_t    *id;
    ngx_http_complex_value_t    *sticky;        /* NULL: by chance */
    ngx_http_complex_value_t    *node;          /* to be asked; or NULL */
    ngx_int_t                    strip;         /* segments; or UNSET */
    ngx_int_t                    capture;       /* the id is this one of
                                                   "regex"; or UNSET */
    ngx_int_t                    variable;      /* whose name that capture is:
                                                   its index; or UNSET */
#if (NGX_PCRE)
    ngx_http_regex_t            *regex;         /* of the location */
#endif
    ngx_str_t                    lead;          /* the path's beginning: the
                                                   id is the segment behind
                                                   it; empty: not known */
    ngx_msec_t                   park_timeout;
    ngx_msec_t                   upgrade_timeout;
    ngx_int_t                    park_limit;
    ngx_flag_t                   declared;
    ngx_flag_t                   error_details;
    ngx_http_handler_pt          handler;       /* of the location */
    ngx_int_t                    cpu;
    ngx_int_t                    memory;
    unsigned                     behind:1;      /* "lead" is the location's:
                                                   what is behind it is the
                                                   id, and nothing else */
} ngx_http_fcfaas_loc_conf_t;

#endif /* _NGX_HTTP_FCFAAS_SETTINGS_H_INCLUDED_ */
