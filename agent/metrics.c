#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include "agent/instance/ahead.h"
#include "agent/base/prom.h"
#include "agent/host.h"
#include "agent/metrics.h"

#define FCA_MAX_STATES  32

typedef struct {
    const char  *name;
    unsigned     n;
} fca_state_count_t;

typedef struct {
    fca_state_count_t  states[FCA_MAX_STATES];
    size_t             n;
} fca_state_counts_t;

static void
fca_metrics_state(void *arg, const fca_instance_view_t *view)
{
    size_t               i;
    fca_state_counts_t  *counts = arg;

    for (i = 0; i < counts->n; i++) {
        if (strcmp(counts->states[i].name, view->state) == 0) {
            counts->states[i].n++;
            return;
        }
    }

    if (counts->n < FCA_MAX_STATES) {
        counts->states[counts->n++] = (fca_state_count_t) { view->state, 1 };
    }
}

static void
fca_metrics_vms(fca_prom_t *prom, const fca_t *agent)
{
    size_t              i;
    fca_label_t         label = { "state", NULL };
    fca_state_counts_t  counts;

    counts.n = 0;
    fca_instances_each(&agent->all, fca_metrics_state, &counts);
    fca_prom_family(prom, "fcfaas_agent_vms", "gauge",
                    "MicroVMs on this node, by state.");

    for (i = 0; i < counts.n; i++) {
        label.value = counts.states[i].name;
        fca_prom_value(prom, &label, 1, counts.states[i].n);
    }
}

static void
fca_metrics_starts(fca_prom_t *prom, const fca_start_stats_t *stats)
{
    size_t       i;
    fca_label_t  label;

    fca_prom_family(prom, "fcfaas_agent_start_phase_seconds", "histogram",
                    "Time that starting microVMs spent in each phase.");
    label.name = "phase";

    for (i = 0; i < FCA_START_STATES; i++) {
        label.value = fca_start_state_name(i);
        fca_prom_hist(prom, &label, 1, &stats->state[i]);
    }

    fca_prom_family(prom, "fcfaas_agent_start_seconds", "histogram",
                    "Time from a job taken to its instance in etcd.");
    fca_prom_hist(prom, NULL, 0, &stats->start);

    fca_prom_family(prom, "fcfaas_agent_starts_total", "counter",
                    "MicroVMs that came up, by how.");
    label.name = "kind";
    label.value = "boot";
    fca_prom_value(prom, &label, 1, (double) stats->booted);
    label.value = "restore";
    fca_prom_value(prom, &label, 1, (double) stats->restored);

    fca_prom_family(prom, "fcfaas_agent_restore_seconds", "histogram",
                    "The same as start, of those from a snapshot alone.");
    fca_prom_hist(prom, NULL, 0, &stats->restore);
    fca_prom_one(prom, "fcfaas_agent_restore_failures_total", "counter",
                 "MicroVMs that were booted, since they could not be "
                 "restored.", (double) stats->not_restored);
    fca_prom_one(prom, "fcfaas_agent_starts_ahead_total", "counter",
                 "MicroVMs whose VMM had been started ahead.",
                 (double) stats->ahead);

    fca_prom_family(prom, "fcfaas_agent_start_failures_total", "counter",
                    "MicroVMs that did not come up, by the reason told.");
    label.name = "reason";

    for (i = 0; i < FCF_FAILURE_N; i++) {
        label.value = fcf_failure_name((fcf_failure_e) i);
        fca_prom_value(prom, &label, 1, (double) stats->failed[i]);
    }
}

static void
fca_metrics_images(fca_prom_t *prom, const fca_cache_t *cache)
{
    size_t            i;
    fca_label_t       label = { "outcome", NULL };
    fca_cache_stat_t  stat;

    fca_cache_stat(cache, &stat);

    const struct {
        const char  *name;
        uint64_t     n;
    } outcomes[] = {
        { "fetched", stat.fetched }, { "failed", stat.failed },
        { "wrong", stat.wrong }, { "dropped", stat.dropped },
    };

    fca_prom_one(prom, "fcfaas_agent_images", "gauge",
                 "Images that are kept of what stores had.", stat.n);
    fca_prom_one(prom, "fcfaas_agent_image_bytes", "gauge",
                 "What they take of the disk.", (double) stat.bytes);
    fca_prom_family(prom, "fcfaas_agent_images_total", "counter",
                    "Images of stores, by what became of them.");

    for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        label.value = outcomes[i].name;
        fca_prom_value(prom, &label, 1, (double) outcomes[i].n);
    }
}

static void
fca_metrics_snaps(fca_prom_t *prom, const fca_snaps_t *snaps)
{
    size_t             i;
    fca_label_t        label = { "outcome", NULL };
    fca_snaps_stat_t   stat;

    if (snaps == NULL) {
        return;
    }

    fca_snaps_stat(snaps, &stat);

    const struct {
        const char  *name;
        uint64_t     n;
    } outcomes[] = {
        { "made", stat.made }, { "dropped", stat.dropped },
        { "damaged", stat.damaged }, { "given_up", stat.given_up },
    };

    fca_prom_one(prom, "fcfaas_agent_snapshots", "gauge",
                 "Snapshots that VMs are restored from.", stat.n);
    fca_prom_one(prom, "fcfaas_agent_snapshot_bytes", "gauge",
                 "What they take of the disk.", (double) stat.bytes);
    fca_prom_family(prom, "fcfaas_agent_snapshots_total", "counter",
                    "Snapshots, by what became of them.");

    for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        label.value = outcomes[i].name;
        fca_prom_value(prom, &label, 1, (double) outcomes[i].n);
    }
}

static void
fca_metrics_jobs(fca_prom_t *prom, const fca_jobs_t *jobs)
{
    size_t       i;
    fca_label_t  label;

    fca_prom_one(prom, "fcfaas_agent_jobs_taken_total", "counter",
                 "Jobs taken from the queue.",
                 (double) fca_jobs_count(jobs, FCA_JOB_TAKEN));
    fca_prom_family(prom, "fcfaas_agent_jobs_total", "counter",
                    "Jobs, by what became of them.");
    label.name = "outcome";

    for (i = FCA_JOB_TAKEN + 1; i < FCA_JOB_OUTCOMES; i++) {
        label.value = fca_outcome_name((fca_outcome_e) i);
        fca_prom_value(prom, &label, 1,
                       (double) fca_jobs_count(jobs, (fca_outcome_e) i));
    }
}

static void
fca_metrics_pool(fca_prom_t *prom, const char *name, double used, double nfree)
{
    fca_label_t  labels[] = { { "pool", name }, { "state", "used" } };

    fca_prom_value(prom, labels, 2, used);
    labels[1].value = "free";
    fca_prom_value(prom, labels, 2, nfree);
}

static void
fca_metrics_pools(fca_prom_t *prom, const fca_t *agent)
{
    double                 all;
    const fca_conf_t      *conf = &agent->conf;
    const fca_capacity_t  *c = &agent->capacity;

    fca_prom_family(prom, "fcfaas_agent_pool", "gauge",
                    "What microVMs are made of: used and free.");
    fca_metrics_pool(prom, "vms", c->vms, c->max_vms - c->vms);
    fca_metrics_pool(prom, "boots", c->boots, c->max_boots - c->boots);
    fca_metrics_pool(prom, "vcpus", c->cpu_used, c->cpu - c->cpu_used);
    fca_metrics_pool(prom, "memory_mb", c->memory_mb_used,
                     c->memory_mb - c->memory_mb_used);

    all = conf->port_last - conf->port_first + 1;
    fca_metrics_pool(prom, "ports", all - fca_pool_left(&agent->ports),
                     fca_pool_left(&agent->ports));

    all = (double) (1u << (32 - conf->bridge_prefix_len)) - 3;
    fca_metrics_pool(prom, "addresses",
                     all - fca_net_free_count(agent->all.net),
                     fca_net_free_count(agent->all.net));
}

/* of what others on this host use as well */
static void
fca_metrics_host(fca_prom_t *prom, const fca_t *agent)
{
    size_t             i;
    fca_bounds_t       bounds;
    fca_label_t        label = { "resource", NULL };
    static const struct {
        const char  *name;
        fca_bound_e  which;
    } left[] = {
        { "memory_mb", FCA_BOUND_MEMORY }, { "pids", FCA_BOUND_PIDS },
    };

    fca_host_bounds(&bounds, agent->limits.cgroups);
    fca_prom_family(prom, "fcfaas_agent_host_left", "gauge",
                    "What the host and its groups leave, whoever uses the "
                    "rest.");

    for (i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        if (bounds.of[left[i].which].left >= 0) {
            label.value = left[i].name;
            fca_prom_value(prom, &label, 1, bounds.of[left[i].which].left);
        }
    }
}

static unsigned
fca_metrics_open_fds(void)
{
    DIR       *dir;
    unsigned   n = 0;

    dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return 0;
    }

    while (readdir(dir)) {
        n++;
    }

    closedir(dir);

    return n > 3 ? n - 3 : 0;           /* . and .. and its own */
}

static void
fca_metrics_process(fca_prom_t *prom)
{
    struct rlimit  limit = { 0, 0 };

    fca_prom_one(prom, "process_open_fds", "gauge", "Open descriptors.",
                 fca_metrics_open_fds());
    getrlimit(RLIMIT_NOFILE, &limit);
    fca_prom_one(prom, "process_max_fds", "gauge", "Their limit.",
                 (double) limit.rlim_cur);
}

static void
fca_metrics_peers(fca_prom_t *prom, const fca_t *agent)
{
    int64_t           age;
    fcf_sync_stat_t   sync;
    fcf_redis_stat_t  redis;

    age = fca_node_lease_age(agent->node);
    fca_prom_one(prom, "fcfaas_agent_lease", "gauge",
                 "1 while this node holds a lease.", age >= 0);
    fca_prom_one(prom, "fcfaas_agent_lease_age_seconds", "gauge",
                 "Time since the lease was last known to live.",
                 age >= 0 ? (double) age / 1e3 : 0);
    fca_prom_one(prom, "fcfaas_agent_leases_total", "counter",
                 "Leases granted; more than one: some were lost.",
                 (double) fca_node_leases(agent->node));

    fca_specs_stat(agent->all.specs, &sync);
    fca_prom_one(prom, "fcfaas_agent_etcd_idle_seconds", "gauge",
                 "Time since etcd last answered.", (double) sync.idle_ms / 1e3);
    fca_prom_one(prom, "fcfaas_agent_etcd_reconnects_total", "counter",
                 "Watches of etcd opened again.", (double) sync.reconnects);
    fca_prom_one(prom, "fcfaas_agent_etcd_revision", "gauge",
                 "The revision applied last.", (double) sync.revision);

    fcf_redis_stat(agent->redis, &redis);
    fca_prom_one(prom, "fcfaas_agent_redis_connected", "gauge",
                 "1 while Redis is connected.", redis.connected);
    fca_prom_one(prom, "fcfaas_agent_redis_reconnects_total", "counter",
                 "Connections to Redis made again.",
                 (double) redis.reconnects);
}

typedef struct {
    fca_prom_t  *prom;
    int          what;
} fca_metrics_walk_t;

static void
fca_metrics_function(void *arg, const fca_function_t *f)
{
    fca_metrics_walk_t  *walk = arg;
    fca_label_t          label = { "function", f->id };
    double               values[] = {
        (double) (f->requests + f->live_requests),
        (double) (f->drained + f->live_drained),
        (double) f->inflight, (double) f->vms,
    };

    fca_prom_value(walk->prom, &label, 1, values[walk->what]);
}

/* first and last: of what is counted, by the value of the second label */
typedef struct {
    fca_prom_t   *prom;
    const char   *label;
    int           first, last;
} fca_metrics_counts_t;

static void
fca_metrics_counted(void *arg, const fca_function_t *f)
{
    int                          i;
    const fca_metrics_counts_t  *counts = arg;
    fca_label_t                  labels[] = { { "function", f->id },
                                              { counts->label, NULL } };
    static const char *const     names[FCA_COUNTS] = {
        [FCA_COUNT_2XX] = "2xx", [FCA_COUNT_3XX] = "3xx",
        [FCA_COUNT_4XX] = "4xx", [FCA_COUNT_5XX] = "5xx",
        [FCA_COUNT_OWN] = "proxy",
        [FCA_COUNT_IN] = "in", [FCA_COUNT_OUT] = "out",
    };

    for (i = counts->first; i <= counts->last; i++) {
        labels[1].value = names[i];
        fca_prom_value(counts->prom, labels, 2,
                       (double) (f->counts[i] + f->live_counts[i]));
    }
}

static void
fca_metrics_functions(fca_prom_t *prom, fca_t *agent)
{
    fca_metrics_counts_t  classes = { prom, "class", FCA_COUNT_2XX,
                                      FCA_COUNT_OWN };
    fca_metrics_counts_t  bytes = { prom, "direction", FCA_COUNT_IN,
                                    FCA_COUNT_OUT };
    fca_metrics_walk_t  walk = { prom, 0 };
    static const struct {
        const char  *name, *type, *help;
    } families[] = {
        { "fcfaas_proxy_requests_total", "counter",
          "Requests that the proxy passed to guests." },
        { "fcfaas_proxy_drained_total", "counter",
          "Requests sent elsewhere, since the instance was draining." },
        { "fcfaas_proxy_inflight", "gauge", "Requests in guests now." },
        { "fcfaas_agent_function_vms", "gauge",
          "MicroVMs of each function." },
    };

    fca_functions_count(&agent->functions, &agent->all);

    for ( ; (size_t) walk.what < sizeof(families) / sizeof(families[0]);
          walk.what++)
    {
        fca_prom_family(prom, families[walk.what].name,
                        families[walk.what].type, families[walk.what].help);
        fca_functions_each(&agent->functions, fca_metrics_function, &walk);
    }

    fca_prom_family(prom, "fcfaas_proxy_responses_total", "counter",
                    "Answers of functions by class, and the proxy's own.");
    fca_functions_each(&agent->functions, fca_metrics_counted, &classes);
    fca_prom_family(prom, "fcfaas_proxy_bytes_total", "counter",
                    "Bytes sent to guests (in) and to gateways (out).");
    fca_functions_each(&agent->functions, fca_metrics_counted, &bytes);
}

int
fca_metrics(fca_t *agent, fcf_buf_t *out)
{
    fca_prom_t   prom;
    fca_label_t  version[] = { { "version", FCF_VERSION },
                               { "node_id", agent->conf.node_id } };

    fca_prom_begin(&prom, out);
    fca_prom_family(&prom, "fcfaas_agent_info", "gauge", "This agent.");
    fca_prom_value(&prom, version, 2, 1);
    fca_prom_one(&prom, "fcfaas_agent_ill", "gauge",
                 "1 while this node takes no jobs, since it cannot start VMs.",
                 fca_health_reason(agent->health) != NULL);
    fca_metrics_vms(&prom, agent);
    fca_metrics_starts(&prom, &agent->all.stats);
    fca_metrics_images(&prom, agent->cache);
    fca_metrics_snaps(&prom, agent->all.snaps);
    fca_prom_one(&prom, "fcfaas_agent_vmms_ahead", "gauge",
                 "VMMs that wait for a snapshot to restore.",
                 fca_ahead_count(&agent->all));
    fca_metrics_jobs(&prom, agent->jobs);
    fca_metrics_pools(&prom, agent);
    fca_metrics_host(&prom, agent);
    fca_metrics_peers(&prom, agent);
    fca_metrics_functions(&prom, agent);
    fca_metrics_process(&prom);

    return fca_prom_end(&prom);
}
