/* What the settings mean to the rooms below: one place for the agent, its
 * check and its trial boot.  All of it points into *conf, which must outlive
 * what is made of it. */

#ifndef _FCA_HOST_H_INCLUDED_
#define _FCA_HOST_H_INCLUDED_

#include "agent/base/bounds.h"
#include "agent/base/conf.h"
#include "agent/net/net.h"
#include "agent/route/route.h"
#include "agent/vmm/vmm.h"

void fca_host_net(fca_net_conf_t *out, const fca_conf_t *conf);
/* without http, which the caller has */
void fca_host_vmm(fca_vmm_conf_t *out, const fca_conf_t *conf, uv_loop_t *uv);
/* what bounds VMs as of now; cgroups may be NULL */
void fca_host_bounds(fca_bounds_t *out, const fca_cgroups_t *cgroups);
/* without up, which is the caller's; after fca_conf_proxy() */
void fca_host_routes(fca_routes_conf_t *out, const fca_conf_t *conf,
    fcf_loop_t *loop, uv_loop_t *uv);
void fca_host_etcd(fcf_etcd_conf_t *out, const fca_conf_t *conf);
void fca_host_redis(fcf_redis_conf_t *out, const fca_conf_t *conf);

#endif /* _FCA_HOST_H_INCLUDED_ */
