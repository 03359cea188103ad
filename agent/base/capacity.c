#include <assert.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "agent/base/capacity.h"

int
fca_capacity_init(fca_capacity_t *c, int overcommit, int reserve_mb,
    int max_vms, int max_boots, fcf_err_t *err)
{
    memset(c, 0, sizeof(*c));
    fca_bounds_init(&c->bounds);

    return fca_capacity_limits(c, overcommit, reserve_mb, max_vms, max_boots,
                               err);
}

/* A share of a CPU is one vCPU at least.  The reserve is for the host, and not
 * out of what a group is given. */
static void
fca_capacity_bounded(fca_capacity_t *c, long long mb, long long milli)
{
    const fca_bound_t  *of = c->bounds.of;

    if (of[FCA_BOUND_CPU].all >= 0 && of[FCA_BOUND_CPU].all < milli) {
        milli = of[FCA_BOUND_CPU].all;
    }

    mb -= c->reserve_mb;

    if (of[FCA_BOUND_MEMORY].all >= 0 && of[FCA_BOUND_MEMORY].all < mb) {
        mb = of[FCA_BOUND_MEMORY].all;
    }

    milli = milli * c->overcommit / 1000;
    c->cpu = milli < 1 ? 1 : milli > INT_MAX ? INT_MAX : (int) milli;
    c->memory_mb = mb < 0 ? 0 : mb > INT_MAX ? INT_MAX : (int) mb;
}

static long long
fca_capacity_host_mb(void)
{
    return (long long) sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)
           / (1024 * 1024);
}

int
fca_capacity_limits(fca_capacity_t *c, int overcommit, int reserve_mb,
    int max_vms, int max_boots, fcf_err_t *err)
{
    long       cpus;
    long long  mb;

    cpus = sysconf(_SC_NPROCESSORS_ONLN);
    mb = fca_capacity_host_mb();

    if (cpus < 1 || mb <= reserve_mb) {
        return fcf_err_set(err, FCF_E_INVALID, "memory_reserve_mb = \"%d\": "
                           "this host has %lld MB and %ld CPUs, nothing is "
                           "left for VMs", reserve_mb, mb, cpus);
    }

    c->overcommit = overcommit;
    c->reserve_mb = reserve_mb;
    c->max_vms = max_vms;
    c->max_boots = max_boots;

    fca_capacity_bounded(c, mb, cpus * 1000);

    return 0;
}

int
fca_capacity_look(fca_capacity_t *c, const fca_bounds_t *bounds)
{
    int   cpu = c->cpu, memory_mb = c->memory_mb;
    long  cpus;

    c->bounds = *bounds;
    cpus = sysconf(_SC_NPROCESSORS_ONLN);
    fca_capacity_bounded(c, fca_capacity_host_mb(),
                         cpus > 0 ? cpus * 1000 : 1000);

    return c->cpu != cpu || c->memory_mb != memory_mb;
}

void
fca_capacity_own(fca_capacity_t *c)
{
    unsigned  i;

    for (i = 0; i < FCA_BOUNDS_N; i++) {
        c->bounds.of[i].left = -1;
    }
}

/* 1: so much is there, or it is not known */
static int
fca_capacity_left(int bound, int need)
{
    return bound < 0 || need <= bound;
}

int
fca_capacity_memory_left(const fca_capacity_t *c)
{
    int  own = c->memory_mb - c->memory_mb_used;
    int  left = c->bounds.of[FCA_BOUND_MEMORY].left;

    return left >= 0 && left < own ? left : own;
}

fca_fit_e
fca_capacity_fit(const fca_capacity_t *c, int cpu, int memory_mb)
{
    const fca_bound_t  *of = c->bounds.of;

    if (cpu > c->cpu || memory_mb > c->memory_mb
        || !fca_capacity_left(of[FCA_BOUND_PIDS].all, c->vm_pids))
    {
        return FCA_FITS_NEVER;
    }

    if (cpu > c->cpu - c->cpu_used
        || memory_mb > fca_capacity_memory_left(c)
        || c->vms >= c->max_vms || c->boots >= c->max_boots
        || !fca_capacity_left(of[FCA_BOUND_PIDS].left, c->vm_pids))
    {
        return FCA_FITS_LATER;
    }

    return FCA_FITS;
}

void
fca_capacity_take(fca_capacity_t *c, int cpu, int memory_mb)
{
    assert(fca_capacity_fit(c, cpu, memory_mb) == FCA_FITS);
    fca_capacity_adopt(c, cpu, memory_mb);
}

void
fca_capacity_adopt(fca_capacity_t *c, int cpu, int memory_mb)
{
    c->cpu_used += cpu;
    c->memory_mb_used += memory_mb;
    c->vms++;
    c->boots++;
}

void
fca_capacity_booted(fca_capacity_t *c)
{
    assert(c->boots > 0);
    c->boots--;
}

void
fca_capacity_give(fca_capacity_t *c, int cpu, int memory_mb)
{
    assert(c->vms > 0 && c->cpu_used >= cpu
           && c->memory_mb_used >= memory_mb);

    c->cpu_used -= cpu;
    c->memory_mb_used -= memory_mb;
    c->vms--;
}
