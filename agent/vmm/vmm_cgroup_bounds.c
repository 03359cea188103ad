/* What the groups above VMs' bound, whether VMs have groups of their own or
 * not: a limit holds for all that is below it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/vmm/vmm_cgroup_int.h"


/* where a controller is, and which group there VMs are below */
void
fca_cgroup_chain_find(fca_cgroup_chain_t *chain, const char *proc,
    const fca_cgroup_tree_t *tree, unsigned kind)
{
    int                 version;
    char                group[PATH_MAX];
    fca_cgroup_mount_t  m;

    for (version = 1; version <= 2; version++) {
        if (!fca_cgroup_mount(proc, version, fca_cgroup_names[version][kind],
                              &m))
        {
            continue;
        }

        if (tree != NULL && tree->on) {
            snprintf(chain->dir, sizeof(chain->dir), "%s", tree->base);

        } else if (!fca_cgroup_own(proc, version,
                                   fca_cgroup_names[version][kind], group,
                                   sizeof(group))
                   || (size_t) snprintf(chain->dir, sizeof(chain->dir),
                                        "%s%s", m.dir,
                                        fca_cgroup_below(&m, group))
                      >= sizeof(chain->dir))
        {
            continue;
        }

        chain->version = version;
        chain->top = strlen(m.dir);
        return;
    }
}


/* version 1 says "no limit" by a number that no host has */
static long long
bytes_mb(long long bytes)
{
    return bytes < 0 ? -1 : bytes / (1024 * 1024);
}


/* What was read from files lies in memory until it is needed: the kernel takes
 * the part that was not used for long before it refuses anything. */
static long long
memory_reclaimable(const char *dir, int version)
{
    char         text[4096];
    const char  *p, *name;

    name = version == 2 ? "\ninactive_file " : "\ntotal_inactive_file ";

    if (fca_bounds_read(text, sizeof(text), dir, "memory.stat") != 0) {
        return 0;
    }

    p = strstr(text, name);

    return p != NULL ? atoll(p + strlen(name)) : 0;
}


static void
bound_memory(fca_bounds_t *bounds, const char *dir, int version,
    const char *where)
{
    long long  all, used;

    all = fca_bounds_number(dir, version == 2 ? "memory.max"
                                              : "memory.limit_in_bytes");

    /* the rest takes the kernel its time where there are many groups below */
    if (all < 0 || bytes_mb(all) > INT_MAX) {
        return;
    }

    used = fca_bounds_number(dir, version == 2 ? "memory.current"
                                               : "memory.usage_in_bytes");
    used -= memory_reclaimable(dir, version);
    used = used > 0 ? used : 0;

    fca_bounds_narrow(bounds, FCA_BOUND_MEMORY, bytes_mb(all),
                      all > used ? bytes_mb(all - used) : 0, where);
}


static void
bound_cpu(fca_bounds_t *bounds, const char *dir, int version,
    const char *where)
{
    char       text[64];
    long long  quota, period;

    if (version == 2) {
        if (fca_bounds_read(text, sizeof(text), dir, "cpu.max") != 0
            || sscanf(text, "%lld %lld", &quota, &period) != 2)
        {
            return;             /* "max 100000" */
        }

    } else {
        quota = fca_bounds_number(dir, "cpu.cfs_quota_us");
        period = fca_bounds_number(dir, "cpu.cfs_period_us");
    }

    if (quota > 0 && period > 0) {
        fca_bounds_narrow(bounds, FCA_BOUND_CPU, quota * 1000 / period, -1,
                          where);
    }
}


static void
bound_pids(fca_bounds_t *bounds, const char *dir, int version,
    const char *where)
{
    long long  all, used;

    (void) version;             /* the same in both */

    all = fca_bounds_number(dir, "pids.max");
    used = fca_bounds_number(dir, "pids.current");

    if (all >= 0) {
        fca_bounds_narrow(bounds, FCA_BOUND_PIDS, all,
                          all > used ? all - used : 0, where);
    }
}


void
fca_cgroups_bounds(const fca_cgroups_t *cgroups, fca_bounds_t *bounds)
{
    char                       *slash, dir[PATH_MAX], where[PATH_MAX + 32];
    unsigned                    kind;
    const fca_cgroup_chain_t   *chain;
    static const struct {
        const char   *files[3];
        void        (*look)(fca_bounds_t *bounds, const char *dir,
                            int version, const char *where);
    } kinds[FCA_CGROUP_NCHAINS] = {
        [FCA_CGROUP_MEMORY] = { { NULL, "memory.limit_in_bytes",
                                  "memory.max" }, bound_memory },
        [FCA_CGROUP_CPU]    = { { NULL, "cpu.cfs_quota_us", "cpu.max" },
                                bound_cpu },
        [FCA_CGROUP_PIDS]   = { { NULL, "pids.max", "pids.max" },
                                bound_pids },
    };

    for (kind = 0; cgroups != NULL && kind < FCA_CGROUP_NCHAINS; kind++) {
        chain = &cgroups->chains[kind];

        if (chain->version == 0) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%s", chain->dir);

        for ( ;; ) {
            snprintf(where, sizeof(where), "%s/%s", dir,
                     kinds[kind].files[chain->version]);
            kinds[kind].look(bounds, dir, chain->version, where);

            slash = strrchr(dir, '/');
            if (slash == NULL || (size_t) (slash - dir) < chain->top) {
                break;
            }

            *slash = '\0';
        }
    }
}
