#include "ngx_fcfaas_module/ngx_http_fcfaas_metrics.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_worker.h"
#include "ngx_fcfaas_module/ngx_http_fcfaas_zone.h"


static void ngx_http_fcfaas_metrics_counters(ngx_http_fcfaas_metrics_t *m,
    uint64_t *totals);
static void ngx_http_fcfaas_metrics_parked(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_stats_t *all);
static void ngx_http_fcfaas_metrics_zone(ngx_http_fcfaas_metrics_t *m);
static ngx_uint_t ngx_http_fcfaas_metrics_newest(
    ngx_http_fcfaas_stat_t *stats, ngx_uint_t n);
static void ngx_http_fcfaas_metrics_workers(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_stat_t *stats, ngx_uint_t n);


/* a group of counters is a family, and its names are one label's values */
static const struct {
    const char  *group, *name, *label, *help;
} ngx_http_fcfaas_metrics_groups[] = {
    { "requests", "fcfaas_requests_total", "start",
      "Requests for functions, by kind of start." },
    { "outcomes", "fcfaas_outcomes_total", "outcome",
      "Requests by what became of them: passed to a function, left while "
      "waiting, or the status of an answer of the gateway's own." },
    { "jobs", "fcfaas_jobs_total", "result",
      "Jobs asked of agents." },
    { "balancer", "fcfaas_balancer_total", "event",
      "Requests that waited in the balancer, or that an instance did not "
      "take." },
    { NULL, NULL, NULL, NULL }
};


/* numbers that each worker has */
static const struct {
    const char  *name, *type, *help;
    size_t       offset;
    ngx_uint_t   ms;                    /* it is of milliseconds */
} ngx_http_fcfaas_metrics_worker[] = {
#define NGX_HTTP_FCFAAS_X(name, type, field, ms, help)                      \
    { "fcfaas_worker_" name, type, help,                                    \
      offsetof(ngx_http_fcfaas_stat_t, field), ms },
    NGX_HTTP_FCFAAS_X("parked", "gauge", parked, 0,
                      "Requests that wait now.")
    NGX_HTTP_FCFAAS_X("parked_bytes", "gauge", parked_bytes, 0,
                      "What they hold in memory.")
    NGX_HTTP_FCFAAS_X("busy", "gauge", busy, 0,
                      "Requests inside instances.")
    NGX_HTTP_FCFAAS_X("alone", "gauge", alone, 0,
                      "1 while it counts requests in instances for itself.")
    NGX_HTTP_FCFAAS_X("functions", "gauge", functions, 0,
                      "Functions that are known.")
    NGX_HTTP_FCFAAS_X("specs", "gauge", specs, 0,
                      "Functions that are declared.")
    NGX_HTTP_FCFAAS_X("instances", "gauge", instances, 0,
                      "Instances that are known.")
    NGX_HTTP_FCFAAS_X("watch_revision", "gauge", revision, 0,
                      "Revision of etcd that is applied.")
    NGX_HTTP_FCFAAS_X("watch_idle_seconds", "gauge", etcd_idle_ms, 1,
                      "Time since etcd last answered.")
    NGX_HTTP_FCFAAS_X("watch_events_total", "counter", events, 0,
                      "Changes of etcd's keys that were applied.")
    NGX_HTTP_FCFAAS_X("watch_lists_total", "counter", lists, 0,
                      "Whole lists that were taken.")
    NGX_HTTP_FCFAAS_X("etcd_healthy", "gauge", etcd_healthy, 0,
                      "1 if etcd's last answer came.")
    NGX_HTTP_FCFAAS_X("etcd_reconnects_total", "counter", etcd_reconnects, 0,
                      "Watches that were begun again.")
    NGX_HTTP_FCFAAS_X("redis_connected", "gauge", redis_connected, 0,
                      "1 if Redis is connected.")
    NGX_HTTP_FCFAAS_X("redis_reconnects_total", "counter", redis_reconnects,
                      0, "Connections to Redis but the first.")
#undef NGX_HTTP_FCFAAS_X
};


void
ngx_http_fcfaas_metrics_all(ngx_http_fcfaas_metrics_t *m)
{
    ngx_uint_t                n;
    ngx_http_fcfaas_stats_t  *all;

    all = ngx_http_fcfaas_worker_stats(m->conf, m->request->pool);
    if (all == NULL) {
        m->failed = 1;
        return;
    }

    ngx_http_fcfaas_metrics_family(m, "fcfaas_info", "gauge",
                                   "The gateway's nginx.");
    ngx_http_fcfaas_metrics_add(m, "fcfaas_info{nginx=\"" NGINX_VERSION
                                   "\"} 1\n");

    ngx_http_fcfaas_metrics_counters(m, all->totals);
    ngx_http_fcfaas_metrics_parked(m, all);
    ngx_http_fcfaas_metrics_zone(m);

    n = ngx_http_fcfaas_metrics_newest(all->stats, all->n);
    ngx_http_fcfaas_metrics_workers(m, all->stats, n);
}


static void
ngx_http_fcfaas_metrics_counters(ngx_http_fcfaas_metrics_t *m,
    uint64_t *totals)
{
    ngx_uint_t  i, g;

    for (g = 0; ngx_http_fcfaas_metrics_groups[g].group; g++) {

        ngx_http_fcfaas_metrics_family(m,
                                   ngx_http_fcfaas_metrics_groups[g].name,
                                   "counter",
                                   ngx_http_fcfaas_metrics_groups[g].help);

        for (i = 0; i < NGX_HTTP_FCFAAS_NCOUNTERS; i++) {

            if (ngx_strcmp(ngx_http_fcfaas_counter_names[i].group,
                           ngx_http_fcfaas_metrics_groups[g].group)
                != 0)
            {
                continue;
            }

            ngx_http_fcfaas_metrics_add(m, "%s{%s=\"%s\"} %uL\n",
                                   ngx_http_fcfaas_metrics_groups[g].name,
                                   ngx_http_fcfaas_metrics_groups[g].label,
                                   ngx_http_fcfaas_counter_names[i].name,
                                   totals[i]);
        }
    }
}


static void
ngx_http_fcfaas_metrics_parked(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_stats_t *all)
{
    ngx_http_fcfaas_metrics_family(m, "fcfaas_parked", "gauge",
                                   "Requests that wait for an instance now.");
    ngx_http_fcfaas_metrics_add(m, "fcfaas_parked %ui\n", all->parked);

    ngx_http_fcfaas_metrics_family(m, "fcfaas_parked_oldest_seconds", "gauge",
                                   "Age of the oldest of them.");
    ngx_http_fcfaas_metrics_add(m, "fcfaas_parked_oldest_seconds %ui.%03ui\n",
                                all->oldest_parked / 1000,
                                all->oldest_parked % 1000);
}


static void
ngx_http_fcfaas_metrics_zone(ngx_http_fcfaas_metrics_t *m)
{
    fcz_stat_t  stat;

    if (m->conf->worker == NULL) {
        return;
    }

    fcz_stat(&m->conf->worker->shared, &stat);

    ngx_http_fcfaas_metrics_family(m, "fcfaas_zone_cells", "gauge",
                                   "Cells of fcfaas_zone: of instances that "
                                   "requests are in, of pools that are "
                                   "waited for, of what workers hold of the "
                                   "former, and wait for of the latter.");
    ngx_http_fcfaas_metrics_add(m,
                 "fcfaas_zone_cells{kind=\"instance\",state=\"used\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"instance\",state=\"free\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"pool\",state=\"used\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"pool\",state=\"free\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"ledger\",state=\"used\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"ledger\",state=\"free\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"wait\",state=\"used\"} %uD\n"
                 "fcfaas_zone_cells{kind=\"wait\",state=\"free\"} %uD\n",
                 stat.slots, stat.slots_max - stat.slots,
                 stat.pools, stat.pools_max - stat.pools,
                 stat.ledgers, stat.ledgers_max - stat.ledgers,
                 stat.waits, stat.waits_max - stat.waits);

    ngx_http_fcfaas_metrics_family(m, "fcfaas_zone_epoch", "gauge",
                                   "Which epoch of counts it is: another "
                                   "one begins when a worker dies inside "
                                   "the zone's lock.");
    ngx_http_fcfaas_metrics_add(m, "fcfaas_zone_epoch %uD\n", stat.epoch);
}


/* During a reload there are two of a number: the one before, which is on its
 * way out, is left out.  How many are left. */
static ngx_uint_t
ngx_http_fcfaas_metrics_newest(ngx_http_fcfaas_stat_t *stats, ngx_uint_t n)
{
    ngx_uint_t  i, j, kept;

    for (i = 0, kept = 0; i < n; i++) {

        for (j = 0; j < kept && stats[j].worker != stats[i].worker; j++) {
            /* void */
        }

        if (j == kept || stats[i].started > stats[j].started) {
            stats[j] = stats[i];
            kept += (j == kept);
        }
    }

    return kept;
}


static void
ngx_http_fcfaas_metrics_workers(ngx_http_fcfaas_metrics_t *m,
    ngx_http_fcfaas_stat_t *stats, ngx_uint_t n)
{
    uint64_t    value;
    ngx_uint_t  i, k, s;

    for (k = 0;
         k < sizeof(ngx_http_fcfaas_metrics_worker)
             / sizeof(ngx_http_fcfaas_metrics_worker[0]);
         k++)
    {
        ngx_http_fcfaas_metrics_family(m,
                                      ngx_http_fcfaas_metrics_worker[k].name,
                                      ngx_http_fcfaas_metrics_worker[k].type,
                                      ngx_http_fcfaas_metrics_worker[k].help);

        for (i = 0; i < n; i++) {

            /* all of them have eight bytes */

            value = *(uint64_t *) ((u_char *) &stats[i]
                                   + ngx_http_fcfaas_metrics_worker[k].offset);

            if (ngx_http_fcfaas_metrics_worker[k].ms) {
                ngx_http_fcfaas_metrics_add(m,
                                     "%s{worker=\"%ui\"} %uL.%03uL\n",
                                     ngx_http_fcfaas_metrics_worker[k].name,
                                     stats[i].worker, value / 1000,
                                     value % 1000);
                continue;
            }

            ngx_http_fcfaas_metrics_add(m, "%s{worker=\"%ui\"} %uL\n",
                                     ngx_http_fcfaas_metrics_worker[k].name,
                                     stats[i].worker, value);
        }
    }

    ngx_http_fcfaas_metrics_family(m, "fcfaas_worker_watch_state", "gauge",
                                   "1 for the state that the watch of etcd "
                                   "is in.");

    for (i = 0; i < n; i++) {
        for (s = FCF_SYNC_STARTING; s <= FCF_SYNC_STALE; s++) {
            ngx_http_fcfaas_metrics_add(m,
                      "fcfaas_worker_watch_state{worker=\"%ui\",state=\"%s\"}"
                      " %d\n", stats[i].worker,
                      fcf_sync_state_name(s),
                      stats[i].etcd_state == s);
        }
    }
}
