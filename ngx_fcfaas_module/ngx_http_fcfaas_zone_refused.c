/* The last certificate that one side of TLS to a node did not take. */

#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


void
ngx_http_fcfaas_zone_refused(ngx_shm_zone_t *shm_zone,
    const ngx_http_fcfaas_refused_t *refused)
{
    ngx_http_fcfaas_zone_t  *zone;

    zone = ngx_http_fcfaas_zone(shm_zone);

    if (ngx_http_fcfaas_zone_lock(zone, 0)) {
        zone->refused = *refused;
        ngx_http_fcfaas_zone_unlock(zone);
    }
}


void
ngx_http_fcfaas_zone_taken(ngx_shm_zone_t *shm_zone, const u_char *node,
    size_t len)
{
    ngx_http_fcfaas_zone_t  *zone;

    zone = ngx_http_fcfaas_zone(shm_zone);

    /* a look without the lock is enough where there is none */
    if (zone->refused.at == 0 || !ngx_http_fcfaas_zone_lock(zone, 0)) {
        return;
    }

    if (ngx_strncmp(zone->refused.node, node, len) == 0
        && zone->refused.node[len] == '\0')
    {
        zone->refused.at = 0;
    }

    ngx_http_fcfaas_zone_unlock(zone);
}


void
ngx_http_fcfaas_zone_last_refused(ngx_shm_zone_t *shm_zone,
    ngx_http_fcfaas_refused_t *refused)
{
    ngx_http_fcfaas_zone_t  *zone;

    zone = ngx_http_fcfaas_zone(shm_zone);
    refused->at = 0;

    if (ngx_http_fcfaas_zone_lock(zone, NGX_HTTP_FCFAAS_ZONE_LOCK)) {
        *refused = zone->refused;
        ngx_http_fcfaas_zone_unlock(zone);
    }
}
