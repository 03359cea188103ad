#include "ngx_fcfaas_module/ngx_http_fcfaas_traffic.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_route.h"

#include "contract/fcf_share.h"


char *
ngx_http_fcfaas_traffic_sticky(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_fcfaas_loc_conf_t *flcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (value[1].len && flcf->sticky->lengths == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive: all "
                           "clients would be the same; it takes a variable",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_fcfaas_traffic_set(ngx_http_fcfaas_function_t *f,
    const fcf_spec_t *spec)
{
    size_t                    size;
    ngx_uint_t                i;
    ngx_http_fcfaas_share_t  *traffic;

    if (spec->ntraffic == 0) {
        ngx_http_fcfaas_traffic_clear(f);
        return NGX_OK;
    }

    size = spec->ntraffic * sizeof(ngx_http_fcfaas_share_t);

    traffic = ngx_alloc(size, f->worker->log);
    if (traffic == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < spec->ntraffic; i++) {
        traffic[i].version = spec->traffic[i].version;
        traffic[i].percent = spec->traffic[i].percent;
    }

    ngx_http_fcfaas_traffic_clear(f);

    f->traffic = traffic;
    f->ntraffic = spec->ntraffic;

    return NGX_OK;
}


void
ngx_http_fcfaas_traffic_clear(ngx_http_fcfaas_function_t *f)
{
    if (f->traffic) {
        ngx_free(f->traffic);
        f->traffic = NULL;
        f->ntraffic = 0;
    }
}


int64_t
ngx_http_fcfaas_traffic_choose(ngx_http_fcfaas_function_t *f, uint64_t point)
{
    int64_t     version;
    uint64_t    cost, least;
    ngx_uint_t  i;

    version = f->spec.version;
    least = UINT64_MAX;

    /* a client is not the canary of all functions at once */
    point ^= (uint64_t) f->hash << 16;

    for (i = 0; i < f->ntraffic; i++) {

        cost = fcf_share_cost(point, f->traffic[i].version,
                              f->traffic[i].percent);

        if (cost < least) {
            least = cost;
            version = f->traffic[i].version;
        }
    }

    return version;
}


uint64_t
ngx_http_fcfaas_traffic_chance(void)
{
    return (((uint64_t) ngx_random() << 32) ^ (uint64_t) ngx_random()) | 1;
}


uint64_t
ngx_http_fcfaas_traffic_point(ngx_str_t *text)
{
    if (text->len == 0) {
        return 0;
    }

    return ((uint64_t) ngx_murmur_hash2(text->data, text->len) << 32)
           | ngx_crc32_long(text->data, text->len);
}


static ngx_http_fcfaas_known_t *
ngx_http_fcfaas_traffic_find(ngx_http_fcfaas_function_t *f, int64_t version)
{
    ngx_uint_t  i;

    for (i = 0; i < f->nversions; i++) {
        if (f->versions[i].version == version) {
            return &f->versions[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_fcfaas_traffic_learn(ngx_http_fcfaas_function_t *f, int64_t version)
{
    ngx_uint_t                n;
    ngx_http_fcfaas_known_t  *known;

    known = ngx_http_fcfaas_traffic_find(f, version);

    if (known) {
        known->generation = f->worker->spec_generation;
        return NGX_OK;
    }

    n = f->nversions;

    if ((n & (n - 1)) == 0) {

        /* full, as it is doubled: 1, 2, 4, ... */

        known = realloc(f->versions,
                        (n ? 2 * n : 1) * sizeof(ngx_http_fcfaas_known_t));
        if (known == NULL) {
            return NGX_ERROR;
        }

        f->versions = known;
    }

    f->versions[n].version = version;
    f->versions[n].generation = f->worker->spec_generation;
    f->nversions++;

    ngx_http_fcfaas_route_changed(f);

    return NGX_OK;
}


void
ngx_http_fcfaas_traffic_unlearn(ngx_http_fcfaas_function_t *f,
    int64_t version)
{
    ngx_http_fcfaas_known_t  *known;

    known = ngx_http_fcfaas_traffic_find(f, version);

    if (known) {
        *known = f->versions[--f->nversions];
        ngx_http_fcfaas_route_changed(f);
    }
}


void
ngx_http_fcfaas_traffic_sweep(ngx_http_fcfaas_function_t *f)
{
    ngx_uint_t  i;

    i = 0;

    while (i < f->nversions) {

        if (f->versions[i].generation != f->worker->spec_generation) {
            ngx_http_fcfaas_traffic_unlearn(f, f->versions[i].version);

        } else {
            i++;
        }
    }
}


ngx_uint_t
ngx_http_fcfaas_traffic_known(ngx_http_fcfaas_function_t *f, int64_t version)
{
    return ngx_http_fcfaas_traffic_find(f, version) != NULL;
}
